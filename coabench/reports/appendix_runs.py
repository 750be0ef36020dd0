"""The runs of an appendix: what their manifests, logs and metrics record."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coabench.base.text import date, plural
from coabench.base.vocabulary import ERROR
from coabench.errors import UserError
from coabench.registry.loader import get_plugins
from coabench.reports.appendix_facts import (
    COMPUTE,
    DATA,
    MODEL,
    QUESTIONS,
    SOFTWARE,
    Facts,
    Source,
    check_complete,
    commands_of,
    distinct,
    fold_facts,
    hours,
    leaves,
    machine,
    numbered,
    origin,
    software,
)
from coabench.reports.damage import damage_reported
from coabench.runs.identity import RunIdentity, precision
from coabench.runs.metrics import read_metrics
from coabench.runs.run import read_manifest, read_records

TEXTS = 1000
"""Different texts of a question that are counted; a strategy may ask every sample something else."""


@dataclass(frozen=True)
class Evaluation(Source):
    """A run.

    Attributes:
        asked: question -> its texts, with the number of samples that were asked so; `TEXTS` of them at most.
    """

    identity: RunIdentity
    metrics: Mapping[str, Any]
    asked: Mapping[str, Counter[str]]


def read_evaluation(directory: Path, name: str) -> Evaluation:
    """Read a run.

    Raises:
        UserError: there is none, it is not complete, or it is damaged.
    """
    manifest = read_manifest(directory)
    check_complete(directory, manifest, "run", "coabench evaluate")
    with damage_reported(f"the run {directory}"):
        identity = RunIdentity.read(manifest["identity"])
        digest = hashlib.sha256()
        asked: dict[str, Counter[str]] = {}
        count = errors = 0
        for record in read_records(directory, digest):
            count += 1
            errors += record["status"] == ERROR
            for turn in record.get("turns") or ():
                texts = asked.setdefault(str(turn["name"]), Counter())
                if len(texts) < TEXTS or turn["prompt"] in texts:
                    texts[str(turn["prompt"])] += 1
        if count != identity.dataset.samples:
            raise UserError(
                f"the log of the run {directory} is not whole",
                expected=plural(identity.dataset.samples, "record"),
                found=str(count),
                remedy="restore it",
            )
        log = digest.hexdigest()
        metrics, _ = read_metrics(directory, manifest, log)
        sessions = manifest.get("sessions") or []
        groups = {
            SOFTWARE: software(identity.coabench, sessions),
            MODEL: _model(identity, manifest),
            QUESTIONS: _decoding(identity),
            DATA: {**_data(identity, manifest), "not asked (errors)": str(errors), "log (predictions.jsonl)": log},
            COMPUTE: _compute(identity, manifest, sessions),
        }
        return Evaluation(name, directory, manifest, groups, commands_of(sessions), identity, metrics, asked)


def _model(identity: RunIdentity, manifest: Mapping[str, Any]) -> Facts:
    backbone, training = identity.backbone, manifest.get("training")
    facts: Facts = {"backbone": backbone.title}
    facts |= origin("backbone from", backbone.plugin, backbone.plugin_version)
    facts |= {"adapter": backbone.adapter or "none"}
    weights = leaves("", {name: value for name, value in (backbone.facts or {}).items() if value is not None})
    facts |= weights or {"hashes of the weights": None}
    if training:
        facts |= leaves("training", {name: value for name, value in training.items() if value is not None})
    elif backbone.adapter:
        facts |= {"training recipe": None}
    return facts


def _decoding(identity: RunIdentity) -> Facts:
    strategy, parsing = identity.strategy, identity.parsing
    facts: Facts = {"strategy": strategy.name, **origin("strategy from", strategy.plugin, strategy.plugin_version)}
    facts |= leaves("strategy", strategy.more) or {"hash of the questions": None}
    facts |= numbered("rewrite", identity.rewrites)
    facts |= {"decode": identity.decode}
    if identity.self_consistency:
        facts |= leaves("", identity.self_consistency.to_json())
    facts |= {"seed": None if identity.seed is None else str(identity.seed)}
    if parsing is not None:
        facts |= {"parser": parsing.parser and f"{parsing.parser}, version {parsing.version} of the rules"}
        facts |= origin("parser from", parsing.plugin, parsing.plugin_version)
    exemplars = [f"{it.get('id')} ({it.get('label')})" for it in identity.exemplars or ()]
    facts |= {"exemplars": ", ".join(exemplars)} if exemplars else {}
    for title, more in (("predictions from", identity.source), ("responses from", identity.rescored)):
        facts |= leaves(title, more or {})
    return facts | ({"calibration": identity.calibration.title} if identity.calibration else {})


def _data(identity: RunIdentity, manifest: Mapping[str, Any]) -> Facts:
    dataset = identity.dataset
    facts: Facts = {"data set": dataset.name, **origin("data set from", dataset.plugin, dataset.plugin_version)}
    facts |= {"split": dataset.split, **fold_facts(dataset.fold), "samples": f"{dataset.samples:,}"}
    if dataset.limit is not None:
        drawn = f"{dataset.sampling} by label, seed {identity.seed}" if dataset.sampling else "the first of the split"
        facts |= {"left out": f"all but {dataset.samples:,} samples (--limit {dataset.limit}): {drawn}"}
    else:
        facts |= {"left out": "no sample of the split" if dataset.fold is None else "the other folds"}
    facts |= {"fingerprint of ids, labels, file sizes": dataset.fingerprint, "label space": dataset.labels}
    facts |= {"labels": ", ".join(manifest["labels"]["names"])}
    facts |= {"votes": dataset.votes} if dataset.votes else {}
    facts |= leaves("data set", dataset.more)
    facts |= {"image reader": f"version {identity.images}"} if identity.images else {}
    return facts | numbered("image preparation", identity.preparation)


def _compute(identity: RunIdentity, manifest: Mapping[str, Any], sessions: Sequence[Mapping[str, Any]]) -> Facts:
    speed = manifest.get("images_per_second")
    return {
        **machine(sessions),
        "precision": precision(identity.backbone.facts or {}),
        "batch size": distinct(session.get("batch_size") for session in sessions),
        "processes": distinct(session.get("processes") for session in sessions),
        "device time, all processes together": hours(manifest.get("seconds")),
        "samples per second": None if speed is None else f"{speed:.3g}",
        "started": date(manifest.get("started")),
        "ended": date(manifest.get("ended")),
    }


def weights_of(run: Evaluation) -> Iterator[Path]:
    """Yield the folder that the trained weights of a run came from, as the run names it."""
    backbone, training = run.identity.backbone, run.manifest.get("training")
    if not training:
        return
    if training.get("whole"):
        yield from [Path(backbone.model)] if backbone.model else []
    elif backbone.adapter and not backbone.adapter.startswith("shipped/"):
        yield Path(backbone.adapter)
    elif backbone.name in get_plugins().backbones:
        target = get_plugins().backbones.find(backbone.name).load()
        shipped = target.default_adapter(backbone.model, run.identity.strategy.name)
        yield from [shipped] if shipped else []
