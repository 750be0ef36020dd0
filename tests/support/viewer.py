"""Runs to look through, and what the viewer of samples shows of them."""

from __future__ import annotations

import math
from typing import Any

from support.report_run import NAMES, PAIRS, record

N = 120


def varied(n: int = N, wrong: int = 4) -> list[Any]:
    """Return records of which every *wrong*th is another label, each with another confidence."""
    made = []
    for i in range(n):
        said = NAMES[(i % 3 + (i % wrong == 0)) % 3]
        made.append(record(i, NAMES[i % 3], PAIRS[said], sure=0.5 + (37 * i % 120) / 250))  # type: ignore[arg-type]
    return made


def confidence(sample: Any) -> float:
    product: float = 1
    for turn in sample["turns"]:
        product *= math.exp(turn["scores"][turn["label"]])
    return product


def opened(page: Any) -> str:
    text: str = page.locator('#browser .toggle[aria-expanded="true"]').inner_text()
    return text.strip()


def waits_for_address(page: Any, part: str) -> None:
    page.wait_for_function("part => location.hash.includes(part)", arg=part)
