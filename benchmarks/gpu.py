"""What coabench does on a GPU: whether all is right, and how fast; one command, no download, under nine minutes.

*Right*: the golden outputs of the published code in float32, bfloat16 and float16 (where their folder is beside the
checkout), memory that runs out under ``--batch-size auto``, a run that begins on the device and ends on the CPU, a step
of training against the CPU's. *Fast*: a random model of the 4.15 B parameters of Phi-3.5-vision: the published loop and
the port in images a second, how close to the floor they come, and memory; training by the published recipe.

    python benchmarks/gpu.py [--device cuda] [--minutes 8.5] [--output gpu]
    python benchmarks/gpu.py --size tiny --device cpu

It writes OUTPUT.json and OUTPUT.md after every row. What does not fit into the time is skipped and listed. Beside
torch, transformers, peft, accelerate and pillow it needs what benchmarks/gpu-requirements.txt lists, pure Python all
of it.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(1, str(Path(__file__).resolve().parent.parent / "plugins"))
sys.path.insert(1, str(Path(__file__).resolve().parent.parent))  # the checkout, installed or not

from command_line import any_number, new_file, parser_of, run_benchmark, usable_device

from coabench.base.environment import installed
from coabench.base.files import write_text

COLUMNS = {
    "images/s": ("images_per_second", "{:.2f}"),
    "of the floor": ("of_the_floor", "{:.0%}"),
    "samples/s": ("samples_per_second", "{:.2f}"),
    "times published": ("times_published", "{:.1f}"),
    "GiB": ("peak_gib", "{:.1f}"),
}
APART = {"part", "case", "status", "seconds", "reason", "traceback", "what", "num_crops", "batch"}
"""Fields of a row that the table names otherwise, or not at all."""


def facts(device: str) -> Mapping[str, Any]:
    """Return what the figures need beside them."""
    import torch
    from subject import machine

    about: dict[str, Any] = {
        **machine(device, torch.get_num_threads()),
        **installed("transformers", "peft", "accelerate", "coabench"),
    }
    if device != "cpu":
        own = torch.cuda.get_device_properties(device)
        about |= {"memory GiB": round(own.total_memory / 2**30, 1), "cuda": torch.version.cuda,
                  "capability": f"{own.major}.{own.minor}"}  # fmt: skip
    return {**about, "date": datetime.now(UTC).date().isoformat()}


def parts_of(size: str, device: str) -> list[Any]:
    """Return what is measured, the most important first; shares are of a time that an H200 should not need whole."""
    # All that cases import later: one that is cut off in the middle of an import leaves a module that is broken.
    import accelerate  # noqa: F401
    import gpu_checks as checks
    import peft  # noqa: F401
    import torch._dynamo
    import torch._inductor.compile_fx  # noqa: F401
    from budget import Case, Part
    from gpu_speed import SCALES, Subject

    subject, small = Subject(SCALES[size], device), "tiny" if size == "tiny" else "mid"
    return [
        Part("golden outputs", 20, checks.golden_cases(device, few=device == "cpu")),
        Part("checks", 20, [
            Case("memory runs out, --batch-size auto", partial(checks.out_of_memory, device)),
            Case("begun here, finished on the CPU", partial(checks.resume, device)),
            Case("a training step against the CPU's", partial(checks.training_step, device, small)),
        ]),
        *(Part("inference", 20, subject.inference_cases(crops)) for crops in SCALES[size].crops),
        Part("preparation", 2, [Case("images cut by one thread", subject.preparation)]),
        Part("training", 20, subject.training_cases()),
        Part("compiled", 25, subject.compiled_cases()),
    ]  # fmt: skip


def table(about: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the rows as one Markdown table, below what they were measured on."""
    lines = [", ".join(f"{key} {value}" for key, value in about.items()), "",
             f"| part | case | {' | '.join(COLUMNS)} | s | |", "|---|---|" + "---|" * (len(COLUMNS) + 2)]  # fmt: skip
    for row in rows:
        cells = [form.format(row[name]) if row.get(name) is not None else "" for name, form in COLUMNS.values()]
        shown = {name for name, _ in COLUMNS.values()} | APART
        details = [f"{name.replace('_', ' ')} {_short(value)}" for name, value in row.items() if name not in shown]
        said = "; ".join(details) if row["status"] == "ok" else f"**{row['status']}**: {row['reason']}"
        line = [row["part"], row["case"], *cells, f"{row.get('seconds', 0):.1f}", said.replace("|", "\\|")]
        lines.append(f"| {' | '.join(line)} |")
    return "\n".join(lines) + "\n"


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else ", ".join(value) if isinstance(value, list) else str(value)


def main() -> None:
    begun = time.perf_counter()  # torch is imported later
    parser = parser_of(__doc__)
    parser.add_argument("--size", default="full", choices=["full", "mid", "tiny"], help="tiny: shows that it runs")
    parser.add_argument("--device", type=usable_device, default="cuda")
    parser.add_argument("--minutes", type=any_number(0.2, 60), default=8.5, help="after which it ends (%(default)s)")
    parser.add_argument("--output", type=new_file, default=Path("gpu"), help="OUTPUT.json and OUTPUT.md (%(default)s)")
    arguments = parser.parse_args()
    if arguments.size == "full" and arguments.device == "cpu":
        parser.error("--size full is for a GPU; on a CPU take --size mid or --size tiny")
    os.environ["HF_HUB_OFFLINE"] = "1"
    import torch
    from budget import Budget

    about = facts(arguments.device)
    files = [arguments.output.with_name(f"{arguments.output.name}.{kind}") for kind in ("json", "md")]

    def report(rows: Sequence[Mapping[str, Any]]) -> None:
        made = {"machine": about, "size": arguments.size, "minutes": arguments.minutes, "rows": rows}
        write_text(files[0], json.dumps(made, indent=1) + "\n")
        write_text(files[1], table(about, rows))
        row = rows[-1]
        print(f"{row['part']}: {row['case']}: {row['status']}, {row.get('seconds', 0):.1f} s"
              f"{': ' + row['reason'] if 'reason' in row else ''}", flush=True)  # fmt: skip

    def tidy() -> None:
        gc.collect()
        if arguments.device != "cpu":
            with suppress(RuntimeError):  # a device that is broken is the next case's to report
                torch.cuda.empty_cache()

    budget = Budget(begun + 60 * arguments.minutes, report, tidy)
    budget.carry_out(parts_of(arguments.size, arguments.device))
    print(f"\n{files[1].read_text(encoding='utf-8')}\nwritten to {files[0]} and {files[1]}")
    sys.exit(any(row["status"] == "failed" for row in budget.rows))


if __name__ == "__main__":
    run_benchmark(main)
