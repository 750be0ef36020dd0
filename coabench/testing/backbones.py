"""Checks of a backbone: does it say what it is, and answer each question about each sample, and only that?"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from coabench.backbone import Backbone, BackboneRequest
from coabench.decode import MODES
from coabench.dialogue import Answer
from coabench.errors import SampleError, UserError
from coabench.recipe import INT8, Load
from coabench.registry.registrations import Registration
from coabench.testing.backbone_answers import QUESTIONS, AnswerChecks, Reply, alike, decodes, difference
from coabench.testing.backbone_training import check_loss, check_parts
from coabench.testing.check import Check, Checks
from coabench.testing.defects import backbones as defects
from coabench.testing.findings import Finding, describe, is_json
from coabench.testing.options import check_declared, check_read, variations
from coabench.testing.pictures import tiny_images


def check(
    backbone: str | Registration | Callable[[BackboneRequest], Backbone[Any]],
    model: str | None = None,
    *,
    assignments: dict[str, str] | None = None,
    adapter: str | None = None,
    device: str = "auto",
    dtype: str | None = None,
    remote: bool = False,
) -> list[Finding]:
    """Check a backbone and return what is wrong with it.

    Args:
        backbone: the name it is registered under, its registration, or the target itself.
        model: what stands after the colon of ``--backbone NAME:MODEL``.
        assignments: ``--set`` options.
        dtype: of the weights. By default float32, where it takes that: in half precision near ties fall either way, in
            batches of other sizes.
        remote: ask one that sends images away (it gets drawn faces); without it, such a one is not asked anything.
    """
    return _Checks(backbone, assignments, (model, adapter, device, dtype), remote).result()


TARGET = ("capabilities", "remote", "presets", "Options", "TrainingOptions", "default_adapter")
"""What jobs read off a target."""
METHODS = ("identity", "details", "remember", "check", "load", "prepare", "look")


class _Checks(Checks):
    kind, part = "backbones", "backbone"
    factory: Any = Backbone

    def __init__(
        self,
        what: Any,
        assignments: Mapping[str, str] | None,
        requested: tuple[str | None, str | None, str, str | None],
        remote: bool,
    ) -> None:
        super().__init__(what, assignments)
        self.requested, self.remote = requested, remote

    def remedy_for(self, error: UserError) -> str:
        backbone = f"--backbone {self.registration.name}:MODEL"
        if self.factory.remote and not self.remote:
            return f"pass {backbone} to allow it"
        return f"pass {backbone}, and its options with --set"

    def checks(self) -> Iterator[Check]:
        self.target()
        backbone = self.open()
        if self.factory.remote and not self.remote:
            raise UserError("it sends images away")
        answers = self.load_weights(backbone)
        yield from answers.checks()
        del backbone, answers  # a large model is not held twice
        yield self.options
        if "quantises" in self.factory.capabilities:
            yield self.quantised
        if INT8 in self.factory.capabilities:
            yield self.integers
        if "trains" in self.factory.capabilities:
            yield self.training

    def target(self) -> None:
        factory = self.factory = self.load()
        self.need_attributes(defects.NO_BACKBONE, factory, *TARGET)
        capabilities = factory.capabilities
        answering = {mode.needs for mode in MODES.values()}
        self.need(
            isinstance(capabilities, frozenset | set)
            and capabilities <= {*answering, "trains", "quantises", INT8}
            and capabilities & answering,
            defects.BAD_CAPABILITIES,
            repr(capabilities),
        )
        if "trains" in capabilities:
            there = getattr(factory, "trainee", Backbone.trainee) is not Backbone.trainee
            self.need(there, defects.BAD_CAPABILITIES, "it declares trains and does not implement trainee")
        check_declared(self, factory.TrainingOptions)
        self.read_options(factory.Options)

    def open(self) -> Backbone[Any]:
        """Make it twice, compare its identity before anything is loaded, and see which questions it takes."""
        try:
            backbone = self.make(self.defaults)
        except UserError:
            if self.requested[-1]:
                raise
            self.requested = (*self.requested[:-1], "auto")  # one without weights may refuse any other
            backbone = self.make(self.defaults)
        self.need_methods(defects.NO_BACKBONE, backbone, *METHODS)
        identity = self.attempt(defects.BAD_IDENTITY, backbone.identity, allowed=UserError)
        self.need(isinstance(identity, dict) and is_json(identity), defects.BAD_IDENTITY, repr(identity)[:300])
        self.stop_where_wrong()
        self.identity = _frozen(identity)
        again = _frozen(self.attempt(defects.BAD_IDENTITY, self.make(self.defaults).identity))
        self.need(again == self.identity, defects.BAD_IDENTITY, f"{self.identity} and, made again, {again}")
        [decode, *_] = decodes(self.factory.capabilities)
        self.questions, refusal = [], None
        for question in QUESTIONS:
            try:
                self.attempt(defects.FAILS, backbone.check, [question], decode, allowed=UserError)
                self.questions.append(question)
            except UserError as error:
                refusal = error
        if refusal and not self.questions:
            raise UserError(f"it takes none of the questions of this check: {describe(refusal)}")
        return backbone

    def make(self, options: Any, load: Load | None = None, dtype: str | None = None) -> Backbone[Any]:
        model, adapter, device, wanted = self.requested
        request = BackboneRequest(model, adapter, device, dtype or wanted or "float32", options, load)
        made: Backbone[Any] = self.attempt(defects.NO_BACKBONE, self.factory, request, allowed=UserError)
        return made

    def load_weights(self, backbone: Backbone[Any]) -> AnswerChecks:
        """Load it, and prepare images in several threads, as a run does."""
        self.attempt(defects.FAILS, backbone.load, allowed=UserError)
        after = _frozen(self.attempt(defects.BAD_IDENTITY, backbone.identity))
        self.need(after == self.identity, defects.BAD_IDENTITY, f"before load: {self.identity}, after it: {after}")
        with ThreadPoolExecutor(2) as pool:
            waiting = [pool.submit(backbone.prepare, [image], f"check/{i}") for i, image in enumerate(tiny_images())]
        prepared, refusal = [], None
        for future in waiting:
            try:
                prepared.append(future.result())
            except SampleError as error:
                refusal = error
            except Exception as error:
                self.fail(defects.OLD_PREPARE if _takes_no_sample(backbone, error) else defects.FAILS, describe(error))
        if len(prepared) < 2:
            raise UserError(f"it takes none of the drawn images: {describe(refusal or '')}")
        return AnswerChecks(backbone, self, prepared, self.questions)

    def quantised(self) -> None:
        """Ask for weights in 8 bits, unless its library is missing: identity() must say so."""
        self.says("load=8bit", load="8bit")

    def integers(self) -> None:
        """Ask for 8-bit arithmetic, unless this machine has none: identity() must say so."""
        if self.requested[-1] != INT8:
            self.says(f"dtype={INT8}", dtype=INT8)

    def says(self, what: str, **how: Any) -> None:
        """Make one that is known to differ; what it refuses is passed over."""
        try:
            made = self.make(self.defaults, **how)
        except UserError:
            return
        self.need(_frozen(made.identity()) != self.identity, defects.OUTSIDE_IDENTITY, what)

    def training(self) -> None:
        """Take what training needs of it: the names before it is loaded, a loss after that."""
        backbone = self.make(self.defaults)
        trainee = self.attempt(defects.BAD_TRAINEE, backbone.trainee, self.factory.TrainingOptions(), allowed=UserError)
        check_parts(self, trainee)
        backbone.load()
        prepared = [backbone.prepare([image], f"check/{i}") for i, image in enumerate(tiny_images(2))]
        check_loss(self, trainee, prepared, self.questions[0])

    def options(self) -> None:
        """Set each option to other values: identity() must change with the answers, and each must be read."""
        for name, changed in variations(self.defaults):
            try:
                options = changed()
                if _frozen(self.make(options).identity()) != self.identity:
                    continue
                before, after = self.usual_answers, self.answers(options)
            except (UserError, SampleError):  # a value that it refuses
                continue
            self.need(alike(before, after), defects.OUTSIDE_IDENTITY, f"{name!r}: {difference(before, after)}")
        check_read(self, self.defaults, self.use)

    def use(self, options: Any) -> None:
        """Do all that a run does, except for reading identity and details."""
        backbone = self.make(options)
        with TemporaryDirectory() as folder:
            for decode in decodes(self.factory.capabilities):
                backbone.check(self.questions, decode)
            backbone.remember(Path(folder) / "memory")
            self.answers(options)

    @cached_property
    def usual_answers(self) -> list[Reply]:
        """What it answers with the options that the user chose."""
        return self.answers(self.defaults)

    def answers(self, options: Any) -> list[Reply]:
        """Load it with these options, and ask."""
        backbone = self.make(options)
        self.attempt(defects.FAILS, backbone.load, allowed=UserError)
        prepared = [backbone.prepare([image], f"check/{i}") for i, image in enumerate(tiny_images())]
        viewing = backbone.look(prepared)
        replies: list[Reply] = []
        for decode in decodes(self.factory.capabilities):
            answers = self.attempt(defects.FAILS, viewing.ask, [self.questions[0]] * len(prepared), decode)
            replies += [(a.response, dict(a.scores or {})) if isinstance(a, Answer) else None for a in answers]
        return replies


def _takes_no_sample(backbone: Backbone[Any], error: Exception) -> bool:
    """Whether prepare raised because it does not take a sample's id."""
    if not isinstance(error, TypeError):
        return False
    try:
        backbone.prepare(tiny_images(1))
    except Exception:
        return False
    return True


def _frozen(value: Any) -> Any:
    """Return a copy that does not change with the original."""
    try:
        return json.loads(json.dumps(value, default=repr))
    except (TypeError, ValueError):
        return repr(value)
