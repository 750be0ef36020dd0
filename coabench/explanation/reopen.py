"""A finished run's model, strategy and data, opened again as its identity says, and refused where they are others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from coabench.cropping.step import NAME as CROP
from coabench.decode import EXTERNAL, SAMPLE
from coabench.errors import UserError
from coabench.evaluation.plan import Evaluation, Plan, check
from coabench.registry.catalog import is_file
from coabench.registry.options import parse_assignments
from coabench.runs.finished import RecordedRun
from coabench.runs.identity import list_differences


def reopen(run: RecordedRun, data_root: Path | None, device: str, options: Sequence[str] = ()) -> Plan:
    """Return the checked plan of the evaluation that made a run; its weights are not loaded.

    Args:
        data_root: where the data set is; None for where it was then.
        options: further ``--set`` assignments, for a run whose command line is not recorded.

    Raises:
        UserError: no model gives the run's answers any more, it has no scores, or it is not the one that was recorded.
    """
    identity = run.identity
    _check_answers(run)
    adapter, strategy, data = identity.backbone.adapter, run.typed("--strategy"), run.typed("--dataset")
    root = data_root or (Path(typed) if (typed := run.typed("--data-root")) else None)
    specs = {CROP: list[str](), "": list[str]()}
    for step in identity.preparation or ():
        specs[CROP if step["step"] == CROP else ""].append(str(step.get("spec", step["step"])))
    dtype: Any = run.typed("--dtype")
    load: Any = run.typed("--load")
    decode: Any = identity.decode
    plan = check(
        Evaluation(
            backbone=identity.backbone.title,
            strategy=strategy if strategy and is_file(strategy) else identity.strategy.name,
            dataset=data if data and is_file(data) else identity.dataset.name,
            adapter="none" if adapter is None else None if adapter.startswith("shipped/") else adapter,
            data_root=root,
            split=identity.dataset.split,
            crop=next(iter(specs[CROP]), None),
            transform=tuple(specs[""]),
            limit=identity.dataset.limit,
            decode=decode,
            device=device,
            **({"dtype": dtype} if dtype else {}),
            load=load,
            seed=identity.seed or 0,
            fold=run.typed("--fold"),
            fold_seed=int(run.typed("--fold-seed") or 0) if run.typed("--fold-seed") else None,
            options=parse_assignments((*run.typed_values("--set"), *options)),
            allow_trained_split=True,
        )
    )
    if "scores" not in plan.backbone.capabilities or not plan.backbone.timed:
        raise UserError(
            f"backbone {identity.backbone.name!r} cannot explain: the maps need the score of an answer about a changed "
            "image",
            expected="a backbone that looks at images and scores",
            found=", ".join(sorted(plan.backbone.capabilities)),
            remedy="explain a run of another backbone",
        )
    differing = list_differences(_alike(run.identity.to_json()), _alike(plan.identity.to_json()), "then -> now")
    if differing:
        raise UserError(
            f"what is here now is not what made the run {run.directory}",
            found=differing,
            remedy="restore the model and the data of then (--data-root, --set), or evaluate again",
        )
    return plan


def _check_answers(run: RecordedRun) -> None:
    identity, why = run.identity, None
    if identity.decode == EXTERNAL or identity.source is not None:
        why = "its predictions come from a file"
    elif identity.decode == SAMPLE.name:
        why = "its labels are voted among sampled dialogues"
    elif identity.rewrites is not None:
        why = "its questions were rewritten (--rewrite)"
    elif identity.rescored is not None or identity.calibration is not None:
        why = "it was made of another run; explain that one"
    if why:
        raise UserError(f"{run.directory} cannot be explained: {why}", expected="a run of `coabench evaluate`")


def _alike(identity: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what changes no score: the version of coabench, and how answers in words are parsed."""
    return {key: value for key, value in identity.items() if key not in ("coabench", "parsing")}
