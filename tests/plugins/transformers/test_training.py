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
from coabench_transformers.training import TransformersTrainee
from peft import PeftModel
from safetensors.torch import load_file
from support.tiny_vlms import LABELS, PROMPTS, build_qwen2_5_vl
from transformers import LlavaForConditionalGeneration

from coabench.backbone import BackboneRequest
from coabench.dialogue import Answer, Message, Question, Turn
from coabench.errors import UserError
from coabench.evaluation.job import evaluate
from coabench.evaluation.plan import Evaluation
from coabench.labels import Choices
from coabench.registry.catalog import DatasetChoice
from coabench.registry.python_data import from_python
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


def trained(
    model: Path,
    output: Path,
    micro: int = 4,
    also: str | None = None,
    dataset: str | DatasetChoice = "synthface-basic",
    **recipe: Any,
) -> Path:
    request = Training(
        f"transformers:{model}", ["direct", *([also] if also else [])], [dataset],
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


def test_a_loss_that_0_1_0_averaged_is_now_of_the_whole_step(
    folders: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with Qwen2.5-VL. What 0.1.0 began so ends so; another folder than that of a finished one is needed."""
    own: dict[str, Any] = {"dataset": "synthface-compound", "warmup": 0.0}  # labels of several lengths
    state = "adapter_model.safetensors"
    plain = load_file(trained(folders("llava"), tmp_path / "plain", **own) / state)
    monkeypatch.setattr(LlavaForConditionalGeneration, "accepts_loss_kwargs", False, raising=False)
    one = trained(folders("llava"), tmp_path / "one", micro=1, **own)
    for name, value in load_file(one / state).items():
        assert torch.allclose(value, plain[name], atol=1e-4), name
    manifest = json.loads((one / "training.json").read_text())
    assert manifest["identity"].pop("loss") == "tokens"
    assert "loss" not in json.loads((tmp_path / "plain" / "training.json").read_text())["identity"]
    began = tmp_path / "began"
    began.mkdir()
    (began / "training.json").write_text(json.dumps({**manifest, "status": "failed"}))
    averaged = load_file(trained(folders("llava"), began, micro=1, **own) / state)
    assert not all(torch.allclose(value, plain[name], atol=1e-4) for name, value in averaged.items())
    assert "loss" not in json.loads((began / "training.json").read_text())["identity"]
    with pytest.raises(UserError, match="loss"):
        trained(folders("llava"), began, micro=1, **own)


def test_the_loss_of_an_answer_is_weighed(folders: Callable[[str], Path]) -> None:
    """By the weight of its turn, below 0 too; weights of 1 change nothing."""
    backbone = TransformersVision(BackboneRequest(str(folders("llava")), None, "cpu", "float32"))
    trainee = backbone.trainee(None)
    backbone.load()
    prepared = backbone.prepare([draw_face("Fear")])

    def loss(*weights: float, items: int | None = 1) -> float:
        asked = [Question(prompt, Choices(LABELS)) for prompt in PROMPTS[:2]]
        turns = [Turn(q, Answer(label), weight=w) for q, label, w in zip(asked, LABELS[:2], weights, strict=True)]
        batch = trainee.collate([trainee.encode(prepared, turns)])
        assert ("weights" in batch) == (weights != (1, 1))
        with torch.no_grad():
            return float(trainee.module(**batch, num_items_in_batch=items).loss)

    first, second = loss(1, 0), loss(0, 1)
    assert loss(1, 1) == pytest.approx(first + second)
    assert loss(-0.5, 3) == pytest.approx(3 * second - 0.5 * first)
    assert loss(2, 2, items=None) == pytest.approx(2 * loss(1, 1, items=None))


def test_rare_answers_count_more(folders: Callable[[str], Path], tmp_path: Path) -> None:
    labels = ("Fear", "Fear", "Fear", "Anger")
    faces = from_python([(draw_face(label, n), label) for n, label in enumerate(labels)], "synthface-basic", "train")
    states = []
    for balance in ("loss", "none"):
        adapter = trained(folders("llava"), tmp_path / balance, micro=2, balance=balance, dataset=faces)
        states.append(load_file(adapter / "adapter_model.safetensors"))
    assert any(not torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_it_is_trained_by_rewards(folders: Callable[[str], Path], tmp_path: Path) -> None:
    """Answers that are drawn differ, and are rewarded differently: so something is learnt."""
    rewarded = trained(folders("idefics3"), tmp_path / "grpo", micro=2, objective="grpo", group=4)
    log = [json.loads(line) for line in (rewarded / "training.jsonl").read_text().splitlines()]
    assert {"reward", "reward_std", "kl", "answer_tokens"} <= {*log[0]}
    assert any(line["reward_std"] > 0 for line in log)
    assert any(bool(value.any()) for name, value in load_file(rewarded / "adapter_model.safetensors").items()
               if "lora_B" in name)  # fmt: skip


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
    assert trainee.averaged
    assert dict(trainee.parts) == {"projector": "model.visual.merger.", "vision": "model.visual.", "language": ""}
    assert [name.removeprefix("model.visual.merger.") for name in trainee.groups["projector"]] == ["mlp.0", "mlp.2"]
    assert not any("lm_head" in name or "visual" in name for name in trainee.groups["language"])
