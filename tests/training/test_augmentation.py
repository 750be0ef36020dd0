"""Augmentation: each time otherwise, the same again for the same seed, sample and epoch, and never outside training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from coabench_tiny.checkpoint import write
from support.in_process import command

from coabench.api import train
from coabench.errors import JobError
from coabench.registry.transforms import open_augmentation
from coabench.runs.adapter import TrainingRecord
from coabench.testing.pictures import draw_face
from coabench.training.data import Item
from coabench.training.plan import Training, check
from coabench.training.progress import TrainingProgress
from coabench.training.schedule import Look, Schedule

AUGMENT = ("random-crop:strength=0.5", "random-colour:strength=0.5")
SMALL: dict[str, Any] = {
    "strategy": "direct", "labels": "synthface-basic", "steps": 4, "batch_size": 4, "rank": 2, "evaluations": 4,
    "dev": 0.0, "device": "cpu", "augment": AUGMENT, "balance": "sample",
}  # fmt: skip
"""A training of seconds."""


@pytest.fixture(scope="module")
def item() -> Item:
    return check(Training("tiny", ["direct"], ["synthface-basic"], settings={"steps": 1})).items[0]


def shown(item: Item, epoch: int = 0, copy: int = 0, seed: int = 0) -> bytes:
    return item.images(Look(False, epoch, copy), open_augmentation(AUGMENT, seed))[0].tobytes()


def test_each_time_is_another_and_the_same_again(item: Item) -> None:
    first = shown(item)
    assert shown(item) == first
    others = [shown(item, epoch=1), shown(item, copy=1), shown(item, seed=1), item.images()[0].tobytes()]
    assert len({first, *others}) == 5


def test_transforms_draw_each_by_itself(item: Item) -> None:
    """One that flips with a chance of a half undoes another that does only where both draw as they like."""
    twice = open_augmentation(["random-flip", "random-flip"], 0)
    plain = item.images()[0].tobytes()
    same = [item.images(Look(False, epoch), twice)[0].tobytes() == plain for epoch in range(40)]
    assert 10 < sum(same) < 30


def test_the_questions_about_an_image_share_what_is_drawn() -> None:
    schedule = Schedule([2, 2, 2], [1, 1, 1], 0, 2, 1, 9, augments=True)
    looks: dict[tuple[int, int], set[Look]] = {}
    for number, batch in enumerate(schedule.micro_batches()):
        for sample, _, look in batch:
            looks.setdefault((number // 6, sample), set()).add(look)  # 3 samples of 2 questions make an epoch
    assert sorted(looks) == [(epoch, sample) for epoch in range(3) for sample in range(3)]
    assert all(own == {Look(False, epoch, 0)} for (epoch, _), own in looks.items())


class Stops(TrainingProgress):
    """Ends a training after two steps."""

    def log(self, line: Mapping[str, Any]) -> None:
        if line["step"] == 3:
            raise JobError("stopped")


@pytest.mark.slow
def test_a_resumed_training_sees_what_it_would_have_seen(tmp_path: Path) -> None:
    write(tmp_path / "model", seed=5)
    faces = [(draw_face(label, size=size), label) for label in ("Fear", "Anger") for size in (60, 61, 62)]
    own: dict[str, Any] = {"backbone": f"tiny:{tmp_path / 'model'}", "dataset": faces, **SMALL}
    whole = train(**own, output=tmp_path / "whole")
    with pytest.raises(JobError, match="stopped"):
        train(**own, output=tmp_path / "half", progress=Stops())
    half = train(**own, output=tmp_path / "half")
    weights = [(done.directory / "adapter_model.safetensors").read_bytes() for done in (whole, half)]
    assert weights[0] == weights[1]
    identity = TrainingRecord.read(half.directory).identity
    assert identity is not None
    assert identity.augmentation is not None
    assert [step["name"] for step in identity.augmentation] == ["random-crop", "random-colour"]
    assert identity.recipe["balance"] == "sample"
    assert half.manifest["balance"]["direct / answer / synthface-basic"]["Fear"]["count"] == 3


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ("grey", "--augment grey changes every image alike"),
        ("random-flip:p=2", "--augment random-flip p=2"),
        ("random-flop", "did you mean 'random-flip'"),
        ("random-crop:strenght=1", "did you mean 'strength'"),
    ],
)
def test_what_augments_nothing_is_refused(tmp_path: Path, spec: str, problem: str) -> None:
    refused = command(tmp_path, ["train", "--augment", spec, "--output", "out"], {})
    assert refused.returncode == 2
    assert problem in refused.stderr
    assert not (tmp_path / "out").exists()
