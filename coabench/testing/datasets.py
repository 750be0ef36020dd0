"""Checks of a data set: the same samples in the same order, everywhere, with ids and labels that can be trusted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from coabench.dataset import Card, Check, Dataset, Sample
from coabench.errors import CoabenchError, SampleError, UserError
from coabench.inference.loading import read_image
from coabench.registry.loader import get_plugins
from coabench.registry.options import distribute
from coabench.registry.registrations import Registration
from coabench.testing.defects.datasets import (
    BAD_CARD,
    BAD_ID,
    BAD_IDENTITY,
    BAD_SAMPLE,
    BAD_TARGET,
    COLLIDING_IDS,
    FAILS,
    NO_DATASET,
    OUTSIDE_IDENTITY,
    UNKNOWN_SPLIT,
    UNREADABLE,
    UNSTABLE_FINGERPRINT,
    UNSTABLE_ORDER,
    VERIFY_COMPLAINS,
    VERIFY_RAISES,
)
from coabench.testing.findings import Finding, Findings, Stop, describe, is_json, unchecked
from coabench.testing.options import check_declared, check_read, variations
from coabench.testing.targets import detail_of, loaded, named

READ = 6
"""How many images of each split are read, from its beginning and from its end."""


def check(
    dataset: str | Registration | Callable[..., Dataset],
    root: Path | None = None,
    *,
    card: Path | None = None,
    assignments: Mapping[str, str] | None = None,
) -> list[Finding]:
    """Check a data set and return what is wrong with it.

    Args:
        dataset: the name it is registered under, its registration, or the target itself.
        root: ``--data-root``; one that needs it is otherwise only offered an empty folder.
        card: the card; the registered one where it is None.
        assignments: ``--set`` options.
    """
    subject = named("datasets", dataset)
    findings = Findings(f"data set {subject.name!r}")
    return _Check(subject, findings, root, card or detail_of(subject, "card"), dict(assignments or {})).all()


class _Check:
    def __init__(
        self,
        subject: Registration,
        findings: Findings,
        root: Path | None,
        card: Path | str | None,
        assignments: dict[str, str],
    ) -> None:
        self.subject, self.findings, self.root, self.card_file, self.assignments = (
            subject,
            findings,
            root,
            card,
            assignments,
        )

    def all(self) -> list[Finding]:
        try:
            self.target()
            self.empty_folder()
            if self.factory.needs_root and self.root is None:
                return [
                    *self.findings.all,
                    unchecked(self.findings.subject, "it needs its files", "pass --data-root DIR"),
                ]
            self.dataset = self.make(self.defaults)
            self.splits = self.read_splits()
        except UserError as error:
            remedy = error.remedy or "pass --data-root DIR and options with --set"
            return [*self.findings.all, unchecked(self.findings.subject, error, remedy)]
        except Stop:
            return self.findings.all
        return self.findings.run(
            [self.unknown_split, self.samples, self.order, self.other_process, self.images, self.fingerprint,
             self.verify, self.identity, self.options]
        )  # fmt: skip

    def target(self) -> None:
        factory = self.factory = loaded(self.subject, self.findings)
        for name in ("needs_root", "Options"):
            self.findings.need(hasattr(factory, name), NO_DATASET, f"the target {factory!r} has no {name}")
        if self.findings.all:
            raise Stop
        check_declared(self.findings, factory.Options)
        if self.findings.all:
            raise Stop
        if self.card_file is None:
            raise UserError("it is a loader without a data set of its own", remedy="pass a card that names it")
        try:
            self.card = Card.read(Path(self.card_file))
        except UserError as error:
            self.findings.add(BAD_CARD, describe(error))
            raise Stop from error
        if self.subject.plugin:
            named = self.card.name == self.subject.name and self.loads(self.card.loader)
            self.findings.need(named, BAD_CARD, f"name is {self.card.name!r}, loader {self.card.loader!r}")
        self.defaults = distribute(self.assignments, {"dataset": factory.Options})["dataset"]

    def loads(self, loader: str) -> bool:
        """Whether the card's loader is this registration, or another one of the same target."""
        known = get_plugins().datasets.get(loader)
        return loader == self.subject.name or (known is not None and known.target == self.subject.target)

    def make(self, options: Any, root: Path | None = None) -> Dataset:
        made: Dataset = self.findings.attempt(
            FAILS, self.factory, self.card, root or self.root, options, allowed=CoabenchError
        )
        return made

    def empty_folder(self) -> None:
        """Nothing there is a user's mistake, and reported as one."""
        with TemporaryDirectory() as folder:
            try:
                dataset = self.make(self.defaults, Path(folder))
                self.findings.attempt(FAILS, dataset.samples, self.card.splits[0], allowed=UserError)
                self.findings.attempt(VERIFY_RAISES, dataset.verify, allowed=UserError)
            except UserError:
                return
            except Stop:
                return

    def read_splits(self) -> dict[str, Sequence[Sample]]:
        """Return the samples of every split that is there; the first one must be."""
        for method in ("samples", "verify", "fingerprint", "identity", "notes"):
            self.findings.need(callable(getattr(self.dataset, method, None)), NO_DATASET, f"no method {method}")
        card = getattr(self.dataset, "card", None)
        self.findings.need(isinstance(card, Card), NO_DATASET, f"card = {card!r}")
        if any(finding.defect is NO_DATASET for finding in self.findings.all):
            raise Stop
        splits = {}
        for split in self.card.splits:
            try:
                splits[split] = self.findings.attempt(FAILS, self.dataset.samples, split, allowed=UserError)
            except UserError:
                if split == self.card.splits[0]:
                    raise
        for split, samples in splits.items():
            if not isinstance(samples, Sequence) or not all(isinstance(sample, Sample) for sample in samples):
                self.findings.add(BAD_SAMPLE, f"samples({split!r}) is no list of Sample: {samples!r}"[:200])
                raise Stop
        return splits

    def unknown_split(self) -> None:
        try:
            samples = self.dataset.samples("no-such-split")
        except UserError:
            return
        except Exception as error:
            self.findings.add(UNKNOWN_SPLIT, describe(error))
        else:
            self.findings.add(UNKNOWN_SPLIT, f"it returns {len(samples)} samples for 'no-such-split'")

    def samples(self) -> None:
        seen: dict[str, str] = {}
        names = self.card.space.names
        for split, samples in self.splits.items():
            for sample in samples:
                where = f"{sample.id!r} in {split}"
                self.findings.need(sample.id not in seen, COLLIDING_IDS, f"{where} and in {seen.get(sample.id)}")
                seen[sample.id] = split
                namespaced = str(sample.id).startswith(f"{self.card.name}/")
                self.findings.need(namespaced, BAD_ID, f"{where}; expected {self.card.name}/…")
                self.findings.need(sample.target in names, BAD_TARGET, f"{sample.target!r} of {where}")
                self.findings.need(sample.split == split, BAD_SAMPLE, f"{where} says split {sample.split!r}")
                self.findings.need(
                    is_json(dict(sample.attributes)), BAD_SAMPLE, f"attributes of {where}: {sample.attributes}"
                )
                for what in ("name", "read", "size"):
                    self.findings.need(hasattr(sample.image, what), BAD_SAMPLE, f"the image of {where} has no {what}")

    def order(self) -> None:
        """Ask again, and ask another one of its kind."""
        once = listed(self.splits)
        for dataset in (self.dataset, self.make(self.defaults)):
            again = listed({split: self.findings.attempt(FAILS, dataset.samples, split) for split in self.splits})
            self.findings.need(again == once, UNSTABLE_ORDER, _first_difference(once, again))

    def other_process(self) -> None:
        """Ask in a process with other hashes, in which folders are listed in another order."""
        if not self.subject.target:
            return
        seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
        request = {
            "target": self.subject.target, "card": str(self.card_file), "root": str(self.root) if self.root else None,
            "assignments": self.assignments, "splits": list(self.splits),
        }  # fmt: skip
        code = f"import sys; sys.path[:] = {sys.path!r}\nfrom coabench.testing.other_process import main; main()"
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        result = subprocess.run(
            [sys.executable, "-c", code], input=json.dumps(request), capture_output=True, text=True, check=False,
            env=environment,
        )  # fmt: skip
        if result.returncode != 0:
            self.findings.add(FAILS, f"in another process: {result.stderr.strip().splitlines()[-1:]}")
            return
        theirs = json.loads(result.stdout.splitlines()[-1])
        once = listed(self.splits)
        self.findings.need(theirs == once, UNSTABLE_ORDER, f"in another process: {_first_difference(once, theirs)}")

    def images(self) -> None:
        for samples in self.splits.values():
            for sample in [*samples[:READ], *samples[READ:][-READ:]]:
                try:
                    read_image(sample.image)
                    data = sample.image.read()
                except (SampleError, OSError) as error:
                    self.findings.add(UNREADABLE, f"{sample.id!r}: {describe(error)}")
                    continue
                except Exception as error:
                    self.findings.add(UNREADABLE, f"{sample.id!r}: {describe(error)}, which is no OSError")
                    continue
                self.findings.need(
                    data == sample.image.read(), UNREADABLE, f"{sample.id!r}: other bytes the second time"
                )
                size = sample.image.size()
                self.findings.need(size == len(data), UNREADABLE, f"{sample.id!r}: size() is {size}, bytes {len(data)}")

    def fingerprint(self) -> None:
        for split in self.splits:
            once = self.findings.attempt(UNSTABLE_FINGERPRINT, self.dataset.fingerprint, split)
            again = self.findings.attempt(UNSTABLE_FINGERPRINT, self.dataset.fingerprint, split)
            another = self.findings.attempt(UNSTABLE_FINGERPRINT, self.make(self.defaults).fingerprint, split)
            self.findings.need(once == again == another, UNSTABLE_FINGERPRINT, f"{once}, {again} and {another}")

    def verify(self) -> None:
        checks = self.findings.attempt(VERIFY_RAISES, self.dataset.verify)
        if not isinstance(checks, list) or not all(isinstance(check, Check) for check in checks):
            self.findings.add(VERIFY_RAISES, repr(checks)[:200])
            return
        levels = {check.level for check in checks}
        self.findings.need(levels <= {"ok", "warning", "error"}, VERIFY_RAISES, f"levels {sorted(levels)}")
        errors = [check.text for check in checks if check.level == "error"]
        self.findings.need(not errors, VERIFY_COMPLAINS, "; ".join(errors))

    def identity(self) -> None:
        identity = self.findings.attempt(BAD_IDENTITY, self.dataset.identity)
        self.findings.need(isinstance(identity, dict) and is_json(identity), BAD_IDENTITY, repr(identity)[:200])
        notes = self.findings.attempt(FAILS, self.dataset.notes)
        texts = isinstance(notes, list | tuple) and all(isinstance(note, str) for note in notes)
        self.findings.need(texts, FAILS, f"notes() is no list of texts: {notes!r}")

    def options(self) -> None:
        """Set each option to other values: what is recorded must change with the samples, and each must be read."""
        for name, changed in variations(self.defaults):
            try:
                options = changed()
                other = self.shown(options) != self.shown(self.defaults)
                recorded = self.described(options) != self.described(self.defaults)
            except UserError:  # a value that it refuses
                continue
            self.findings.need(recorded or not other, OUTSIDE_IDENTITY, repr(name))

        def use(options: Any) -> None:
            self.shown(options)
            self.make(options).verify()

        check_read(self.findings, self.defaults, use)

    def described(self, options: Any) -> Any:
        """Return what a manifest says of the data set with these options."""
        dataset = self.make(options)
        return dict(dataset.identity()), [dataset.fingerprint(split) for split in self.splits]

    def shown(self, options: Any) -> Any:
        """Return what is seen of the data set with these options."""
        dataset = self.make(options)
        parts = []
        for split in self.splits:
            samples = dataset.samples(split)
            parts += [(s.id, s.target) for s in samples]
            parts += [(s.id, _digest(s)) for s in [*samples[:READ], *samples[READ:][-READ:]]]
        return parts, list(dataset.notes())


def _digest(sample: Sample) -> str:
    try:
        return sha256(sample.image.read()).hexdigest()
    except OSError:
        return "unreadable"


def listed(splits: Mapping[str, Sequence[Sample]]) -> dict[str, list[list[str]]]:
    """Return split -> [id, image, target] of every sample, in order."""
    return {split: [[str(s.id), s.image.name, str(s.target)] for s in samples] for split, samples in splits.items()}


def _first_difference(one: dict[str, list[list[str]]], other: dict[str, list[list[str]]]) -> str:
    for split, samples in one.items():
        if len(samples) != len(other[split]):
            return f"{split} has {len(samples)} samples, and then {len(other[split])}"
        for position, (a, b) in enumerate(zip(samples, other[split], strict=True)):
            if a != b:
                return f"{split}, position {position}: {a[0]!r} ({a[2]}), and then {b[0]!r} ({b[2]})"
    return ""
