"""An explanation as one self-contained page, and as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from markupsafe import Markup

from coabench.base.files import write_text
from coabench.errors import UserError
from coabench.explanation.explanation import DELETION, Explanation, Figure
from coabench.explanation.overlay import alone, legend, overlay, shown
from coabench.render.page import render_page, render_template

HERE = Path(__file__).parent


def numbers(explanation: Explanation) -> str:
    """Return everything but the images as JSON."""
    return json.dumps(explanation.to_json(), allow_nan=False) + "\n"


def page(explanation: Explanation) -> str:
    """Return the page."""
    return render_page(HERE / "explain.html", run=explanation.run, parts=parts(explanation))


def beside(path: Path) -> Path:
    """Return where the numbers of a page are written; `UserError` where that is the page itself."""
    if path.suffix == ".json":
        raise UserError(f"{path} would be a page and its numbers", expected="a page such as explain.html",
                        found=".json", remedy="choose another --output, or --format json")  # fmt: skip
    return path.with_suffix(".json")


def write(explanation: Explanation, path: Path) -> list[Path]:
    """Write the page, with its numbers in a ``.json`` beside it, and return both.

    The numbers come first: where there is a new page, so are they.

    Raises:
        UserError: a file cannot be written.
    """
    files = {beside(path): numbers(explanation), path: page(explanation)}
    for file, text in files.items():
        try:
            write_text(file, text)
        except OSError as error:
            raise UserError(
                f"{file} cannot be written", found=error.strerror, remedy="choose another --output"
            ) from None
    return [*files]


def parts(explanation: Explanation) -> Markup:
    """Return its sections, escaped: for its own page, and for a report."""
    return Markup(render_template(HERE / "explain_parts.html", **_data(explanation)))


def _data(explanation: Explanation) -> dict[str, Any]:
    emotions = explanation.emotions()
    highest = max((float(mean.max()) for mean, _ in emotions.values()), default=0.0)
    return {
        "settings": explanation.settings,
        "notes": explanation.notes,
        "left_out": explanation.left_out,
        "legend": legend(),
        "figures": [(figure, _verdict(figure)) for figure in explanation.figures()],
        "emotions": [
            {"question": question, "answer": answer, "n": n, "picture": alone(mean, highest)}
            for (question, answer), (mean, n) in emotions.items()
        ],
        "highest": highest,
        "samples": [
            {
                "record": sample.record,
                "image": shown(sample.image),
                "right": sample.record["prediction"] == sample.record["target"],
                "maps": [
                    {"map": each, "most": float(each.drops.max()), "picture": overlay(
                        sample.image, each.drops, float(each.drops.max())
                    )}
                    for each in sample.maps
                ],
            }
            for sample in explanation.samples
        ],
    }  # fmt: skip


def _verdict(figure: Figure) -> str:
    low, high = figure.interval
    if low <= figure.chance <= high:
        return "not significantly different from chance"
    if figure.name == DELETION:
        return "better than random" if figure.mean < figure.chance else "worse than random"
    return "above chance" if figure.mean > figure.chance else "below chance"
