"""``--beside``: further answerers, as the command line says in what they differ from the first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from coabench.base.schema import At
from coabench.decode import ONCE
from coabench.errors import UserError
from coabench.live.agreement import NAMES
from coabench.live.asker import Asker
from coabench.recipe import LOADS
from coabench.registry.options import parse_parameters

KEYS = ("backbone", "adapter", "strategy", "decode", "load")
"""In what an answerer can differ. Labels are everybody's, or there would be nothing to compare."""


def parse_answerer(text: str, option: str) -> dict[str, Any]:
    """Return in what an answerer differs, ``strategy=direct,adapter=DIR``, as fields of a `Choice`.

    Raises:
        UserError: it cannot be read, or says something that no answerer can differ in.
    """
    changes: dict[str, Any] = parse_parameters(text, option)
    for key in changes:
        if key not in KEYS:
            raise At(option, f"correct {option}").unknown(key, list(KEYS), "key")
    for key, known in (("decode", ONCE), ("load", LOADS)):
        if key in changes and changes[key] not in known:
            raise UserError(
                f"{option} {text!r}: there is no {key} {changes[key]!r}",
                expected=" or ".join(known),
                remedy=f"correct {option}",
            )
    return changes


def open_beside(first: Asker, specs: Sequence[str]) -> list[Asker]:
    """Return those that answer beside the *first*, checked, not loaded.

    Raises:
        UserError: too many, one that cannot be opened, or two that would answer the same.
    """
    if len(specs) >= len(NAMES):
        raise UserError(
            f"--beside is there {len(specs)} times",
            expected=f"{len(NAMES)} answerers at most, the first one included",
            remedy=f"leave out {len(specs) - len(NAMES) + 1}",
        )
    askers = [first]
    for spec in specs:
        other = first.variant(**parse_answerer(spec, "--beside"))
        for name, known in zip(NAMES, askers, strict=False):
            if other.identity == known.identity:
                raise UserError(
                    f"--beside {spec} answers as {name} does",
                    expected="another backbone, adapter, strategy or way to decode",
                    found=describe(known),
                    remedy="leave it out, or change it",
                )
        askers.append(other)
    return askers[1:]


def open_offers(first: Asker, specs: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """Return what may answer in place of the *first*: name -> in what it differs, the first itself among them.

    Raises:
        UserError: one that cannot be opened.
    """
    offers: dict[str, Mapping[str, Any]] = {describe(first): {}} if specs else {}
    for spec in specs:
        changes = parse_answerer(spec, "--offer")
        offers.setdefault(describe(first.variant(**changes)), changes)
    return offers


def describe(asker: Asker) -> str:
    """Return what answers, for people, in a line: backbone, adapter, strategy."""
    backbone = asker.identity.backbone
    model = f"{backbone.name}:{backbone.model}" if backbone.model else backbone.name
    decode = "" if asker.identity.decode == "generate" else f" · {asker.identity.decode}"
    return f"{model} · {backbone.adapter or 'no adapter'} · {asker.strategy.name}{decode}"


def summarise(askers: Sequence[Asker]) -> Mapping[str, str]:
    """Return name -> the parts of `describe` in which not all are alike; the strategy where they differ in none."""
    parts = [describe(asker).split(" · ") for asker in askers]
    return {
        name: " · ".join(part for part in own if not all(part in other for other in parts)) or own[2]
        for name, own in zip(NAMES, parts, strict=False)
    }
