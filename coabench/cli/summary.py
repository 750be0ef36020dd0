"""What a finished run prints: its figures, one a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

from coabench.base.text import plural, safe
from coabench.cli.output import write_facts

if TYPE_CHECKING:
    from coabench.evaluation.folds import FoldedRuns
    from coabench.runs.result import FinishedRun


def print_summary(run: FinishedRun) -> None:
    """Print the figures of a run, and where it is."""
    from coabench.metrics.headline import EXPECTED_ACCURACY, HEADLINES, read_estimate
    from coabench.runs.identity import RunIdentity
    from coabench.runs.metrics import plugin_headlines

    directory, metrics = run.directory, run.metrics
    main, *others = HEADLINES
    rows = [
        ("samples", f"{metrics['samples']}"),
        (main.title, main.with_interval(main.read(metrics))),
        *((figure.title, figure.with_unit(figure.read(metrics).value)) for figure in others),
        ("invalid", f"{metrics['invalid']}" + _reasons(metrics["reasons"])),
    ]
    votes = metrics.get("votes")
    if votes:
        rows.append(("accuracy against votes", EXPECTED_ACCURACY.with_interval(EXPECTED_ACCURACY.read(metrics))))
        rows.append(("annotators' ceiling", EXPECTED_ACCURACY.with_interval(read_estimate(votes["ceiling"]))))
    if calibration := metrics.get("calibration"):
        rows.append(("calibration error", _calibration(calibration, metrics["samples"])))
    chain = metrics.get("chain")
    if chain:
        given = chain["secondary_given_right_primary"]
        rows.append(("primary in pair", f"{chain['primary_in_pair']:.2%}"))
        rows.append(("secondary, given that", "not applicable" if given is None else f"{given:.2%}"))
    numbers = {figure.name: figure for figure in plugin_headlines(metrics)}
    for name, value in (metrics.get("plugins") or {}).items():
        figure = numbers.get(name)
        shown = safe(value, 80) if figure is None else figure.with_interval(figure.read(metrics))
        rows.append((safe(figure.title if figure else name, 22), shown))
    if metrics["errors"]:
        rows.append(("errors", f"{plural(metrics['errors'], 'sample')} not usable, counted as wrong; see {directory}"))
    if variant := RunIdentity.read(run.manifest["identity"]).variant:
        rows.append(("variant", f"{safe(variant)}; never ranked"))
    write_facts([*rows, ("run", safe(directory))])


def print_folds(done: FoldedRuns) -> None:
    """Print the figures over all folds, each sample once, and how far accuracy varies between them."""
    from coabench.metrics.headline import HEADLINES
    from coabench.metrics.predictions import Predicted
    from coabench.reports.over_folds import read_pooled

    (run,) = read_pooled([run.directory for run in done.runs])
    predicted = Predicted.of(run.records, run.manifest["labels"]["names"])
    if len(done.runs) == 1:
        print_summary(done.runs[0])
        values = _accuracies(run.records, done.numbers)
    else:
        values = [run.metrics["war"] for run in done.runs]
        write_facts([
            ("samples", len(predicted)),
            *((figure.title, figure.with_interval(figure.measure(predicted)[0])) for figure in HEADLINES),
            ("invalid", sum(run.metrics["invalid"] for run in done.runs)),
            ("runs", safe(run.directory)),
        ])  # fmt: skip
    if len(values) > 1:  # of few samples, with --limit, all may be in one fold
        low, high = min(values), max(values)
        spread = f"{mean(values):.2%} ± {stdev(values):.2%}, from {low:.2%} to {high:.2%}, over {len(values)} folds"
        write_facts([("WAR by fold", spread)])


def _accuracies(records: Sequence[Mapping[str, Any]], numbers: Mapping[str, int]) -> list[float]:
    """Return the accuracy in each fold."""
    right: dict[int, list[bool]] = {}
    for record in records:
        right.setdefault(numbers[record["id"]], []).append(record["prediction"] == record["target"])
    return [mean(own) for own in right.values()]


def _calibration(figures: Mapping[str, Any], samples: int) -> str:
    n = figures["samples"]
    which = f"; over the {n} of {samples} samples with a confidence" if n < samples else ""
    interval = figures["ece_interval"]
    bounds = f"95 % interval {interval[0]:.2%} to {interval[1]:.2%}; " if interval else ""
    return f"{figures['ece']:.2%}  ({bounds}by chance {figures['ece_chance']:.2%}{which})"


def _reasons(reasons: Mapping[str, int]) -> str:
    listed = ", ".join(f"{safe(reason, 40)} {n}" for reason, n in sorted(reasons.items(), key=lambda x: (-x[1], x[0])))
    return f"  ({listed})" if listed else ""
