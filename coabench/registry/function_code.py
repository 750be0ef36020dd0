"""Whether a function or class of the user's is what it was: the digest of its code and of all that it refers to."""

from __future__ import annotations

import builtins
import dataclasses
import hashlib
import inspect
import json
import re
import secrets
import sys
import traceback
from collections.abc import Callable, Iterator
from functools import cached_property, lru_cache, partial
from logging import Logger
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, MemberDescriptorType, MethodType, ModuleType
from typing import Any

from coabench.registry.installed import names_in, version_of

PLAIN = (bool, int, float, complex, str, bytes, type(None), type(Ellipsis))
UNSEEN = {"open", "input", "eval", "exec", "compile", "globals", "vars", "__import__"}
"""Built-in functions with which a function gets at what its code does not show."""
BUILT_IN = {each for each in vars(builtins).values() if isinstance(each, BuiltinFunctionType)}
UNSEEN_MODULES = {"builtins", "importlib", "runpy"}
"""Modules that have such functions."""
CACHED = type(lru_cache(len))
"""What ``functools.cache`` makes of a function."""
MADE = {
    "__module__", "__doc__", "__dict__", "__weakref__", "__annotations__", "__annotate_func__", "__firstlineno__",
    "__annotations_cache__", "__static_attributes__", "__orig_bases__", "__parameters__", "__abstractmethods__",
    "_abc_impl", "__dataclass_fields__", "__dataclass_params__", "__match_args__", "__classcell__",
    "__slotnames__", "__type_params__",
}  # fmt: skip
"""What Python itself adds to a class; of dataclasses, what their methods hold as well."""


class Opaque(Exception):
    """What cannot be compared from one call to the next.

    Attributes:
        what: it, in words.
        names: how the code gets at it: the names of a variable, its attribute, and so on.
    """

    def __init__(self, what: str, names: tuple[str, ...] = ()) -> None:
        super().__init__(f"{'.'.join(names)!r}, {what}" if names else what)
        self.what, self.names = what, names


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


def line_of(error: BaseException, function: Callable[..., Any]) -> str:
    """Return the line of a function's file that an error passed last, else of any: ``line 3 of mine.py: 1 / 0``."""
    frames = traceback.extract_tb(error.__traceback__)
    file = getattr(getattr(inspect.unwrap(function), "__code__", None), "co_filename", None)
    frame = next((frame for frame in reversed(frames) if frame.filename == file), frames[-1])
    return f"line {frame.lineno} of {Path(frame.filename).name}" + (f": {frame.line}" if frame.line else "")


def code_version(thing: Any) -> str:
    """Return the version of a class, or of an object of one: that of its package, or where it is in none, of its code.

    Attributes of the object count with its code. What of it cannot be compared is left out: the class says by its
    ``identity`` what else changes an answer.
    """
    kind = thing if isinstance(thing, type) else type(thing)
    module = kind.__module__
    if module.partition(".")[0] == "coabench" or is_installed(kind):
        return version_of(module) or ""
    return _hashed(_Description(module, strict=False), thing)[:16]


def is_installed(value: Any) -> bool:
    """Whether a function or class is what an installed package has under its name."""
    if version_of(str(value.__module__)) is None:
        return False
    found: Any = sys.modules.get(value.__module__)
    for name in value.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is value


def digest(function: Callable[..., Any]) -> str:
    """Return the SHA-256 of a function's bytecode, defaults, closure, and the globals that it names.

    Bytecode rather than the source file, which may have been edited since it was imported. Functions and classes that
    it uses count with theirs; of installed packages other than its own the name and version count.

    Raises:
        Opaque: it refers to an object, or to a module that is not installed, that may change unseen.
    """
    return _hashed(_Description(str(getattr(function, "__module__", "")), strict=True), function)


def _hashed(description: _Description, value: Any) -> str:
    try:
        described = description.of(value)
    except RecursionError:
        raise Opaque("what refers to itself") from None
    return hashlib.sha256(json.dumps(described).encode()).hexdigest()


class _Description:
    """Says of values what they are, as JSON.

    Attributes:
        home: the package that the code is in: it is described, installed or not.
        strict: whether what cannot be described is an error (`Opaque`), or left out.
    """

    def __init__(self, module: str, *, strict: bool) -> None:
        self._home, self._strict = module.partition(".")[0], strict
        self._seen: dict[int, tuple[int, Any]] = {}  # with the thing itself, so that no other gets its id

    def of(self, value: Any) -> Any:
        """Return the description of a value; `Opaque` where there is none."""
        kind = type(value)
        if kind in PLAIN:
            return repr(value)
        if kind in (list, tuple):
            return [kind.__name__, *map(self.of, value)]
        if kind in (set, frozenset):
            return ["set", *sorted(json.dumps(self.of(each)) for each in value)]
        if kind is dict:
            return ["dict", *([self.of(key), self.of(each)] for key, each in value.items())]
        if kind in (range, slice):
            return [kind.__name__, *map(self.of, (value.start, value.stop, value.step))]
        if kind is re.Pattern:
            return ["pattern", self.of(value.pattern), value.flags]
        if kind is partial:
            return ["partial", *map(self.of, (value.func, value.args, value.keywords))]
        if kind in (MethodType, staticmethod, classmethod):
            return [kind.__name__, self.of(value.__func__), self.of(getattr(value, "__self__", None))]
        if kind in (CACHED, cached_property):
            return ["cached", self.of(value.__wrapped__ if kind is CACHED else value.func)]
        if kind is property:
            return ["property", *map(self.of, (value.fget, value.fset, value.fdel))]
        if isinstance(value, Logger):
            return ["logger", value.name]
        return self._code(value)

    def _code(self, value: Any) -> Any:
        if isinstance(value, CodeType):
            shape = [value.co_argcount, value.co_posonlyargcount, value.co_kwonlyargcount, value.co_flags]
            names = [value.co_names, value.co_varnames, value.co_freevars, value.co_cellvars]
            return [value.co_code.hex(), value.co_exceptiontable.hex(), shape, names, *map(self.of, value.co_consts)]
        if isinstance(value, ModuleType):
            return self._imported(value.__name__)
        if isinstance(value, BuiltinFunctionType) and value in BUILT_IN:
            return self._builtin(value.__name__)
        named = isinstance(value, type | FunctionType | BuiltinFunctionType)
        if named and not self._is_own(value.__module__) and is_installed(value):
            return [*self._module(value.__module__), value.__qualname__]
        if isinstance(value, BuiltinFunctionType) and not isinstance(value.__self__, ModuleType | None):
            return ["method", value.__name__, self.of(value.__self__)]
        if isinstance(value, MemberDescriptorType):
            return ["slot", value.__name__]
        return self._once(value)

    def _once(self, value: Any) -> Any:
        """Return the description of what may refer to itself."""
        if id(value) in self._seen:
            return ["again", self._seen[id(value)][0]]
        self._seen[id(value)] = len(self._seen), value
        if isinstance(value, FunctionType):
            return self._function(value)
        if isinstance(value, type):
            members = {name: each for name, each in vars(value).items() if name not in MADE}
            return ["class", value.__qualname__, self._all(members), *map(self.of, (type(value), *value.__bases__))]
        numpy = sys.modules.get("numpy")
        number = numpy is not None and (type(value) is numpy.ndarray or isinstance(value, numpy.generic))
        if number and not value.dtype.hasobject:
            return ["array", str(value.dtype), value.shape, hashlib.sha256(value.tobytes()).hexdigest()]
        return self._object(value)

    def _object(self, value: Any) -> Any:
        kind = type(value)
        known = dataclasses.is_dataclass(kind) or self._is_own(kind.__module__)
        if not known or not all(map(self._is_python, kind.__mro__)):
            return self._opaque(f"a {kind.__name__}")
        slots = [each for c in kind.__mro__ for each in vars(c).values() if isinstance(each, MemberDescriptorType)]
        held = {each.__name__: getattr(value, each.__name__, None) for each in slots}
        return ["object", self.of(kind), self._all({**held, **getattr(value, "__dict__", {})})]

    def _function(self, function: FunctionType) -> Any:
        space, referred = function.__globals__, {}
        named, imported = names_in(function.__code__)
        for name in sorted(named):
            if name in space:
                referred[name] = space[name]
            else:
                self._builtin(name)
        referred |= dict(zip(function.__code__.co_freevars, _contents(function), strict=True))
        own = {name: value for name, value in vars(function).items() if name not in MADE}
        defaults = {"defaults": function.__defaults__, "keyword defaults": function.__kwdefaults__, **own}
        modules = [self._imported(name) for name in sorted(imported)]
        return [self.of(function.__code__), self._all(referred), self._all(defaults), modules]

    def _all(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return the description of named values; where one is opaque, the error names it."""
        described = {}
        for name, value in values.items():
            try:
                described[name] = self.of(value)
            except Opaque as opaque:
                raise Opaque(opaque.what, (name, *opaque.names)) from None
        return described

    def _is_own(self, module: str | None) -> bool:
        """Whether a module may be edited: it is not installed, or is of the code's own package."""
        return not module or module.partition(".")[0] == self._home or version_of(module) is None

    def _is_python(self, kind: type) -> bool:
        """Whether a class is written in Python: one in C holds what neither its slots nor ``__dict__`` show."""
        file = getattr(sys.modules.get(kind.__module__), "__file__", None)
        return kind is object or self._is_own(kind.__module__) or str(file).endswith(".py")

    def _module(self, name: str) -> list[str]:
        version = version_of(name)
        return self._opaque(f"the module {name}") if version is None else [name, version]

    def _imported(self, name: str) -> list[str]:
        return self._opaque(f"the module {name}") if name.partition(".")[0] in UNSEEN_MODULES else self._module(name)

    def _builtin(self, name: str) -> list[str]:
        return self._opaque(f"{name}()") if name in UNSEEN else ["built-in", name]

    def _opaque(self, what: str) -> list[str]:
        if self._strict:
            raise Opaque(what)
        return ["opaque", what]


def _contents(function: FunctionType) -> Iterator[Any]:
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # not filled yet
            yield None
