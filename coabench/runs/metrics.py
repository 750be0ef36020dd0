"""The metrics of a run: computed from its log, ours and those that plugins register, and read from ``metrics.json``."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from coabench.base.files import sha256_of
from coabench.base.json import read_json
from coabench.base.reading import is_file
from coabench.base.schema import At, read_fields
from coabench.base.signals import is_interrupt
from coabench.errors import UserError, with_type
from coabench.metrics.headline import FIGURES, OPTIONAL, Headline
from coabench.metrics.predictions import Predicted
from coabench.metrics.stored import StoredMetrics, contradiction
from coabench.metrics.summary import SCHEMA, summarise
from coabench.registry.loader import get_plugins
from coabench.registry.metrics import call_metric
from coabench.registry.registrations import Registration
from coabench.runs.run import LOG, METRICS, read_records


def headlines(keys: Iterable[str]) -> tuple[Headline, ...]:
    """Return our figures, then those that not every run has, plugins' included, if they are among *keys*.

    Args:
        keys: the columns of some runs' figures.

    A metric whose plugin is not installed here is a number, named as it is in ``metrics.json``.
    """
    registered = get_plugins().metrics
    known = set(keys)
    names = sorted({key.removeprefix("plugins.") for key in known if key.startswith("plugins.")})
    of_some = (figure for figure in OPTIONAL if figure.key in known)
    return (*FIGURES, *of_some, *(_headline(name, registered.get(name)) for name in names))


def plugin_headlines(metrics: Mapping[str, Any]) -> list[Headline]:
    """Return the headline figures of the metrics of plugins that returned a number, in the order of their names."""
    rows = headlines(f"plugins.{name}" for name in metrics.get("plugins") or {})[len(FIGURES) :]
    return [row for row in rows if row.read(metrics).value is not None]


def further_figures(metrics: Mapping[str, Any]) -> list[Headline]:
    """Return the figures that not every run has, as far as this one has them: ours, then those of plugins."""
    ours = [figure for figure in OPTIONAL if figure.read(metrics).value is not None]
    return [*ours, *plugin_headlines(metrics)]


def _is_older(stored: Any) -> bool:
    """Whether an older version wrote metrics, which lack some of today's."""
    schema = stored.get("schema") if isinstance(stored, dict) else None
    needed = (*(figure.name for figure in FIGURES), "top_2", "votes")
    return isinstance(schema, int) and (schema < SCHEMA or not all(name in stored for name in needed))


def _wrong(
    stored: Any, directory: Path, manifest: Mapping[str, Any], log_sha256: str | None, predicted: Predicted | None
) -> str | None:
    """Say why stored metrics are not those of the log beside them; None where they are."""
    try:
        read_fields(StoredMetrics, stored, At(METRICS))
    except UserError as error:
        return f"{METRICS} is damaged ({error.problem})"
    if (stored["log_sha256"], stored["schema"]) != (log_sha256, SCHEMA):
        return f"{METRICS} does not belong to {LOG}"
    name = contradiction(stored, predicted or Predicted.of(read_records(directory), manifest["labels"]["names"]))
    return None if name is None else f"{METRICS} is damaged ({name} is not what {LOG} gives)"


def _headline(name: str, registration: Registration | None) -> Headline:
    if registration is None:
        return Headline(name, name, format="number", about="a metric of a plugin that is not installed here")
    details = registration.details
    about = f"{registration.description or 'a metric'} (plugin {registration.plugin})"
    return Headline(name, details.get("title") or name, format=details.get("format", "number"), about=about)


def compute_metrics(
    directory: Path,
    labels: Mapping[str, Any],
    note: Callable[[str], None],
    each: Callable[[Mapping[str, Any]], None] = lambda record: None,
) -> dict[str, Any]:
    """Compute what stands in ``metrics.json``: in one pass over the log, and one for each metric that asks for records.

    Args:
        labels: the manifest's ``labels``.
        note: called with what the user should know: a metric of a plugin that is left out, or failed.
        each: called with every record.

    Raises:
        UserError: the log is damaged or empty.
    """
    registered, digest = get_plugins().metrics, hashlib.sha256()
    targets: list[str] = []
    predictions: list[str | None] = []
    texts: dict[Any, Any] = {}  # each label's text once: there may be millions of records

    def records() -> Iterator[Mapping[str, Any]]:
        for record in read_records(directory, digest):
            each(record)
            if registered:
                targets.append(texts.setdefault(record["target"], record["target"]))
                predictions.append(texts.setdefault(record["prediction"], record["prediction"]))
            yield record

    metrics = summarise(records(), labels)
    metrics["log_sha256"] = digest.hexdigest()
    metrics["plugins"] = {}
    for name, registration in registered.items():
        try:
            with redirect_stdout(sys.stderr):  # stdout is for data
                value = call_metric(
                    registration.load(), targets, predictions, labels, lambda: list(read_records(directory))
                )
            metrics["plugins"][name] = json.loads(json.dumps(value, allow_nan=False))
        except UserError as error:
            what_to_do = f" ({error.remedy})" if error.remedy else ""
            note(f"metric {name!r} of plugin {registration.plugin!r} is left out: {error.problem}{what_to_do}")
        except BaseException as error:
            if is_interrupt(error):
                raise
            note(f"metric {name!r} of plugin {registration.plugin!r} failed: {with_type(error)}")
    return metrics


def read_metrics(
    directory: Path,
    manifest: Mapping[str, Any],
    log_sha256: str | None = None,
    predicted: Predicted | None = None,
) -> tuple[dict[str, Any], str | None]:
    """Return the metrics of a run, and what had to be done to get them.

    ``metrics.json`` is trusted as long as it carries the hash of the log beside it, has all of our figures, and these
    are what the log gives; otherwise the metrics are computed again from the log.

    Args:
        log_sha256: the hash of the log, where it is known already.
        predicted: what the log holds, where it is known already.

    Raises:
        UserError: the log is damaged or empty.
    """
    if log_sha256 is None:
        log = directory / LOG
        log_sha256 = sha256_of(log) if is_file(log) else None
    notes: list[str] = []
    try:
        stored = read_json(directory / METRICS)
        if not _is_older(stored):
            problem = _wrong(stored, directory, manifest, log_sha256, predicted)
            if problem is None:
                return stored, None
            notes.append(f"{problem}: computed again from the log")
    except FileNotFoundError:
        notes.append(f"there is no {METRICS}: computed again from the log")
    except (OSError, ValueError):
        notes.append(f"{METRICS} is damaged: computed again from the log")
    metrics = compute_metrics(directory, manifest["labels"], notes.append)
    return metrics, "; ".join(notes) or None
