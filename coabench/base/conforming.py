"""Whether a value is what a type hint wants, fast: for what is read by the million, as logs are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Annotated, Any, Literal, get_args, get_origin

from coabench.base.schema import FORMS, UNION, Unfit, declared_fields, fits_member, source_of, steps_of


@cache
def conforms(kind: Any) -> Callable[[Any], bool]:
    """Return what says whether `coabench.base.schema.read_value` takes a value; where it does not, that says why."""
    members = get_args(kind) if get_origin(kind) in UNION else (kind,)
    checks = [_conforms(member) for member in members]
    return checks[0] if len(checks) == 1 else lambda value: any(check(value) for check in checks)


def _conforms(kind: Any) -> Callable[[Any], bool]:
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        inner, steps = conforms(source_of(kind)), [step.make for step in steps_of(kind)]
        return lambda value: inner(value) and _made(steps, value)
    if isinstance(kind, type) and is_dataclass(kind):
        return _conforms_to_fields(kind)
    if origin is tuple and args[1:] == (...,):
        each = conforms(args[0])
        return lambda value: isinstance(value, list | tuple) and all(map(each, value))
    if origin is tuple:
        parts = [conforms(part) for part in args]
        return lambda value: (
            isinstance(value, list | tuple)
            and len(value) == len(parts)
            and all(p(v) for p, v in zip(parts, value, strict=True))
        )
    if origin is Mapping:
        key, item = conforms(args[0]), conforms(args[1])
        return lambda value: isinstance(value, Mapping) and all(map(key, value)) and all(map(item, value.values()))
    if origin is Literal or kind is Any or kind not in FORMS:
        return lambda value: fits_member(kind, value)
    forms = FORMS[kind]
    return lambda value: isinstance(value, forms) and (kind is bool or not isinstance(value, bool))


def _conforms_to_fields(kind: type) -> Callable[[Any], bool]:
    declared = [
        (name, conforms(hint), each.default is not MISSING or each.default_factory is not MISSING)
        for name, (each, hint) in declared_fields(kind).items()
    ]
    names = {name for name, _, _ in declared}
    more = [each.metadata["known"] for each in fields(kind) if each.metadata.get("others")]
    known = [_conforms_to_fields(each) for each in more if each]

    def check(value: Any) -> bool:
        if not isinstance(value, Mapping):
            return False
        for name, fits, optional in declared:
            item = value.get(name)
            if not (fits(item) if name in value else optional) and not (item is None and optional):
                return False
        return all(check(value) for check in known) if more else value.keys() <= names

    return check


def _made(steps: Sequence[Callable[[Any], Any]], value: Any) -> bool:
    try:
        for step in steps:
            value = step(value)
    except Unfit:
        return False
    return True
