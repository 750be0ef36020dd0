"""The figures of a run."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn

from coabench.errors import UserError
from coabench.metrics.figures import adjusted_uar, confusion_matrix, encode, macro_f1, recalls, uar, war
from coabench.metrics.kappa import kappa

K = 5


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, K - 1), st.integers(0, K)), min_size=1, max_size=60))
def test_figures_equal_scikit_learn(samples: list[tuple[int, int]]) -> None:
    """Absent classes and INVALID (here K) included. To scikit-learn INVALID is a prediction like any other."""
    true, predicted = np.array(samples).T
    confusion = confusion_matrix(true, predicted, K)
    present = np.unique(true)
    expected = sklearn.recall_score(true, predicted, labels=present, average=None, zero_division=0)
    assert recalls(confusion)[present] == pytest.approx(expected)
    assert np.isnan(np.delete(recalls(confusion), present)).all()
    assert uar(confusion) == pytest.approx(expected.mean())
    assert war(confusion) == pytest.approx(sklearn.accuracy_score(true, predicted))
    f1 = sklearn.f1_score(true, predicted, labels=present, average="macro", zero_division=0)
    assert macro_f1(confusion) == pytest.approx(f1)
    beyond_chance = sklearn.cohen_kappa_score(true, predicted) if len({*true, *predicted}) > 1 else np.nan
    assert kappa(confusion) == pytest.approx(beyond_chance, nan_ok=True)
    adjusted = sklearn.balanced_accuracy_score(true, predicted, adjusted=True) if len(present) > 1 else np.nan
    assert adjusted_uar(confusion) == pytest.approx(adjusted, nan_ok=True)
    assert (confusion == sklearn.confusion_matrix(true, predicted, labels=range(K + 1))[:K]).all()


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
def test_uar_is_balanced_accuracy() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        true, predicted = rng.integers(0, 4, 50), rng.integers(0, 6, 50)  # class 4 absent, 5 is INVALID
        expected = sklearn.balanced_accuracy_score(true, predicted)
        assert uar(confusion_matrix(true, predicted, 5)) == pytest.approx(expected)


def test_invalid_is_wrong_but_no_class() -> None:
    """Three of four right; the macro over an extra INVALID class would be 2/3 and 4/9."""
    confusion = confusion_matrix([0, 0, 1, 1], [0, 0, 1, 2], 2)
    assert uar(confusion) == pytest.approx(0.75)
    assert war(confusion) == pytest.approx(0.75)
    assert macro_f1(confusion) == pytest.approx((1 + 2 / 3) / 2)


def test_figures_take_a_stack() -> None:
    rng = np.random.default_rng(0)
    stack = rng.integers(0, 5, (7, 3, 4))
    for figure in (uar, war, macro_f1):
        assert figure(stack) == pytest.approx([float(figure(one)) for one in stack])


def test_no_samples_at_all_have_no_figure() -> None:
    nothing = np.zeros((3, 4), dtype=np.int64)
    assert all(np.isnan(figure(nothing)) for figure in (uar, war, macro_f1))


def test_encode() -> None:
    assert encode(["b", None, "a"], ["a", "b"]).tolist() == [1, 2, 0]
    with pytest.raises(UserError, match="'c' is no label"):
        encode(["c"], ["a", "b"])


@pytest.mark.parametrize(("true", "predicted"), [([2], [0]), ([-1], [0]), ([0], [3]), ([0], [0, 1]), ([[0]], [[0]])])
def test_confusion_matrix_refuses_what_it_cannot_count(true: list[int], predicted: list[int]) -> None:
    with pytest.raises(ValueError, match=r"out of range|vectors"):
        confusion_matrix(true, predicted, 2)
