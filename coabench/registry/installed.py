"""What code refers to by name, and the versions of installed packages."""

from __future__ import annotations

import dis
import sys
import sysconfig
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from importlib.util import find_spec
from pathlib import Path
from types import CodeType


def names_in(code: CodeType) -> tuple[set[str], set[str]]:
    """Return the names of globals in a code and those within it, and of the modules that it imports.

    A relative import, whose module depends on where the code is, has its dots before the name.
    """
    named, imported = set(), set()
    before: list[object] = [0, 0]
    for step in dis.get_instructions(code):
        if step.opname == "IMPORT_NAME":  # behind the number of dots, and what is taken from it
            dots = before[-2]
            imported.add("." * (dots if isinstance(dots, int) else 1) + step.argval)
        elif "GLOBAL" in step.opname or step.opname == "LOAD_NAME":
            named.add(step.argval)
        if step.opname != "EXTENDED_ARG":
            before = [before[-1], step.argval]
    for each in code.co_consts:
        if isinstance(each, CodeType):
            more, others = names_in(each)
            named |= more
            imported |= others
    return named, imported


@lru_cache(maxsize=1024)
def version_of(module: str) -> str | None:
    """Return the version of a module's package; None where it is not installed, so that it may be edited.

    It is empty for Python's own modules, whose bytecode tells versions apart, and for coabench, whose version every
    identity has.
    """
    top = module.partition(".")[0]
    if top == "coabench" or top in sys.builtin_module_names:
        return ""
    try:
        spec = None if top in ("", "__main__") else find_spec(top)
    except (ImportError, ValueError):  # of what has no spec
        return None
    file = spec.origin if spec is not None and spec.has_location else None
    if spec is not None and spec.origin == "frozen":
        return ""
    paths = {key: Path(path) for key, path in sysconfig.get_paths().items()}
    if file is None or not any(Path(file).is_relative_to(paths[key]) for key in ("stdlib", "purelib", "platlib")):
        return None
    if top in sys.stdlib_module_names:
        return ""
    try:
        return version(top)
    except PackageNotFoundError:  # its package has another name, which takes longer to find
        names = packages_distributions().get(top)
        return version(names[0]) if names else None
