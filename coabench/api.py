"""The jobs as functions: what ``coabench evaluate`` and ``coabench train`` do, for scripts and notebooks.

Arguments are named as the options of the command line, with the same defaults; ``--set`` is ``options``. A run records
the command line that would have made it, so that it can be repeated there.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import fields
from numbers import Real
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Literal

from coabench.backbone import Backbone
from coabench.decode import DECODES, Decode
from coabench.errors import UserError, did_you_mean
from coabench.evaluation.finish import FinishedRun
from coabench.evaluation.job import evaluate as run_evaluation
from coabench.evaluation.plan import Evaluation
from coabench.evaluation.progress import Progress
from coabench.inference.batching import BatchSize
from coabench.recipe import Recipe
from coabench.registry.defaults import (
    BACKBONE,
    BATCH_SIZE,
    DATASET,
    DATASETS,
    DECODE,
    DEVICE,
    DTYPE,
    DTYPES,
    SEED,
    STRATEGY,
    Dtype,
)
from coabench.strategy import Strategy
from coabench.training.job import FinishedTraining
from coabench.training.job import train as run_training
from coabench.training.plan import Training
from coabench.training.progress import TrainingProgress

Name = str | PathLike[str]
"""The name of something registered, or a file."""


def evaluate(
    *,
    backbone: str | type[Backbone[Any]] = BACKBONE,
    adapter: Name | None = None,
    strategy: Name | Strategy = STRATEGY,
    dataset: Name = DATASET,
    data_root: Name | None = None,
    split: str | None = None,
    limit: int | None = None,
    batch_size: BatchSize = BATCH_SIZE,
    decode: Decode = DECODE,
    device: str = DEVICE,
    dtype: Dtype = DTYPE,
    seed: int = SEED,
    options: Mapping[str, object] | None = None,
    output: Name | None = None,
    overwrite: bool = False,
    allow_trained_split: bool = False,
    progress: bool | Progress = False,
) -> FinishedRun:
    """Evaluate a backbone with a strategy on a data set, as ``coabench evaluate`` does; go on with a run that stopped.

    Args:
        backbone: ``NAME[:MODEL]``, for example ``phi-3.5-vision:/models/Phi-3.5-vision``; or a class of your own.
        adapter: a folder or hub id; ``none`` for none; None for the one that ships with the backbone, if any.
        strategy: ``NAME[:VARIANT]``, a prompt file, or a `coabench.strategy.Strategy`.
        dataset: ``NAME`` or a card.
        data_root: the folder that holds the data set.
        split: the card's first by default.
        limit: only so many samples, the first; the run is not comparable.
        batch_size: how many samples are asked about at a time, or ``auto`` for what is fastest and fits.
        decode: ``generate`` for free greedy answers, ``score`` for the best-scoring of the options.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``…
        dtype: the precision of the model.
        seed: chooses exemplars.
        options: options of plugins, ``{"num_crops": 16}``.
        output: the run directory; below ``results`` by default.
        overwrite: delete the run that is there.
        allow_trained_split: score a split that the adapter was trained on.
        progress: show progress as the command line does, on stderr; or an object that is told.

    Returns:
        The finished run: ``directory``, ``manifest`` and ``metrics``.

    Raises:
        UserError: bad input; nothing was written.
        JobError: the run could not be finished; the records so far are safe, and the same call goes on.
    """
    typed = dict(locals())
    request = Evaluation(
        backbone=backbone,
        strategy=_spec(strategy),
        dataset=fspath(dataset),
        adapter=None if adapter is None else fspath(adapter),
        data_root=_path(data_root),
        split=split,
        limit=None if limit is None else _whole("limit", limit, 1),
        batch_size="auto" if batch_size == "auto" else _whole("batch_size", batch_size, 1),
        decode=_one_of("decode", decode, DECODES),
        device=device,
        dtype=_one_of("dtype", dtype, DTYPES),
        seed=_whole("seed", seed),
        options=_assignments("options", options),
        output=_path(output),
        overwrite=overwrite,
        allow_trained_split=allow_trained_split,
        command=_command(evaluate, typed),
    )
    if progress is True:
        from coabench.cli.progress import RunTerminal

        progress = RunTerminal()
    return run_evaluation(request, progress or None)


def train(
    *,
    backbone: str | type[Backbone[Any]] = BACKBONE,
    strategy: Name | Strategy | Sequence[Name | Strategy] = STRATEGY,
    dataset: Name | Sequence[Name] = DATASETS,
    data_root: Name | None = None,
    preset: str | None = None,
    full: bool | None = None,
    rank: int | None = None,
    alpha: float | None = None,
    dropout: float | None = None,
    targets: str | Sequence[str] | None = None,
    mirror: bool | None = None,
    ambiguous: bool | None = None,
    epochs: float | None = None,
    steps: int | None = None,
    batch_size: int | None = None,
    micro_batch: int | None = None,
    lr: float | None = None,
    schedule: str | None = None,
    warmup: float | None = None,
    weight_decay: float | None = None,
    checkpointing: bool | None = None,
    dev: float | None = None,
    evaluations: int | None = None,
    patience: int | None = None,
    device: str = DEVICE,
    dtype: Dtype | None = None,
    seed: int = SEED,
    options: Mapping[str, object] | None = None,
    trainer: Mapping[str, object] | None = None,
    output: Name | None = None,
    overwrite: bool = False,
    export: Literal["published"] | None = None,
    progress: bool | TrainingProgress = False,
) -> FinishedTraining:
    """Train an adapter on a strategy's questions, as ``coabench train`` does; go on with a training that stopped.

    What is None is left to the preset of the backbone; see `coabench.recipe.Recipe` for what each setting means.

    Args:
        backbone: ``NAME[:MODEL]``, or a class of your own.
        strategy: whose questions: ``NAME[:VARIANT]``, a prompt file, a `coabench.strategy.Strategy`; or several.
        dataset: whose train split to learn from: ``NAME`` or a card; or several.
        data_root: the folder that holds the data sets.
        preset: a recipe of the backbone; the settings that are given change it.
        full: train every parameter instead of a LoRA.
        targets: parts that are trained: ``language``, ``projector``, ``vision``.
        micro_batch: questions per forward pass and process.
        lr: learning rate of AdamW.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``…
        seed: of the order, the LoRA and the development part.
        options: options of plugins, ``{"num_crops": 16}``.
        trainer: further fields of transformers' ``TrainingArguments``.
        output: where the adapter goes; below ``adapters`` by default.
        overwrite: delete the training that is there.
        export: ``published`` writes the published script's layout as well.
        progress: show progress as the command line does, on stderr; or an object that is told.

    Returns:
        The finished training: ``directory`` (pass it as ``adapter``) and ``manifest``.

    Raises:
        UserError: bad input; nothing was written.
        JobError: the training could not be finished; the checkpoints so far are kept, and the same call goes on.
    """
    typed = dict(locals())
    request = Training(
        backbone=backbone,
        strategies=[_spec(each) for each in _several(strategy)],
        datasets=[fspath(each) for each in _several(dataset)],
        data_root=_path(data_root),
        preset=preset,
        settings=_recipe(typed),
        micro_batch=None if micro_batch is None else _whole("micro_batch", micro_batch, 1),
        seed=_whole("seed", seed),
        device=device,
        options=_assignments("options", options),
        trainer=_assignments("trainer", trainer),
        output=_path(output),
        overwrite=overwrite,
        published=_one_of("export", export, ("published", None)) is not None,
        command=_command(train, typed),
    )
    if progress is True:
        from coabench.cli.progress import TrainingTerminal

        progress = TrainingTerminal()
    return run_training(request, progress or None)


def _several(given: Any) -> Sequence[Any]:
    return given if isinstance(given, Sequence) and not isinstance(given, str) else (given,)


def _spec(strategy: Name | Strategy) -> str | Strategy:
    return strategy if isinstance(strategy, Strategy) else fspath(strategy)


def _path(given: Name | None) -> Path | None:
    """Return a path with ``~`` expanded, as a shell would."""
    return None if given is None else Path(given).expanduser()


def _recipe(typed: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of `Recipe`, each of its type: 3 epochs are 3.0, as the command line reads them."""
    given = {**typed, "learning_rate": typed["lr"]}
    parts = given["targets"]
    given["targets"] = tuple(p.strip() for p in (parts.split(",") if isinstance(parts, str) else parts or ())) or None
    if given["dtype"] is not None:
        _one_of("dtype", given["dtype"], DTYPES)
    readers = {"int": _whole, "int | None": _whole, "float": _number}  # annotations are text in that module
    return {
        field.name: readers[str(field.type)](field.name, value)
        if (value := given[field.name]) is not None and field.type in readers
        else value
        for field in fields(Recipe)
    }


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise _unfit(name, value, "a number")
    return float(value)


def _whole(name: str, value: Any, least: int | None = None) -> int:
    expected = "a whole number" if least is None else f"a whole number, {least} or more"
    try:
        number = operator.index(value)  # NumPy's integers, too
    except TypeError:
        raise _unfit(name, value, expected) from None
    if isinstance(value, bool) or (least is not None and number < least):
        raise _unfit(name, value, expected)
    return number


def _one_of(name: str, value: Any, choices: Sequence[Any]) -> Any:
    if value not in choices:
        hint = did_you_mean(str(value), [str(choice) for choice in choices])
        raise _unfit(name, value, " or ".join(map(repr, choices)), hint)
    return value


def _unfit(name: str, value: object, expected: str, hint: str = "") -> UserError:
    return UserError(f"{name}={value!r} does not fit", expected=expected, remedy=f"{hint}correct {name}")


def _assignments(name: str, given: Mapping[str, object] | None) -> dict[str, str]:
    """Return options as they would be typed after ``--set``: `coabench.registry.options` reads text."""
    return {key: _text(f"{name}[{key!r}]", value) for key, value in (given or {}).items()}


def _text(name: str, value: object) -> str:
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    if isinstance(value, str | Real | PathLike):
        return str(value)
    raise _unfit(name, value, "text, a number, True, False, None or a path")


OPPOSITES = {"full": "lora", "ambiguous": "unambiguous"}
"""What switches an option off where it is not spelt ``--no-…``."""


def _command(function: Any, given: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the command line that says what a call said; what is as by default is left out."""
    words = ["coabench", function.__name__]
    for name, value in given.items():
        option = f"--{name.replace('_', '-')}"
        if name == "progress" or value is None or value == function.__kwdefaults__[name]:
            continue
        if isinstance(value, bool):
            words.append(option if value else f"--{OPPOSITES.get(name, f'no-{name}')}")
        elif isinstance(value, Mapping):
            option = "--set" if name == "options" else option
            words += [word for key, text in _assignments(name, value).items() for word in (option, f"{key}={text}")]
        elif name == "targets":
            words += [option, value if isinstance(value, str) else ",".join(value)]
        else:
            words += [word for each in _several(value) for word in (option, _shown(each))]
    return tuple(words)


def _shown(value: Any) -> str:
    if isinstance(value, Strategy | type):
        return f"<{value.name if isinstance(value, Strategy) else value.__name__}, from Python>"
    return str(value)
