"""What a finished run prints: its figures, one a line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from coabench.base.text import safe

if TYPE_CHECKING:
    from coabench.evaluation.finish import FinishedRun


def print_summary(run: FinishedRun) -> None:
    """Print the figures of a run, and where it is."""
    directory, metrics = run.directory, run.metrics
    low, high = metrics["uar_interval"]
    rows = [
        ("samples", f"{metrics['samples']}"),
        ("UAR", f"{metrics['uar']:.2%}  (95 % interval {low:.2%} to {high:.2%})"),
        ("WAR", f"{metrics['war']:.2%}"),
        ("macro-F1", f"{metrics['macro_f1']:.2%}"),
        ("invalid", f"{metrics['invalid']}" + _reasons(metrics["reasons"])),
    ]
    chain = metrics.get("chain")
    if chain:
        given = chain["secondary_given_right_primary"]
        rows.append(("primary in pair", f"{chain['primary_in_pair']:.2%}"))
        rows.append(("secondary, given that", "not applicable" if given is None else f"{given:.2%}"))
    rows += [(safe(name, 22), safe(value, 80)) for name, value in metrics["plugins"].items()]
    if metrics["errors"]:
        rows.append(("errors", f"{metrics['errors']} samples could not be used and count as wrong; see {directory}"))
    for name, value in rows:
        click.echo(f"{name:<22} {value}")
    click.echo(f"{'run':<22} {safe(directory)}")


def _reasons(reasons: Mapping[str, int]) -> str:
    listed = ", ".join(f"{safe(reason, 40)} {n}" for reason, n in sorted(reasons.items(), key=lambda x: (-x[1], x[0])))
    return f"  ({listed})" if listed else ""
