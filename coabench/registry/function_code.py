"""Whether a function of the user's is what it was: the digest of its code and of all that it refers to."""

from __future__ import annotations

import hashlib
import json
import secrets
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

PLAIN = (bool, int, float, complex, str, bytes, type(None), type(Ellipsis))


class Opaque(Exception):
    """What cannot be compared from one call to the next; the text names it."""


def identified(function: Callable[..., Any]) -> tuple[dict[str, str], str | None]:
    """Return what stands for a function in an identity, and what it uses that may change unseen, None for nothing.

    Where it uses such a thing it is another one each time: no run with it is continued.
    """
    try:
        return {"code": digest(function)}, None
    except Opaque as error:
        return {"unique": secrets.token_hex(16)}, str(error)


def is_uncertain(what: str, opaque: str) -> str:
    """Return the note of a run with a function that uses what may change unseen."""
    return f"the {what} uses {opaque}, which may change unseen: a run with it is never continued"


def digest(function: Callable[..., Any]) -> str:
    """Return the SHA-256 of a function's bytecode, defaults, closure, and the globals that it names.

    Bytecode rather than the source file, which may have been edited since it was imported. Functions of its own module
    count with theirs; installed modules count by name and version.

    Raises:
        Opaque: it refers to an object, or to a module that is not installed, that may change unseen.
    """
    try:
        described = _describe(function, str(getattr(function, "__module__", "")), {})
    except RecursionError:
        raise Opaque("what refers to itself") from None
    return hashlib.sha256(json.dumps(described).encode()).hexdigest()


def _describe(value: Any, home: str, seen: dict[int, int]) -> Any:
    if isinstance(value, PLAIN) and type(value) in PLAIN:
        return repr(value)
    if type(value) in (list, tuple):
        return [type(value).__name__, *(_describe(each, home, seen) for each in value)]
    if type(value) in (set, frozenset):
        return ["set", *sorted(json.dumps(_describe(each, home, seen)) for each in value)]
    if type(value) is dict:
        return ["dict", *([_describe(k, home, seen), _describe(v, home, seen)] for k, v in value.items())]
    if isinstance(value, CodeType):
        parts = [_describe(each, home, seen) for each in value.co_consts]
        return [value.co_code.hex(), parts, value.co_names, value.co_varnames]
    if isinstance(value, ModuleType):
        return _installed(value.__name__)
    if isinstance(value, FunctionType) and value.__module__ == home:
        return _function(value, home, seen)
    if isinstance(value, type | FunctionType | BuiltinFunctionType) and value.__module__ and value.__module__ != home:
        return [*_installed(value.__module__), value.__qualname__]
    raise Opaque(f"a {type(value).__name__}")


def _function(function: FunctionType, home: str, seen: dict[int, int]) -> Any:
    if id(function) in seen:
        return ["again", seen[id(function)]]  # it calls itself
    seen[id(function)] = len(seen)
    named = {
        name: function.__globals__[name] for name in sorted(_names(function.__code__)) if name in function.__globals__
    }
    cells = dict(zip(function.__code__.co_freevars, _contents(function), strict=True))
    referred: Mapping[str, Any] = {**named, **cells}
    described = {}
    for name, value in referred.items():
        try:
            described[name] = _describe(value, home, seen)
        except Opaque as opaque:
            raise Opaque(f"{name!r}, {opaque}" if "'" not in str(opaque) else str(opaque)) from None
    defaults = _describe([function.__defaults__, function.__kwdefaults__], home, seen)
    return [_describe(function.__code__, home, seen), described, defaults]


def _contents(function: FunctionType) -> Iterator[Any]:
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # not filled yet
            yield None


def _names(code: CodeType) -> set[str]:
    """Return the names of globals, and of attributes, in a code and those within it."""
    within = [_names(each) for each in code.co_consts if isinstance(each, CodeType)]
    return set(code.co_names).union(*within)


def _installed(name: str) -> list[str]:
    """Return an installed module's name and version; `Opaque` for one that may be edited.

    Of coabench the name alone: every identity has its version.
    """
    if name.partition(".")[0] == "coabench":
        return [name]
    top = sys.modules.get(name.partition(".")[0])
    file = getattr(top, "__file__", None)
    folders = {Path(path) for key, path in sysconfig.get_paths().items() if key in ("stdlib", "purelib", "platlib")}
    if top is None or (file is not None and not any(Path(file).is_relative_to(folder) for folder in folders)):
        raise Opaque(f"the module {name}")
    if file is None and name.partition(".")[0] not in sys.builtin_module_names:
        raise Opaque(f"the module {name}")
    return [name, str(getattr(top, "__version__", ""))]
