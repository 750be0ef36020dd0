"""The coverages of interval_coverage.json as a picture.

python benchmarks/interval_coverage_picture.py > docs/images/coverage.svg
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from command_line import parser_of

ROW, LEFT, WIDTH, PLOT = 18, 370, 830, 410
LOW, HIGH = 80.0, 100.0


def x(coverage: float) -> float:
    return LEFT + (coverage - LOW) / (HIGH - LOW) * PLOT


def text(at: tuple[float, float], content: str, anchor: str = "start", style: str = "") -> str:
    return f'<text x="{at[0]:.1f}" y="{at[1]:.1f}" text-anchor="{anchor}" {style}>{escape(content)}</text>'


def parts(rows: list[dict[str, Any]], trials: int, level: float) -> Iterator[tuple[int, str]]:
    """Yield the lines of the picture from top to bottom, each with its y."""
    y = 12
    for figure, group in groupby(rows, lambda row: row["figure"]):
        y += 2 * ROW
        yield y, text((8, y), figure, style='font-weight="bold"')
        for row in group:
            y += ROW
            yield y, text((20, y), row["scenario"])
            if row["coverage"] is None:
                yield y, text((x(level), y), "no interval is given", "middle", 'fill="#666"')
                continue
            yield y, f'<circle cx="{x(row["coverage"]):.1f}" cy="{y - 4}" r="4" fill="#1f5fa8"/>'
            yield y, text((LEFT + PLOT + 16, y), f"{row['coverage']:.1f}")


def picture(made: dict[str, Any]) -> str:
    """Return an SVG with a point for each scenario, and the band that chance alone explains in so many trials."""
    trials, level = made["trials"], made["level"]
    drawn = list(parts(made["rows"], trials, level))
    height = drawn[-1][0] + 44
    chance = 100 * 1.96 * math.sqrt(level / 100 * (1 - level / 100) / trials)
    axis = [
        f'<rect x="{x(level - chance):.1f}" y="24" width="{x(level + chance) - x(level - chance):.1f}" '
        f'height="{height - 56}" fill="#dbe6f3"/>',
        *(f'<path d="M{x(tick):.1f} 24V{height - 32}" stroke="{"#1f5fa8" if tick == level else "#ddd"}"/>'
          for tick in range(int(LOW), int(HIGH) + 1, 5)),
        *(text((x(tick), height - 14), f"{tick} %", "middle") for tick in range(int(LOW), int(HIGH) + 1, 5)),
    ]  # fmt: skip
    about = f"Coverage of {level} % intervals in {trials:,} simulated test sets a row; the band is what chance explains"
    return "\n".join((
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        'font-family="sans-serif" font-size="12" fill="#222">',
        f'<title>{about}</title><rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        text((8, 18), about, style='font-size="13"'), *axis, *(part for _, part in drawn), "</svg>",
    ))  # fmt: skip


if __name__ == "__main__":
    parser_of(__doc__).parse_args()
    print(picture(json.loads(Path(__file__).with_name("interval_coverage.json").read_text(encoding="utf-8"))))
