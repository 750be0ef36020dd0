"""The page of a stress: one self-contained HTML file, as `coabench.reports.report` makes of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from coabench.base.text import signed
from coabench.registry.catalog import find_dataset
from coabench.render.charts import shade
from coabench.render.page import render_page
from coabench.robustness.findings import alike_section, conditions_section, families_section, orders_section
from coabench.robustness.pictures import Strip, strips
from coabench.robustness.plots import position_chart, severity_chart
from coabench.robustness.summary import StressSummary


def stress_page(it: StressSummary, images: tuple[str | None, Path | None] | None = None) -> str:
    """Return the page. The same runs give the same bytes.

    Args:
        images: the data set with the images, the run's own where None, and its data root; None for a page without.

    Raises:
        UserError: images are asked for and not there.
    """
    shown: list[Strip] = []
    no_pictures = None
    if images is not None:
        name, root = images
        shown, no_pictures = strips(it, find_dataset(name or it.clean.identity.dataset.name), root)
    identity = it.clean.identity
    return render_page(
        Path(__file__).with_name("stress.html"),
        styles=["stress.css"],
        name=it.folder.directory.resolve().name,
        it=it,
        facts={
            "Suite": it.folder.suite,
            "Data set": f"{identity.dataset.name}, {identity.dataset.split}",
            "Samples": f"{len(it.predicted):,}",
            "Persons": None if it.predicted.subjects is None else f"{it.predicted.subjects:,}",
            "Model": identity.backbone.model or identity.backbone.name,
            "Strategy": identity.strategy.name,
            "Conditions": f"{len(it.effects)} of {len(it.folder.conditions) - 1}",
        },
        conditions=conditions_section(it),
        families=families_section(it),
        alike=alike_section(it),
        orders=orders_section(it),
        curves=[(curve.family, severity_chart(curve)) for curve in it.curves],
        positions=[(each.question, position_chart(each.positions)) for each in it.positions],
        labels=[name for name, n in zip(it.predicted.names, it.predicted.sizes, strict=True) if n],
        heat=_heat(it),
        strips=shown,
        no_pictures=no_pictures,
    )


def _heat(it: StressSummary) -> list[tuple[str, list[dict[str, Any]]]]:
    """Return a row for each family, the most harmful first: the change of each label's recall, and its shade."""
    present = it.predicted.sizes > 0
    order = sorted(it.changes, key=lambda family: float(it.changes[family][present].mean()))
    return [
        (
            family,
            [
                {"text": signed(float(change), 0), "shade": shade(max(0.0, -float(change)))}
                for change in it.changes[family][present]
            ],
        )
        for family in order
    ]
