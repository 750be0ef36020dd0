"""``coabench evaluate`` from outside: what it writes, how it goes on, what it refuses."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from support.in_process import plugins_on
from support.process import ROOT, Run, start, wait_for
from support.runs import manifest, records, untimed

from coabench.api import evaluate
from coabench.errors import JobError
from coabench.evaluation.progress import Silence

BASE = ("evaluate", "--backbone", "scripted:a", "--dataset", "drawn")


def test_a_run_says_what_ran_and_what_came_out(coabench: Run, tmp_path: Path) -> None:
    result = coabench(*BASE, "--output", "out", "--batch-size", 5)
    assert result.returncode == 0, result.stderr
    run = tmp_path / "out"
    made = manifest(run)
    identity = made["identity"]
    assert made["status"] == "complete"
    assert identity["backbone"]["name"] == "scripted"
    assert identity["backbone"]["plugin_version"] == "2.5"
    assert identity["strategy"]["name"] == "chain-of-affect:corrected"
    assert made["notes"] == ["a script, not a model", "its script was read"]
    assert result.stderr.index("a script, not a model") < result.stderr.index("its script was read")
    assert set(identity["strategy"]["prompts"]) == {"primary", "secondary"}
    assert identity["dataset"]["samples"] == 24
    assert made["sessions"][0]["batch_size"] == 5
    assert made["sessions"][0]["command"][1] == "evaluate"
    log = records(run)
    assert [r["id"] for r in log] == [f"drawn/test_{i:03}" for i in range(24)]
    first = next(r for r in log if len(r["turns"]) == 2)
    assert [t["name"] for t in first["turns"]] == ["primary", "secondary"]
    assert first["turns"][0]["label"] in first["turns"][1]["prompt"]
    assert {r["reason"] for r in log if r["status"] == "invalid"} >= {"no-class", "unparsed-primary"}
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["samples"] == 24
    assert f"{metrics['uar']:.2%}" in result.stdout
    assert set(metrics["plugins"]) == {"silence", "labels-used"}
    assert (run / ".lock").stat().st_size == 0


@pytest.mark.parametrize("strategy", ["chain-of-affect", "chain-of-affect:published", "one-shot"])
@pytest.mark.parametrize("decode", ["generate", "score"])
def test_batch_size_changes_nothing(coabench: Run, tmp_path: Path, strategy: str, decode: str) -> None:
    for size in (1, 3, 8):
        result = coabench(*BASE, "--strategy", strategy, "--decode", decode, "--batch-size", size, "--output", size)
        assert result.returncode == 0, result.stderr
    assert untimed(tmp_path / "1") == untimed(tmp_path / "3") == untimed(tmp_path / "8")


def test_scores_choose_among_the_options(coabench: Run, tmp_path: Path) -> None:
    assert coabench(*BASE, "--decode", "score", "--output", "out").returncode == 0
    for record in records(tmp_path / "out"):
        for turn in record["turns"]:
            assert list(turn["scores"]) == turn["options"]
            assert turn["label"] == max(turn["scores"], key=turn["scores"].get)
            assert turn["match"] == "score"


def test_exemplars_come_from_train_one_per_class_by_seed(coabench: Run, tmp_path: Path) -> None:
    for seed in (0, 1):
        assert coabench(*BASE, "--strategy", "one-shot", "--seed", seed, "--output", seed).returncode == 0
    pools = [manifest(tmp_path / str(seed))["identity"]["exemplars"] for seed in (0, 1)]
    assert [e["label"] for e in pools[0]] == ["Happily Surprised", "Sadly Fearful", "Angrily Disgusted"]
    assert pools[0] != pools[1]
    shown = {e for record in records(tmp_path / "0") for e in record["exemplars"]}
    assert shown == {e["id"] for e in pools[0]}
    assert all(e.startswith("drawn/train") for e in shown)
    refused = coabench(*BASE, "--strategy", "one-shot", "--split", "train")
    assert refused.returncode == 2
    assert "train split" in refused.stderr


def test_the_default_output_is_found_again(coabench: Run, tmp_path: Path) -> None:
    assert coabench(*BASE, "--limit", 2).returncode == 0
    again = coabench(*BASE, "--limit", 2)
    assert "already complete" in again.stderr
    assert len(list((tmp_path / "results").iterdir())) == 1
    assert "not comparable" in again.stderr


def test_observers_are_told_and_a_broken_one_is_left_out(coabench: Run, tmp_path: Path) -> None:
    events = tmp_path / "events"
    result = coabench(*BASE, "--limit", 2, "--output", "o", SCRIPTED_EVENTS=str(events), SCRIPTED_RAISES="1")
    assert result.returncode == 0
    assert events.read_text().splitlines() == [
        "started running",
        *(f"predicted {record['id']}" for record in records(tmp_path / "o")),
        "finished complete 2",
    ]
    assert "the observer is broken" in result.stderr
    *of_metrics, failure = manifest(tmp_path / "o")["sessions"][-1]["plugin_failures"]
    assert any("metric 'failing' of plugin" in each for each in of_metrics)
    assert "failed in coabench_run_finished and is left out: RuntimeError: the observer is broken" in failure


def test_observers_hear_once_that_a_run_failed(coabench: Run, tmp_path: Path) -> None:
    events = tmp_path / "events"
    words = (*BASE, "--output", "o", "--batch-size", 2)
    failed = coabench(*words, "--set", "crash_after=4", SCRIPTED_EVENTS=str(events), SCRIPTED_RAISES="1")
    assert failed.returncode == 1
    assert "the machine is on fire" in failed.stderr.replace("\n", " ")
    assert "failed in coabench_run_failed and is left out: RuntimeError: the observer is broken" in failed.stderr
    done = len(records(tmp_path / "o"))
    lines = events.read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["started", *["predicted"] * done, "failed", "what"]
    assert lines[-2] == f"failed failed after {done}: the machine is on fire"
    assert lines[-1] == "  what to do: put it out"
    events.unlink()
    assert coabench(*words, SCRIPTED_EVENTS=str(events), SCRIPTED_NO_LOAD="1").returncode == 1
    assert not events.exists()  # nothing had begun
    assert coabench(*words, SCRIPTED_EVENTS=str(events)).returncode == 0
    assert events.read_text().splitlines()[-1] == "finished complete 24"


@pytest.mark.parametrize("variables", [{}, {"COABENCH_STRICT_PLUGINS": "1"}])
def test_an_observer_that_fails_hides_no_interrupt(
    coabench: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    variables: dict[str, str],
) -> None:
    def interrupt(*_: Any) -> None:
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    monkeypatch.setattr("coabench.evaluation.records.make_record", interrupt)
    more = {"SCRIPTED_EVENTS": str(tmp_path / "events"), "SCRIPTED_RAISES": "1", "SCRIPTED_SOUND": "1", **variables}
    stopped = coabench(*BASE, "--output", "o", **more)
    assert stopped.returncode == 130, stopped.stderr
    assert (tmp_path / "events").read_text().splitlines() == [
        "started running",
        "failed stopped after 0: stopped by Ctrl-C",
    ]
    assert "Traceback" not in stopped.stderr


def test_an_unreadable_image_is_an_error_record_and_the_run_goes_on(coabench: Run, tmp_path: Path) -> None:
    result = coabench(*BASE, "--output", "out", "--set", "broken=4", "--batch-size", 3)
    assert result.returncode == 0, result.stderr
    log = records(tmp_path / "out")
    assert [r["id"] for r in log if r["status"] == "error"] == ["drawn/test_004"]
    assert "cannot be decoded" in log[4]["reason"]
    assert len(log) == 24
    assert "1 sample not usable" in result.stdout


def test_text_of_a_model_never_reaches_the_terminal_raw(coabench: Run) -> None:
    result = coabench(*BASE, "--set", "always=\x1b[31mred", "--strategy", "direct")
    assert result.returncode == 0
    assert "\x1b" not in result.stdout + result.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--limit", "0"], "0 is not in the range"),
        (["--split", "tset"], "no split 'tset'"),
        (["--strategy", "chain-of-afect"], "did you mean 'chain-of-affect'"),
        (["--set", "dely=1"], "did you mean 'delay'"),
        (["--set", "count=0"], "no samples"),
        (["--dataset", "drwan"], "did you mean 'drawn'"),
        (["--backbone", "scriptd"], "did you mean 'scripted'"),
        (["--dataset", "raf-db-compound"], "--data-root"),
        (["--dataset", "raf-db-compound", "--data-root", "nowhere"], "is no folder"),
        (["--decode", "guess"], "guess"),
    ],
)
def test_wrong_usage_is_told_and_writes_nothing(coabench: Run, tmp_path: Path, arguments: list[str], told: str) -> None:
    result = coabench(*BASE, "--output", "out", *arguments)
    assert result.returncode == 2
    assert told in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "out").exists()


def test_another_run_is_refused_with_the_fields_that_differ(coabench: Run, tmp_path: Path) -> None:
    assert coabench(*BASE, "--output", "out").returncode == 0
    before = (tmp_path / "out" / "predictions.jsonl").read_bytes()
    other = ("evaluate", "--backbone", "scripted:b", "--dataset", "drawn", "--output", "out", "--seed", 3)
    refused = coabench(*other)
    assert refused.returncode == 2
    assert 'backbone.facts.weights: "a" -> "b"' in refused.stderr
    assert "seed: 0 -> 3" in refused.stderr
    assert (tmp_path / "out" / "predictions.jsonl").read_bytes() == before
    assert coabench(*other, "--overwrite").returncode == 0
    assert manifest(tmp_path / "out")["identity"]["seed"] == 3


def test_overwrite_deletes_nothing_until_the_new_run_can_begin(coabench: Run, tmp_path: Path) -> None:
    assert coabench(*BASE, "--output", "out").returncode == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    failed = coabench(*BASE, "--output", "out", "--seed", 3, "--overwrite", SCRIPTED_NO_LOAD="1")
    assert failed.returncode == 1
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
    done = coabench(*BASE, "--output", "out", "--seed", 3, "--overwrite")
    assert done.returncode == 0
    assert "continuing" not in done.stderr


def test_a_card_with_other_labels_is_another_run(coabench: Run, tmp_path: Path) -> None:
    card = (ROOT / "tests/support/scripted/coabench_scripted/drawn.yaml").read_text()
    (tmp_path / "card.yaml").write_text(card)
    mine = ("evaluate", "--backbone", "scripted", "--dataset", "card.yaml", "--output", "out")
    assert coabench(*mine).returncode == 0
    (tmp_path / "card.yaml").write_text(card.replace("Surprise, Fear, Disgust", "Fear, Surprise, Disgust"))
    refused = coabench(*mine)
    assert refused.returncode == 2
    assert "dataset.labels" in refused.stderr


def test_a_folder_with_other_files_is_never_touched(coabench: Run, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("ten years of work")
    for extra in ([], ["--overwrite"]):
        result = coabench(*BASE, "--output", "out", *extra)
        assert result.returncode == 2
        assert "thesis.tex" in result.stderr
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["thesis.tex"]


def test_a_file_as_output_is_refused(coabench: Run, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    assert coabench(*BASE, "--output", "out").returncode == 2
    assert coabench(*BASE, "--output", "out/below").returncode == 2
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda lines: [lines[1], lines[0], *lines[2:]], "line 1 is not the record that belongs there"),
        (lambda lines: [*lines[:3], lines[4]], "line 4 is not"),
        (lambda lines: [*lines[:3], lines[3][:20], *lines[4:]], "line 4 is no record"),
        (lambda lines: [*lines[:3], "[]"], "line 4 is no record"),
        (lambda lines: [*lines[:2], '{"id": "drawn/test_002"}'], "line 3 is no record"),
        (lambda lines: lines[:-2], "lost records"),
    ],
)
def test_an_edited_log_is_refused(coabench: Run, tmp_path: Path, edit: Any, told: str) -> None:
    assert coabench(*BASE, "--output", "out").returncode == 0
    log = tmp_path / "out" / "predictions.jsonl"
    log.write_text("".join(line + "\n" for line in edit(log.read_text().splitlines())))
    edited = log.read_bytes()
    result = coabench(*BASE, "--output", "out")
    assert result.returncode == 2
    assert told in result.stderr
    assert log.read_bytes() == edited


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema": 1}'])
def test_a_damaged_manifest_is_refused(coabench: Run, tmp_path: Path, content: str) -> None:
    assert coabench(*BASE, "--output", "out").returncode == 0
    (tmp_path / "out" / "run.json").write_text(content)
    result = coabench(*BASE, "--output", "out")
    assert result.returncode == 2
    assert "run.json" in result.stderr


def test_a_run_of_a_newer_coabench_is_refused(coabench: Run, tmp_path: Path) -> None:
    assert coabench(*BASE, "--output", "out").returncode == 0
    newer = {**manifest(tmp_path / "out"), "schema": 99}
    (tmp_path / "out" / "run.json").write_text(json.dumps(newer))
    result = coabench(*BASE, "--output", "out")
    assert result.returncode == 2
    assert "upgrade coabench" in result.stderr


def test_a_failed_job_keeps_its_records_and_goes_on(coabench: Run, tmp_path: Path) -> None:
    result = coabench(*BASE, "--output", "out", "--batch-size", 4, "--set", "crash_after=6")
    assert result.returncode == 1
    assert "the machine is on fire" in result.stderr
    assert manifest(tmp_path / "out")["status"] == "failed"
    assert len(records(tmp_path / "out")) == 8
    assert coabench(*BASE, "--output", "out", "--batch-size", 4).returncode == 0
    assert coabench(*BASE, "--output", "whole", "--batch-size", 4).returncode == 0
    assert untimed(tmp_path / "out") == untimed(tmp_path / "whole")


def test_a_defect_is_no_traceback_unless_asked_for(coabench: Run, tmp_path: Path) -> None:
    result = coabench(*BASE, "--output", "out", SCRIPTED_DEFECT="1")
    assert result.returncode == 1
    assert "ZeroDivisionError: a defect" in result.stderr
    assert "Traceback" not in result.stderr
    assert "Traceback" in coabench("--debug", *BASE, "--output", "out2", SCRIPTED_DEFECT="1").stderr


def test_a_full_disk_loses_nothing(environment: dict[str, str], tmp_path: Path, coabench: Run) -> None:
    """The file-size limit of the process stands for the disk."""
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000)); "
        "from coabench.cli import main; main(sys.argv[1:])"
    )
    arguments = [*BASE, "--output", "out", "--batch-size", "3"]
    command = [sys.executable, "-c", code, *arguments]
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "run the same command again" in result.stderr
    assert "Traceback" not in result.stderr
    assert coabench(*arguments).returncode == 0
    assert coabench(*BASE, "--output", "whole", "--batch-size", 3).returncode == 0
    assert untimed(tmp_path / "out") == untimed(tmp_path / "whole")


def start_slowly(environment: dict[str, str], folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return start(folder, environment, *BASE, "--output", "out", "--set", "delay=0.02", *arguments, **quiet)


def length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def test_two_writers_never_share_a_run(environment: dict[str, str], coabench: Run, tmp_path: Path) -> None:
    first = start_slowly(environment, tmp_path, "--set", "count=400", "--batch-size", "1")
    try:
        wait_for(lambda: length(tmp_path / "out" / "predictions.jsonl"), first)
        result = coabench(*BASE, "--output", "out", "--set", "count=400")
        assert result.returncode == 2
        assert "another process" in result.stderr
    finally:
        first.kill()
        first.wait()


def test_control_c_says_that_nothing_is_lost(environment: dict[str, str], coabench: Run, tmp_path: Path) -> None:
    process = start(tmp_path, environment, *BASE, "--output", "out", "--set", "delay=0.05", "--batch-size", 1)
    wait_for(lambda: length(tmp_path / "out" / "predictions.jsonl"), process)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "continues from there" in told
    assert "Traceback" not in told
    assert coabench(*BASE, "--output", "out").returncode == 0


def test_a_folder_that_cannot_be_written_is_refused(coabench: Run, tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    root = os.geteuid() == 0  # whom permissions do not stop, but the kernel's own folders do
    result = coabench(*BASE, "--output", "/proc/out" if root else "locked/out")
    assert result.returncode == 2
    assert "cannot be written" in result.stderr


@pytest.mark.skipif(os.name != "posix", reason="Windows does not let one delete what is open")
def test_a_folder_that_is_replaced_is_left_to_who_replaced_it(scripted: list[str], tmp_path: Path) -> None:
    class Mover(Silence):
        def advance(self, records: Sequence[Mapping[str, Any]]) -> None:
            (tmp_path / "out").rename(tmp_path / "moved")
            evaluate(**request, seed=1)

    request = {"backbone": "scripted:a", "dataset": "drawn", "output": tmp_path / "out", "batch_size": 2}
    with plugins_on(scripted):
        with pytest.raises(JobError, match="was deleted or moved"):
            evaluate(**request, progress=Mover())
        assert manifest(tmp_path / "out")["status"] == "complete"
        assert manifest(tmp_path / "out")["identity"]["seed"] == 1
        assert evaluate(**{**request, "output": tmp_path / "moved"}).metrics["samples"] == 24


@pytest.mark.skipif(os.name != "posix", reason="Windows does not let one delete what is open")
@pytest.mark.parametrize("how", [shutil.rmtree, lambda folder: folder.rename(folder.with_name("moved"))])
def test_a_folder_that_vanishes_ends_the_job_at_the_next_batch(
    scripted: list[str], tmp_path: Path, how: Callable[[Path], object]
) -> None:
    batches: list[int] = []

    class Vandal(Silence):
        def advance(self, records: Sequence[Mapping[str, Any]]) -> None:
            batches.append(len(records))
            if len(batches) == 2:
                how(tmp_path / "out")

    request = {"backbone": "scripted:a", "dataset": "drawn", "output": tmp_path / "out", "batch_size": 2}
    with plugins_on(scripted):
        with pytest.raises(JobError, match="was deleted or moved"):
            evaluate(**request, progress=Vandal())
        assert batches == [2, 2]
        assert not (tmp_path / "out").exists()
        assert evaluate(**request).metrics["samples"] == 24


def test_a_complete_run_whose_records_lost_their_times_is_still_complete(coabench: Run, tmp_path: Path) -> None:
    command = ("evaluate", "--backbone", "scripted:a", "--dataset", "drawn", "--output", "out")
    assert coabench(*command).returncode == 0
    log = tmp_path / "out" / "predictions.jsonl"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    log.write_text("".join(json.dumps({k: v for k, v in line.items() if k != "seconds"}) + "\n" for line in lines))
    again = coabench(*command)
    assert again.returncode == 0, again.stderr
    assert "is already complete" in again.stderr
