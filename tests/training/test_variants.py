"""LoRA's variants, modules trained whole, and learning rates by part: what is learnt, and what reads it afterwards."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from coabench_phi35v.backbone import Phi35Vision
from coabench_tiny.backbone import ADAPTERS
from coabench_tiny.checkpoint import write
from PIL import Image
from safetensors.torch import load_file
from support.in_process import command
from torch import nn

from coabench.adapters.updates import Updates
from coabench.api import train
from coabench.backbone import BackboneRequest, Trainee
from coabench.dialogue import Answer, Choices, Question, Turn
from coabench.errors import UserError
from coabench.recipe import Recipe
from coabench.testing.pictures import draw_face
from coabench.training.optimizer import check_groups, group_by_rate
from coabench.training.parts import Modules, rate_of
from coabench.training.trainable import trainable

VARIED: dict[str, Any] = {"dora": True, "rslora": True, "lora_plus": 4.0, "part_lr": {"projector": 2e-3},
                          "modules_to_save": "projector", "targets": "language,projector"}  # fmt: skip
SMALL: dict[str, Any] = {"strategy": "direct", "batch_size": 4, "evaluations": 1, "dev": 0.0, "device": "cpu",
                         "labels": "synthface-basic"}  # fmt: skip
PROJECTOR = ["model.vision_embed_tokens.img_projection.0", "model.vision_embed_tokens.img_projection.2"]


def faces() -> list[tuple[Image.Image, str]]:
    return [(draw_face(label, size=size), label) for label in ("Fear", "Anger", "Sadness") for size in (60, 61)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model and an adapter of all variants at once."""
    folder = tmp_path_factory.mktemp("variants")
    write(folder / "model", seed=5)
    train(**SMALL, **VARIED, rank=4, steps=2, backbone=f"tiny:{folder / 'model'}", dataset=faces(),
          output=folder / "adapter")  # fmt: skip
    return folder


def opened(folder: Path, adapter: str | None, dtype: str = "float32") -> Phi35Vision:
    backbone = Phi35Vision(BackboneRequest(str(folder / "model"), adapter and str(folder / adapter), "cpu", dtype))
    backbone.load()
    return backbone


def batch(backbone: Phi35Vision, trainee: Trainee) -> dict[str, Any]:
    turns = [Turn(Question("Which emotion?", Choices()), Answer("Anger"))]
    return trainee.collate([trainee.encode(backbone.prepare([draw_face("Anger", size=60)]), turns)])


# -- what is learnt ----------------------------------------------------------------------------------------------------


def test_the_adapter_says_what_it_is_and_every_part_has_learnt(folder: Path) -> None:
    config = json.loads((folder / "adapter" / "adapter_config.json").read_text())
    assert (config["use_dora"], config["use_rslora"], config["modules_to_save"]) == (True, True, PROJECTOR)
    tensors = load_file(folder / "adapter" / "adapter_model.safetensors")
    base = opened(folder, None).model.state_dict()
    for module in PROJECTOR:
        assert not torch.equal(tensors[f"base_model.model.{module}.weight"], base[f"{module}.weight"])
    assert any(bool(tensor.any()) for name, tensor in tensors.items() if "lora_B" in name)
    magnitude = "base_model.model.model.layers.0.self_attn.o_proj.lora_magnitude_vector"
    assert not torch.allclose(tensors[magnitude], base["model.layers.0.self_attn.o_proj.weight"].norm(dim=1), atol=1e-6)


def test_the_manifest_has_the_learning_rates(folder: Path) -> None:
    manifest = json.loads((folder / "adapter" / "training.json").read_text())
    rows = {(row["part"], row["trained"]): (row["learning_rate"], row["parameters"]) for row in manifest["learning"]}
    base = opened(folder, None).model
    whole = sum(base.get_submodule(name).weight.numel() + len(base.get_submodule(name).bias) for name in PROJECTOR)
    assert rows["projector", "whole"] == (2e-3, whole)
    assert {key: rate for key, (rate, _) in rows.items()} == {
        ("language", "LoRA"): 1e-3, ("language", "LoRA, B"): 4e-3, ("projector", "whole"): 2e-3,
    }  # fmt: skip
    assert sum(row["parameters"] for row in manifest["learning"]) == manifest["trainable"]
    typed = " ".join(manifest["sessions"][0]["command"])
    for option in ("--dora", "--lora-plus 4.0", "--part-lr projector=0.002", "--modules-to-save projector"):
        assert option in typed


def test_the_merged_model_computes_what_peft_computes_beside_the_base(folder: Path) -> None:
    from peft import PeftModel

    merged, base = opened(folder, "adapter"), opened(folder, None)
    inputs = batch(base, base.trainee(base.TrainingOptions()))
    before = float(base.model(**inputs)["loss"])
    beside: Any = PeftModel.from_pretrained(base.model, str(folder / "adapter")).eval()  # type: ignore[arg-type]
    with torch.inference_mode():
        theirs, ours = (float(model(**inputs)["loss"]) for model in (beside, merged.model))
    assert ours == pytest.approx(theirs, rel=1e-5)
    assert ours != pytest.approx(before, rel=1e-3)


def test_what_is_trained_whole_learns_in_float32_beside_a_base_in_bfloat16(folder: Path) -> None:
    backbone = opened(folder, None, "bfloat16")
    trainee = backbone.trainee(backbone.TrainingOptions())
    model = trainable(trainee, Recipe(rank=2, dora=True, modules_to_save=("projector", "model.norm")))
    assert {p.dtype for p in model.parameters() if p.requires_grad} == {torch.float32}
    inputs = batch(backbone, trainee)
    plain = float(model(**inputs)["loss"].detach())  # as the development part is evaluated
    with torch.autocast("cpu", torch.bfloat16):
        loss = model(**inputs)["loss"]
    loss.backward()
    assert float(loss.detach()) == pytest.approx(plain, rel=0.05)
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)


# -- learning rates ----------------------------------------------------------------------------------------------------


class Two(Trainee):
    """Two linear layers and an embedding, in two parts."""

    parts: Mapping[str, str] = {"vision": "tower.", "language": ""}

    def __init__(self) -> None:
        self.module = nn.ModuleDict(
            {"tower": nn.ModuleDict({"a": nn.Linear(4, 6), "places": nn.Embedding(3, 4)}), "head": nn.Linear(6, 4)}
        )
        self.groups = {"vision": ("tower.a", "tower.places"), "language": ("head",)}

    encode = collate = save = None  # type: ignore[assignment]


def test_lora_plus_is_that_of_peft_but_for_embeddings() -> None:
    from peft.optimizers import create_loraplus_optimizer

    trainee, recipe = Two(), Recipe(rank=2, learning_rate=1e-3, lora_plus=16.0)
    model: Any = trainable(trainee, recipe)
    theirs = create_loraplus_optimizer(model, torch.optim.AdamW, lr=1e-3, loraplus_lr_ratio=16.0)
    expected = {p: group["lr"] for group in theirs.param_groups for p in group["params"]}
    mine = {p: rate_of(name, trainee, recipe) for name, p in model.named_parameters() if p.requires_grad}
    of = {name: (mine[p], expected[p]) for name, p in model.named_parameters() if p.requires_grad}
    assert {own for name, own in of.items() if "places" not in name} == {(1e-3, 1e-3), (1.6e-2, 1.6e-2)}
    assert {own[0] for name, own in of.items() if "places" in name} == {1e-3}


@pytest.mark.parametrize("kind", [torch.optim.AdamW, torch.optim.SGD, torch.optim.RMSprop])
def test_a_step_of_an_optimizer_is_as_long_as_the_rate_of_the_part_says(kind: Any) -> None:
    trainee = Two()
    recipe = Recipe(learning_rate=1e-2, part_lr={"vision": 1e-4})
    named = dict(trainee.module.named_parameters())
    check_groups(kind, {"lr": 1e-2}, 1e-2)
    optimizer = kind([{"params": [*named.values()], "weight_decay": 0.0}], lr=1e-2)
    group_by_rate(optimizer, {p: rate_of(name, trainee, recipe) for name, p in named.items()}, 1e-2)
    assert optimizer.param_groups[0]["lr"] == 1e-2
    before = {name: p.detach().clone() for name, p in named.items()}
    for parameter in named.values():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    moved = {name: float((p.detach() - before[name]).abs().mean()) for name, p in named.items()}
    assert moved["head.weight"] == pytest.approx(100 * moved["tower.a.weight"], rel=1e-2)


def test_an_optimizer_that_groups_by_itself_is_refused() -> None:
    for kind, settings in ((lambda **_: None, {"lr": 1e-2}), (torch.optim.SGD, {"lr": 1e-2, "params": []}),
                           (torch.optim.SGD, {"lr": 1.0})):  # fmt: skip
        with pytest.raises(UserError, match="no learning rates by part"):
            check_groups(kind, settings, 1e-2)


# -- what comes after --------------------------------------------------------------------------------------------------


def test_a_training_begins_with_such_an_adapter_and_keeps_what_it_is(folder: Path) -> None:
    train(**SMALL, steps=1, lr=1e-12, part_lr={"projector": 1e-12}, backbone=f"tiny:{folder / 'model'}",
          dataset=faces(), from_=folder / "adapter", output=folder / "later")  # fmt: skip
    first, later = (load_file(folder / name / "adapter_model.safetensors") for name in ("adapter", "later"))
    assert first.keys() == later.keys()
    assert all(tensor.allclose(later[name], atol=1e-8) for name, tensor in first.items())
    recipe = json.loads((folder / "later" / "training.json").read_text())["identity"]["recipe"]
    assert (recipe["dora"], recipe["rslora"], recipe["modules_to_save"]) == (True, True, ["projector"])
    assert "lora_plus" not in recipe
    plain = Recipe().identity(4)
    assert not {"dora", "rslora", "lora_plus", "part_lr", "modules_to_save"} & {*plain}


def test_adapters_show_export_and_refuse_it_in_words(folder: Path, tmp_path: Path) -> None:
    run = partial(command, tmp_path, variables={})
    shown = run(["adapters", "show", folder / "adapter"]).stdout
    for text in ("LORA, rank 4, alpha 32, DoRA, rsLoRA", "2 modules: model.vision_embed", "projector 0.002", "times 4"):
        assert text in shown, shown
    for layout in ("merged", "peft", "published"):
        done = run(["adapters", "export", folder / "adapter", "--as", layout, "--output", tmp_path / layout])
        assert done.returncode == 0, done.stderr
    published = json.loads((tmp_path / "published" / "adapter_config.json").read_text())
    assert (published["use_dora"], published["use_rslora"], published["modules_to_save"]) == (True, True, PROJECTOR)
    merged = load_file(tmp_path / "merged" / "model.safetensors")
    ours = opened(folder, "adapter").model.state_dict()  # the checkpoint is stored in float16
    assert all(torch.equal(merged[name], value.half()) for name, value in ours.items())
    for words, problem in (
        (("adapters", "compare", folder / "adapter", folder / "adapter"), "use_dora, modules_to_save"),
        (("adapters", "soup", folder / "adapter", folder / "adapter"), "is no plain LoRA"),
    ):
        refused = run(words)
        assert (refused.returncode, problem in refused.stderr) == (2, True), refused.stderr


def test_the_updates_of_rslora_are_those_of_its_scale(tmp_path: Path) -> None:
    """A soup and a comparison of adapters rest on them: alpha / sqrt(16) is four times alpha / 16."""
    shutil.copytree(ADAPTERS / "direct", tmp_path / "rslora")
    path = tmp_path / "rslora" / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "use_rslora": True}))
    plain, stable = (Updates.read(each).factors for each in (ADAPTERS / "direct", path.parent))
    assert all(torch.allclose(stable[name][2], 4 * b) for name, (_, _, b) in plain.items())


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"modules_to_save": ("projektor",)}, "did you mean 'projector'"),
        ({"modules_to_save": ("language", "projector", "vision")}, "leaves nothing for a LoRA"),
        ({"modules_to_save": ("model.vision_embed_tokens.img_processor.vision_model.post_layernorm",)}, "no answer"),
    ],
)
def test_modules_that_cannot_be_trained_whole_are_refused(folder: Path, settings: dict[str, Any], problem: str) -> None:
    backbone = opened(folder, None)
    with pytest.raises(UserError, match=problem):
        Modules.of(backbone.trainee(backbone.TrainingOptions()), Recipe(**settings))


def test_weights_that_are_tied_and_names_that_peft_confuses_are_not_trained_whole() -> None:
    trainee = Two()
    trainee.module["more_head"] = nn.Linear(6, 4)
    with pytest.raises(UserError, match="PEFT takes head for other modules, too"):
        Modules.of(trainee, Recipe(modules_to_save=("head",)))
    trainee.module["tied"] = nn.Linear(6, 4)
    trainee.module["tied"].weight = trainee.module["more_head"].weight
    with pytest.raises(UserError, match=r"the weight of tied is tied(.|\n)*more_head.weight and tied.weight"):
        Modules.of(trainee, Recipe(modules_to_save=("tied",)))


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--part-lr", "vison=1e-5"), "did you mean 'vision'"),
        (("--part-lr", "vision=1e-5", "--targets", "language"), "this part is not trained"),
        (("--part-lr", "vision=fast"), "--part-lr takes a number"),
        (("--part-lr", "vision=0"), "more than 0"),
        (("--lora-plus", "0.5"), "1 or more"),
        (("--dora", "--export", "published"), "use_dora for an embedding"),
        (("--full", "--dora"), "--dora is for a LoRA"),
        (("--full", "--modules-to-save", "projector"), "--modules-to-save is for a LoRA"),
        (("--from", "FOLDER/adapter", "--no-dora"), "--no-dora is not that of the adapter"),
    ],
)
def test_wrong_usage_is_refused_and_writes_nothing(
    folder: Path, tmp_path: Path, arguments: tuple[str, ...], problem: str
) -> None:
    words = [word.replace("FOLDER", str(folder)) for word in arguments]
    refused = command(tmp_path, ["train", "--backbone", f"tiny:{folder / 'model'}", "--strategy", "direct", "--dataset",
                                 "synthface-basic", "--device", "cpu", "--output", "out", *words], {})  # fmt: skip
    assert refused.returncode == 2, refused.stderr
    assert problem in refused.stderr
    assert not (tmp_path / "out").exists()
