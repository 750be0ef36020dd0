"""Folds: a split cut so that each sample is in one, a person never in two, labels about alike."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from sklearn.model_selection import LeaveOneGroupOut

from coabench.dataset import ImageFile, Sample
from coabench.errors import UserError
from coabench.runs.folds import cut, open_fold

LABELS = ("Happiness", "Sadness", "Neutral")


def samples(persons: int | None, each: int = 2) -> list[Sample]:
    """Return samples of every label: *each* of every person, or 20 of nobody known."""
    return [
        Sample(f"{label}/{person}/{i}", ImageFile(Path(), "x"), label, "train", attributes)
        for person in range(10 if persons is None else persons)
        for label in LABELS
        for i in range(each)
        for attributes in [{} if persons is None else {"subject": f"p{person}"}]
    ]


def test_persons_stay_together_and_labels_are_alike() -> None:
    given = samples(12)
    numbers = cut(given, 4, 0, "toy")
    by_person: dict[str, set[int]] = {}
    for sample, number in zip(given, numbers.tolist(), strict=True):
        by_person.setdefault(sample.attributes["subject"], set()).add(number)
    assert {len(own) for own in by_person.values()} == {1}
    for number in (1, 2, 3, 4):
        held = [sample.target for sample, own in zip(given, numbers, strict=True) if own == number]
        assert {held.count(label) for label in LABELS} == {6}


@pytest.mark.parametrize("persons", [12, None])
def test_folds_hang_on_the_seed_and_on_names_alone(persons: int | None) -> None:
    given = samples(persons)
    shuffled = random.Random(1).sample(given, len(given))
    one = dict(zip((s.id for s in given), cut(given, 3, 0, "toy").tolist(), strict=True))
    assert one == dict(zip((s.id for s in shuffled), cut(shuffled, 3, 0, "toy").tolist(), strict=True))
    assert one != dict(zip((s.id for s in given), cut(given, 3, 1, "toy").tolist(), strict=True))


def test_without_persons_every_label_is_dealt_out_evenly_and_that_is_said() -> None:
    given = samples(None)
    folds = [open_fold(f"{i}/4", given, 0, "toy") for i in (1, 2, 3, 4)]
    assert sorted(s.id for fold in folds for s in fold.samples) == sorted(s.id for s in given)
    for fold in folds:
        targets = [s.target for s in fold.samples]
        assert {targets.count(label) for label in LABELS} == {5}
        assert {s.id for s in fold.samples}.isdisjoint(s.id for s in fold.others)
        assert fold.notes == ["the person is not known of any sample: one person may be in several folds"]
    assert len({fold.identity.assignment for fold in folds}) == 1


def test_leaving_out_a_person_at_a_time_is_what_scikit_learn_does() -> None:
    given = samples(5)
    groups = [s.attributes["subject"] for s in given]
    expected = np.zeros(len(given), dtype=int)
    for number, (_, held) in enumerate(LeaveOneGroupOut().split(groups, groups=groups), start=1):
        expected[held] = number
    assert cut(given, None, 0, "toy").tolist() == expected.tolist()
    fold = open_fold("3/subjects", given, 7, "toy")
    assert {s.attributes["subject"] for s in fold.samples} == {"p2"}
    assert (str(fold.identity), fold.identity.seed, fold.notes) == ("3/5", None, [])


@pytest.mark.parametrize(
    ("text", "persons", "said"),
    [
        ("0/10", 12, "a fold from 1 to 10"),
        ("11/10", 12, "a fold from 1 to 10"),
        ("3/1", 12, "2 or more, or subjects"),
        ("3/0", 12, "2 or more, or subjects"),
        ("3", 12, "as in 3/10"),
        ("-1/3", 12, "as in 3/10"),
        ("1/3 ", 12, "as in 3/10"),
        ("1/person", 12, "as in 3/10"),
        ("13/subjects", 12, "a fold from 1 to 12"),
        ("1/13", 12, "at least 13 persons"),
        ("1/21", None, "at least 21 samples of 'Happiness'"),
        ("1/subjects", None, "the attribute 'subject' of every sample"),
        ("1/subjects", 1, "two persons or more"),
    ],
)
def test_what_is_no_fold_is_refused(text: str, persons: int | None, said: str) -> None:
    with pytest.raises(UserError) as refused:
        open_fold(text, samples(persons), 0, "toy")
    assert said in str(refused.value)
