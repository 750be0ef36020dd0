"""How many of several faces are looked at; `coabench.support.crops` cuts them out."""

from __future__ import annotations

from coabench.errors import UserError


def parse_count(text: str) -> int | None:
    """Return how many faces ``--faces N|largest|all`` asks for; None for all.

    Raises:
        UserError: anything else.
    """
    if text == "all":
        return None
    if text == "largest":
        return 1
    if text.isascii() and text.isdigit() and int(text) > 0:
        return int(text)
    raise UserError(
        f"--faces {text!r} cannot be read",
        expected="a number from 1, 'largest' or 'all'",
        remedy="write --faces 1, --faces largest or --faces all",
    )
