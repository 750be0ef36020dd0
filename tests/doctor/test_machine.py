"""The doctor: what is installed, works, or is broken; and whether answers depend on the batch."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from support.process import ROOT, Run

from coabench.backbone import Questions, Viewing
from coabench.base import requirements
from coabench.cli import main
from coabench.dialogue import Answer, Question
from coabench.doctor import checks, imports, machine
from coabench.doctor.diagnosis import Diagnosis
from coabench.doctor.machine import examine
from coabench.support.images import FORMATS
from coabench.testing import registered
from coabench.testing.pictures import Pictures
from coabench.testing.scripted import ScriptedBackbone, scored
from coabench.testing.spaces import CARDS, COMPOUND

EXTRAS = {"serve", "vision", "classifier", "yolo", "synthface"}
TOPICS = {"software", "devices", "plugins", "extras", "detectors", "files", "checks"}


def distribution(folder: Path, name: str, version: str, entry_points: str = "") -> None:
    """Pretend that a distribution is installed in a folder."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(entry_points)


def test_a_machine_on_which_much_is_broken(coabench_process: Run, environment: dict[str, str], tmp_path: Path) -> None:
    site = tmp_path / "site"
    distribution(site, "peft", "0.1")
    distribution(site, "coabench-odd", "2.0", "[coabench]\nodd = coabench_odd\n")
    (site / "coabench_odd.py").write_text("raise RuntimeError('no\\nluck')\n")
    (site / "torch").mkdir()
    (site / "torch" / "__init__.py").write_text("raise OSError('libc10.so: cannot open shared object file')\n")
    (tmp_path / "results").write_text("in the way")
    result = coabench_process(
        "doctor",
        "--format",
        "json",
        PYTHONPATH=f"{site}:{environment['PYTHONPATH']}",
        COABENCH_CACHE=str(tmp_path / "results" / "cache"),
        COABENCH_DISABLE_PLUGINS="openai",
    )
    assert result.returncode == 1, result.stderr
    found = {(row["topic"], row["item"]): row for row in json.loads(result.stdout)}
    assert {topic for topic, _ in found} == TOPICS
    expected = {
        ("software", "torch"): ("broken", "cannot be imported: OSError: libc10.so", "pip install --force-reinstall"),
        ("software", "accelerate"): ("broken", "because torch cannot", "repair torch first"),
        ("software", "peft"): ("broken", "0.1 is outside", "pip install 'peft>="),
        ("software", "click"): ("ok", "supported: >=", ""),
        ("devices", "cpu"): ("ok", "cores", ""),
        ("devices", "torch"): ("broken", "libc10.so", "software"),
        ("plugins", "odd"): ("broken", "coabench-odd 2.0: RuntimeError: no luck", "COABENCH_DISABLE_PLUGINS=odd"),
        ("plugins", "openai"): ("note", "left out", "unset COABENCH_DISABLE_PLUGINS"),
        ("plugins", "tiny"): ("ok", "backbones: tiny", ""),
        ("detectors", "none"): ("ok", "can be used", ""),
        ("files", "results"): ("note", "is no folder", "--output"),
        ("files", "cache"): ("note", "results is no folder", "COABENCH_CACHE"),
        ("files", "offline"): ("note", "HF_HUB_OFFLINE=1", ""),
        ("checks", "answer"): ("broken", "OSError: libc10.so", "pip install --force-reinstall torch"),
        ("checks", "JPEG"): ("ok", "read in", ""),
        ("checks", "film"): ("ok", "4 frames", ""),
        ("checks", "face"): ("ok", "finds the face of synthface-compound", ""),
    }
    for key, (state, message, remedy) in expected.items():
        row = found[key]
        assert row["state"] == state, row
        assert message in row["found"], row
        assert remedy in row["remedy"], row
    assert "broken: " in result.stderr
    assert "Traceback" not in result.stderr


FEWER = """
from coabench.cli import main
from coabench.doctor import imports

imports.IMPORTED = {"torch": "torch", "opencv-python": "cv2"}  # the others take long
main(["doctor", "--json"])
"""


@pytest.mark.slow
def test_a_package_that_crashes_when_it_is_imported(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "site" / "cv2").mkdir(parents=True)
    (tmp_path / "site" / "cv2" / "__init__.py").write_text("import os\nos.abort()\n")
    path = f"{tmp_path / 'site'}:{environment['PYTHONPATH']}"
    command = [sys.executable, "-c", FEWER]
    result = subprocess.run(
        command, cwd=tmp_path, env={**environment, "PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert result.returncode == 1, result.stderr
    report = json.loads(result.stdout)
    assert {"opencv-python", "film"} <= set(report["broken"])
    found = {(finding["topic"], finding["item"]): finding for finding in report["findings"]}
    assert "its process crashed (Aborted)" in found["software", "opencv-python"]["found"]
    assert "its process crashed (Aborted) after: importing OpenCV" in found["checks", "film"]["found"]
    assert found["software", "torch"]["state"] == found["checks", "answer"]["state"] == "ok"
    assert "Traceback" not in result.stderr


@pytest.mark.process
def test_every_package_that_crashes_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "zz_falls.py").write_text("import os\nos.abort()\n")
    (tmp_path / "zz_leaves.py").write_text("import atexit, os\natexit.register(os.abort)\n")
    (tmp_path / "zz_raises.py").write_text("raise OSError('torn')\n")
    (tmp_path / "zz_stands.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    names = ("zz_raises", "zz_falls", "zz_leaves", "zz_stands")
    monkeypatch.setattr(imports, "IMPORTED", dict(zip(names, names, strict=True)))
    found = imports.import_problems.__wrapped__()
    assert found.pop("zz_stands") is None
    assert found.pop("zz_raises") == "OSError: torn"
    assert set(found) == {"zz_falls", "zz_leaves"}
    assert all("its process crashed (Aborted)" in str(problem) for problem in found.values())


@pytest.mark.parametrize("driver", [True, False])
def test_a_torch_with_cuda_that_is_of_no_use_is_noted(monkeypatch: pytest.MonkeyPatch, driver: bool) -> None:
    import torch

    monkeypatch.setattr(machine, "import_problem", lambda name: None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(machine.shutil, "which", lambda name: None)
    monkeypatch.setattr(machine, "DRIVER", ROOT if driver else ROOT / "nowhere")
    found = {finding.item: finding for finding in machine._devices()}["cuda"]
    assert found.state == "note"
    smaller = "pip install --no-compile torch --index-url https://download.pytorch.org/whl/cpu"
    assert ("compare the driver" if driver else smaller) in found.remedy


@pytest.mark.process
def test_a_machine_on_which_all_is_well(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    import torch

    from coabench.support.placement import dtype_of

    def no_network(*_: object) -> None:
        raise AssertionError("the network was touched")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    found = {(finding.topic, finding.item): finding for finding in examine()}
    assert capsys.readouterr().out == ""
    assert found["software", "torch"].found.startswith(torch.__version__)
    assert {found["software", name].state for name in ("python", "click", "pandas")} == {"ok"}
    auto = str(dtype_of("auto", torch.device("cpu"))).removeprefix("torch.")
    assert f"--dtype auto is {auto}" in found["devices", "cpu"].found
    assert found["plugins", "strategies"].state == "ok"
    tried = {item: finding for (topic, item), finding in found.items() if topic == "checks"}
    assert {"answer", "film", "face", *FORMATS} <= {item for item, finding in tried.items() if finding.state == "ok"}
    assert all(finding.seconds is not None for finding in tried.values())
    assert "bytes" in found["files", "cache"].found or "not there yet" in found["files", "cache"].found


@pytest.mark.process
def test_one_object_for_bug_reports(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("COABENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setattr(checks, "CHECKS", {"images": checks.CHECKS["images"]})  # the others: see above
    monkeypatch.setattr(machine, "import_problem", lambda name: None)
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "--json"])
    text = capsys.readouterr().out
    report = json.loads(text)
    assert ended.value.code == (1 if report["broken"] else 0)
    assert set(report) == {"schema", "kind", "broken", "environment", "versions", "findings"}
    assert (report["schema"], report["kind"]) == (1, "doctor")
    assert report["versions"]["pillow"]["installed"]
    assert report["versions"]["torch"]["supported"].startswith(">=")
    assert {"python", "platform", "processor", "memory_gib", "packages", "git"} == set(report["environment"])
    found = {(finding["topic"], finding["item"]): finding for finding in report["findings"]}
    assert {topic for topic, _ in found} == TOPICS
    assert found["checks", "JPEG"]["seconds"] is not None
    assert found["devices", "cpu"]["seconds"] is None
    assert found["files", "cache"]["found"].startswith("~/cache")
    assert str(tmp_path) not in text
    assert "hf_secret" not in text


def test_gpus_are_listed_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    class Card:
        name, total_memory, major, minor = "Some GPU", 16 * 2**30, 7, 5

    monkeypatch.setattr(machine, "import_problem", lambda name: None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: Card)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    found = {finding.item: finding for finding in machine._devices()}
    message = "Some GPU, 16.0 GiB, compute capability 7.5; --dtype auto is float32"
    assert found["cuda:0"].found == found["cuda:1"].found == message
    assert found["auto"].found.startswith("--device auto takes cuda")
    assert (found["mps"].state, "does not support" in found["mps"].found) == ("note", True)


def test_each_topic_is_examined_on_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Any:
        raise SystemExit("gone")

    monkeypatch.setattr(machine, "declared", fail)
    monkeypatch.setattr(machine.cache, "folder", fail)
    monkeypatch.setattr(machine.environment, "cpu_fields", fail)
    monkeypatch.setattr("coabench.registry.loader.get_plugins", fail)
    monkeypatch.setattr(checks, "start", dict)
    monkeypatch.setattr(checks, "outcomes", fail)
    findings = examine()
    assert {finding.topic for finding in findings} == TOPICS
    broken = {finding.topic for finding in findings if finding.state == "broken"}
    assert broken == TOPICS - {"files"}  # a cache that cannot be found is no reason to stop
    assert all("SystemExit: gone" in f.found for f in findings if f.state == "broken")
    assert next(f for f in findings if f.item == "cache").state == "note"
    assert next(f for f in findings if f.item == "results")


def test_extras_as_the_metadata_declares_them(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"uvicorn": "0.1", "ultralytics": None, "starlette": "99"}

    def installed(name: str) -> str:
        found = versions.get(name, "50")
        if found is None:
            raise requirements.PackageNotFoundError(name)
        return found

    monkeypatch.setattr(requirements, "version", installed)
    monkeypatch.setattr(machine, "import_problem", lambda name: "torn" if name == "torchvision" else None)
    found = {finding.item: finding for finding in machine._extras()}
    assert set(found) >= EXTRAS
    assert (found["yolo"].state, found["yolo"].found) == ("missing", "missing: ultralytics")
    assert found["yolo"].remedy == "pip install 'coabench[yolo]'"
    assert found["serve"].state == "note"
    assert "uvicorn 0.1 is not >=" in found["serve"].found
    assert found["vision"].state == "broken"
    assert "torchvision: torn" in found["vision"].found
    assert found["synthface"].state == "ok"


def test_a_checkout_that_was_never_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> Any:
        raise requirements.PackageNotFoundError(name)

    monkeypatch.setattr(requirements, "metadata", absent)
    declared = requirements.declared()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert [*declared.extras, "tested"] == sorted(project["optional-dependencies"], key="tested".__eq__)
    assert declared.python == project["requires-python"]
    assert [p.name for p in declared.extras["yolo"]] == ["ultralytics"]
    assert "torch" in {p.name for p in declared.packages}
    assert "ultralytics" not in {p.name for p in declared.packages}


def test_without_what_draws_tables(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "tabulate", None)
    monkeypatch.setattr(machine, "examine", lambda _: [Diagnosis("software", "tabulate", "broken", "gone", "get it")])
    with pytest.raises(SystemExit) as ended:
        main(["doctor"])
    assert ended.value.code == 1
    assert "tabulate: gone get it" in capsys.readouterr().out


class Moody(ScriptedBackbone):
    """Answers otherwise where it is asked about several samples at a time."""

    def __init__(self, wide: str | None, shift: float = 0.0) -> None:
        super().__init__()
        self.wide, self.shift = wide, shift

    def look(self, batch: Sequence[Any]) -> Viewing:
        return Together(self, len(batch))


class Together(Viewing):
    def __init__(self, backbone: Moody, size: int) -> None:
        self.backbone, self.size = backbone, size

    def generate(self, questions: Questions) -> list[Answer | None]:
        return [None if q is None else Answer(self.response(q, i)) for i, q in enumerate(questions)]

    def score(self, questions: Questions) -> list[Answer | None]:
        return [None if q is None else self.scores(q, i) for i, q in enumerate(questions)]

    def last(self, position: int) -> bool:
        return self.size > 1 and position == self.size - 1

    def response(self, question: Question, position: int) -> str:
        return self.backbone.wide if self.last(position) and self.backbone.wide else question.options[0]

    def scores(self, question: Question, position: int) -> Answer:
        response, shift = self.response(question, position), self.last(position) * self.backbone.shift
        return Answer(response, {option: score - shift for option, score in scored(question, response).items()})


@pytest.fixture(autouse=True)
def drawn() -> Iterator[None]:
    with registered("datasets", "testing-compound", Pictures, card=CARDS["testing-compound"]):
        yield


def ask(backbone: Moody, *arguments: str) -> int:
    given = ["--backbone", "moody", "--strategy", "direct", "--dataset", "testing-compound"]
    with registered("backbones", "moody", backbone), pytest.raises(SystemExit) as ended:
        main(["doctor", *given, "--limit", "6", "--batch-size", "4", *arguments])
    return int(str(ended.value.code))


def test_labels_that_depend_on_the_batch(capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(Moody("I do not know")) == 1
    shown = capsys.readouterr().out
    ids = [word for word in shown.split() if word.startswith("testing-compound/")]
    assert len(set(ids)) == 2  # the last of the batch of four, the last of the batch of two
    assert "INVALID ('I do not know')" in shown
    assert "Labels depend on the batch: of 6 samples" in shown
    assert "--dtype float32" in shown
    assert ask(Moody("I do not know"), "--format", "json") == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["samples"], found["batch_size"], found["predictions"], found["labels"]) == (6, 4, 2, 2)
    assert [d["what"] for d in found["differences"]] == ["prediction", "answer"] * 2
    assert found["differences"][0]["together"] == "invalid: unparsed-answer"


def test_words_and_scores_that_depend_on_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(Moody(f"{COMPOUND.names[0]}."), "--format", "json") == 0  # the same label in other words
    found = json.loads(capsys.readouterr().out)
    assert (found["labels"], found["responses"], found["score"]) == (0, 2, None)
    assert ask(Moody(None, shift=0.25), "--decode", "score", "--format", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["score"] == pytest.approx(0.25)
    assert found["margin"] > 1
    assert found["responses"] == 0


def test_the_model_that_ships(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "--backbone", "tiny", "--decode", "score", "--limit", "5", "--batch-size", "3"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert "No label depends on the batch: the same for 5 samples, asked about one at a time and 3 at a time" in shown
    assert "float32" in shown
    assert not list(tmp_path.glob("results*"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--limit", "3", "--decode", "score"], "--limit, --decode need --backbone"),
        (["--backbone", "tiny", "--limit", "1"], "one sample makes no batch"),
        (["--backbone", "tinyy"], "did you mean 'tiny'"),
        (["--json", "--backbone", "tiny"], "--json and --backbone do not go together"),
        (["--json", "--format", "csv"], "--json and --format do not go together"),
        (["--backbone", "tiny", "--batch-size", "1"], "--batch-size"),
    ],
)
def test_mistakes(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["doctor", *arguments])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
