"""The jobs as functions: what ``coabench evaluate`` and ``coabench train`` do, for scripts and notebooks.

Arguments are named as the options of the command line, with the same defaults; ``--set`` is ``options``. A run records
the command line that would have made it, so that it can be repeated there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_type_hints

from coabench.api_robustness import appendix, explain, load_stress, stress
from coabench.api_runs import compare, leaderboard, load_run
from coabench.arguments import (
    Name,
    assignments,
    crop_spec,
    is_named,
    read_argument,
    read_request,
    read_settings,
    several,
    strategy_spec,
)
from coabench.base.vocabulary import TRAIN
from coabench.decode import Decode
from coabench.evaluation.job import evaluate as run_evaluation
from coabench.evaluation.plan import Evaluation
from coabench.evaluation.progress import Progress
from coabench.inference.batching import BatchSize
from coabench.live.asker import Choice
from coabench.prediction.answer import Predictions
from coabench.prediction.faces import FaceChoice
from coabench.prediction.model import EVERY, Model
from coabench.prediction.objects import checked
from coabench.prediction.progress import PredictionProgress
from coabench.recipe import Balance, GrpoLoss, Load, Objective
from coabench.registry.defaults import (
    BACKBONE,
    BATCH_SIZE,
    DATASET,
    DATASETS,
    DECODE,
    DEVICE,
    DTYPE,
    SEED,
    STRATEGY,
    Dtype,
)
from coabench.registry.function_backbone import BackboneLike, backbone_from
from coabench.registry.function_strategy import StrategyLike
from coabench.registry.python_data import chosen_dataset
from coabench.runs.result import FinishedRun
from coabench.training.plan import Training
from coabench.training.progress import TrainingProgress
from coabench.training.result import FinishedTraining
from coabench.training.stages import train_all

__all__ = [
    "appendix", "compare", "evaluate", "explain", "leaderboard", "load", "load_run", "load_stress", "predict", "stress",
    "train",
]  # fmt: skip

if TYPE_CHECKING:
    import pandas as pd

    from coabench.prediction.objects import PictureLike
    from coabench.registry.catalog import DatasetChoice

    DatasetLike = Iterable[tuple[PictureLike, str]] | pd.DataFrame


def evaluate(
    *,
    backbone: BackboneLike = BACKBONE,
    adapter: Name | None = None,
    strategy: StrategyLike = STRATEGY,
    dataset: Name | DatasetLike = DATASET,
    labels: Name | None = None,
    data_root: Name | None = None,
    split: str | None = None,
    crop: bool | str = False,
    limit: int | None = None,
    batch_size: BatchSize = BATCH_SIZE,
    decode: Decode = DECODE,
    temperature: float | None = None,
    top_p: float | None = None,
    samples: int | None = None,
    device: str = DEVICE,
    dtype: Dtype = DTYPE,
    load: Load | None = None,
    seed: int = SEED,
    fold: str | None = None,
    fold_seed: int | None = None,
    options: Mapping[str, object] | None = None,
    output: Name | None = None,
    overwrite: bool = False,
    allow_trained_split: bool = False,
    parser: str | None = None,
    transform: str | Sequence[str] = (),
    rewrite: str | Sequence[str] = (),
    progress: bool | Progress = False,
) -> FinishedRun:
    """Evaluate a backbone with a strategy on a data set, as ``coabench evaluate`` does; resume a run that stopped.

    Args:
        backbone: ``NAME[:MODEL]``, for example ``phi-3.5-vision:/models/Phi-3.5-vision``; or a class of your own, or a
            function of (image, question) that returns text. One of (images, questions) gets lists and returns a list.
            Or ``(model, processor)``, loaded by transformers.
        adapter: a folder or hub id; ``none`` for none; None for the one that ships with the backbone, if any.
        strategy: ``NAME[:VARIANT]``, a prompt file or its text, a `coabench.strategy.Strategy` or its class; or a
            function that gets the task, yields questions and returns a label.
        dataset: ``NAME``, a card, class folders or an archive of them; a list of (image, label), the image a path, a
            PIL image or a uint8 array; a torch Dataset of these; a DataFrame with columns ``image``, ``label``, and
            ``subject``; a `datasets.Dataset` with a column of images.
        labels: of what is handed over so: the data set or card whose labels these are; by default the first label
            space that has all of them.
        data_root: the folder or file that holds the data set.
        split: the card's first by default.
        crop: cut the face out of every picture: True for the best detector that works here, or
            ``DETECTOR:key=value,key=value``.
        limit: only so many samples, stratified by label; the run is not comparable.
        batch_size: how many samples are asked about at a time, or ``auto`` for what is fastest and fits.
        decode: ``generate`` for free greedy answers, ``score`` for the best-scoring of the options, ``sample`` for a
            vote among sampled dialogues.
        temperature: of ``sample``; 0.7 by default.
        top_p: of ``sample``: tokens are drawn among the likeliest that together have this probability; 1 by default.
        samples: of ``sample``: how many dialogues about each image; 8 by default.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``…
        dtype: the precision of the model.
        load: ``8bit`` or ``4bit`` to keep the language model's weights so; None for all of *dtype*.
        seed: chooses exemplars, the samples within the limit, and what is drawn with ``sample``.
        fold: only this fold of the train split, ``"3/10"``, or the samples of one person, ``"3/subjects"``.
        fold_seed: which samples are in which fold; 0 by default.
        options: options of plugins, ``{"num_crops": 16}``.
        output: the run directory; below ``results`` by default.
        overwrite: delete the run that is there.
        allow_trained_split: score a split, or images, that the adapter was trained on.
        parser: reads answers in words; that of the strategy by default.
        transform: ``NAME:key=value,…``, or several: what every image is changed by, in this order. Such a run is a
            variant and is never ranked.
        rewrite: the same for questions: what each is rewritten by.
        progress: show progress as the command line does, on stderr or below a notebook's cell; or an object that is
            notified.

    Returns:
        The finished run: ``directory``, ``manifest`` and ``metrics``.

    Raises:
        UserError: bad input; nothing was written.
        JobError: the run could not be finished; the records so far are safe, and the same call resumes it.
    """
    typed = dict(locals())
    made = {
        "backbone": backbone_from(backbone),
        "strategy": strategy_spec(strategy),
        "dataset": chosen_dataset(dataset, read_argument(str | None, labels, "labels")),
        "crop": crop_spec(crop),
    }
    request = read_request(Evaluation, evaluate, typed, **made)
    if progress is True:
        from coabench.cli.progress import RunTerminal

        progress = RunTerminal()
    return run_evaluation(request, progress or None)


def load(
    backbone: BackboneLike = BACKBONE,
    *,
    adapter: Name | None = None,
    strategy: StrategyLike = STRATEGY,
    labels: Name = DATASET,
    decode: Decode = DECODE,
    faces: str | int = "all",
    detector: str = "auto",
    detector_weights: Name | None = None,
    margin: float | None = None,
    align: bool = True,
    min_face: int | None = None,
    device: str = DEVICE,
    dtype: Dtype = DTYPE,
    load: Load | None = None,
    seed: int = SEED,
    options: Mapping[str, object] | None = None,
    exemplars_from: Name | None = None,
    data_root: Name | None = None,
    allow_remote_backbone: bool = False,
    parser: str | None = None,
    rewrite: str | Sequence[str] = (),
) -> Model:
    """Load a backbone, a strategy and a detector once, to ask about many pictures: ``model.predict(pictures)``.

    Arguments are named as the options of ``coabench predict``, with the same defaults; see also `evaluate`.

    Args:
        labels: the data set or card whose labels are asked about.
        faces: ``all``, ``largest``, how many of the largest, or ``none`` for pictures that are faces already.
        detector: its name, or ``auto`` for the best that works here.
        margin: what a crop adds around the face, in parts of its longer side.
        align: turn faces upright by their landmarks, where the detector knows them.
        min_face: pixels; smaller faces are left out.
        allow_remote_backbone: use a backbone that sends pictures to another machine.
        rewrite: ``NAME:key=value,…``, or several: what every question is rewritten by, in this order.

    Raises:
        UserError: bad input.
    """
    typed = dict(locals())
    weights = read_argument(Path | None, detector_weights, "detector_weights")
    chosen = {"detector": detector, "margin": margin, "align": align, "min_face": min_face}
    read = {
        name: read_argument(get_type_hints(FaceChoice, include_extras=True)[name], v, name)
        for name, v in chosen.items()
        if v is not None
    }
    hints = get_type_hints(Choice, include_extras=True)
    made = {
        "backbone": backbone_from(backbone),
        "strategy": strategy_spec(strategy),
        "options": assignments("options", options),
        "allow_remote": read_argument(bool, allow_remote_backbone, "allow_remote_backbone"),
    }
    named = {name: read_argument(hints[name], typed[name], name) for name in typed if name in {*hints} - {*made}}
    return Model(Choice(**made, **named), FaceChoice(faces=str(faces), weights=weights, **read), _terminal)


def predict(
    pictures: PictureLike | Iterable[PictureLike],
    *,
    every: float = EVERY,
    batch_size: int = BATCH_SIZE,
    progress: bool | PredictionProgress = False,
    **loading: Any,
) -> Predictions:
    """Return what is said about each face in pictures, as ``coabench predict`` does.

    Args:
        pictures: a path, a PIL image, a NumPy array (height, width, 3) of uint8 in RGB, or several of them; or a
            `datasets.Dataset`. Folders and patterns stand for their files.
        every: seconds between two pictures of a film; 0 for every frame.
        batch_size: how many faces are asked about at a time; no answer depends on it.
        progress: show progress on stderr or below a notebook's cell; or an object that is notified.
        loading: what `load` takes: ``backbone``, ``strategy``, ``faces`` …

    Raises:
        UserError: bad input.
    """
    checked(pictures, lambda text: None)
    return load(**loading).predict(pictures, every=every, batch_size=batch_size, progress=progress)


def _terminal() -> PredictionProgress:
    from coabench.cli.progress import PredictionTerminal

    return PredictionTerminal()


def train(
    *,
    backbone: BackboneLike = BACKBONE,
    strategy: StrategyLike | Sequence[StrategyLike] = STRATEGY,
    dataset: Name | Sequence[Name] | DatasetLike = DATASETS,
    labels: Name | None = None,
    data_root: Name | None = None,
    crop: bool | str = False,
    augment: str | Sequence[str] = (),
    from_: Name | None = None,
    stages: Name | None = None,
    objective: Objective | None = None,
    group: int | None = None,
    kl: float | None = None,
    grpo_loss: GrpoLoss | None = None,
    reward_partial: float | None = None,
    reward_invalid: float | None = None,
    reward_length: float | None = None,
    preset: str | None = None,
    full: bool | None = None,
    rank: int | None = None,
    alpha: float | None = None,
    dropout: float | None = None,
    dora: bool | None = None,
    rslora: bool | None = None,
    lora_plus: float | None = None,
    targets: str | Sequence[str] | None = None,
    modules_to_save: str | Sequence[str] | None = None,
    mirror: bool | None = None,
    ambiguous: bool | None = None,
    balance: Balance | None = None,
    balance_beta: float | None = None,
    epochs: float | None = None,
    steps: int | None = None,
    batch_size: int | None = None,
    share: bool | None = None,
    micro_batch: int | None = None,
    vision_cache: float | None = None,
    lr: float | None = None,
    part_lr: Mapping[str, float] | None = None,
    schedule: str | None = None,
    warmup: float | None = None,
    weight_decay: float | None = None,
    checkpointing: bool | None = None,
    dev: float | None = None,
    evaluations: int | None = None,
    patience: int | None = None,
    device: str = DEVICE,
    dtype: Dtype | None = None,
    load: Load | None = None,
    seed: int = SEED,
    fold: str | None = None,
    fold_seed: int | None = None,
    options: Mapping[str, object] | None = None,
    trainer: Mapping[str, object] | None = None,
    output: Name | None = None,
    overwrite: bool = False,
    export: Literal["published"] | None = None,
    progress: bool | TrainingProgress = False,
) -> FinishedTraining:
    """Train an adapter on a strategy's questions, as ``coabench train`` does; resume a training that stopped.

    What is None is left to the preset of the backbone; see `coabench.recipe.Recipe` for what each setting means.

    Args:
        backbone: ``NAME[:MODEL]``, or a class of your own.
        strategy: whose questions: ``NAME[:VARIANT]``, a prompt file, a `coabench.strategy.Strategy`; or several.
        dataset: whose train split to learn from: ``NAME`` or a card; or several. What `evaluate` takes as pictures
            with labels is one train split.
        labels: of such pictures; see `evaluate`.
        data_root: the folder or file that holds the data sets.
        crop: cut the face out of every picture; see `evaluate`.
        augment: ``NAME:key=value,…``, or several: augments the training images, at random each time.
        from_: an adapter that coabench trained, to begin with.
        stages: a sheet of stages, each with its data, epochs and learning rate, on one adapter.
        preset: a recipe of the backbone; the other settings change it.
        full: train every parameter instead of a LoRA.
        targets: parts that are trained: ``language``, ``projector``, ``vision``.
        modules_to_save: parts or modules that are trained whole beside the LoRA.
        micro_batch: questions per forward pass and process.
        vision_cache: GiB on disk for what a frozen vision tower makes of images; changes no result.
        lr: learning rate of AdamW.
        part_lr: that of single parts, ``{"vision": 2e-5}``.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``…
        load: ``8bit`` or ``4bit`` to keep the base so, with the LoRA beside it.
        seed: of the order, the LoRA and the development part.
        fold: hold this fold of each train split out, ``"3/10"``, or the samples of one person, ``"3/subjects"``.
        fold_seed: which samples are in which fold; 0 by default.
        options: options of plugins, ``{"num_crops": 16}``.
        trainer: further fields of transformers' ``TrainingArguments``.
        output: where the adapter goes; below ``adapters`` by default.
        overwrite: delete the training that is there.
        export: ``published`` writes the published script's layout as well.
        progress: show progress as the command line does, on stderr or below a notebook's cell; or an object that is
            notified.

    Returns:
        The finished training: ``directory`` (pass it as ``adapter``) and ``manifest``.

    Raises:
        UserError: bad input; nothing was written.
        JobError: the training could not be finished; the checkpoints so far are kept, and the same call resumes it.
    """
    typed = dict(locals())
    request = read_request(
        Training,
        train,
        typed,
        backbone=backbone_from(backbone),
        strategies=[strategy_spec(each) for each in several(strategy)],
        datasets=_train_splits(dataset, read_argument(str | None, labels, "labels")),
        settings=read_settings(typed),
        crop=crop_spec(crop),
        start=read_argument(Path | None, from_, "from_"),
        trainer=assignments("trainer", trainer),
        published=read_argument(Literal["published"] | None, export, "export") is not None,
    )
    if progress is True:
        from coabench.cli.progress import TrainingTerminal

        progress = TrainingTerminal()
    return train_all(request, progress or None)


def _train_splits(dataset: Any, labels: str | None) -> Sequence[str | DatasetChoice]:
    """Return data sets by name, or the one that was handed over as a train split."""
    handed = not is_named(dataset)
    return [chosen_dataset(each, labels, TRAIN) for each in ([dataset] if handed else several(dataset))]
