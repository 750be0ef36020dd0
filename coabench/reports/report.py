"""The report job: a run as one self-contained page, readable offline, with every figure and the samples."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from coabench.base.reading import is_folder
from coabench.base.text import date, plural
from coabench.base.vocabulary import COMPLETE, RUNNING, STOPPED
from coabench.errors import UserError
from coabench.metrics.calibration import Calibration
from coabench.metrics.groups import MIN_GROUP
from coabench.metrics.headline import FIGURES
from coabench.render import charts
from coabench.render.page import render_page
from coabench.reports.card import find_card
from coabench.reports.damage import damage_reported
from coabench.reports.matrix import matrix
from coabench.reports.plugin_sections import plugin_sections
from coabench.reports.report_data import Choice, RunData
from coabench.reports.samples import VIEWER_SCRIPTS, VIEWER_STYLES, columns, link
from coabench.reports.stimuli import stimuli_shown
from coabench.reports.thumbnails import Thumbnails, thumbnails
from coabench.runs.identity import RunIdentity
from coabench.runs.metrics import further_figures, plugin_headlines, read_metrics
from coabench.runs.result import reliability_bars
from coabench.runs.run import LOG, read_manifest
from coabench.support.thumbnails import SIDE

THIN = 30
"""Classes with fewer samples than this are marked: a sample more or less moves their recall by points."""

SAMPLES = 100_000
"""How many samples a page holds at most, unless told otherwise: it then opens in a second or two."""


@dataclass(frozen=True)
class Report:
    """What the user asked for.

    Attributes:
        directory: the run directory.
        min_group: groups with fewer samples are counted and not scored.
        images: whether the page holds small versions of the images.
        data_root: the folder that holds the data set; None where the user gave none.
        dataset: ``NAME`` or ``CARD.yaml`` of the data set with the images; the run's own by default.
        samples: how many samples the page holds at most; the figures are always over all.
        only: the results (`coabench.reports.report_data.RESULTS`) of the samples that it holds; all where empty.
        side: the longer side of an image, at most, in pixels.
    """

    directory: Path
    min_group: int = MIN_GROUP
    images: bool = False
    data_root: Path | None = None
    dataset: str | None = None
    samples: int = SAMPLES
    only: tuple[str, ...] = ()
    side: int = SIDE


def report(request: Report, explained: Markup | None = None) -> str:
    """Return the page of a run. The same run gives the same bytes.

    Args:
        explained: the sections of `coabench.explanation.page.parts`.

    Raises:
        UserError: no such folder, no run in it, a damaged or newer manifest, an empty or damaged log; images that are
            asked for and not there.
    """
    directory = request.directory
    if not is_folder(directory):
        raise UserError(
            f"there is no folder {directory}",
            expected="the directory of a run",
            remedy="evaluate first (coabench evaluate), or correct the path",
        )
    manifest = read_manifest(directory)
    with damage_reported(f"the run {directory}"):
        labels = manifest["labels"]
        data = RunData(directory, labels["names"])
    if not len(data):
        raise UserError(
            f"the log of {directory} holds no records",
            expected=f"at least one line in {LOG}",
            remedy="the same `coabench evaluate` command resumes the run",
        )
    with damage_reported(f"the run {directory}"):
        metrics, recomputed = read_metrics(directory, manifest, data.log_sha256, data.predicted)
        identity = RunIdentity.read(manifest["identity"])
        choice = find_card(identity.dataset.name, request.dataset, needed=request.images)
        shown = data.choose(request.samples, request.only)
        pictures = None
        if request.images:
            assert choice is not None  # find_card has raised where there is no such data set
            pictures = thumbnails(data.records(shown), choice, request.data_root, identity, request.side)
        return render_page(
            Path(__file__).with_name("report.html"),
            styles=["report.css", *VIEWER_STYLES],
            scripts=VIEWER_SCRIPTS,
            **_overview(directory.resolve().name, manifest, metrics, len(data), recomputed),
            **_figures(metrics, data),
            calibrated=identity.calibration,
            **stimuli_shown(data.stimuli),
            **_samples(directory.resolve().name, data, shown, labels, request.min_group, pictures),
            explained=explained,
            sections=plugin_sections(directory, manifest, metrics),
            shown=shown,
            pictures=pictures,
            card=None if choice is None else choice.card,
        )


def _overview(
    name: str, manifest: Mapping[str, Any], metrics: Mapping[str, Any], n: int, recomputed: str | None
) -> dict[str, Any]:
    """Return what ran, its headline figures, and what the reader must know first."""
    present = sum(figures["n"] > 0 for figures in metrics["per_class"].values())
    return {
        "name": name,
        "manifest": manifest,
        "facts": [(title, str(value)) for title, value in _facts(manifest) if value is not None],
        "metrics": metrics,
        "headlines": [(figure, figure.read(metrics)) for figure in (*FIGURES, *further_figures(metrics))],
        "present": present,
        "guessing": 1 / len(metrics["per_class"]),
        "warnings": list(_warnings(manifest, n)),
        "notes": [*manifest.get("notes", ()), *([recomputed] if recomputed else [])],
        "speed": manifest.get("images_per_second"),
    }


def _facts(manifest: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield what ran, for people; None for what is not known."""
    identity = RunIdentity.read(manifest["identity"])
    session = (manifest.get("sessions") or [{}])[-1]
    commit = ((session.get("environment") or {}).get("git") or {}).get("commit")
    yield from identity.describe()
    training = manifest.get("training") or {}
    yield "Seed of the training", training.get("seed")
    yield "Held out of the training", training.get("fold") and f"fold {training['fold']}"
    yield "Device", session.get("device")
    yield "Started", date(manifest.get("started"))
    yield "Ended", date(manifest.get("ended"))
    yield "coabench", (identity.coabench or "") + (f", commit {commit[:12]}" if commit else "") or None
    yield "Command", shlex.join(session["command"]) if session.get("command") else None


def _warnings(manifest: Mapping[str, Any], n: int) -> Iterator[tuple[str, str]]:
    """Yield why the run's figures are not to be compared with others'."""
    identity = RunIdentity.read(manifest["identity"])
    dataset = identity.dataset
    status, expected, limit = manifest["status"], dataset.samples, dataset.limit
    if status in (RUNNING, STOPPED):
        recorded = f"{n:,} of {plural(expected, 'sample')} recorded; the same command resumes the run."
        yield "Not finished.", f"Stopped by {manifest.get('reason')}: {recorded}" if status == STOPPED else recorded
    elif status != COMPLETE:
        reason = str(manifest.get("reason") or "no reason given").splitlines()[0]
        yield f"{str(status).capitalize()}:", reason
    if status not in (RUNNING, STOPPED) and n != expected:
        yield "Incomplete.", f"{n:,} of {plural(expected, 'sample')} recorded."
    if limit is not None:
        used = f"{limit:,}, stratified by label," if dataset.sampling else f"At most the first {limit:,}"
        yield "Not comparable.", f"{used} of the split's samples were used (--limit)."
    if identity.variant is not None:
        yield "A variant.", f"Images or questions were changed ({identity.variant}); pictures are shown as they were."


def _figures(metrics: Mapping[str, Any], data: RunData) -> dict[str, Any]:
    """Return everything that is drawn from the metrics and the records as a whole."""
    numbers = {figure.name for figure in plugin_headlines(metrics)}
    chain = metrics.get("chain")
    confusion = metrics["confusion"]
    answers = (chain or {}).get("primary_secondary")
    confidence, seconds = data.confidence, data.seconds
    return {
        "thin": THIN,
        "interval": charts.interval,
        "scale": charts.scale(),
        "confusion": matrix(confusion["labels"], confusion["rows"], ("target", "prediction"), diagonal=True),
        "chain": chain,
        "answers": answers and matrix(answers["labels"], answers["rows"], ("primary", "secondary"), diagonal=False),
        "calibration": confidence and confidence.calibration,
        "proper": confidence and confidence.scores,
        "even_nll": math.log(len(metrics["per_class"])),
        "reliability": confidence and _reliability(confidence.calibration),
        "latency": _spread(seconds) if seconds else None,
        "seconds": _seconds_chart(seconds) if seconds else None,
        "tokens": list(_tokens(data.tokens)),
        "plugins": {name: value for name, value in (metrics.get("plugins") or {}).items() if name not in numbers},
    }


def _reliability(calibration: Calibration) -> Markup:
    bars = reliability_bars(calibration)
    about = f"Reliability diagram of {calibration.n} predictions: accuracy against confidence, in {len(bars)} bins."
    return charts.reliability(bars, about=about)


def _seconds_chart(seconds: Sequence[float]) -> Markup:
    spread = _spread(seconds)
    return charts.histogram(
        seconds,
        x_title="seconds per sample",
        about=f"How long samples took: half of them {spread.median:.3g} seconds or less.",
        marks={f"median {spread.median:.3g} s": spread.median, f"95 % {spread.high:.3g} s": spread.high},
    )


@dataclass(frozen=True)
class _Spread:
    """How numbers are spread: least, median, 95th percentile (nearest ranks), most, sum."""

    n: int
    least: float
    median: float
    high: float
    most: float
    total: float


def _spread(values: Sequence[float]) -> _Spread:
    ordered = np.sort(np.asarray(values))

    def rank(part: float) -> float:
        place: float = ordered[max(0, math.ceil(part * len(ordered)) - 1)].item()
        return place

    return _Spread(len(ordered), rank(0), rank(0.5), rank(0.95), rank(1), math.fsum(ordered))


def _tokens(tokens: Mapping[str, Sequence[int]]) -> Iterator[tuple[str, _Spread]]:
    """Yield how many tokens a sample took, over its turns; nothing for runs that asked nothing."""
    kinds = {
        "prompt_tokens": "In the prompts, images included",
        "cached_tokens": "Of these, kept from before",
        "new_tokens": "Generated",
    }
    for key, title in kinds.items():
        if tokens[key]:
            yield title, _spread(tokens[key])


def _samples(
    name: str,
    data: RunData,
    shown: Choice,
    labels: Mapping[str, Any],
    min_group: int,
    pictures: Thumbnails | None,
) -> dict[str, Any]:
    """Return what is shown of single samples and groups of them."""
    attributes, others = data.groups.results(min_group)
    groups = [attribute.name for attribute in attributes]
    return {
        "attributes": attributes,
        "no_groups": others,
        "min_group": min_group,
        "reasons": data.reasons,
        "samples": columns([name], ((record,) for record in data.records(shown)), labels, groups, pictures),
        "filter_link": link,
    }
