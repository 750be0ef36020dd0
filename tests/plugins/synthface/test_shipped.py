"""The set that comes with coabench."""

import hashlib
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from coabench_synthface import make, shipped
from coabench_synthface.command import command
from coabench_synthface.dataset import SynthFace
from coabench_synthface.difficulty import Difficulty
from coabench_synthface.landmarks import landmarks
from coabench_synthface.samples import SUBSETS, PictureKey, draft
from PIL import Image
from support.process import Run

from coabench.api import evaluate
from coabench.errors import UserError
from coabench.registry.catalog import find_dataset

Open = Callable[..., SynthFace]


@pytest.fixture(params=["basic", "compound"])
def dataset(request: pytest.FixtureRequest, open_set: Open) -> SynthFace:
    """One half."""
    return open_set(None, request.param)


def about() -> dict[str, Any]:
    described: dict[str, Any] = json.loads(shipped.open_shipped().read("set.json"))
    return described


@pytest.mark.parametrize("subset", ["basic", "compound"])
def test_it_is_there_without_a_data_root(coabench: Run, subset: str) -> None:
    verified = coabench("datasets", "verify", f"synthface-{subset}")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert "passed (0 errors, 0 warnings)" in verified.stdout


def test_evaluate_runs_without_a_data_root(coabench: Run, tmp_path: Path) -> None:
    result = coabench("evaluate", "--backbone", "scripted", "--dataset", "synthface-compound", "--output", "out")
    assert result.returncode == 0, result.stderr
    samples = json.loads((tmp_path / "out" / "metrics.json").read_text())["samples"]
    assert samples == about()["counts"]["compound"]["test"]


def test_it_is_in_the_wheel(wheel: Path) -> None:
    assert (wheel / "coabench_synthface" / "faces.zip").read_bytes() == shipped.FILE.read_bytes()
    assert shipped.FILE.stat().st_size <= 16_000_000


def test_it_is_what_the_recipe_says() -> None:
    described = about()
    assert (described["seed"], described["generator"]) == (shipped.SEED, make.GENERATOR)
    assert described["difficulty"] == asdict(shipped.DIFFICULTY)
    counts = {name: {s: n * len(labels) for s, n in shipped.PER_CLASS.items()} for name, labels in SUBSETS.items()}
    assert described["counts"] == counts


@pytest.mark.slow
def test_its_pictures_can_be_rendered_anew(assets: None, tmp_path: Path) -> None:
    """Byte for byte where versions and processor are those that made it, else within what rounding may do."""
    described, archive = about(), shipped.open_shipped()
    lines = {line["id"]: line for line in map(json.loads, archive.read("samples.jsonl").splitlines())}
    knobs = Difficulty(**described["difficulty"])
    for subset, per_split in described["counts"].items():
        for split, count in per_split.items():
            (tmp_path / "images" / split).mkdir(parents=True, exist_ok=True)
            for index in (0, count // 2, count - 1):
                key = PictureKey(subset, split, index, described["per_person"])
                line = make.make_one(tmp_path, described["seed"], knobs, key)
                old, new = archive.read(line["file"]), (tmp_path / line["file"]).read_bytes()
                del line["landmarks"]  # those of the set that ships are in a file of their own
                if described["versions"] == make.versions():
                    assert (line, new) == (lines[key.id], old)
                apart = np.abs(pixels(old) - pixels(new)).mean()
                assert apart < 0.5, key.id


def pixels(jpeg: bytes) -> np.ndarray:
    with Image.open(BytesIO(jpeg)) as image:
        assert image.size == (100, 100)
        return np.asarray(image.convert("RGB"), float)


def test_the_card_counts_its_pictures(dataset: SynthFace) -> None:
    found = {split: Counter(s.target for s in dataset.samples(split)) for split in ("train", "test")}
    assert found == dataset.card.counts
    with pytest.raises(UserError, match="no 'dev' split"):
        dataset.samples("dev")


def test_every_picture_says_what_it_shows(dataset: SynthFace) -> None:
    known = {"subject", "action_units", "gender", "age", "ethnicity", "yaw", "pitch", "roll", "light"}
    for sample in (*dataset.samples("train"), *dataset.samples("test")):
        assert known <= sample.attributes.keys()
        assert bool(sample.attributes["action_units"]) == (sample.target != "Neutral")


def test_no_person_is_in_two_splits_or_in_both_halves(open_set: Open) -> None:
    parts = [
        {s.attributes["subject"] for s in open_set(None, subset).samples(split)}
        for subset in ("basic", "compound")
        for split in ("train", "test")
    ]
    assert sum(map(len, parts)) == len(set.union(*parts))


def test_its_licence_comes_with_it() -> None:
    text = shipped.open_shipped().read("LICENCE.txt").decode()
    assert text == make.LICENCE_TEXT
    assert "CC0 1.0" in text
    assert about()["licence"] == "CC0-1.0"


def test_threads_may_read_at_the_same_time(dataset: SynthFace) -> None:
    sums = {line["file"]: line["sha256"] for line in dataset.folder.samples}
    images = [s.image for s in dataset.samples("test")]
    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(lambda image: (image.name, image.read(), image.size()), images * 2))
    assert len(read) == 2 * len(images)
    for name, data, size in read:
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (sums[name], size)


@pytest.mark.process
def test_reading_it_imports_nothing_heavy() -> None:
    code = """
import sys
from coabench.registry.catalog import find_dataset
find_dataset("synthface-basic").open(None).samples("test")[0].image.read()
print(*sys.modules)
"""
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numba", "anny", "torch", "numpy"} & set(loaded)


def test_an_installation_without_it_says_so(
    monkeypatch: pytest.MonkeyPatch, pretended: Path, open_set: Open, tmp_path: Path
) -> None:
    monkeypatch.setattr(shipped, "FILE", tmp_path / "faces.zip")
    with pytest.raises(UserError, match="not in this installation") as error:
        open_set(None)
    assert str(tmp_path / "faces.zip") in str(error.value)
    assert "--data-root" in str(error.value)
    assert open_set(pretended).samples("test")


@pytest.mark.usefixtures("no_renderer")
def test_rebuild_follows_the_recipe(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, open_set: Open) -> None:
    monkeypatch.setattr(shipped, "PER_CLASS", {"train": 2, "test": 1})
    for name in ("one.zip", "two.zip"):
        result = CliRunner().invoke(command, ["rebuild", str(tmp_path / name)])
        assert result.exception is None, result.exception
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["one.zip", "two.zip"]
    dataset = open_set(tmp_path / "one.zip", "basic")
    assert len(dataset.samples("train")) == 14
    assert all(check.level == "ok" for check in dataset.verify())


@pytest.mark.parametrize("name", ["", "nowhere/faces.zip"])
def test_rebuild_refuses_what_it_cannot_write(tmp_path: Path, name: str) -> None:
    result = CliRunner().invoke(command, ["rebuild", str(tmp_path / name)])
    assert isinstance(result.exception, UserError)
    assert "cannot be written" in str(result.exception)


def test_the_landmarks_of_the_pictures_are_those_of_the_heads_that_were_rendered(tmp_path: Path) -> None:
    samples = find_dataset("synthface-compound").open(None).samples("test")
    for index in (0, 7):
        drawn = draft(shipped.SEED, PictureKey("compound", "test", index), shipped.DIFFICULTY)
        known = samples[index].landmarks
        assert known is not None
        for point, computed in zip(known, landmarks(drawn), strict=True):
            assert point == pytest.approx(computed, abs=0.06)
    run = evaluate(
        backbone="tiny", strategy="direct", dataset="synthface-basic", limit=7, batch_size=7, transform="mask",
        output=tmp_path / "run",
    )  # fmt: skip
    assert run.metrics["errors"] == 0
