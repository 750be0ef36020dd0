"""The page of a training: its curves, what it learnt from, its recipe; of one that runs or was stopped, too."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from coabench.base.reading import exists
from coabench.base.text import date, plural
from coabench.base.vocabulary import COMPLETE, RUNNING, STOPPED
from coabench.metrics.headline import Estimate
from coabench.render.charts import Point, curves
from coabench.render.page import render_page
from coabench.reports.damage import damage_reported
from coabench.reports.published_recipe import recipe_rows
from coabench.runs.adapter import MANIFEST, TrainingManifest
from coabench.runs.folder import read_manifest
from coabench.runs.identity import precision
from coabench.runs.run import MANIFEST as RUN
from coabench.runs.training_identity import TrainingData, TrainingIdentity
from coabench.runs.training_log import Entry, TrainingLog

SHOWN = ("coabench", "images", "preparation", "seed", "recipe", "trainer", "backbone", "strategies", "data")
"""Fields of an identity that have a place on the page; the others are shown as they are."""

LONGEST = 300
"""Characters of such a field."""

DRAWN = 500
"""Points of a curve; of more, so many in a row are averaged."""


AIMS = {
    "loss": (("loss", "Loss", 1.0, "nats per token", "Of the answers that are learnt, mean since the point before."),),
    "reward": (
        ("reward", "Reward", 1.0, "reward", "Of the dialogues that were drawn, mean since the point before."),
        ("kl", "Divergence", 1.0, "nats per dialogue", "Kullback-Leibler, from the model at the start; estimated."),
        ("answer_tokens", "Length", 1.0, "tokens", "Of all answers of a dialogue."),
    ),
}
"""The curves of a training: field of the log, title, scale, unit, what to know."""


def is_training(folder: Path) -> bool:
    """Whether a folder is that of a training, and of no run."""
    return exists(folder / MANIFEST) and not exists(folder / RUN)


def is_running(folder: Path) -> bool:
    """Whether a training has not ended, as far as its manifest knows."""
    return bool(read_manifest(folder, TrainingManifest)["status"] == RUNNING)


def training_page(folder: Path, *, reload: int | None = None) -> str:
    """Return the page of a training. The same files give the same bytes.

    Args:
        reload: seconds after which the page loads itself again; None for never.

    Raises:
        UserError: the folder holds no training, or its manifest is damaged or newer.
    """
    manifest = read_manifest(folder, TrainingManifest)
    with damage_reported(f"the training {folder}"):
        identity = TrainingIdentity.read(manifest["identity"])
        log = TrainingLog.read(folder)
        batch = identity.recipe.get("batch_size")
        complete = manifest["status"] == COMPLETE
        chosen = manifest.get("selected_step") if complete else log.best.step if log.best else None
        dev = Entry(chosen or 0, manifest["dev"]) if complete and manifest.get("dev") else log.evaluation(chosen)
        recipe, published = recipe_rows(identity, manifest["options"])
        return render_page(
            Path(__file__).with_name("training.html"),
            styles=["report.css"],
            reload=reload,
            name=folder.resolve().name,
            warnings=list(_warnings(manifest, log)),
            notes=list(manifest.get("notes") or ()),
            status=manifest["status"],
            complete=complete,
            steps=manifest.get("steps"),
            trainable=manifest.get("trainable"),
            chosen=chosen,
            dev=dev and dev.estimate("uar"),
            invalid=dev and dev.numbers.get("invalid"),
            aim=log.aim,
            last=log.losses[-1].numbers.get(log.aim) if log.losses else None,
            duration=_duration(manifest),
            facts=[(title, text) for title, text in _facts(manifest, identity) if text],
            charts=list(_charts(log, chosen, complete, batch)),
            losses=_thinned(log.losses),
            thinned=len(log.losses) > DRAWN,
            evaluations=[_row(entry, batch) for entry in log.evaluations],
            parts=_parts(log),
            examples=partial(_examples, batch=batch),
            seen=log.seen,
            last_step=log.last_step,
            recipe=recipe,
            published=published,
            differing=sum(row.differs for row in recipe),
            sessions=[_session(session) for session in manifest.get("sessions") or ()],
        )


def _warnings(manifest: Mapping[str, Any], log: TrainingLog) -> Iterator[tuple[str, str]]:
    status, steps = manifest["status"], manifest.get("steps")
    done = f"{log.last_step:,} of {'an unknown number of steps' if steps is None else plural(steps, 'step')} logged"
    again = "the same command continues from the last checkpoint"
    if status == RUNNING:
        yield "Running, or killed:", f"{done}; if it was killed, {again}."
    elif status != COMPLETE:
        reason = str(manifest.get("reason") or "no reason given").splitlines()[0]
        yield ("Stopped" if status == STOPPED else "Failed") + ":", f"{reason}. {done[:1].upper()}{done[1:]}; {again}."
    if log.problem:
        yield "Incomplete.", log.problem


def _facts(manifest: Mapping[str, Any], identity: TrainingIdentity) -> Iterator[tuple[str, str | None]]:
    """Yield what was trained, on what and from what; None for what is not known."""
    backbone, recipe = identity.backbone, identity.recipe
    session: Mapping[str, Any] = (manifest.get("sessions") or [{}])[-1]
    yield "From", f"{backbone.name}:{backbone.model}" if backbone.model else backbone.name
    yield "Trained", identity.trained
    yield "Questions of", ", ".join(strategy.name for strategy in identity.strategies)
    for data in identity.data:
        yield "On", _data(data)
    for step in identity.preparation or ():
        yield "Images", f"--{step.get('step')} {step.get('spec')}"
    examples = manifest.get("examples")
    yield "Examples", None if examples is None else f"{plural(examples, 'example')} in an epoch"
    yield "Seed", str(identity.seed)
    yield "Precision", precision(backbone.facts or {}) or str(recipe.get("dtype"))
    yield "Preset", session.get("preset")
    learnt = (manifest.get("learnt") or {}).get("hashes")
    yield "Images learnt from", f"{len(learnt):,} recorded" if learnt is not None else "not recorded"
    for name, value in manifest["identity"].items():
        if name not in SHOWN and value is not None:
            yield name.replace("_", " "), json.dumps(value, ensure_ascii=False)[:LONGEST]
    yield "coabench", identity.coabench
    yield "Command", shlex.join(session["command"]) if session.get("command") else None


def _data(data: TrainingData) -> str:
    sizes = [f"{n:,} {what}" for n, what in ((data.fit, "learnt from"), (data.dev, "to select by")) if n is not None]
    fold = f", without fold {data.fold}" if data.fold else ""
    return f"{data.dataset}, {data.split}: {', '.join(sizes)} images{fold}"


def _duration(manifest: Mapping[str, Any]) -> str | None:
    """Return the time from the beginning to the end, breaks included; None where it is not known."""
    try:
        begun, ended = (datetime.fromisoformat(manifest[name]) for name in ("started", "ended"))
        seconds = round((ended - begun).total_seconds())
    except (KeyError, TypeError, ValueError):
        return None
    hours, rest = divmod(seconds, 3600)
    return f"{hours} h {rest // 60} min" if hours else f"{rest // 60} min {rest % 60} s" if rest >= 60 else f"{rest} s"


def _session(session: Mapping[str, Any]) -> dict[str, Any]:
    environment: Mapping[str, Any] = session.get("environment") or {}
    commit = (environment.get("git") or {}).get("commit")
    packages = environment.get("packages") or {}
    software = [f"{name} {packages[name]}" for name in ("torch", "transformers", "peft") if name in packages]
    return {
        "started": date(session.get("started")),
        "device": session.get("device"),
        "processes": session.get("processes"),
        "micro_batch": session.get("micro_batch"),
        "platform": environment.get("platform"),
        "software": ", ".join([*software, *([f"commit {commit[:12]}"] if commit else [])]),
    }


def _row(entry: Entry, batch: Any) -> tuple[Entry, int | None, Mapping[str, Estimate]]:
    names = [name for name in entry.numbers if name.startswith("uar ")]
    return entry, _examples(entry, batch), {name: entry.estimate(name) for name in ("uar", *names)}


def _examples(entry: Entry, batch: Any) -> int | None:
    """Return how many examples were seen; None where the batch size is not known."""
    return entry.step * batch if isinstance(batch, int) else None


def _parts(log: TrainingLog) -> list[str]:
    """Return the names of the dev scores: of data sets, and of strategies."""
    return list(dict.fromkeys(n for entry in log.evaluations for n in entry.numbers if n.startswith("uar ")))


def _charts(log: TrainingLog, chosen: int | None, complete: bool, batch: Any) -> Iterator[tuple[str, str, Any]]:
    """Yield title, what to know, and chart."""
    steps = "optimizer step" + (f" ({batch:,} examples each)" if isinstance(batch, int) else "")
    end, mark = float(max(1, log.last_step, chosen or 0)), None
    if log.evaluations and chosen is not None:
        mark = float(chosen), f"step {chosen}, {'chosen' if complete else 'best so far'}"
    if log.evaluations:
        names = ["uar", *_parts(log)] if len(_parts(log)) > 1 else ["uar"]
        points = [_point(name, entry) for name in names for entry in log.evaluations if name in entry.numbers]
        yield (
            "Dev UAR",
            "On the part of the train splits that was kept to select by, with 95 % intervals.",
            curves(points, x_title=steps, y_title="dev UAR, %", end=end, dots=True, mark=mark,
                   about=f"Dev UAR over the steps, in percent, after {len(log.evaluations)} evaluations; table below."),
        )  # fmt: skip
    entries = _thinned(log.losses)
    rates = [entry.numbers["learning_rate"] for entry in entries if "learning_rate" in entry.numbers]
    power = math.floor(math.log10(max(rates))) if any(rate > 0 for rate in rates) else 0
    scaled = "learning rate" + (f" × 1e{-power}" if power else "")
    for name, title, scale, unit, say in (*AIMS[log.aim], ("learning_rate", "Learning rate", 10.0**-power, scaled, "")):
        points = [Point(title, entry.step, scale * entry.numbers[name]) for entry in entries if name in entry.numbers]
        if points:
            first, last = points[0].y / scale, points[-1].y / scale
            about = f"{title} over the steps, from {first:.4g} to {last:.4g}; table below."
            yield title, say, curves(points, x_title=steps, y_title=unit, about=about, end=end, mark=mark)


def _point(name: str, entry: Entry) -> Point:
    y, low, high = entry.percents(name)
    return Point(f"{_title(name)}, %", entry.step, y or 0.0, low, high, _title(name))


def _title(name: str) -> str:
    return "mean UAR" if name == "uar" else name.replace("uar", "UAR", 1)


def _thinned(entries: Sequence[Entry]) -> Sequence[Entry]:
    """Return at most `DRAWN` entries: the means of so many in a row, at the last one's step."""
    if len(entries) <= DRAWN:
        return entries
    each = -(-len(entries) // DRAWN)
    parts = [entries[start : start + each] for start in range(0, len(entries), each)]
    return [Entry(part[-1].step, {name: _mean(part, name) for name in part[-1].numbers}) for part in parts]


def _mean(entries: Sequence[Entry], name: str) -> float:
    values = [entry.numbers[name] for entry in entries if name in entry.numbers]
    return sum(values) / len(values)
