"""Every strategy, on the model and the faces that ship: its run, and the same run read again."""

from pathlib import Path

import pytest
from support.runs import records

from coabench.errors import UserError
from coabench.evaluation.job import evaluate
from coabench.evaluation.plan import Evaluation
from coabench.metrics.calibration import confidence, confidence_of
from coabench.registry.loader import get_plugins
from coabench.scoring.rescore import Rescoring, rescore

pytestmark = pytest.mark.slow

SUITS = {"few-shot": "one-shot", "pair-scores": "chain-of-affect", "permute-vote": "direct", "top-1": "chain-of-affect"}
"""Whose adapter suits a strategy that asks another's questions."""
ONLY = {"top-1": "basic", "top-2-pair": "compound"}
NEEDS_TRAIN = ("few-shot", "one-shot")
OURS = sorted(name for name, entry in get_plugins().strategies.items() if entry.plugin == "strategies")


@pytest.mark.parametrize("half", ["basic", "compound"])
@pytest.mark.parametrize("name", OURS)
def test_a_run_of_the_strategy_and_the_same_run_read_again(name: str, half: str, faces: Path, tmp_path: Path) -> None:
    if ONLY.get(name, half) != half:
        pytest.skip("refused for these labels: see test_top.py")
    made, again = tmp_path / "made", tmp_path / "again"
    shipped = name in NEEDS_TRAIN  # their exemplars come from the train split
    done = evaluate(
        Evaluation(
            "tiny", name, f"synthface-{half}", data_root=None if shipped else faces, limit=4 if shipped else None,
            output=made,
        )
    )  # fmt: skip
    if name in SUITS:
        assert done.manifest["identity"]["backbone"]["adapter"] == f"shipped/{SUITS[name]}"
    first = records(made)
    assert len(first) == (4 if shipped else {"basic": 7, "compound": 11}[half])
    assert {record["status"] for record in first} <= {"ok", "invalid"}
    if half == "basic" and name != "action-units":  # which asks the small model for words that it does not have
        assert any(record["prediction"] == record["target"] for record in first)
    if done.manifest["identity"]["decode"] == "score":  # whatever is typed
        with pytest.raises(UserError, match="there is nothing to parse"):
            rescore(Rescoring(made, "standard", output=again))
        return
    rescore(Rescoring(made, "standard", output=again))
    for before, after in zip(first, records(again), strict=True):
        assert before | {"seconds": None} == after


def test_calibration_asks_the_strategy_and_not_the_product_of_its_turns(faces: Path, tmp_path: Path) -> None:
    sure = {}
    for name in ("pair-scores", "top-2-pair", "chain-of-affect"):
        evaluate(
            Evaluation("tiny", name, "synthface-compound", data_root=faces, decode="score", output=tmp_path / name)
        )
        sure[name] = [(record, confidence_of(record)) for record in records(tmp_path / name)]
    assert all(told == record["details"]["confidence"] for record, told in sure["pair-scores"])
    assert {told for _, told in sure["top-2-pair"]} == {None}
    assert all(told == confidence(record["turns"]) for record, told in sure["chain-of-affect"])
