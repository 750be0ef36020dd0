"""Several processes, one run: the same log as from one, whoever dies on the way."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.process import Run, start, wait_for
from support.runs import manifest, untimed

from coabench.base.processes import World
from coabench.errors import UserError
from coabench.runs.parts import Parts

BASE = ("evaluate", "--backbone", "scripted:a", "--dataset", "drawn", "--batch-size", "3", "--set", "count=60")

ADDRESS = {"MASTER_ADDR": "localhost", "MASTER_PORT": "29500"}


@pytest.fixture
def whole(coabench: Run, tmp_path: Path) -> list[dict[str, Any]]:
    """What one process alone records."""
    assert coabench(*BASE, "--output", "whole").returncode == 0
    return untimed(tmp_path / "whole")


def processes(environment: dict[str, str], folder: Path, size: int, *arguments: str) -> "list[subprocess.Popen[str]]":
    """Start the processes of a run as torchrun does."""
    return [start(folder, each, *BASE, "--output", "out", *arguments) for each in ranks(environment, size)]


def ranks(environment: dict[str, str], size: int) -> list[dict[str, str]]:
    """The environment of each of several processes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {**environment, "WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    return [{**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(size)]


def parts(run: Path) -> int:
    """How many records the parts hold."""
    return sum(path.read_bytes().count(b"\n") for path in (run / "parts").glob("*.jsonl"))


def test_torchrun_gives_the_log_of_one_process(
    environment: dict[str, str], tmp_path: Path, whole: list[dict[str, Any]]
) -> None:
    events = tmp_path / "events"
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]
    result = subprocess.run(
        [*command, "coabench", *BASE, "--output", "out"], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**environment, "SCRIPTED_EVENTS": str(events)},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert untimed(tmp_path / "out") == whole
    assert result.stdout.count("samples  ") == 1  # the first process talks, and it alone
    made = json.loads((tmp_path / "out" / "run.json").read_text())
    assert made["status"] == "complete"
    assert made["sessions"][0]["processes"] == 2
    assert made["identity"] == json.loads((tmp_path / "whole" / "run.json").read_text())["identity"]
    assert not (tmp_path / "out" / "parts").exists()
    told = events.read_text().splitlines()
    assert sorted(line for line in told if "predicted" in line) == sorted(f"predicted {r['id']}" for r in whole)
    assert told[-1] == "finished complete 60"


@pytest.mark.parametrize("victim", [0, 1])
def test_a_process_that_dies_costs_its_unfinished_batch_alone(
    environment: dict[str, str], coabench: Run, tmp_path: Path, whole: list[dict[str, Any]], victim: int
) -> None:
    running = processes(environment, tmp_path, 2, "--set", "delay=0.1")
    wait_for(lambda: parts(tmp_path / "out") >= 12, running[victim])
    running[victim].kill()
    told = running[1 - victim].communicate(timeout=120)[1]
    running[victim].communicate()
    assert running[1 - victim].returncode == 1
    if victim == 1:
        assert "another process of this job is gone" in told
        assert "Traceback" not in told
    there = parts(tmp_path / "out")
    assert there >= 12
    events = tmp_path / "events"
    again = coabench(*BASE, "--output", "out", SCRIPTED_EVENTS=str(events))  # now alone
    assert again.returncode == 0, again.stderr
    assert f"continuing after {there} of 60 records" in again.stderr
    assert events.read_text().count("predicted") == 60 - there
    assert untimed(tmp_path / "out") == whole
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        ".lock", "metrics.json", "predictions.jsonl", "run.json",
    ]  # fmt: skip


@pytest.mark.skipif(os.name != "posix", reason="signals are sent")
def test_a_signal_to_all_stops_the_run(
    environment: dict[str, str], coabench: Run, tmp_path: Path, whole: list[dict[str, Any]]
) -> None:
    events = tmp_path / "events"
    running = processes({**environment, "SCRIPTED_EVENTS": str(events)}, tmp_path, 2, "--set", "delay=0.2")
    wait_for(lambda: parts(tmp_path / "out") >= 6, running[0])
    for process in running:  # as torchrun does
        process.send_signal(signal.SIGTERM)
    told = [process.communicate(timeout=120)[1] for process in running]
    assert running[0].returncode == 143
    assert "stopped by SIGTERM: what is recorded is safe" in told[0]
    assert told[1] == ""
    stopped = manifest(tmp_path / "out")
    assert (stopped["status"], stopped["reason"]) == ("stopped", "SIGTERM")
    assert [line for line in events.read_text().splitlines() if "predicted" not in line] == [
        "started running",
        "failed stopped after 0: stopped by SIGTERM",
    ]
    assert coabench(*BASE, "--output", "out").returncode == 0
    assert untimed(tmp_path / "out") == whole


def test_processes_exchange_json_alone(environment: dict[str, str], tmp_path: Path) -> None:
    """torch's exchange of objects would unpickle what comes from the network."""
    script = tmp_path / "exchange.py"
    script.write_text(
        "import json\n"
        "from torch import distributed\n"
        "del distributed.broadcast_object_list, distributed.all_gather_object\n"
        "from coabench.base.processes import World\n"
        "world = World.from_environment()\n"
        "with world.meeting() as meeting:\n"
        "    shared = meeting.agree({'é': [1, None, 2.5]} if world.first else None)\n"
        "    print(json.dumps([shared, meeting.gather('x' * (3 * world.rank))]))\n"
    )
    running = [
        subprocess.Popen([sys.executable, str(script)], env=each, stdout=subprocess.PIPE, text=True)
        for each in ranks(environment, 2)
    ]
    assert [json.loads(process.communicate(timeout=120)[0]) for process in running] == [
        [{"é": [1, None, 2.5]}, ["", "xxx"]]
    ] * 2


def test_a_run_goes_on_with_more_processes(
    environment: dict[str, str], coabench: Run, tmp_path: Path, whole: list[dict[str, Any]]
) -> None:
    assert coabench(*BASE, "--output", "out", "--set", "crash_after=9").returncode == 1
    for process in processes(environment, tmp_path, 3):
        _, told = process.communicate(timeout=100)
        assert process.returncode == 0, told
    assert untimed(tmp_path / "out") == whole
    for process in processes(environment, tmp_path, 2):  # complete: nothing to do
        _, told = process.communicate(timeout=100)
        assert process.returncode == 0, told
    assert untimed(tmp_path / "out") == whole


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, World(0, 1, 0)),
        ({"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "SLURM_PROCID": "0", "SLURM_NTASKS": "2"}, World(3, 4, 1)),
        ({"SLURM_PROCID": "1", "SLURM_NTASKS": "2", "SLURM_LOCALID": "1", **ADDRESS}, World(1, 2, 1)),
        ({"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "2", **ADDRESS}, World(1, 2, 0)),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "1"}, World(0, 1, 0)),
        ({"SLURM_JOB_ID": "7", "SLURM_PROCID": "0", "SLURM_NTASKS": "4"}, World(0, 1, 0)),  # a batch script
        ({"SLURM_PROCID": "1", "SLURM_NTASKS": "2"}, "no MASTER_ADDR and no MASTER_PORT"),
        ({"RANK": "2", "WORLD_SIZE": "2"}, "RANK=2, WORLD_SIZE=2"),
        ({"WORLD_SIZE": "2"}, "RANK=, WORLD_SIZE=2"),
        ({"RANK": "first"}, "RANK=first"),
    ],
)
def test_every_launcher_numbers_its_processes(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: World | str
) -> None:
    monkeypatch.setattr(os, "environ", dict(variables))
    if isinstance(expected, str):
        with pytest.raises(UserError) as caught:
            World.from_environment()
        assert expected in str(caught.value.found)
    else:
        assert World.from_environment() == expected
        if expected.size > 1:  # torch and accelerate read these
            assert os.environ["RANK"] == str(expected.rank)


def test_a_mistake_is_told_once(environment: dict[str, str], tmp_path: Path) -> None:
    told = [p.communicate(timeout=120)[1] for p in processes(environment, tmp_path, 2, "--split", "nowhere")]
    assert "no split 'nowhere'" in told[0]
    assert told[1] == ""
    assert not (tmp_path / "out").exists()


def test_a_part_from_elsewhere_is_refused(coabench: Run, tmp_path: Path) -> None:
    assert coabench(*BASE, "--output", "out", "--set", "crash_after=9").returncode == 1
    folder = tmp_path / "out" / "parts"
    folder.mkdir()
    line = (tmp_path / "out" / "predictions.jsonl").read_text().splitlines()[0]
    for content, told in ((line.replace("test_000", "other") + "\n", "no sample of this run"), ("{}\n", "no record")):
        (folder / "a.jsonl").write_text(content)
        result = coabench(*BASE, "--output", "out")
        assert result.returncode == 2
        assert told in result.stderr
    (folder / "a.jsonl").write_text(line[: len(line) // 2])  # torn: its writer was killed
    assert coabench(*BASE, "--output", "out").returncode == 0


def test_parts_in_any_order_make_a_log_in_order(tmp_path: Path) -> None:
    ids = [f"s{i}" for i in range(7)]
    line = '{{"id": "{}", "target": "a", "prediction": null, "status": "ok", "reason": null, "turns": []}}\n'
    log = tmp_path / "log.jsonl"
    log.write_text("".join(line.format(name) for name in ids[:2]))
    (tmp_path / "parts").mkdir()
    for number, names in enumerate((["s5", "s1", "s3"], ["s4", "s6", "s2"])):
        text = "".join(line.format(name) for name in names) + '{"torn'
        (tmp_path / "parts" / f"{number}.jsonl").write_text(text)
    found = Parts(tmp_path / "parts", ids)
    assert [position in found for position in range(7)] == [False, True, True, True, True, True, True]
    assert [record["id"] for record in found.records(2)] == ids[2:]
    found.merge(log, 2)
    assert [json.loads(text)["id"] for text in log.read_text().splitlines()] == ids
    assert [path.name for path in tmp_path.iterdir()] == ["log.jsonl"]
