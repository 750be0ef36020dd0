"""Runs that follow one another in one process: a model is loaded once, and nothing of one run is seen in the next."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.runs import untimed

from coabench.evaluation.plan import Evaluation, check
from coabench.evaluation.warm import Warm, look_of
from coabench.sweep.together import Together, TogetherIdentity
from coabench.sweep.worker import perform
from coabench.testing.pictures import Pictures
from coabench.testing.runs import registered
from coabench.testing.scripted import ScriptedBackbone
from coabench.testing.spaces import CARDS


class Counting(ScriptedBackbone):
    """Counts how often weights are loaded, and can be broken for one run."""

    loads = 0
    broken = False

    def __call__(self, request: object) -> "Counting":
        made = Counting()
        made.broken = Counting.broken
        return made

    def identity(self) -> Mapping[str, Any]:
        return {"weights": "counted"}

    def load(self) -> None:
        Counting.loads += 1
        if self.broken:
            raise RuntimeError("the weights are torn")


@pytest.fixture
def requests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(Counting, "loads", 0)
    with (
        registered("datasets", "testing-compound", Pictures, card=CARDS["testing-compound"]),
        registered("backbones", "counting", Counting()),
    ):
        yield lambda name, **changes: Evaluation(
            "counting", "direct", "testing-compound", limit=6, output=tmp_path / name, **changes
        )


def run(request: Evaluation, warm: Warm | None) -> None:
    assert perform(request, check(replace(request, output=None)).identity, warm) is None


def test_conditions_load_their_model_once_and_record_what_they_record_alone(requests: Any, tmp_path: Path) -> None:
    warm, changes = (
        Warm(),
        [{}, {"transform": ("mirror",)}, {"transform": ("blur:severity=3",), "rewrite": ("polite",)}],
    )
    for number, change in enumerate(changes):
        run(requests(f"{number}", **change), warm)
    pair = [requests("3", rewrite=("case:style=lower",)), requests("4", rewrite=("order:rotate=1",))]
    identities = tuple(check(each).identity for each in pair)
    assert perform(Together(tuple(pair)), TogetherIdentity(runs=identities), warm) is None
    assert Counting.loads == 1
    changes += [{"rewrite": each.rewrite} for each in pair]
    for number, change in enumerate(changes):
        run(requests(f"alone-{number}", **change), None)
        assert untimed(tmp_path / f"{number}") == untimed(tmp_path / f"alone-{number}")
    assert Counting.loads == 1 + len(changes)


ASKED: list[dict[str, Any]] = [{"decode": "score"}, {"seed": 1}, {"strategy": "chain-of-affect"}, {"limit": 3}]


@pytest.mark.parametrize("change", ASKED)
def test_what_is_asked_otherwise_or_about_others_asks_the_same_weights(
    requests: Any, change: dict[str, Any], tmp_path: Path
) -> None:
    warm = Warm()
    run(requests("first"), warm)
    run(replace(requests("other"), **change), warm)
    assert Counting.loads == 1
    run(replace(requests("alone"), **change), None)
    assert untimed(tmp_path / "other") == untimed(tmp_path / "alone")


def test_what_answers_otherwise_is_loaded_anew(requests: Any) -> None:
    warm = Warm()
    run(requests("first"), warm)
    run(requests("other", device="cpu"), warm)
    assert Counting.loads == 2


def test_a_backbone_that_may_keep_what_it_was_checked_with_is_loaded_anew(
    requests: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Counting, "check", lambda self, questions, decode: None)
    first, other = requests("first"), requests("other", decode="score")
    assert look_of(check(first)) != look_of(check(other))
    warm = Warm()
    run(first, warm)
    run(other, warm)
    assert Counting.loads == 2
    monkeypatch.setattr(Counting, "check_keeps_nothing", True)
    run(requests("third"), warm)
    run(requests("fourth", decode="score"), warm)
    assert Counting.loads == 3


def test_strategies_and_decode_modes_share_the_looks_of_the_embedded_model(tmp_path: Path) -> None:
    def asked(name: str, **more: Any) -> Evaluation:
        words: dict[str, Any] = {"adapter": "none", "limit": 3, "batch_size": 2, "output": tmp_path / name}
        return Evaluation("tiny", dataset="synthface-compound", **words, **more)

    ways: dict[str, dict[str, Any]] = {
        "direct": {"strategy": "direct"},
        "scored": {"strategy": "direct", "decode": "score", "rewrite": ("polite",)},
        "chain": {"strategy": "chain-of-affect"},
        "drawn": {"strategy": "chain-of-affect", "decode": "sample", "samples": 2},
    }
    plans = [check(asked(name, **way)) for name, way in ways.items()]
    assert len({look_of(plan) for plan in plans}) == 1
    together = Together(tuple(asked(f"{name}-together", **way) for name, way in ways.items()))
    warm = Warm()
    assert perform(together, TogetherIdentity(runs=tuple(plan.identity for plan in plans)), warm) is None
    for name, way in ways.items():
        run(asked(name, **way), warm)
        assert untimed(tmp_path / f"{name}-together") == untimed(tmp_path / name)


def test_weights_that_were_not_loaded_are_not_taken_for_loaded(requests: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    warm, request = Warm(), requests("torn")
    monkeypatch.setattr(Counting, "broken", True)
    assert "torn" in (perform(request, check(request).identity, warm) or "")
    warm_again = requests("again")
    assert "torn" in (perform(warm_again, check(warm_again).identity, warm) or "")
    assert Counting.loads == 2
