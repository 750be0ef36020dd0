"""Training tiny models: an adapter comes out that PEFT reads, or a whole model; what is learnt does not depend on
micro-batches."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from coabench_transformers.backbone import TransformersVision
from coabench_transformers.checkpoint import Checkpoint
from coabench_transformers.loss import weighing
from coabench_transformers.training import TransformersTrainee
from peft import PeftModel
from safetensors.torch import load_file
from support.tiny_vlms import LABELS, PROMPTS, build_qwen2_5_vl

from coabench import api
from coabench.backbone import BackboneRequest
from coabench.dialogue import Answer, Message, Question, Turn
from coabench.evaluation.job import evaluate
from coabench.evaluation.plan import Evaluation
from coabench.labels import Choices
from coabench.testing.pictures import draw_face
from coabench.training.job import train
from coabench.training.parts import part_of
from coabench.training.plan import Training

pytestmark = pytest.mark.slow

RECIPE = {"steps": 2, "batch_size": 4, "rank": 2, "learning_rate": 1e-2, "dropout": 0.0, "dev": 0.0, "dtype": "float32"}


PARTS = {
    "llava": ("language", "projector", "vision"),
    "idefics3": ("language", "projector", "vision"),
    "gemma3": ("language", "vision"),  # its projector is one bare parameter
}


def trained(model: Path, output: Path, micro: int = 4, also: str | None = None, **recipe: Any) -> Path:
    request = Training(
        f"transformers:{model}", ["direct", *([also] if also else [])], ["synthface-basic"],
        settings={**RECIPE, **recipe}, micro_batch=micro, device="cpu", output=output, options={"max_new_tokens": "4"},
    )  # fmt: skip
    return train(request).directory


def opened(model: Path, adapter: Path | None = None) -> TransformersVision:
    backbone = TransformersVision(BackboneRequest(str(model), str(adapter) if adapter else None, "cpu", "float32"))
    backbone.load()
    return backbone


@pytest.mark.parametrize("name", ["llava", "idefics3", "gemma3"])
def test_an_adapter_comes_out_and_is_evaluated(folders: Callable[[str], Path], tmp_path: Path, name: str) -> None:
    variants = {"dora": True, "rslora": True, "modules_to_save": ("projector",)} if name != "idefics3" else {}
    adapter = trained(folders(name), tmp_path / "adapter", targets=PARTS[name], **variants)
    own, plain = opened(folders(name), adapter), opened(folders(name))
    theirs = PeftModel.from_pretrained(plain._model, str(adapter)).merge_and_unload().state_dict()
    base = opened(folders(name))._model.state_dict()
    changed = {key for key, value in own._model.state_dict().items() if not torch.equal(value, base[key])}
    trainee = plain.trainee(None)
    assert {part_of(key, trainee) for key in changed} == {*PARTS[name], "projector"}
    assert all(torch.allclose(value, theirs[key], atol=1e-6) for key, value in own._model.state_dict().items())
    assert "lm_head.weight" not in changed
    run = evaluate(
        Evaluation(f"transformers:{folders(name)}", "direct", "synthface-basic", adapter=str(adapter), limit=3,
                   decode="score", device="cpu", dtype="float32", output=tmp_path / "run")
    )  # fmt: skip
    facts = json.loads((tmp_path / "run" / "run.json").read_text())["identity"]["backbone"]["facts"]
    assert facts["adapter"]
    assert facts["max_new_tokens"] == 4  # as in the training
    assert run.manifest["status"] == "complete"


def test_micro_batches_change_nothing(folders: Callable[[str], Path], tmp_path: Path) -> None:
    """Prompts of all lengths in one pass or in passes of their own: the same gradient, so the same adapter."""
    one, four = (
        load_file(
            trained(folders("llava"), tmp_path / str(micro), micro, also="one-shot") / "adapter_model.safetensors"
        )
        for micro in (1, 4)
    )
    assert one.keys() == four.keys()
    for name, value in one.items():
        assert torch.allclose(value, four[name], atol=1e-4), name


def test_answers_are_weighed(folders: Callable[[str], Path], tmp_path: Path) -> None:
    """By how rare they are, or by their rewards."""
    faces = [(draw_face(label, size=size), label) for label in ("Fear", "Anger") for size in (60, 61, 62)]
    own: dict[str, Any] = {"backbone": f"transformers:{folders('llava')}", "strategy": "direct",
                           "labels": "synthface-basic", "rank": 2, "lr": 1e-2, "dropout": 0.0, "dev": 0.0,
                           "device": "cpu", "options": {"max_new_tokens": "4"}}  # fmt: skip
    few = {**own, "dataset": faces[:4], "steps": 2, "batch_size": 4}
    plain, balanced = (api.train(**few, balance=how, output=tmp_path / how) for how in ("none", "loss"))
    logs = [(made.directory / "training.jsonl").read_text().splitlines() for made in (plain, balanced)]
    losses = [json.loads(lines[0])["loss"] for lines in logs]
    assert losses[0] != losses[1]
    begun = api.train(**own, dataset=faces, steps=18, batch_size=6, output=tmp_path / "begun").directory
    rewarded = api.train(**own, dataset=faces[:4], steps=2, batch_size=2, objective="grpo", from_=begun,
                         output=tmp_path / "rewarded").directory  # fmt: skip
    before, after = (load_file(folder / "adapter_model.safetensors") for folder in (begun, rewarded))
    assert before.keys() == after.keys()
    assert not all(torch.equal(value, after[name]) for name, value in before.items())


def test_the_loss_is_the_weighted_mean_over_the_tokens_of_a_step() -> None:
    """Also of a model whose own loss is the mean of the batch, and in whatever micro-batches."""
    draw = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(4, 5, 7, generator=draw), torch.randint(7, (4, 5), generator=draw)
    labels[0, :3], labels[2, 1:] = -100, -100  # two labels of the first row; none that anything predicts in the third

    def forward(rows: slice, labels: torch.Tensor | None = None) -> dict[str, torch.Tensor]:
        return {"logits": logits[rows]} if labels is None else {"logits": logits[rows], "loss": torch.tensor(9.0)}

    def loss(weights: torch.Tensor | None, *batches: slice, items: int | None = 10) -> float:
        own = [{} if weights is None else {"weights": weights[rows]} for rows in batches]
        passes = zip(batches, own, strict=True)
        losses = [weighing(forward)(rows, labels=labels[rows], num_items_in_batch=items, **w) for rows, w in passes]
        return float(sum(each["loss"] for each in losses))

    whole, halves = slice(0, 4), (slice(0, 2), slice(2, 4))
    tokens = -logits.log_softmax(-1)[:, :-1].gather(2, labels[:, 1:, None].clamp(min=0))[..., 0]
    tokens = tokens * (labels[:, 1:] != -100)
    assert loss(None, whole) == pytest.approx(float(tokens.sum()) / 10)
    assert loss(None, whole, items=None) == pytest.approx(float(tokens.sum()) / 10)  # 2 + 4 + 0 + 4 labels
    assert loss(torch.ones(4), whole) == loss(None, whole)
    assert loss(None, *halves) == pytest.approx(loss(None, whole))
    weights = torch.tensor([0.5, -2.0, 3.0, 1.0])
    assert loss(weights, *halves) == pytest.approx(float((weights[:, None] * tokens).sum()) / 10)
    assert "loss" not in weighing(forward)(whole)


def test_the_default_is_a_lora_on_the_language_model(folders: Callable[[str], Path], tmp_path: Path) -> None:
    state = load_file(trained(folders("llava"), tmp_path / "adapter") / "adapter_model.safetensors")
    assert state
    assert all("language_model" in name for name in state)


def test_a_whole_model_comes_out(folders: Callable[[str], Path], tmp_path: Path) -> None:
    whole = trained(folders("llava"), tmp_path / "whole", full=True, targets=PARTS["llava"])
    model = opened(whole)
    before = opened(folders("llava"))._model.state_dict()
    changed = [name for name, value in model._model.state_dict().items() if not torch.equal(value, before[name])]
    assert any("vision" in name for name in changed)
    assert any("lm_head" in name for name in changed)
    assert (whole / "model.safetensors").stat().st_mode & 0o777 == 0o644
    assert (whole / "chat_template.jinja").read_bytes() == (folders("llava") / "chat_template.jinja").read_bytes()
    viewing = model.look([[draw_face("Fear")]])
    assert viewing.ask([Question(PROMPTS[0], Choices(LABELS))], "score")[0].scores


@pytest.mark.parametrize("name", ["llava", "idefics3", "gemma3"])
def test_what_is_learnt_is_what_is_scored(folders: Callable[[str], Path], name: str) -> None:
    """The loss of a turn is minus the score of its answer: same tokens, same end, nothing of the prompt or padding."""
    backbone = TransformersVision(BackboneRequest(str(folders(name)), None, "cpu", "float32"))
    trainee = backbone.trainee(None)
    backbone.load()
    images = (draw_face("Fear", 1), draw_face("Anger", 2))
    example = (Message("user", PROMPTS[0], (0,)), Message("assistant", "Fear"))
    asked = (
        Question(PROMPTS[0], Choices(LABELS), images=(1,)),
        Question(PROMPTS[1], Choices(LABELS), images=(1,), context=example),
    )
    turns = [Turn(question, Answer(label)) for question, label in zip(asked, ("Anger", "Neutral"), strict=True)]
    encoded = trainee.encode(backbone.prepare(images), turns)
    collated = trainee.collate([encoded])
    learnt = int((collated["labels"] != -100).sum())
    assert learnt == sum(len(backbone.chat.answer(turn.answer.response)) for turn in turns)
    with torch.no_grad():
        loss = float(trainee.module(**collated, num_items_in_batch=1).loss)
    scores = [backbone.look([images]).ask([t.question], "score")[0].scores[t.answer.response] for t in turns]
    assert loss == pytest.approx(-sum(scores), rel=1e-5)
    assert encoded.tokens == int(collated["attention_mask"].sum())


def test_the_projector_of_qwen_is_a_part_of_its_own(tmp_path: Path) -> None:
    """It stands inside the vision tower; its processor, which needs torchvision, is not asked here."""
    model = Checkpoint(build_qwen2_5_vl(tmp_path)).blueprint("sdpa")
    trainee = TransformersTrainee(model, None, None)  # type: ignore[arg-type]
    assert dict(trainee.parts) == {"projector": "model.visual.merger.", "vision": "model.visual.", "language": ""}
    assert [name.removeprefix("model.visual.merger.") for name in trainee.groups["projector"]] == ["mlp.0", "mlp.2"]
    assert not any("lm_head" in name or "visual" in name for name in trainee.groups["language"])
