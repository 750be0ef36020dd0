"""A server that a run starts for itself: it is there when it is asked, and gone with the run, however that ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from coabench_openai.local_server import LocalServer
from coabench_openai.lora import ServedLora
from coabench_openai.options import ServerOptions
from safetensors.torch import save_file
from support.process import start, wait_for

from coabench.errors import JobError, UserError
from coabench.support.adapter_folder import AdapterFolder
from coabench.testing import tiny_run

pytestmark = pytest.mark.process

STAND_IN = """#!{python}
import os, signal, subprocess, sys, time
sys.path[:0] = {path!r}
from support.chat_server import ChatServer, honest, slowly, tells_prompts

assert sys.argv[1] == "serve" and sys.argv[sys.argv.index("--host") + 1] == "127.0.0.1"
assert "OPENAI_API_KEY" not in os.environ
if "--lora-modules" in sys.argv:
    print("serving", *sys.argv[3:sys.argv.index("--lora-modules") + 2], flush=True)
stubborn = "--stubborn" in sys.argv
if stubborn:  # a worker that hears no SIGTERM
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
open({pids!r}, "a").write(f"{{os.getpid()}} {{worker.pid}} ")
print("loading weights", flush=True)
if "--fail" in sys.argv:
    sys.exit("no memory for the weights")
if "--hang" in sys.argv:
    time.sleep(300)
behave = slowly(20) if "--slow" in sys.argv else tells_prompts
with ChatServer(behave, port=int(sys.argv[sys.argv.index("--port") + 1])):
    time.sleep(300)
"""


@pytest.fixture
def pids(tmp_path: Path) -> Path:
    return tmp_path / "pids"


@pytest.fixture
def vllm(tmp_path: Path, pids: Path) -> Iterator[Path]:
    """An executable that serves as vLLM does; afterwards none of its processes is left."""
    path = tmp_path / "bin" / "vllm"
    path.parent.mkdir()
    path.write_text(STAND_IN.format(python=sys.executable, path=sys.path, pids=str(pids)))
    path.chmod(0o755)
    yield path
    wait_for(lambda: not left(pids))


def left(pids: Path) -> list[int]:
    """Return those of the server's processes that run; one that nobody has waited for does not."""

    def runs(pid: int) -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except FileNotFoundError:
            return False

    return [pid for pid in map(int, pids.read_text().split()) if runs(pid)] if pids.exists() else []


def options(vllm: Path, **more: Any) -> dict[str, str]:
    return {"serve_with": str(vllm), **more}


def test_a_run_starts_its_server_and_ends_it(vllm: Path, pids: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-somebody-else-1234")
    given = options(vllm, serve_args="--max-model-len 2048")
    tiny_run(tmp_path / "run", backbone="openai:my-vlm", decode="score", options=given, limit=4)
    wait_for(lambda: not left(pids))
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    facts, about = run["identity"]["backbone"]["facts"], run["sessions"][0]["backbone"]
    assert (facts["server"], facts["serve_args"], facts["scores"]) == ("vllm", "--max-model-len 2048", "exact")
    assert about["server_version"] == "0.0-stand-in"
    assert (tmp_path / "run.vllm.log").read_text().startswith("loading weights")
    assert str(tmp_path / "run.vllm.log") == about["server_log"]
    assert len(pids.read_text().split()) == 2


QUERY = "language_model.layers.0.self_attn.q_proj"


def save_lora(folder: Path, layer: str = QUERY, rank: int = 3, **config: Any) -> Path:
    folder.mkdir()
    stem = f"base_model.model.model.{layer}"
    tensors = {f"{stem}.lora_A.weight": torch.ones(rank, 8), f"{stem}.lora_B.weight": torch.ones(8, rank)}
    save_file(tensors, folder / "adapter_model.safetensors")
    plain = {"peft_type": "LORA", "r": rank, "lora_alpha": 16, "target_modules": ["q_proj"]}
    (folder / "adapter_config.json").write_text(json.dumps({**plain, **config}))
    return folder


def test_an_adapter_is_served_under_a_name_and_is_part_of_the_identity(vllm: Path, tmp_path: Path) -> None:
    folder = save_lora(tmp_path / "rank=3, mine", rank=9)
    given = options(vllm, serve_args="--seed 1")
    tiny_run(tmp_path / "run", backbone="openai:my-vlm", options=given, adapter=str(folder), limit=4)
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    facts = run["identity"]["backbone"]["facts"]
    assert (facts["model"], facts["adapter"]) == ("my-vlm", AdapterFolder.read(folder).fingerprint())
    assert run["sessions"][0]["backbone"]["served"] == "adapter"
    assert not any("what answers" in note for note in run["notes"])
    said = next(line for line in (tmp_path / "run.vllm.log").read_text().splitlines() if line.startswith("serving"))
    served = json.dumps({"name": "adapter", "path": str(folder)})
    assert said == f"serving --enable-lora --max-lora-rank 16 --lora-target-modules q_proj --lora-modules {served}"


@pytest.mark.parametrize(
    ("layer", "config", "told"),
    [
        ("vision_tower.layers.0.self_attn.q_proj", {}, "linear layers alone(?s:.*)vision_tower"),
        ("multi_modal_projector.linear_1", {}, "linear layers alone(?s:.*)multi_modal_projector"),
        (QUERY, {"use_dora": True}, "DoRA"),
        (QUERY, {"modules_to_save": ["lm_head"]}, "trained whole"),
        (QUERY, {"alpha_pattern": {"q_proj": 4}}, "one alpha for all layers"),
        (QUERY, {"bias": "all"}, "bias"),
        (QUERY, {"peft_type": "IA3"}, "IA3"),
        (QUERY, {"rank": 600}, "rank of at most 512"),
    ],
)
def test_an_adapter_of_which_vllm_would_leave_a_part_out_is_refused(
    layer: str, config: Any, told: str, vllm: Path, tmp_path: Path
) -> None:
    folder = save_lora(tmp_path / "adapter", layer, config.pop("rank", 3), **config)
    with pytest.raises(UserError, match=told):
        tiny_run(tmp_path / "run", backbone="openai:my-vlm", options=options(vllm), adapter=str(folder), limit=4)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"serve_args": "--fail"}, r"ended before it was ready(?s:.*)no memory for the weights(?s:.*)run.vllm.log"),
        ({"serve_args": "--hang --stubborn", "serve_within": "1.5"}, "not ready after 1.5 seconds"),
    ],
)
def test_a_server_that_does_not_come_up_is_told_with_its_last_words(
    how: Any, told: str, vllm: Path, pids: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr("coabench_openai.local_server.PATIENCE", 0.5)
    with pytest.raises(JobError, match=told):
        tiny_run(tmp_path / "run", backbone="openai:my-vlm", options=options(vllm, **how))
    wait_for(lambda: not left(pids))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_the_server_ends_with_a_run_that_is_interrupted_or_killed(
    how: signal.Signals, vllm: Path, pids: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    command = ["evaluate", "--backbone", "openai:my-vlm", "--dataset", "synthface-basic", "--limit", "4"]
    command += ["--strategy", "direct", "--output", "run", "--set", f"serve_with={vllm}", "--set", "serve_args=--slow"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with start(tmp_path, environment, *command, **quiet) as process:
        wait_for(lambda: (tmp_path / "run.vllm.log").exists() and len(left(pids)) == 2, process)
        process.send_signal(how)
        process.wait(60)
        wait_for(lambda: not left(pids))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("--port 9", "--port is said by coabench itself"),
        ("--host=0.0.0.0", "--host=0.0.0.0 is said by"),
        ("--max_lora_rank 64", "--max_lora_rank is said by"),
        ("'", "quotes"),
    ],
)
def test_arguments_that_are_coabenchs_own_are_refused(given: str, told: str, vllm: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=told):
        LocalServer.of(
            "my-vlm", ServerOptions(serve_with=str(vllm), serve_args=given), ServedLora(tmp_path, 8, ("q_proj",), "")
        )
