"""How tracking services hear of jobs: settings, figures, progress, the end; and what happens without a service."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import pytest
from support.tracked import Following, Kept, Stumbling, installed

from coabench.errors import JobError
from coabench.runs import tracking
from coabench.runs.observers import Observed
from coabench.runs.run import SharedRun
from coabench.runs.tracking import Follower, Job, check_server
from coabench.support.tracking import asked_for
from coabench.testing import tiny_run
from coabench.testing.observers import training_manifest


class Notes:
    """What a run says to its user."""

    def __init__(self) -> None:
        self.notes = list[str]()

    def note(self, text: str) -> None:
        self.notes.append(text)

    def __getattr__(self, name: str) -> object:
        from coabench.evaluation.progress import Silence

        return getattr(Silence(), name)


def test_a_run_is_one_job_however_often_it_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "EVERY", 0.0)  # every sample, not every ten seconds
    made = list[Kept]()

    def tracker() -> Kept:
        made.append(Kept())
        return made[-1]

    with installed(Following(Follower("Testing", "pytest", tracker))):
        with pytest.raises(JobError):
            tiny_run(tmp_path / "run", backbone=(backbone := Stumbling(6)), batch_size=2)
        run = tiny_run(tmp_path / "run", backbone=backbone, batch_size=2)
        tiny_run(tmp_path / "run", backbone=backbone)  # complete: nothing to follow
    first, second = (kept.told for kept in made)
    job = first[0]
    assert isinstance(job, Job)
    assert (job.kind, job.name, job.directory) == ("run", "run", tmp_path / "run")
    assert {**job.settings, "identity": "", "fingerprint": ""}.items() >= {
        ("backbone", "testing-backbone"), ("strategy", "direct"), ("dataset", "testing-compound"), ("split", "test"),
        ("decode", "generate"), ("seed", 0), ("settings.backbone.script", "stumbling"),
    }  # fmt: skip
    assert len(job.settings["identity"]) == 64
    assert first[1:] == [
        *(({"progress": float(n)}, n) for n in (1, 2, 3, 4)),
        ({"progress": 4.0}, 4),
        ({}, [], "failed", "the power is off"),
    ]
    assert second[0] == job
    assert second[1] == ({"progress": 5.0}, 5)
    figures, files, status, error = second[-1]
    assert (files, status, error) == (["run.json", "metrics.json"], "complete", None)
    assert figures["uar"] == run.metrics["uar"]
    assert (figures["uar_low"], figures["uar_high"]) == tuple(run.metrics["uar_interval"])
    assert (figures["samples"], figures["invalid_rate"], figures["errors"]) == (8, 0, 0)


def test_trainings_report_steps_and_the_development_part(tmp_path: Path) -> None:
    kept = Kept()
    follower = Follower("Testing", "pytest", lambda: kept)
    training = Observed(SharedRun(tmp_path / "adapter", training_manifest()))
    follower.training_started(training)
    follower.training_step(training, 1, {"loss": 1.5, "epoch": 0.5, "seconds": 2})
    follower.training_step(training, 1, {"uar": 0.5, "uar basic": 0.25, "epoch": 0.5, "seconds": 2})
    follower.training_finished(training, {"selected_step": 1, "dev": {"uar": 0.5}, "trainable": 100})
    job, *told = kept.told
    assert job.kind == "training"
    assert job.settings.items() >= {
        "dataset": "testing-basic/train", "strategy": "direct", "settings.rank": 32, "steps": 4,
    }.items()  # fmt: skip
    assert told == [
        ({"loss": 1.5, "epoch": 0.5, "seconds": 2.0}, 1),
        ({"dev.uar": 0.5, "dev.uar.basic": 0.25, "epoch": 0.5, "seconds": 2.0}, 1),
        (
            {"selected.dev.uar": 0.5, "selected_step": 1.0, "trainable": 100.0},
            ["training.json"],
            "complete",
            None,
        ),
    ]
    follower.training_started(training)
    follower.failed(training, "stopped by Ctrl-C")
    assert kept.told[-1] == ({}, [], "stopped", "stopped by Ctrl-C")


def test_a_service_that_hangs_or_fails_is_a_note_and_the_run_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Event()

    class Hanging(Kept):
        def begin(self, job: Job) -> None:
            held.wait()

    class Failing(Kept):
        def begin(self, job: Job) -> None:
            raise ConnectionError("nobody is there")

    monkeypatch.setattr(tracking, "PATIENCE", 0.01)
    for tracker, words in (
        (Hanging, "Testing has not taken all about"),
        (Failing, "ConnectionError: nobody is there"),
    ):
        notes = Notes()
        with installed(Following(Follower("Testing", "pytest", tracker))):
            run = tiny_run(tmp_path / tracker.__name__, progress=notes)
        assert run.metrics["samples"] == 8
        [note] = [note for note in notes.notes if "plugin 'tracked' failed in" in note]
        assert words in note
    held.set()


def test_a_package_that_is_not_installed_is_named_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "not_there").mkdir()  # a folder is no package
    monkeypatch.syspath_prepend(tmp_path)
    notes = Notes()
    with installed(Following(Follower("Testing", "not_there", Kept))):
        tiny_run(tmp_path / "run", progress=notes)
    [note] = [note for note in notes.notes if "'tracked'" in note]
    assert "failed in coabench_run_started" in note
    assert "pip install 'coabench[not_there]', or set COABENCH_NOT_THERE=0" in note


def test_only_who_asks_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COABENCH_X", "X_URI"):
        monkeypatch.delenv(name, raising=False)
    assert not asked_for("COABENCH_X", "X_URI")
    monkeypatch.setenv("X_URI", "http://127.0.0.1")
    assert asked_for("COABENCH_X", "X_URI")
    monkeypatch.setenv("COABENCH_X", "0")
    assert not asked_for("COABENCH_X", "X_URI")
    monkeypatch.delenv("X_URI")
    monkeypatch.setenv("COABENCH_X", "1")
    assert asked_for("COABENCH_X", "X_URI")


def test_a_server_that_is_not_there_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConnectionError, match=r"no server answers at 127\.0\.0\.1:9 \(Connection refused\)"):
        check_server("http://127.0.0.1:9/path")
    check_server((tmp_path / "store").as_uri())
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    check_server("http://absent.invalid")
