"""Arguments of the calls from Python: read as the command line reads its options, and recorded as a command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from os import PathLike, fspath
from typing import Any, TypeVar, get_type_hints

from coabench.base.schema import At, read_value
from coabench.errors import UserError
from coabench.recipe import Recipe
from coabench.registry.defaults import Dtype
from coabench.registry.detectors import AUTO
from coabench.registry.function_strategy import StrategyLike, strategy_from
from coabench.strategy import Strategy

T = TypeVar("T")
Name = str | PathLike[str]
"""The name of something registered, or a file."""


@dataclass(frozen=True)
class _Argument(At):
    """An argument of a call, for error messages."""

    def bad(self, value: object, expected: str, remedy: str = "") -> UserError:
        hint = remedy.removesuffix(self.remedy) if remedy.endswith(self.remedy) else ""
        return UserError(f"{self}={value!r} does not fit", expected=expected, remedy=f"{hint}correct {self}")

    def item(self, index: int) -> _Argument:
        return _Argument(f"{self}[{index}]")


def read_request(kind: type[T], function: Any, typed: Mapping[str, Any], **made: Any) -> T:
    """Return a request made of the arguments of a call that are named as its fields, and of *made*."""
    hints = get_type_hints(kind, include_extras=True)
    made |= {"options": assignments("options", typed["options"]), "command": command_line(function, typed)}
    return kind(
        **made, **{name: read_argument(hints[name], typed[name], name) for name in typed if name in {*hints} - {*made}}
    )


def read_settings(typed: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of `Recipe`, each of its type: 3 epochs are 3.0, as the command line reads them."""
    lists = {name: typed[name] or None for name in LISTS}
    split = {name: [part.strip() for part in text.split(",")] for name, text in lists.items() if isinstance(text, str)}
    values = {**typed, "learning_rate": typed["lr"], **lists, **split}
    kinds = {**get_type_hints(Recipe, include_extras=True), "dtype": Dtype}
    return {name: read_argument(kind | None, values[name], name) for name, kind in kinds.items()}


def read_argument(kind: Any, value: Any, name: str) -> Any:
    """Return the value of an argument as one of a type; `UserError` where it does not fit."""
    return read_value(kind, _plain(value), _Argument(name))


def _plain(value: Any) -> Any:
    """Return NumPy's numbers and paths as Python's own numbers and text."""
    if isinstance(value, PathLike):
        return fspath(value)
    if isinstance(value, Integral) and not isinstance(value, bool):
        return int(value)
    return float(value) if isinstance(value, Real) and not isinstance(value, bool | int) else value


def several(value: Any) -> Sequence[Any]:
    """Return one or several as several."""
    return value if isinstance(value, Sequence) and not isinstance(value, str) else (value,)


def is_named(dataset: Any) -> bool:
    """Whether data sets are named, one or several, rather than handed over."""
    return all(isinstance(each, str | PathLike) for each in several(dataset))


def strategy_spec(strategy: StrategyLike) -> str | Strategy:
    """Return a strategy itself, made of a function or a class where it is one, or what names it."""
    return strategy_from(strategy) or read_argument(str, strategy, "strategy")


def crop_spec(crop: bool | str | None) -> str | None:
    """Return ``--crop`` as typed; None for no crops."""
    if isinstance(crop, bool):
        return AUTO if crop else None
    if not isinstance(crop, str | None):
        raise _Argument("crop").bad(crop, "True, False, or a text as --crop takes it: 'mtcnn:margin=0.1'")
    return crop


def assignments(name: str, options: Mapping[str, object] | None) -> dict[str, str]:
    """Return options as they would be typed after ``--set``: `coabench.registry.options` reads text."""
    return {key: _text(f"{name}[{key!r}]", value) for key, value in (options or {}).items()}


def _text(name: str, value: object) -> str:
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    if isinstance(value, str | Real | PathLike):
        return str(value)
    raise _Argument(name).bad(value, "text, a number, True, False, None or a path")


LISTS = ("targets", "modules_to_save")
"""Options that take several names, with commas between them."""
OPPOSITES = {"full": "lora", "ambiguous": "unambiguous"}
"""What switches an option off where it is not spelt ``--no-…``."""


def command_line(function: Any, typed: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the command line that says what a call said; what is as by default is left out."""
    words = ["coabench", function.__name__]
    for name, value in typed.items():
        option = f"--{name.rstrip('_').replace('_', '-')}"
        default = function.__kwdefaults__.get(name)
        if name == "progress" or value is None or (type(value) is type(default) and value == default):
            continue
        if isinstance(value, bool):
            words.append(option if value else f"--{OPPOSITES.get(name, f'no-{name}')}")
        elif isinstance(value, Mapping):
            option = "--set" if name == "options" else option
            words += [word for key, text in assignments(name, value).items() for word in (option, f"{key}={text}")]
        elif name == "dataset" and not is_named(value):
            words += [option, "<pictures, from Python>"]
        elif name == "backbone" and isinstance(value, tuple | list):
            words += [option, f"<{type(value[0]).__name__ if value else ''}, from Python>"]
        elif name in LISTS:
            words += [option, value if isinstance(value, str) else ",".join(value)]
        else:
            words += [word for each in several(value) for word in (option, _shown(each))]
    return tuple(words)


def _shown(value: Any) -> str:
    if isinstance(value, Strategy | type):
        return f"<{value.name if isinstance(value, Strategy) else value.__name__}, from Python>"
    if callable(value):
        return f"<{getattr(value, '__name__', type(value).__name__).strip('<>')}, from Python>"
    return str(value)
