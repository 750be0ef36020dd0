"""Which samples of a run are explained: ``wrong:12``, ``right:12``, ``all:N``, or ids."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from coabench.base.vocabulary import ERROR
from coabench.errors import UserError, did_you_mean

GROUPS = ("wrong", "right", "all")

Record = Mapping[str, Any]


def choose(records: Sequence[Record], spec: str, seed: int) -> list[Record]:
    """Return the chosen records in the order of the run; a group's are drawn by *seed*.

    Args:
        spec: ``GROUP:N``, or ids with commas between them.

    Raises:
        UserError: no such group or id, no number, or nobody in the group.
    """
    group, colon, count = spec.partition(":")
    if not colon or "/" in group:
        return _named(records, [word.strip() for word in spec.split(",")])
    if group not in GROUPS or not (count.isascii() and count.isdecimal() and int(count)):
        raise UserError(
            f"--samples {spec} cannot be understood",
            expected="wrong:N, right:N or all:N with N above 0, or ids with commas between them",
            found=spec,
            remedy=f"{did_you_mean(group, GROUPS)}write wrong:12, say",
        )
    asked = [record for record in records if record["status"] != ERROR]
    found = [record for record in asked if group == "all" or _is_right(record) == (group == "right")]
    if not found:
        none = "asked about no sample" if group == "all" else f"has no sample that is {group}"
        raise UserError(f"the run {none}", found=f"--samples {spec}", remedy="choose others")
    drawn = random.Random(f"explain {seed}").sample(range(len(found)), min(int(count), len(found)))
    return [found[position] for position in sorted(drawn)]


def _is_right(record: Record) -> bool:
    return bool(record["prediction"] == record["target"])


def _named(records: Sequence[Record], ids: Sequence[str]) -> list[Record]:
    known = {record["id"]: record for record in records}
    for each in ids:
        if each not in known:
            raise UserError(
                f"the run has no sample {each!r}",
                expected="wrong:N, right:N, all:N, or ids of the run with commas between them",
                remedy=f"{did_you_mean(each, list(known))}correct --samples",
            )
    wanted = set(ids)
    return [record for id, record in known.items() if id in wanted]
