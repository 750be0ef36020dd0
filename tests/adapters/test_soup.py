"""`coabench adapters show`, `compare` and `soup`: what stands in the folders, and what follows from the updates."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from coabench_tiny.backbone import ADAPTERS
from safetensors.torch import load_file, save_file
from support.process import Run

from coabench.adapters.updates import Updates
from coabench.runs.adapter import TrainingRecord
from coabench.testing.pictures import draw_face

ONE, OTHER = ADAPTERS / "chain-of-affect", ADAPTERS / "direct"


def change(folder: Path, **fields: object) -> Path:
    path = folder / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))
    return folder


def test_show_says_what_it_is_and_what_it_learnt_from(coabench: Run) -> None:
    shown = coabench("adapters", "show", ONE).stdout
    for text in ("rank 16, alpha 32", "55 modules", "synthface-compound, train: 1,782 images", "step selected"):
        assert text in shown
    assert coabench("adapters", "show", ".").returncode == 2


def test_compare_gives_the_cosine_of_the_updates(coabench: Run, tmp_path: Path) -> None:
    shutil.copytree(ONE, tmp_path / "double")
    change(tmp_path / "double", lora_alpha=64)
    rows = json.loads(coabench("adapters", "compare", ONE, "double", "--format", "json", "--modules", 0).stdout)
    assert rows[0]["module"] == "all 55 modules"
    assert rows[0]["cosine"] == pytest.approx(1)
    assert rows[0]["other norm"] == pytest.approx(2 * rows[0]["norm"], rel=1e-3)
    assert "lora_alpha: 32.0 -> 64" in coabench("adapters", "compare", ONE, "double").stdout
    one, other = Updates.read(ONE), Updates.read(OTHER)
    name = next(iter(one.factors))
    (_, a, b), (_, c, d) = one.factors[name], other.factors[name]
    assert one.product(other, name) == pytest.approx(float(((b @ a) * (d @ c)).sum()), rel=1e-3)


def test_a_soup_is_the_mean_of_the_updates_and_has_seen_the_images_of_all(coabench: Run, tmp_path: Path) -> None:
    made = coabench("adapters", "soup", ONE, OTHER, "--output", "both")
    assert made.returncode == 0, made.stderr
    one, other, both = (Updates.read(folder) for folder in (ONE, OTHER, tmp_path / "both"))
    for name, (_, a, b) in both.factors.items():
        mean = sum(part.factors[name][2] @ part.factors[name][1] for part in (one, other)) / 2
        assert torch.allclose(b @ a, mean, atol=1e-5)
    seen, parts = (TrainingRecord.read(folder) for folder in (tmp_path / "both", OTHER))
    assert seen.learnt is not None
    assert {*parts.learnt.hashes.values()} <= {*seen.learnt.hashes.values()}  # type: ignore[union-attr]
    assert "made of              2 adapters" in coabench("adapters", "show", "both").stdout
    refused = coabench("evaluate", "--adapter", "both", "--split", "train", "--dataset", "synthface-compound")
    assert (refused.returncode, "was trained on" in refused.stderr) == (2, True)


def test_a_soup_has_seen_what_the_adapters_before_its_parts_have_seen(coabench: Run, tmp_path: Path) -> None:
    shutil.copytree(OTHER, tmp_path / "later")
    manifest = json.loads((OTHER / "training.json").read_text())
    manifest["identity"]["start"] = {"data": [{"dataset": "before", "split": "train", "fingerprint": "f"}]}
    manifest["learnt_earlier"] = [{"reader": 1, "changed": 0, "hashes": {"before/a": "aa bb"}}, None]
    (tmp_path / "later" / "training.json").write_text(json.dumps(manifest))
    made = coabench("adapters", "soup", ONE, "later", "--output", "both")
    assert made.returncode == 0, made.stderr
    seen = TrainingRecord.read(tmp_path / "both")
    assert seen.identity is not None
    assert "before" in {part.dataset for part in seen.identity.seen}
    assert [images and dict(images.hashes) for images in seen.earlier] == [{"before/a": "aa bb"}, None]


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """A copy of an adapter, as if one image of each label had been its development part."""
    folder = shutil.copytree(OTHER, tmp_path / "good")
    manifest = json.loads((OTHER / "training.json").read_text())
    manifest["identity"]["recipe"]["dev"] = 0.006
    (folder / "training.json").write_text(json.dumps(manifest))
    return folder


def test_a_greedy_soup_leaves_out_what_lowers_the_uar(coabench: Run, good: Path, tmp_path: Path) -> None:
    shutil.copytree(good, tmp_path / "twin")
    weights = shutil.copytree(good, tmp_path / "bad") / "adapter_model.safetensors"
    noise = torch.Generator().manual_seed(0)
    save_file({k: torch.randn(v.shape, generator=noise) for k, v in load_file(weights).items()}, weights)
    named = ("--greedy", "--dataset", "synthface-basic", "--device", "cpu")
    made = coabench("adapters", "soup", "bad", "good", "twin", *named)
    assert made.returncode == 0, made.stderr
    manifest = json.loads((tmp_path / "soup" / "training.json").read_text())
    steps = {step["adapter"]: step["taken"] for step in manifest["soup"]["steps"]}
    assert steps == {"good": True, "twin": True, "bad": False}
    assert list(steps)[-1] == "bad"
    assert manifest["soup"]["selected_on"] == [
        {"dataset": "synthface-basic", "split": "train, development part", "samples": 7}
    ]
    assert len(manifest["identity"]["soup"]) == 2
    assert manifest["dev"]["uar"] == manifest["soup"]["steps"][1]["soup_uar"] > 0.8
    assert made.stderr.count("UAR") == 5
    for text in ("the mean of 2 of 3 adapters", "left out", "selected on synthface-basic, train, development part: 7"):
        assert text in made.stdout
    assert "bad                  left out: alone" in coabench("adapters", "show", "soup").stdout
    (selected,) = TrainingRecord.read(tmp_path / "soup").earlier
    assert selected is not None
    assert len(selected.hashes) == 7


def test_a_greedy_soup_by_another_split_is_not_evaluated_on_it(coabench: Run, good: Path, tmp_path: Path) -> None:
    for label in ("Anger", "Disgust", "Fear", "Happiness", "Neutral", "Sadness", "Surprise"):
        (tmp_path / "mine" / "val" / label).mkdir(parents=True)
        draw_face(label, size=61).save(tmp_path / "mine" / "val" / label / "a.png")
    shutil.copytree(good, tmp_path / "twin")
    made = coabench("adapters", "soup", "good", "twin", "--greedy", "--dataset", "mine", "--split", "val")
    assert made.returncode == 0, made.stderr
    assert "selected on mine, val: 7 images" in made.stdout
    (tmp_path / "mine").rename(tmp_path / "renamed")
    (tmp_path / "renamed" / "val" / "Fear" / "a.png").unlink()  # its fingerprint is another
    refused = coabench(
        "evaluate", "--adapter", "soup", "--dataset", "renamed", "--split", "val", "--strategy", "direct"
    )
    assert refused.returncode == 2
    assert "was trained on 6 of the 6 images, whatever they are called" in refused.stderr


def test_a_greedy_soup_without_images_to_select_by_is_refused(coabench: Run, good: Path, tmp_path: Path) -> None:
    other = shutil.copytree(good, tmp_path / "other") / "training.json"
    manifest = json.loads(other.read_text())
    manifest["identity"]["seed"] = 1
    other.write_text(json.dumps(manifest))
    test = ("--dataset", "synthface-basic", "--split", "test")
    train = ("--dataset", "synthface-basic", "--split", "train")
    for adapters, options, problem in (
        (("good", "other"), ("--greedy",), "too few to select by"),
        (("good", ONE), ("--greedy",), "other questions"),
        (("good", "good"), ("--greedy", *test), "not selected by a test split"),
        (("good", "good"), ("--greedy", *train), "was trained on synthface-basic"),
        (("good", "good"), ("--greedy", "--split", "val"), "--split needs the data set"),
        (("good", "good"), test, "--dataset has no effect on a uniform soup"),
    ):
        refused = coabench("adapters", "soup", *adapters, *options)
        assert (refused.returncode, problem in refused.stderr) == (2, True), refused.stderr
    assert not (tmp_path / "soup").exists()


def test_what_makes_no_soup_is_refused_and_leaves_nothing(coabench: Run, tmp_path: Path) -> None:
    shutil.copytree(ONE, tmp_path / "a")
    for name, problem in (("alone", "several adapters"), ("dora", "no plain LoRA"), ("fewer", "different modules")):
        folder = tmp_path / name
        shutil.copytree(ONE, folder)
        if name == "dora":
            change(folder, use_dora=True)
        if name == "fewer":
            tensors = load_file(folder / "adapter_model.safetensors")
            gone = sorted(tensors)[0].partition(".lora_")[0]
            save_file(
                {k: v for k, v in tensors.items() if not k.startswith(gone)}, folder / "adapter_model.safetensors"
            )
        refused = coabench("adapters", "soup", *(["a"] if name == "alone" else ["a", name]))
        assert refused.returncode == 2
        assert problem in refused.stderr
    assert not (tmp_path / "soup").exists()
