"""Do a backbone's answers depend on the batch? The same samples, asked about one at a time and several at a time.

An answer must not depend on what else is in the batch, but padding, half precision and the order of a sum see to it
that it sometimes does. What is compared is what a run records; no run is made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from coabench.base.text import plural
from coabench.base.vocabulary import ERROR
from coabench.doctor.precision import Agreement, compare_precision
from coabench.errors import UserError
from coabench.evaluation.plan import Evaluation, Plan, check
from coabench.evaluation.progress import Progress, Silence
from coabench.evaluation.records import records_of
from coabench.inference.batching import Fixed
from coabench.recipe import INT8
from coabench.render.tables import Column, Row, Section
from coabench.runs.record import turns_of
from coabench.runs.run import Batch

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Difference:
    """Something about a sample that was not the same: *what* is ``prediction``, or the name of a question.

    *alone* and *together* are the label and, of a question, the response. *label* says whether the labels differ, or
    only the words.
    """

    id: str
    what: str
    alone: str
    together: str
    label: bool


@dataclass(frozen=True)
class Invariance:
    """What came out.

    Attributes:
        backbone, strategy, dataset: their names.
        decode, device, dtype: how the answers were obtained; *dtype* is None where the backbone does not say.
        samples: how many were asked about, twice.
        batch_size: how many at a time the second time.
        predictions: samples whose prediction differs.
        labels: samples of which any answer was understood as another label.
        responses: samples of which any response differs, be it by a letter.
        errors: samples that could not be asked about, both times.
        score: the largest difference of a log-probability between the same options of the same prompt, in nats; None
            where nothing was scored.
        margin: the closest decision: the smallest distance of the two best options of a question, in nats.
        differences: what differs, in the order of the samples.
        float32: of ``--dtype int8``, how far the answers one at a time are those of float32; else None.
    """

    backbone: str
    strategy: str
    dataset: str
    decode: str
    device: str | None
    dtype: str | None
    samples: int
    batch_size: int
    predictions: int
    labels: int
    responses: int
    errors: int
    score: float | None
    margin: float | None
    differences: tuple[Difference, ...]
    float32: Agreement | None = None

    @property
    def invariant(self) -> bool:
        """Whether every prediction and every label is the same."""
        return not self.predictions and not self.labels

    @property
    def verdict(self) -> str:
        """The result in plain words."""
        asked = (
            f"{plural(self.samples - self.errors, 'sample')}, asked about one at a time and {self.batch_size} at a time"
        )
        if self.errors == self.samples:
            return "No sample could be asked about: nothing can be said."
        if self.invariant:
            words = f", though the words of {self.responses} differ" if self.responses else ""
            return f"No label depends on the batch: the same for {asked}{words}."
        return (
            f"Labels depend on the batch: of {asked}, {self.predictions} got another prediction and {self.labels} "
            f"another answer on the way."
        )

    @property
    def notes(self) -> list[str]:
        """The verdict, what the scores say, and what to do."""
        notes = [self.verdict]
        if self.score is None:
            notes.append("Nothing was scored, so small differences are not seen; --decode score shows them.")
        else:
            closest = "" if self.margin is None else f"; the closest decision was {self.margin:.2g} apart"
            notes.append(f"The largest difference of a log-probability is {self.score:.2g}, to six decimals{closest}.")
            if self.invariant and self.margin is not None and 2 * self.score >= self.margin:
                notes.append("That is close enough for a label to flip on other samples.")
        if self.float32:
            notes.append(self.float32.verdict)
        if not self.invariant:
            notes.append(f"What to do: {'; '.join(self.remedies)}.")
        return notes

    @property
    def remedies(self) -> list[str]:
        """What the user can do where labels flip."""
        precision = [] if self.dtype == "float32" else ["try --dtype float32, which rounds least"]
        return [
            *precision,
            "compare only runs of one batch size (a run records its own), or evaluate with --batch-size 1, where an "
            "answer depends on nothing else",
            "if it persists in float32, report it to the author of the backbone: padding may be at fault",
        ]

    def as_json(self) -> dict[str, Any]:
        """Return everything, JSON-serialisable."""
        return {**asdict(self), "verdict": self.verdict, "notes": self.notes}

    def sections(self) -> list[Section]:
        """Return the tables for people."""
        if not self.differences:
            return [self.figures_section(self.notes)]
        columns = [
            Column("Sample", "id", width=40),
            Column("What", "what"),
            Column("One at a time", "alone", width=32),
            Column(f"{self.batch_size} at a time", "together", width=32),
            Column("Label", _flips),
        ]
        rows = [asdict(difference) for difference in self.differences]
        return [self.figures_section(), Section(columns, rows, "What differs", self.notes)]

    def figures_section(self, notes: Sequence[str] = ()) -> Section:
        """Return the table of counts."""
        counts = {
            "asked about": self.samples,
            "with another prediction": self.predictions,
            "with an answer of another label": self.labels,
            "with another response": self.responses,
            "that could not be asked about": self.errors,
        }
        on = ", ".join(filter(None, (self.device, self.dtype, f"--decode {self.decode}")))
        title = f"{self.backbone} with {self.strategy} on {self.dataset}: batches of 1 and of {self.batch_size} ({on})"
        rows = [{"figure": name, "n": n} for name, n in counts.items()]
        return Section([Column("Samples", "figure"), Column("n", "n", "right")], rows, title, notes)


def _flips(row: Row) -> str:
    return "another" if row["label"] else "the same"


def compare_batches(request: Evaluation, progress: Progress | None = None) -> Invariance:
    """Ask about the same samples one at a time and ``request.batch_size`` at a time; of int8, in float32, too.

    Raises:
        UserError: bad input, or a single sample.
        JobError: the backbone could not continue.
    """
    progress = progress or Silence()
    if request.batch_size == "auto":
        raise UserError("--batch-size auto is no size to compare with", expected="a number", remedy="name one")
    plan = check(request)
    size = min(request.batch_size, len(plan.samples))
    if size < 2:
        raise UserError(
            "one sample makes no batch",
            expected="two samples or more, and batches of two or more",
            remedy="raise --limit, or take another --split",
        )
    whole: list[Record] = []
    passes = 3 if request.dtype == INT8 else 2
    with progress.start(passes * len(plan.samples), []):
        progress.note("loading the backbone")
        plan.backbone.load()
        together = list(_ask(plan, size, progress))
        alone = list(_ask(plan, 1, progress))
        identity, decode, details = plan.identity, plan.decode, plan.backbone.details()
        if request.dtype == INT8:
            del plan  # two models may not fit
            progress.note("loading the backbone in float32")
            plan = check(replace(request, dtype="float32"))
            plan.backbone.load()
            whole = list(_ask(plan, 1, progress))
    device, dtype = details.get("device"), (identity.backbone.facts or {}).get("dtype")
    pairs = list(zip(alone, together, strict=True))
    differences = [difference for pair in pairs for difference in _differences(*pair)]
    scored = [scores for pair in pairs for scores in _scored(*pair)]
    return Invariance(
        backbone=identity.backbone.name,
        strategy=identity.strategy.name,
        dataset=identity.dataset.name,
        decode=decode,
        device=None if device is None else str(device),
        dtype=None if dtype is None else str(dtype),
        samples=len(pairs),
        batch_size=size,
        predictions=len({d.id for d in differences if d.what == PREDICTION}),
        labels=len({d.id for d in differences if d.what != PREDICTION and d.label}),
        responses=len({d.id for d in differences if d.what != PREDICTION}),
        errors=sum(a["status"] == b["status"] == ERROR for a, b in pairs),
        score=max((abs(a[option] - b[option]) for a, b in scored for option in a), default=None),
        margin=min((margin for a, _ in scored if (margin := _margin(a)) is not None), default=None),
        differences=tuple(differences),
        float32=compare_precision(alone, whole) if whole else None,
    )


PREDICTION = "prediction"


def _ask(plan: Plan, size: int, progress: Progress) -> Iterator[Record]:
    for records in records_of(plan, [Batch(range(len(plan.samples)))], Fixed(size)):
        progress.advance(records)
        yield from records


def _differences(alone: Record, together: Record) -> Iterator[Difference]:
    """Yield what differs between two records of one sample, the prediction first."""
    if _concluded(alone) != _concluded(together):
        yield Difference(alone["id"], PREDICTION, _concluded(alone), _concluded(together), True)
    first, second = turns_of(alone), turns_of(together)
    for i in range(max(len(first), len(second))):
        a, b = (turns[i] if i < len(turns) else None for turns in (first, second))
        if a is None or b is None:
            name = max(first, second, key=len)[i]["name"]
            yield Difference(alone["id"], name, _answered(a), _answered(b), True)
        elif (a["label"], a["response"]) != (b["label"], b["response"]):
            yield Difference(alone["id"], a["name"], _answered(a), _answered(b), a["label"] != b["label"])


def _concluded(record: Record) -> str:
    return str(record["prediction"] or f"{record['status']}: {record['reason']}")


def _answered(turn: Mapping[str, Any] | None) -> str:
    if turn is None:
        return "not asked"
    label, response = turn["label"], turn["response"]
    return str(label) if response in ("", label) else f"{label or 'INVALID'} ({response!r})"


def _scored(alone: Record, together: Record) -> Iterator[tuple[Mapping[str, float], Mapping[str, float]]]:
    """Yield the scores of the same prompt, alone and together."""
    for a, b in zip(alone["turns"], together["turns"], strict=False):
        if a["prompt"] == b["prompt"] and a["scores"] and b["scores"] and a["scores"].keys() == b["scores"].keys():
            yield a["scores"], b["scores"]


def _margin(scores: Mapping[str, float]) -> float | None:
    best = sorted(scores.values(), reverse=True)[:2]
    return best[0] - best[1] if len(best) == 2 else None
