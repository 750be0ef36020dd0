"""Whether a change made the backbone ``transformers`` faster: two checkouts answer the same questions in turns.

    python benchmarks/transformers_checkouts.py BEFORE AFTER --model FOLDER [--threads 1] [--rounds 3] [--json FILE]

FOLDER is a checkpoint that ``benchmarks/peers.py --model FOLDER`` has built. Each checkout is a process of its own;
beside the clock stand the seconds of its processor, which a busy machine changes less. float32; scores agree to 0.001.
"""

from __future__ import annotations

import json
import statistics
from typing import Any

from checkouts import Checkout
from command_line import add_json, existing_folder, parser_of, run_benchmark, whole_number
from subject import machine

PROCESS = """
import json, sys, time, torch
from coabench.backbone import BackboneRequest
from coabench.dialogue import Task
from coabench.inference.engine import converse
from coabench.registry.catalog import find_dataset, open_strategy
from coabench.testing.pictures import draw_face
from coabench_transformers.backbone import TransformersVision

torch.set_num_threads(int(sys.argv[1]))
faces = [draw_face(("Surprise", "Fear", "Disgust", "Happiness")[n % 4], n // 4, 224) for n in range(int(sys.argv[2]))]
backbone = TransformersVision(BackboneRequest(sys.argv[3], None, "cpu", "float32"))
backbone.load()
for line in sys.stdin:
    dataset, strategy, decode, batch = json.loads(line)
    task, plan, answers = Task(find_dataset(dataset).card.space), open_strategy(strategy)[0], []
    clock, processor = time.perf_counter(), time.process_time()
    for start in range(0, len(faces), batch):
        part = [(backbone.prepare([face]), task) for face in faces[start : start + batch]]
        for outcome in converse(backbone, plan, part, decode):
            answers += [[turn.answer.label, *(turn.answer.scores or {}).values()] for turn in outcome.turns]
    taken = [time.perf_counter() - clock, time.process_time() - processor]
    print(json.dumps([[each / len(faces) for each in taken], answers]), flush=True)
"""
TASKS = {
    "one question, generate": ("raf-db-basic", "direct", "generate"),
    "one question, score": ("raf-db-basic", "direct", "score"),
    "chain-of-affect, generate": ("raf-db-compound", "chain-of-affect", "generate"),
    "pair-scores": ("raf-db-compound", "pair-scores", "score"),
}


def alike(ones: Any, others: Any) -> bool:
    """Whether two lists of labels and scores are equal, but for rounding."""
    if isinstance(ones, list):
        return len(ones) == len(others) and all(map(alike, ones, others))
    return abs(ones - others) < 1e-3 if isinstance(ones, float) else bool(ones == others)


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("before", type=existing_folder)
    parser.add_argument("after", type=existing_folder)
    parser.add_argument("--model", type=existing_folder, required=True)
    parser.add_argument("--tasks", nargs="+", default=[*TASKS], choices=[*TASKS])
    parser.add_argument("--batch-size", type=whole_number(), default=4)
    parser.add_argument("--threads", type=whole_number(), default=1)
    parser.add_argument("--faces", type=whole_number(), default=4)
    parser.add_argument("--rounds", type=whole_number(), default=3)
    add_json(parser)
    arguments = parser.parse_args()
    about = {**machine("cpu", arguments.threads), "batch": arguments.batch_size, "faces": arguments.faces}
    print(", ".join(f"{key} {value}" for key, value in about.items()) + "\n")
    before, after = (
        Checkout(path.resolve(), arguments.threads, arguments.faces, PROCESS, str(arguments.model.resolve()))
        for path in (arguments.before, arguments.after)
    )
    print("| task | s/image before | after | processor s/image before | after | times faster (processor) | same |")
    print("|---" * 7 + "|")
    rows = []
    for task in arguments.tasks:
        taken: dict[Checkout, list[Any]] = {before: [], after: []}
        same = True
        for turn in range(arguments.rounds + 1):
            order = (before, after) if turn % 2 else (after, before)
            answered = {each: each.ask(*TASKS[task], arguments.batch_size) for each in order}
            same = same and alike(answered[before][1], answered[after][1])
            for each in order if turn else ():
                taken[each].append(answered[each][0])
        (clock, processor), (new_clock, new_processor) = (
            [statistics.median(kind) for kind in zip(*taken[each], strict=True)] for each in (before, after)
        )
        rows.append({
            "task": task, "seconds_before": clock, "seconds": new_clock, "processor_seconds_before": processor,
            "processor_seconds": new_processor, "times_faster": processor / new_processor, "same_answers": same,
        })  # fmt: skip
        print(f"| {task} | {clock:.2f} | {new_clock:.2f} | {processor:.2f} | {new_processor:.2f} "
              f"| {processor / new_processor:.1f} | {'yes' if same else 'no'} |", flush=True)  # fmt: skip
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": about, "rows": rows}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run_benchmark(main)
