"""Sets on disk: reading, verifying, refusing. No picture is rendered here."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from coabench_synthface.command import command
from coabench_synthface.dataset import SynthFace
from support.process import Run

from coabench.dataset import Check
from coabench.errors import UserError
from coabench.inference.loading import read_image
from coabench.inference.preparation import prepare
from coabench.registry.transforms import open_transforms

Open = Callable[..., SynthFace]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(a) for a in arguments])


def bad(checks: list[Check]) -> list[Check]:
    return [check for check in checks if check.level != "ok"]


def test_a_set_comes_back_as_it_was_made(pretended: Path, open_set: Open) -> None:
    dataset = open_set(pretended, "compound")
    samples = dataset.samples("test")
    assert Counter(s.target for s in samples) == dict.fromkeys(dataset.card.space.names, 2)
    assert samples[0].id == "synthface-compound/compound_test_00000"
    assert samples[0].attributes["action_units"].keys() >= {"1", "2", "12"}
    assert read_image(samples[0].image).image.size == (100, 100)
    assert dataset.fingerprint("test") == open_set(pretended, "compound").fingerprint("test")
    assert "nothing about accuracy on people" in dataset.notes()[0]
    assert bad(dataset.verify()) == []


def test_its_pictures_say_where_the_face_is(pretended: Path, open_set: Open) -> None:
    sample = open_set(pretended, "basic").samples("test")[0]
    assert sample.landmarks == ((35.0, 45.0), (65.0, 45.0), (50.0, 60.0), (40.0, 75.0), (60.0, 75.0))
    masked = prepare(open_set(pretended, "basic"), open_transforms(["mask"], 0)).samples("test")[0]
    assert read_image(masked.image).image.tobytes() != read_image(sample.image).image.tobytes()
    lines = [json.loads(line) for line in (pretended / "samples.jsonl").read_text().splitlines()]
    for line in lines:
        del line["landmarks"]  # as 0.1.0 wrote it
    (pretended / "samples.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert open_set(pretended, "basic").samples("test")[0].landmarks is None
    for wrong in ([[1, 2]], "there", [[1, "2"]] * 5):
        (pretended / "samples.jsonl").write_text(json.dumps({**lines[0], "landmarks": wrong}) + "\n")
        with pytest.raises(UserError, match=r"line 1 does not say where the face's landmarks are"):
            open_set(pretended, "basic").samples("train")


def test_no_person_is_in_two_splits(pretended: Path, open_set: Open) -> None:
    dataset = open_set(pretended, "basic")
    persons = [{s.attributes["subject"] for s in dataset.samples(split)} for split in ("train", "dev", "test")]
    assert persons[0].isdisjoint(persons[1] | persons[2])
    assert persons[1].isdisjoint(persons[2])


def test_set_json_says_how_it_was_made(pretended: Path) -> None:
    about = json.loads((pretended / "set.json").read_text())
    assert about["counts"] == {"basic": {"train": 14, "dev": 7, "test": 14}, "compound": {"train": 22, "test": 22}}
    assert (about["seed"], about["licence"], about["difficulty"]["weakest"]) == (7, "CC0-1.0", 0.35)
    assert "CC0" in (pretended / "LICENCE.txt").read_text()


def test_verify_finds_missing_changed_and_stray_files(pretended: Path, open_set: Open) -> None:
    test = pretended / "images" / "test"
    (test / "basic_test_00000.jpg").unlink()
    (test / "basic_test_00001.jpg").write_bytes(b"something else")
    (test / "stray.jpg").write_bytes(b"")
    found = {check.text.partition(":")[0]: check for check in bad(open_set(pretended, "basic").verify())}
    assert found["missing pictures"].examples == ("images/test/basic_test_00000.jpg",)
    assert found["pictures that are not as they were made"].examples == ("images/test/basic_test_00001.jpg",)
    assert found["pictures that no line names"].level == "warning"
    assert len(found) == 3


def test_verify_finds_a_changed_list(pretended: Path, open_set: Open) -> None:
    path = pretended / "samples.jsonl"
    path.write_text(path.read_text().replace('"target": "Fear"', '"target": "Dread"', 1))
    texts = " ".join(check.text for check in bad(open_set(pretended, "basic").verify()))
    assert "samples.jsonl is not the one that set.json describes" in texts
    assert "labels that are not on the card: 1" in texts
    with pytest.raises(UserError, match="not on the card"):
        open_set(pretended, "basic").samples("train")


@pytest.mark.parametrize("line", ["{", "[]", '{"id": "x"}'])
def test_a_broken_list_is_refused_with_its_line(pretended: Path, open_set: Open, line: str) -> None:
    path = pretended / "samples.jsonl"
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(UserError, match=r"samples\.jsonl, line 80"):
        open_set(pretended).samples("test")


def test_a_file_outside_the_folder_is_refused(pretended: Path, open_set: Open) -> None:
    path = pretended / "samples.jsonl"
    path.write_text(path.read_text().replace("images/train/basic_train_00000", "../secret", 1))
    with pytest.raises(UserError, match="does not describe a picture"):
        open_set(pretended).samples("test")


def test_what_is_not_there_is_told(pretended: Path, open_set: Open, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="coabench synthface make"):
        open_set(tmp_path)
    with pytest.raises(UserError, match="no 'dev' split"):
        open_set(pretended, "compound").samples("dev")
    (pretended / "set.json").unlink()
    with pytest.raises(UserError, match="unfinished"):
        open_set(pretended)


def test_make_refuses_a_folder_that_is_not_empty(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    result = run("make", tmp_path)
    assert isinstance(result.exception, UserError)
    assert "is not empty" in str(result.exception)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.usefixtures("no_renderer")
def test_make_makes_what_it_is_asked_for(tmp_path: Path, open_set: Open) -> None:
    sizes = ("--per-class-train", 2, "--per-class-test", 1, "--per-person", 7)
    result = run("make", tmp_path / "set", "--subset", "basic", *sizes, "--set", "strongest=0.5", "--seed", 3)
    assert result.exception is None, result.exception
    assert result.stdout.strip() == str(tmp_path / "set")
    assert "21/21 images" in result.stderr
    dataset = open_set(tmp_path / "set", "basic")
    assert len({s.attributes["subject"] for s in dataset.samples("train")}) == 2
    with pytest.raises(UserError, match="no compound pictures"):
        open_set(tmp_path / "set", "compound")


def test_make_refuses_what_makes_no_sense(tmp_path: Path) -> None:
    nothing = run("make", tmp_path / "a", "--per-class-train", 0, "--per-class-test", 0)
    assert "without pictures" in str(nothing.exception)
    knob = run("make", tmp_path / "b", "--set", "strongst=1")
    assert "did you mean 'strongest'" in str(knob.exception)
    assert "ending" in str(run("sheet", tmp_path / "sheet.txt").exception)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command_line", [("make", "out"), ("sheet", "out.png")])
@pytest.mark.parametrize("missing", ["anny", "numba"])
def test_a_missing_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, missing: str, command_line: tuple[str, str]
) -> None:
    real = metadata.distribution

    def distribution(name: str) -> metadata.Distribution:
        if name == missing:
            raise metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(metadata, "distribution", distribution)
    if missing == "numba":
        monkeypatch.setitem(sys.modules, "numba", None)
    else:
        monkeypatch.setattr("coabench_synthface.assets.require_numba", lambda: None)
        monkeypatch.setattr("coabench_synthface.sheet.require_numba", lambda: None)
    monkeypatch.chdir(tmp_path)
    result = run(*command_line)
    assert isinstance(result.exception, UserError)
    assert "pip install 'coabench[synthface]'" in str(result.exception)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.process
def test_listing_imports_nothing_heavy() -> None:
    code = "import sys, coabench_synthface.command, coabench_synthface.dataset; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numba", "anny", "torch", "numpy"} & set(loaded)


def test_evaluate_runs_on_a_set(coabench: Run, pretended: Path, tmp_path: Path) -> None:
    base = ("--backbone", "scripted:a", "--dataset", "synthface-compound", "--data-root", pretended)
    result = coabench("evaluate", *base, "--output", "out")
    assert result.returncode == 0, result.stderr
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["samples"] == 22
    verified = coabench("datasets", "verify", "synthface-compound", "--data-root", pretended)
    assert verified.returncode == 0, verified.stdout
