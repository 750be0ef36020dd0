"""What an evaluation will do, checked before any weights are loaded: data, questions, backbone, identity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from coabench.backbone import Backbone
from coabench.base.schema import at_least
from coabench.dataset import Dataset, Sample
from coabench.decode import Decode, mode_of
from coabench.dialogue import Task
from coabench.errors import CoabenchError, UserError
from coabench.evaluation.respondent import Respondent
from coabench.evaluation.sampling import STRATIFIED, stratified
from coabench.inference.batching import BatchSize
from coabench.inference.contents import contents
from coabench.inference.exemplars import ExemplarPool, draw_pool
from coabench.registry.catalog import DatasetChoice, find_dataset
from coabench.registry.class_folders import card_text
from coabench.registry.defaults import BATCH_SIZE, DECODE, DEVICE, DTYPE, SEED, Dtype
from coabench.runs.adapter import TrainingRecord
from coabench.runs.identity import DatasetIdentity, RunIdentity
from coabench.runs.run import read_manifest
from coabench.strategy import Strategy
from coabench.support.verification import missing


@dataclass(frozen=True)
class Evaluation:
    """What to evaluate: the arguments of `coabench.api.evaluate`, checked.

    Attributes:
        command: the command line, for the manifest.
    """

    backbone: str | type[Backbone[Any]]
    strategy: str | Strategy
    dataset: str | DatasetChoice
    adapter: str | None = None
    data_root: Path | None = None
    split: str | None = None
    limit: Annotated[int, at_least(1)] | None = None
    batch_size: BatchSize = BATCH_SIZE
    decode: Decode = DECODE
    device: str = DEVICE
    dtype: Dtype = DTYPE
    seed: int = SEED
    options: Mapping[str, str] | None = None
    output: Path | None = None
    overwrite: bool = False
    allow_trained_split: bool = False
    command: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """Everything that was checked before the backbone's weights are loaded.

    Attributes:
        name: of the run directory, where the user names none.
        training: of the adapter, see `coabench.runs.adapter.TrainingRecord.summary`.
        notes: what the user should know, in sentences.
        card: the text of a card that was made from a folder, to be written beside the run.
    """

    dataset: Dataset
    samples: Sequence[Sample]
    strategy: Strategy
    pool: ExemplarPool
    backbone: Backbone[Any]
    name: str
    identity: RunIdentity
    training: Mapping[str, Any] | None
    notes: Sequence[str]
    card: str | None = None

    @property
    def decode(self) -> Decode:
        """How every question is asked that does not say so itself."""
        return mode_of(self.identity.decode).name

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
    choice = find_dataset(request.dataset)
    respondent = Respondent.find(request, {"dataset": choice.loader.load().Options})
    strategy = respondent.strategy
    dataset = choice.open(request.data_root, respondent.options["dataset"])
    split = request.split or choice.card.splits[0]
    whole = samples_of(dataset, split)
    present = {sample.target for sample in whole}
    lacking = missing(choice.card, split, whole)
    samples, sampling = _limited(whole, request)
    fingerprint = dataset.fingerprint(split)
    images = cache(lambda: contents(samples))
    trained = [
        note
        for training in (respondent.training, TrainingRecord.read(respondent.model))  # the model's own, if it has one
        for note in training.check_unseen(choice.card.name, split, fingerprint, images, request.allow_trained_split)
    ]
    pool = draw_pool(dataset, split, strategy, request.seed)
    questions = respondent.rehearse(Task(choice.card.space, pool.exemplars(samples[0].id)))
    backbone = respondent.open(questions)
    identity = RunIdentity(
        **vars(respondent.identity(backbone, questions)),
        dataset=DatasetIdentity.of(choice, dataset, split, fingerprint, len(samples), request.limit, sampling),
        exemplars=tuple(pool.identity()),
    )
    notes = [*dataset.notes(), *filter(None, [lacking]), *trained, *respondent.notes(backbone)]
    if request.limit is not None:
        covered = f"{len({sample.target for sample in samples})} of {len(present)} labels"
        drawn = f", stratified by label (--seed {request.seed})" if sampling else ""
        taken = f"{len(samples):,} of {len(whole):,} samples{drawn}, with {covered}"
        notes.append(f"--limit {request.limit}: {taken}; its numbers are not comparable and will not be ranked")
    name = identity.folder_name([choice.card.name, strategy.name, respondent.registration.name])
    card = None if choice.described is None or choice.folder is None else card_text(choice.described, choice.folder)
    summary = respondent.training.summary()
    return Plan(dataset, samples, strategy, pool, backbone, name, identity, summary, notes, card)


def _limited(samples: Sequence[Sample], request: Evaluation) -> tuple[Sequence[Sample], str | None]:
    """Return the samples that the limit leaves, and how they were drawn; None where nothing was."""
    if request.limit is None or request.limit >= len(samples):
        return samples, None
    if _took_the_first(request):
        return samples[: request.limit], None
    return stratified(samples, request.limit, request.seed), STRATIFIED


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
    """Return the samples of a split; `UserError` where it has none."""
    samples = dataset.samples(split)
    if not samples:
        raise UserError(f"split {split!r} of {dataset.card.name!r} has no samples", remedy="choose another --split")
    return samples
