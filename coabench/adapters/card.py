"""The model card of an adapter (README.md, as the hub reads it): what it is, how it did, what it is not for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from coabench.adapters.base import Base
from coabench.adapters.show import describe
from coabench.base.reading import exists
from coabench.errors import UserError
from coabench.metrics.headline import UAR, WAR
from coabench.render.tables import render
from coabench.runs.adapter import TrainingRecord
from coabench.runs.finished import RecordedRun, read_run
from coabench.runs.metrics import read_metrics

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

HUB_ID = r"[A-Za-z0-9][\w.-]*/[\w.-]+"
USE = """## Responsible use

Expressions that people show are not emotions that they feel, and annotators disagree about them. The figures above hold
for data sets that are photographed and annotated as these are, and differ between groups of people: `coabench report`
shows by how much. Do not use this model to judge, rate or select people, nor in hiring, education, law enforcement,
border control or medicine; the EU's AI Act forbids the inference of emotions at work and in schools. The terms of the
data sets that it was trained and evaluated on apply to its use as well."""


def card(adapter: Path, runs: Sequence[Path], backbone: str | None = None) -> str:
    """Return the text of a card, with a ``model-index`` of complete runs of this adapter.

    Args:
        backbone: of its base, ``NAME[:MODEL]``; None for what its training names. Read where there are runs.

    Raises:
        UserError: a run is not complete, or of another adapter, a part of a split, or what it may have learnt from.
    """
    from huggingface_hub import ModelCard, ModelCardData

    read = [read_run(run) for run in runs]
    if read:
        base = Base.open(adapter, TrainingRecord.read(adapter), backbone)
        for run in read:
            _check(run, base.backbone.identity().get("adapter"))
    rows = describe(adapter)
    named = next((text for name, text in rows if name == "base"), "")
    data = ModelCardData(
        base_model=hub if re.fullmatch(HUB_ID, hub := named.partition(":")[2]) and not exists(Path(hub)) else None,
        library_name="peft",
        tags=["coabench", "facial-expression-recognition"],
        model_name=adapter.resolve().name,
        eval_results=[result for run in read for result in _results(run)] or None,
    )
    table = render(["field", "value"], [{"field": name, "value": text} for name, text in rows], "markdown")
    text = f"# An adapter, trained and evaluated with coabench\n\n{table}\n{USE}\n"
    return str(ModelCard(f"---\n{data.to_yaml()}\n---\n\n{text}"))


def _check(run: RecordedRun, adapter: object) -> None:
    facts, dataset = run.identity.backbone.facts or {}, run.identity.dataset
    if adapter is None or facts.get("adapter") != adapter:
        raise UserError(
            f"the run {run.directory} is not one of this adapter",
            expected="a run whose identity has the adapter's fingerprint",
            remedy="evaluate this adapter, or leave the run out",
        )
    if run.typed("--allow-trained-split") is not None:
        raise UserError(
            f"the run {run.directory} may be on images that the adapter has learnt from",
            found="--allow-trained-split",
            remedy="evaluate it without that option, or leave the run out",
        )
    if dataset.limit is not None:
        raise UserError(
            f"the run {run.directory} is of a part of the split",
            found=f"--limit {dataset.limit}",
            remedy="evaluate all of it, or leave the run out",
        )


def _results(run: RecordedRun) -> list[EvalResult]:
    from huggingface_hub import EvalResult

    metrics, _ = read_metrics(run.directory, run.manifest)
    dataset = run.identity.dataset
    where = f"{dataset.name}, {dataset.split}" + (f", fold {dataset.fold}" if dataset.fold else "")
    how = f"{run.identity.strategy.name}, {run.identity.decode}"
    return [
        EvalResult(
            task_type="image-classification",
            task_name="Facial expression recognition",
            dataset_type=dataset.name,
            dataset_name=where,
            dataset_split=dataset.split,
            metric_type=headline.name,
            metric_name=f"{headline.title} ({how})",
            metric_value=headline.read(metrics).value,
        )
        for headline in (UAR, WAR)
    ]
