"""Checks of a backbone: does it say what it is, and answer each question about each sample, and only that?"""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from coabench.backbone import Backbone, BackboneRequest
from coabench.decode import MODES
from coabench.dialogue import Answer
from coabench.errors import SampleError, UserError
from coabench.registry.options import distribute
from coabench.registry.registrations import Registration
from coabench.testing.backbone_answers import QUESTIONS, Asking, Said, alike, decodes, difference
from coabench.testing.backbone_training import check_lessons, check_parts
from coabench.testing.defects.backbones import (
    BAD_CAPABILITIES,
    BAD_IDENTITY,
    BAD_TRAINEE,
    FAILS,
    NO_BACKBONE,
    OLD_PREPARE,
    OUTSIDE_IDENTITY,
)
from coabench.testing.findings import Finding, Findings, Stop, describe, is_json, unchecked
from coabench.testing.options import check_declared, check_read, variations
from coabench.testing.pictures import tiny_images
from coabench.testing.targets import loaded, named


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
    subject = named("backbones", backbone)
    findings = Findings(f"backbone {subject.name!r}")
    return _Check(subject, findings, (model, adapter, device, dtype), assignments or {}, remote).all()


class _Check:
    def __init__(
        self,
        subject: Registration,
        findings: Findings,
        asked_for: tuple[str | None, str | None, str, str | None],
        assignments: dict[str, str],
        remote: bool,
    ) -> None:
        self.subject, self.findings, self.asked_for = subject, findings, asked_for
        self.assignments, self.remote = assignments, remote
        self.behaviours: dict[str, list[Said]] = {}

    def all(self) -> list[Finding]:
        name = self.subject.name
        try:
            self.target()
            backbone = self.open()
            if self.factory.remote and not self.remote:
                remedy = f"pass --backbone {name}:MODEL to allow it"
                return [*self.findings.all, unchecked(self.findings.subject, "it sends images away", remedy)]
            asking = self.load(backbone)
        except UserError as error:
            remedy = f"pass --backbone {name}:MODEL, and its options with --set"
            return [*self.findings.all, unchecked(self.findings.subject, error, remedy)]
        except Stop:
            return self.findings.all
        self.findings.run(asking.checks())
        del backbone, asking  # a large model is not held twice
        return self.findings.run([self.options, *([self.training] if "trains" in self.factory.capabilities else [])])

    def target(self) -> None:
        factory = self.factory = loaded(self.subject, self.findings)
        for name in ("capabilities", "remote", "presets", "Options", "TrainingOptions", "default_adapter"):
            self.findings.need(hasattr(factory, name), NO_BACKBONE, f"the target {factory!r} has no {name}")
        if self.findings.all:
            raise Stop
        capabilities = factory.capabilities
        answering = {mode.needs for mode in MODES.values()}
        self.findings.need(
            isinstance(capabilities, frozenset | set)
            and capabilities <= {*answering, "trains"}
            and capabilities & answering,
            BAD_CAPABILITIES,
            repr(capabilities),
        )
        if "trains" in capabilities:
            there = getattr(factory, "trainee", Backbone.trainee) is not Backbone.trainee
            self.findings.need(there, BAD_CAPABILITIES, "it declares trains and does not implement trainee")
        check_declared(self.findings, factory.Options)
        check_declared(self.findings, factory.TrainingOptions)
        if self.findings.all:
            raise Stop

    def open(self) -> Backbone[Any]:
        """Make it twice, compare its identity before anything is loaded, and see which questions it takes."""
        self.defaults = distribute(self.assignments, {"backbone": self.factory.Options})["backbone"]
        try:
            backbone = self.make(self.defaults)
        except UserError:
            if self.asked_for[-1]:
                raise
            self.asked_for = (*self.asked_for[:-1], "auto")  # one without weights may refuse any other
            backbone = self.make(self.defaults)
        for method in ("identity", "details", "remember", "check", "load", "prepare", "look"):
            self.findings.need(callable(getattr(backbone, method, None)), NO_BACKBONE, f"no method {method}")
        if self.findings.all:
            raise Stop
        identity = self.findings.attempt(BAD_IDENTITY, backbone.identity, allowed=UserError)
        if not isinstance(identity, dict) or not is_json(identity):
            self.findings.add(BAD_IDENTITY, repr(identity)[:300])
            raise Stop
        self.identity = _frozen(identity)
        again = _frozen(self.findings.attempt(BAD_IDENTITY, self.make(self.defaults).identity))
        self.findings.need(again == self.identity, BAD_IDENTITY, f"{self.identity} and, made again, {again}")
        [decode, *_] = decodes(self.factory.capabilities)
        self.questions, refusal = [], None
        for question in QUESTIONS:
            try:
                self.findings.attempt(FAILS, backbone.check, [question], decode, allowed=UserError)
                self.questions.append(question)
            except UserError as error:
                refusal = error
        if refusal and not self.questions:
            raise UserError(f"it takes none of the questions of this check: {describe(refusal)}")
        return backbone

    def make(self, options: Any) -> Backbone[Any]:
        model, adapter, device, dtype = self.asked_for
        request = BackboneRequest(model, adapter, device, dtype or "float32", options)
        made: Backbone[Any] = self.findings.attempt(NO_BACKBONE, self.factory, request, allowed=UserError)
        return made

    def load(self, backbone: Backbone[Any]) -> Asking:
        """Load it, and prepare images in several threads, as a run does."""
        self.findings.attempt(FAILS, backbone.load, allowed=UserError)
        after = _frozen(self.findings.attempt(BAD_IDENTITY, backbone.identity))
        self.findings.need(after == self.identity, BAD_IDENTITY, f"before load: {self.identity}, after it: {after}")
        with ThreadPoolExecutor(2) as pool:
            waiting = [pool.submit(backbone.prepare, [image], f"check/{i}") for i, image in enumerate(tiny_images())]
        prepared, refusal = [], None
        for future in waiting:
            try:
                prepared.append(future.result())
            except SampleError as error:
                refusal = error
            except Exception as error:
                self.findings.add(OLD_PREPARE if _takes_no_sample(backbone, error) else FAILS, describe(error))
                raise Stop from error
        if len(prepared) < 2:
            raise UserError(f"it takes none of the drawn images: {describe(refusal or '')}")
        return Asking(backbone, self.findings, prepared, self.questions)

    def training(self) -> None:
        """Take what training needs of it: the names before it is loaded, a loss after that."""
        backbone = self.make(self.defaults)
        trainee = self.findings.attempt(
            BAD_TRAINEE, backbone.trainee, self.factory.TrainingOptions(), allowed=UserError
        )
        check_parts(self.findings, trainee)
        backbone.load()
        prepared = [backbone.prepare([image], f"check/{i}") for i, image in enumerate(tiny_images(2))]
        check_lessons(self.findings, trainee, prepared, self.questions[0])

    def options(self) -> None:
        """Set each option to other values: identity() must change with the answers, and each must be read."""
        for name, changed in variations(self.defaults):
            try:
                options = changed()
                if self.described(options) != self.described(self.defaults):
                    continue
                before, after = self.behaviour(self.defaults), self.behaviour(options)
            except (UserError, SampleError):  # a value that it refuses
                continue
            self.findings.need(alike(before, after), OUTSIDE_IDENTITY, f"{name!r}: {difference(before, after)}")
        check_read(self.findings, self.defaults, self.use)

    def use(self, options: Any) -> None:
        """Do all that a run does, except for reading identity and details."""
        backbone = self.make(options)
        with TemporaryDirectory() as folder:
            for decode in decodes(self.factory.capabilities):
                backbone.check(self.questions, decode)
            backbone.remember(Path(folder) / "memory")
            self.answers(options)

    def described(self, options: Any) -> Any:
        """Return its identity with these options."""
        return _frozen(self.make(options).identity())

    def behaviour(self, options: Any) -> list[Said]:
        """Return what it answers with these options."""
        if repr(options) not in self.behaviours:
            self.behaviours[repr(options)] = self.answers(options)
        return self.behaviours[repr(options)]

    def answers(self, options: Any) -> list[Said]:
        backbone = self.make(options)
        self.findings.attempt(FAILS, backbone.load, allowed=UserError)
        prepared = [backbone.prepare([image], f"check/{i}") for i, image in enumerate(tiny_images())]
        viewing = backbone.look(prepared)
        said: list[Said] = []
        for decode in decodes(self.factory.capabilities):
            answers = self.findings.attempt(FAILS, viewing.ask, [self.questions[0]] * len(prepared), decode)
            said += [(a.response, dict(a.scores or {})) if isinstance(a, Answer) else None for a in answers]
        return said


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
