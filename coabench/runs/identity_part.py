"""What identities are made of: JSON objects with declared fields.

An attribute declared with `left_out` is absent from the JSON where it is None; any other is null there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Self

from coabench.base.schema import At, others, read_fields
from coabench.errors import UserError

LEFT_OUT = {"left out": True}
"""The metadata of an attribute that is absent from the JSON where it is None."""


def left_out() -> Any:
    """Declare such an attribute."""
    return field(default=None, metadata=LEFT_OUT)


@dataclass(frozen=True, kw_only=True)
class Part:
    """A JSON object with declared fields.

    Attributes:
        more: the fields that are not declared: what plugins add, and what another version wrote. They come last.
    """

    more: Mapping[str, Any] = others()

    @classmethod
    def read(cls, data: object) -> Self:
        """Read what `to_json` wrote, by this version or an older one.

        Raises:
            ValueError: a field is missing, or of another kind.
        """
        try:
            return read_fields(cls, data, At("identity"))
        except UserError as error:
            raise ValueError(f"{error.problem} (expected: {error.expected})") from None

    def to_json(self) -> dict[str, Any]:
        """Return it as the manifest has it, in plain JSON values."""
        values = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "more"}
        absent = {each.name for each in fields(self) if each.metadata.get("left out") and values[each.name] is None}
        written = {name: value for name, value in values.items() if name not in absent}
        made: dict[str, Any] = json.loads(json.dumps({**written, **self.more}, default=_part_to_json))
        return made

    @property
    def digest(self) -> str:
        """The SHA-256 of the JSON, whatever the order of its fields."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()

    def digest_of(self, only: Collection[str] = (), without: Collection[str] = ()) -> str:
        """Return the SHA-256 of some fields: of those named in *only*, or else of all but those in *without*."""
        data = {key: value for key, value in self.to_json().items() if (key in only if only else key not in without)}
        return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()

    def folder_name(self, names: Sequence[str]) -> str:
        """Return a folder name, beginning with *names*, that the same job always gets and another never does."""
        parts = [*names, self.digest[:8]]
        return ".".join("".join(c if c.isalnum() or c in "-_.+" else "-" for c in part) for part in parts)


def _part_to_json(part: Part) -> dict[str, Any]:
    return part.to_json()
