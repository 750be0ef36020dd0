"""What an evaluation will do, checked before any weights are loaded: data, questions, backbone, identity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from coabench.backbone import Backbone
from coabench.base.schema import Number, at_least
from coabench.base.text import plural
from coabench.base.vocabulary import TRAIN
from coabench.cropping.originals import cropped_again
from coabench.cropping.step import CropChoice, find_crop
from coabench.dataset import MOST_VOTES, Card, Dataset, Sample, invalid_votes
from coabench.decode import SAMPLE, Decode, mode_of
from coabench.dialogue import Task
from coabench.errors import CoabenchError, UserError
from coabench.evaluation.respondent import Respondent
from coabench.evaluation.sampling import STRATIFIED, stratified
from coabench.inference.batching import BatchSize
from coabench.inference.contents import contents
from coabench.inference.exemplars import ExemplarPool, draw_pool
from coabench.inference.preparation import Step, describe_steps, prepare
from coabench.parser import Parser
from coabench.recipe import Load
from coabench.registry.catalog import DatasetChoice, find_dataset
from coabench.registry.class_folders import card_text
from coabench.registry.defaults import BATCH_SIZE, DECODE, DEVICE, DTYPE, SEED, Dtype
from coabench.registry.options import Specs
from coabench.registry.rewrites import Rewrites
from coabench.registry.transforms import open_transforms
from coabench.runs.adapter import TrainingRecord
from coabench.runs.dataset_identity import DatasetIdentity
from coabench.runs.folds import check_seed, open_fold
from coabench.runs.identity import RunIdentity, SelfConsistency
from coabench.runs.run import read_manifest
from coabench.sampling import Sampling
from coabench.strategy import Strategy
from coabench.support.verification import missing

FOLD, SEED_OF = "{fold}", "{seed}"
"""What stands for the number of the fold, and the seed, in the name of an adapter or a model: ``adapters/s{seed}``."""


@dataclass(frozen=True)
class Evaluation:
    """What to evaluate: the arguments of `coabench.api.evaluate`, checked.

    Attributes:
        crop: ``DETECTOR:key=value,…`` where every picture is cropped to its face; see `coabench.cropping.step`.
        transform: what every image is changed by, in this order; see `coabench.registry.transforms`.
        rewrite: what every question is rewritten by, in this order; see `coabench.registry.rewrites`.
        fold: which fold of the split, as in ``3/10``; see `coabench.runs.folds.open_fold`.
        command: the command line, for the manifest.
    """

    backbone: str | type[Backbone[Any]]
    strategy: str | Strategy
    dataset: str | DatasetChoice
    adapter: str | None = None
    data_root: Path | None = None
    split: str | None = None
    crop: str | None = None
    limit: Annotated[int, at_least(1)] | None = None
    batch_size: BatchSize = BATCH_SIZE
    decode: Decode = DECODE
    temperature: Number | None = None
    top_p: Number | None = None
    samples: Annotated[int, at_least(1)] | None = None
    device: str = DEVICE
    dtype: Dtype = DTYPE
    load: Load | None = None
    seed: int = SEED
    fold: str | None = None
    fold_seed: int | None = None
    options: Mapping[str, str] | None = None
    output: Path | None = None
    overwrite: bool = False
    allow_trained_split: bool = False
    parser: str | None = None
    transform: Specs = ()
    rewrite: Specs = ()
    command: tuple[str, ...] = ()


@dataclass
class Weights:
    """Whether those of a backbone are loaded: plans that share the backbone share this."""

    loaded: bool = False


@dataclass(frozen=True)
class Plan:
    """Everything that was checked before the backbone's weights are loaded.

    Attributes:
        name: of the run directory, where the user names none.
        training: of the adapter or else the model, see `coabench.runs.adapter.TrainingRecord.summary`.
        notes: what the user should know, in sentences.
        card: the text of a card that was made from a folder, to be written beside the run.
    """

    dataset: Dataset
    samples: Sequence[Sample]
    strategy: Strategy
    parser: Parser
    rewrites: Rewrites
    pool: ExemplarPool
    backbone: Backbone[Any]
    name: str
    identity: RunIdentity
    training: Mapping[str, Any] | None
    notes: Sequence[str]
    card: str | None = None
    weights: Weights = field(default_factory=Weights)

    @property
    def decode(self) -> Decode:
        """How every question is asked that does not say so itself."""
        return mode_of(self.identity.decode).name

    @property
    def sampling(self) -> Sampling | None:
        """How dialogues are sampled; None where each is held once."""
        chosen = self.identity.self_consistency
        return Sampling(chosen.temperature, chosen.top_p, chosen.samples) if chosen else None

    @property
    def manifest(self) -> dict[str, Any]:
        """What `coabench.runs.run.Run` is opened with."""
        labels = self.dataset.card.space.describe()
        trained = {"training": dict(self.training)} if self.training else {}
        return {"identity": self.identity.to_json(), **trained, "labels": labels, "notes": list(self.notes)}

    def task(self, sample: Sample) -> Task:
        return Task(self.dataset.card.space, self.pool.exemplars(sample.id))


def check(request: Evaluation) -> Plan:
    """Check the whole request, cheapest first.

    Raises:
        UserError: bad input.
    """
    request = _placed(request)
    check_seed(request.fold, request.fold_seed)
    draws = sampling_of(request)
    choice = find_dataset(request.dataset)
    crop = find_crop(request.crop) if request.crop is not None else None
    owners = {"dataset": choice.loader.load().Options} | ({"detector": crop.detector.options} if crop else {})
    respondent = Respondent.find(request, owners)
    strategy = respondent.strategy
    steps = _steps(request, crop, respondent)
    rewrites = Rewrites(request.rewrite, request.seed)
    dataset = prepare(choice.open(request.data_root, respondent.options["dataset"]), steps)
    split = request.split or _usual_split(request, choice.card)
    whole = samples_of(dataset, split)
    lacking = missing(choice.card, split, whole)
    fold = open_fold(request.fold, whole, request.fold_seed, choice.card.name) if request.fold is not None else None
    whole, part = (fold.samples, fold.identity) if fold else (whole, None)
    samples, sampling = _limited(whole, request)
    fingerprint = dataset.fingerprint(split)
    images = cache(lambda: contents(samples))
    trainings = respondent.training, TrainingRecord.read(respondent.model)  # the model's own, if it has one
    trained = [
        note
        for training in trainings
        for note in training.check_unseen(
            choice.card.name, split, fingerprint, images, request.allow_trained_split, part
        )
    ]
    pool = draw_pool(dataset, split, strategy, request.seed, fold.samples if fold else ())
    questions = respondent.rehearse(Task(choice.card.space, pool.exemplars(samples[0].id)))
    backbone = respondent.open(rewrites.check(questions, strategy.name))
    answering = respondent.identity(backbone, questions)
    if draws and mode_of(answering.decode).voted:
        answering = replace(answering, self_consistency=SelfConsistency(**asdict(draws)))
    identity = RunIdentity(
        **vars(answering),
        dataset=DatasetIdentity.of(choice, dataset, split, fingerprint, samples, request.limit, sampling, part),
        exemplars=tuple(pool.identity()),
        preparation=describe_steps(steps),
        rewrites=rewrites.identity(),
    )
    notes = [
        *dataset.notes(),
        *(cropped_again(choice.card) if crop else ()),
        *filter(None, [lacking]),
        *(fold.notes if fold else ()),
        *trained,
        *(note for training in trainings for note in training.prepared_otherwise(identity.preparation)),
        *respondent.notes(backbone),
        *rewrites.notes(questions),
    ]
    if draws and answering.self_consistency is None:
        notes.append(f"--decode sample makes no difference: {strategy.name} asks no question that can be sampled")
    if request.limit is not None:
        notes.append(_limit_note(request, samples, whole, stratified=sampling is not None))
    name = identity.folder_name([choice.card.name, strategy.name, respondent.registration.name])
    training = next(filter(None, (record.summary() for record in trainings)), None)
    made = None if choice.described is None or choice.folder is None else card_text(choice.described, choice.folder)
    return Plan(
        dataset, samples, strategy, respondent.parser, rewrites, pool, backbone, name, identity, training, notes, made
    )


def _placed(request: Evaluation) -> Evaluation:
    """Return the request with the numbers that `FOLD` and `SEED_OF` stand for."""
    marks = {SEED_OF: str(request.seed)} | ({FOLD: request.fold.partition("/")[0]} if request.fold else {})

    def numbered(text: str) -> str:
        for mark, number in marks.items():
            text = text.replace(mark, number)
        return text

    backbone = numbered(request.backbone) if isinstance(request.backbone, str) else request.backbone
    return replace(request, backbone=backbone, adapter=request.adapter and numbered(request.adapter))


def _steps(request: Evaluation, crop: CropChoice | None, respondent: Respondent) -> list[Step]:
    """Return what is done to every image, one step after the other.

    Raises:
        UserError: one cannot be made ready, or the backbone looks its answers up instead of looking at images.
    """
    asked = [*(["--crop"] if crop else []), *(["--transform"] if request.transform else [])]
    asked += ["--rewrite"] if request.rewrite else []
    if asked and not respondent.registration.load().timed:
        options = " and ".join(asked)
        raise UserError(
            f"backbone {respondent.registration.name!r} looks at no picture and reads no question, so that {options} "
            "could change nothing",
            remedy=f"leave {options} out, or ask the backbone itself",
        )
    cut = [crop.open(respondent.options["detector"])] if crop else []
    return [*cut, *open_transforms(request.transform, request.seed)]


def _usual_split(request: Evaluation, card: Card) -> str:
    """Return the split that is evaluated where none is named: a fold is one of what is trained on, where there is."""
    return TRAIN if request.fold is not None and TRAIN in card.splits else card.splits[0]


def sampling_of(request: Evaluation) -> Sampling | None:
    """Return how the request wants dialogues sampled; None where its decode mode draws nothing.

    Raises:
        UserError: values that nothing can be drawn with, or options that have no effect in that mode.
    """
    kinds = {"temperature": float, "top_p": float, "samples": int}  # 1 in a sheet is the 1.0 of the command line
    typed = {name: kind(getattr(request, name)) for name, kind in kinds.items() if getattr(request, name) is not None}
    if mode_of(request.decode).voted:
        return Sampling(**typed)
    if typed:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in typed)
        raise UserError(
            f"{options} {'needs' if len(typed) == 1 else 'need'} --decode {SAMPLE.name}",
            found=f"--decode {request.decode}",
            remedy=f"add --decode {SAMPLE.name}, or leave {options} out",
        )
    return None


def _limited(samples: Sequence[Sample], request: Evaluation) -> tuple[Sequence[Sample], str | None]:
    """Return the samples that the limit leaves, and how they were drawn; None where nothing was."""
    if request.limit is None or request.limit >= len(samples):
        return samples, None
    if _took_the_first(request):
        return samples[: request.limit], None
    return stratified(samples, request.limit, request.seed), STRATIFIED


def _limit_note(request: Evaluation, samples: Sequence[Sample], whole: Sequence[Sample], *, stratified: bool) -> str:
    covered, present = ({sample.target for sample in some} for some in (samples, whole))
    drawn = f", stratified by label (--seed {request.seed})" if stratified else ""
    taken = f"{len(samples):,} of {plural(len(whole), 'sample')}{drawn}, with {len(covered)} of {len(present)} labels"
    return f"--limit {request.limit}: {taken}; its numbers are not comparable and will not be ranked"


def _took_the_first(request: Evaluation) -> bool:
    """Whether 0.1.0 began the run in the output directory, which is to be continued with the same samples."""
    if request.output is None or request.overwrite:
        return False
    try:
        begun = RunIdentity.read(read_manifest(request.output)["identity"]).dataset
    except (CoabenchError, ValueError):
        return False  # there is none, or a damaged one, which `Run` refuses
    return begun.limit == request.limit and begun.sampling is None


def samples_of(dataset: Dataset, split: str) -> Sequence[Sample]:
    """Return the samples of a split; `UserError` where it has none, or votes that are none."""
    samples = dataset.samples(split)
    if not samples:
        raise UserError(f"split {split!r} of {dataset.card.name!r} has no samples", remedy="choose another --split")
    names = dataset.card.space.names
    for sample in samples:
        if wrong := invalid_votes(sample.votes, names):
            raise UserError(
                f"the votes of the sample {sample.id!r} cannot be used",
                expected=f"a number from 0 to {MOST_VOTES:.0f} for labels of the data set: {', '.join(names)}",
                found=wrong,
                remedy="correct the data set, or ask the author of its loader",
            )
    return samples
