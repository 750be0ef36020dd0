"""Training by rewards: what a dialogue is worth, what is refused, and a training that is resumed to the bit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from coabench.api import train
from coabench.dialogue import Answer, Prediction, Question, Task, Turn
from coabench.errors import JobError, UserError
from coabench.inference.engine import Outcome
from coabench.labels import Choices
from coabench.recipe import Recipe
from coabench.registry.catalog import find_dataset, open_strategy
from coabench.sampling import Draw
from coabench.testing.pictures import draw_face
from coabench.training.progress import TrainingProgress
from coabench.training.reward import advantages, check_rewards, reward

BASIC, COMPOUND = (find_dataset(f"raf-db-{name}").card.space for name in ("basic", "compound"))
GRPO = Recipe(objective="grpo", reward_partial=0.25, reward_invalid=-1.0, reward_length=0.01)


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("Sadly Angry", 1.0),
        ("Sadly Fearful", 0.25),
        ("Angrily Disgusted", 0.25),
        ("Happily Surprised", 0.0),
        (None, -1),
    ],
)
def test_a_label_is_rewarded_by_what_is_right_of_it(label: str | None, expected: float) -> None:
    assert reward(GRPO, COMPOUND, "Sadly Angry", Prediction(label), 5) == pytest.approx(expected - 0.05)
    assert reward(GRPO, BASIC, "Fear", Prediction("Anger"), 0) == 0


def test_dialogues_are_compared_with_those_about_the_same_image() -> None:
    assert advantages([1, 0, 0, 1], [2, 2, 4, 1], "dr-grpo") == pytest.approx([0.5, -0.5, -0.5, 0.5])
    assert advantages([1, 0, 0, 1], [2, 2, 4, 1], "grpo") == pytest.approx([0.5, -0.5, -0.25, 1.0], abs=1e-3)
    for loss in ("grpo", "dr-grpo"):
        assert advantages([0.3, 0.3], [1, 9], loss) == [0, 0]


def test_equal_answers_are_one_example_with_the_weights_of_all() -> None:
    from coabench.training.rollouts import Asked, Group

    def turn(response: str, seed: int, scores: Mapping[str, float] | None = None) -> Turn:
        return Turn(Question("Which?", Choices(), draw=Draw(seed=seed)), Answer(response, scores, new_tokens=2))

    dialogues = [[turn("Fear", 1)], [turn("Anger", 2), turn("Yes", 0, {"Yes": 0.0})], [turn("Fear", 3)]]
    group = Group(Asked(None, None), [Outcome(turns) for turns in dialogues], weights=[0.75, -1.5, 3.0])  # type: ignore[arg-type]
    assert [(each.answer.response, each.weight) for each in group.merged()] == [("Fear", 1.25), ("Anger", -0.5)]
    assert group.tokens == [2, 2, 2]  # what is scored was not drawn


def test_what_cannot_be_rewarded_is_refused() -> None:
    whole = {"generates", "samples", "scores", "trains"}
    (direct, _), (scored, _) = open_strategy("direct"), open_strategy("pair-scores")
    asked = [(direct, Task(BASIC))]
    check_rewards(GRPO, asked, whole, True)
    check_rewards(Recipe(objective="grpo", kl=0), asked, whole - {"scores"}, True)
    check_rewards(Recipe(), asked, {"trains"}, False)
    for can, weighs, problem in (
        (whole - {"samples"}, True, "cannot draw answers"),
        (whole - {"scores"}, True, "cannot score them, as --kl above 0 needs"),
        (whole, False, "cannot weigh the loss of an answer"),
    ):
        with pytest.raises(UserError, match=problem):
            check_rewards(GRPO, asked, can, weighs)
    with pytest.raises(UserError, match="has its answers scored, and none drawn"):
        check_rewards(GRPO, [(scored, Task(COMPOUND))], whole, True)


def test_settings_of_the_other_objective_are_refused() -> None:
    for settings, option in (
        ({"group": 4}, "--group is not for --objective supervised"),
        ({"objective": "grpo", "ambiguous": True}, "--ambiguous is not for --objective grpo"),
        ({"objective": "grpo", "balance": "loss"}, "--balance is not for --objective grpo"),
        ({"objective": "grpo", "group": 1}, "--group 1 makes no sense"),
    ):
        with pytest.raises(UserError, match=option):
            Recipe(**settings)
    assert Recipe(objective="grpo", balance="sample").identity(4)["group"] == 8
    assert not {"objective", "group", "kl", "reward_partial"} & {*Recipe().identity(4)}


class Stops(TrainingProgress):
    """Ends a training after two steps."""

    def log(self, line: Mapping[str, Any]) -> None:
        if line["step"] == 3:
            raise JobError("stopped")


@pytest.mark.slow
def test_a_training_by_rewards_is_resumed_to_the_same_weights(tmp_path: Path) -> None:
    faces = [(draw_face(label, size=size), label) for label in ("Fear", "Anger") for size in (60, 61, 62)]
    own: dict[str, Any] = {"strategy": "direct", "dataset": faces, "labels": "synthface-basic", "dev": 0.0, "steps": 3,
                           "objective": "grpo", "group": 4, "kl": 0.1, "batch_size": 4, "micro_batch": 2, "rank": 2,
                           "targets": "language", "lr": 0.01, "evaluations": 3, "device": "cpu"}  # fmt: skip
    whole = train(**own, output=tmp_path / "whole")
    with pytest.raises(JobError, match="stopped"):
        train(**own, output=tmp_path / "half", progress=Stops())
    half = train(**own, output=tmp_path / "half")
    first, second = (load_file(done.directory / "adapter_model.safetensors") for done in (whole, half))
    assert all(tensor.equal(second[name]) for name, tensor in first.items())
    assert any(bool(tensor.any()) for name, tensor in first.items() if "lora_B" in name)
    logs = [[json.loads(line) for line in (done.directory / "training.jsonl").open()] for done in (whole, half)]
    assert [{**line, "seconds": 0} for line in logs[0]] == [{**line, "seconds": 0} for line in logs[1]]
    assert logs[0][0]["kl"] == 0  # it is still the model of the start
    assert logs[0][-1]["kl"] > 0
    assert -0.5 <= logs[0][0]["reward"] < 1
    assert half.manifest["identity"]["recipe"]["objective"] == "grpo"
