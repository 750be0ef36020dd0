"""Runs that follow one another in one process: a model is loaded once, and nothing of one run is seen in the next."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.runs import untimed

from coabench.evaluation.plan import Evaluation, check
from coabench.evaluation.warm import Warm
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


@pytest.mark.parametrize(
    "change", [{"decode": "score"}, {"seed": 1}, {"device": "cpu"}, {"strategy": "chain-of-affect"}]
)
def test_what_answers_otherwise_is_loaded_anew(requests: Any, change: dict[str, Any]) -> None:
    warm = Warm()
    run(requests("first"), warm)
    run(replace(requests("other"), **change), warm)
    assert Counting.loads == 2


def test_weights_that_were_not_loaded_are_not_taken_for_loaded(requests: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    warm, request = Warm(), requests("torn")
    monkeypatch.setattr(Counting, "broken", True)
    assert "torn" in (perform(request, check(request).identity, warm) or "")
    warm_again = requests("again")
    assert "torn" in (perform(warm_again, check(warm_again).identity, warm) or "")
    assert Counting.loads == 2
