"""The explain job: occlusion maps of a run's samples, and what they say together."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from coabench.base.text import plural
from coabench.dataset import Sample
from coabench.errors import SampleError, UserError
from coabench.evaluation.plan import Plan
from coabench.explanation import regions
from coabench.explanation.choice import Record, choose
from coabench.explanation.deletion import RANDOM, STEPS, area_under, deleted, order_of, random_orders
from coabench.explanation.explanation import ExplainedSample, Explanation, QuestionMap
from coabench.explanation.reopen import reopen
from coabench.explanation.scores import Asked, Scorer, Values, log_probability
from coabench.explanation.windows import Windows
from coabench.inference.loading import Picture, read_image
from coabench.inference.preparation import PreparedSource
from coabench.registry.blame import contained
from coabench.registry.defaults import BATCH_SIZE, DEVICE, SEED
from coabench.runs.finished import read_run
from coabench.scoring.rescore import replay

Which = Literal["primary", "secondary", "all"]

TOLERANCE = 0.01
"""Nats by which an answer's log-probability may differ from the recorded one without a note."""


@dataclass(frozen=True)
class Explaining:
    """What to explain, as options of the command line.

    Attributes:
        run: the directory of a complete run.
        samples: see `coabench.explanation.choice.choose`.
        question: ``primary`` and ``secondary`` are the first and the second that has an answer; ``all`` of them.
        options: further ``--set`` assignments, for a run whose command line is not recorded.
    """

    run: Path
    samples: str = "wrong:12"
    question: Which = "all"
    windows: Windows = field(default_factory=Windows)
    data_root: Path | None = None
    batch_size: int = BATCH_SIZE
    device: str = DEVICE
    seed: int = SEED
    options: tuple[str, ...] = ()


class Progress(Protocol):
    """What the job reports to."""

    def start(self, total: int) -> Any:
        """Begin, of so many looks at an image; returns a context manager."""
        ...

    def advance(self, looks: int) -> None: ...

    def note(self, text: str) -> None: ...


class Silence:
    """No progress at all."""

    def start(self, total: int) -> Any:
        return nullcontext()

    def advance(self, looks: int) -> None:
        return

    def note(self, text: str) -> None:
        return


@contained()
def explain(request: Explaining, progress: Progress | None = None) -> Explanation:
    """Return the maps of the chosen samples of a run.

    Raises:
        UserError: bad input, a run that cannot be explained, or no sample left that can; nothing was written.
    """
    progress = progress or Silence()
    run = read_run(request.run)
    chosen = choose(run.records, request.samples, request.seed)
    plan = reopen(run, request.data_root, request.device, request.options)
    samples = {sample.id: sample for sample in plan.samples}
    left_out: dict[str, str] = {}
    work: list[tuple[Record, Sample, Picture, list[Asked]]] = []
    for record in chosen:
        try:
            sample = samples[record["id"]]
            work.append((record, sample, _picture(record, sample), _asked(plan, record, sample, request.question)))
        except SampleError as error:
            left_out[record["id"]] = error.problem
    if not work:
        raise UserError(
            "none of the chosen samples can be explained",
            found="; ".join(f"{id}: {why}" for id, why in list(left_out.items())[:3]),
            remedy="choose others with --samples, or another --question",
        )
    totals = [_looks(request.windows, len(asked)) for *_, asked in work]
    questions = sum((1 + len(request.windows.boxes()) + STEPS * (RANDOM + 1)) * len(asked) for *_, asked in work)
    progress.note(f"{plural(len(work), 'sample')}, {sum(totals):,} looks at changed images, {questions:,} questions")
    for id, why in left_out.items():
        progress.note(f"left out {id}: {why}")
    progress.note("loading the backbone")
    plan.backbone.load()
    with progress.start(sum(totals)):
        done = [_explained(request, plan, *each, progress.advance) for each in work]
    settings = {
        **asdict(request.windows), "samples": request.samples, "question": request.question, "seed": request.seed,
        "windows": len(request.windows.boxes()), "looks": sum(totals), "asked": questions,
    }  # fmt: skip
    notes = [*_agreement(done), *_without_landmarks(done)]
    for note in notes:
        progress.note(note)
    return Explanation(request.run.resolve().name, settings, done, left_out, notes)


def _picture(record: Record, sample: Sample) -> Picture:
    """Return the image as the model saw it; `SampleError` where it is another or gone."""
    picture = read_image(sample.image)
    if picture.sha256 != record["image_sha256"]:
        raise SampleError("not the image that the run saw")
    return picture


def _asked(plan: Plan, record: Record, sample: Sample, which: Which) -> list[Asked]:
    """Return the questions that the run asked about a sample, with the answers that it got.

    The strategy is played again with the recorded answers, for the whole chat: a log holds the last prompt alone.
    """
    outcome = replay(plan.strategy, plan.task(sample), list(record["turns"]), plan.parser, plan.decode)
    if len(outcome.turns) < len(record["turns"]):
        raise SampleError("the strategy asks other questions than the run recorded")
    turns = zip(outcome.turns, record["turns"], strict=True)
    asked = [
        Asked(turn.question, then["label"], then.get("scores"))
        for turn, then in turns
        if then["label"] in turn.question.options
    ]
    if which != "all":
        position = ("primary", "secondary").index(which)
        asked = asked[position : position + 1]
    if not asked:
        raise SampleError("no question has an answer that is one of its options")
    return asked


def _looks(windows: Windows, questions: int) -> int:
    """Return how many images are looked at: the whole one, the windows, and the deletions."""
    return 1 + len(windows.boxes()) + STEPS * (RANDOM + questions)


def _explained(
    request: Explaining, plan: Plan, record: Record, sample: Sample, picture: Picture, asked: list[Asked],
    looked: Callable[[int], None],
) -> ExplainedSample:  # fmt: skip
    image, fill = picture.image, request.windows.fill
    score = Scorer(plan.backbone, sample.id, plan.pool.images(sample.id), request.batch_size, looked)
    found = score([image, *request.windows.cover(image)], asked)
    orders = random_orders(request.seed, sample.id)
    at_random = score([copy for order in orders for copy in deleted(image, order, fill)], asked)
    landmarks = picture.landmarks if isinstance(sample.image, PreparedSource) else sample.landmarks
    parts = None if landmarks is None else regions.masks(landmarks, image.size)
    moved = None if parts is None else regions.moved(plan.dataset.action_units(sample.target), parts)
    maps = []
    for each, values, randomly in zip(asked, found, at_random, strict=True):
        drops = request.windows.map((values[0] - values[1:]).tolist())
        by_map = score(deleted(image, order_of(drops), fill), [each])[0]
        maps.append(
            QuestionMap(
                name=each.question.name,
                answer=each.answer,
                log_probability=float(values[0]),
                recorded=None if each.recorded is None else log_probability(each.recorded, each.answer),
                drops=drops,
                shares=None if parts is None else regions.shares(drops, parts),
                chance=None if parts is None else regions.areas(parts),
                hit=None if moved is None else regions.points_at(drops, moved),
                hit_chance=None if moved is None else float(moved.mean()),
                hit_centre=None if moved is None else regions.centre_in(moved),
                deletion=_area(values[0], by_map),
                random_deletion=sum(_area(values[0], part) for part in randomly.reshape(RANDOM, STEPS)) / RANDOM,
            )
        )
    return ExplainedSample(record, image, landmarks, maps)


def _area(whole: float, covered: Values) -> float:
    import numpy as np

    return area_under(np.exp([whole, *covered]).tolist())


def _agreement(samples: list[ExplainedSample]) -> list[str]:
    """Say whether the answers about the whole images are as probable as the run recorded."""
    pairs = [(m.log_probability, m.recorded) for s in samples for m in s.maps if m.recorded is not None]
    if not pairs:
        return ["the run answered in words: scores of the recorded answers are new, and have nothing to agree with"]
    furthest = max(abs(now - then) for now, then in pairs)
    if furthest <= TOLERANCE:
        return [f"the uncovered images score as recorded, to {furthest:.4f} nats"]
    return [f"the uncovered images do not score as recorded: they differ by up to {furthest:.3f} nats"]


def _without_landmarks(samples: list[ExplainedSample]) -> list[str]:
    lacking = sum(sample.landmarks is None for sample in samples)
    if not lacking:
        return []
    return [f"{plural(lacking, 'sample')} without landmarks: in no share of a region, mean map or pointing game"]
