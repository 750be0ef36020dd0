"""Checks of a data set: the same samples in the same order, everywhere, with ids and labels that can be trusted."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from coabench.base.isolation import call_in_process
from coabench.dataset import Card, Dataset, Sample, invalid_votes, votes_digest
from coabench.dataset import Check as FileCheck
from coabench.errors import CoabenchError, SampleError, UserError
from coabench.inference.loading import read_image
from coabench.registry.data_root import check_root
from coabench.registry.loader import get_plugins
from coabench.registry.options import distribute
from coabench.registry.registrations import Registration
from coabench.testing.check import Check, Checks
from coabench.testing.defects import datasets as defects
from coabench.testing.findings import Finding, Stop, describe, is_json
from coabench.testing.options import check_read, variations
from coabench.testing.other_process import list_folders_backwards

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
    return _Checks(dataset, assignments, root, card).result()


class _Checks(Checks):
    kind, part, remedy = "datasets", "dataset", "pass --data-root DIR and options with --set"

    def __init__(self, what: Any, assignments: Mapping[str, str] | None, root: Path | None, card: Path | None) -> None:
        super().__init__(what, assignments)
        self.root, self.card_file = root, card or self.detail("card")

    def checks(self) -> Iterator[Check]:
        self.factory = self.load()
        self.need_attributes(defects.NO_DATASET, self.factory, "needs_root", "Options")
        self.read_options(self.factory.Options)
        self.card = self.read_card()
        self.nothing_there()
        if self.factory.needs_root and self.root is None:
            raise UserError("it needs its files", remedy="pass --data-root DIR")
        check_root(self.factory, self.card, self.root)
        self.dataset = self.make(self.defaults)
        self.splits = self.read_splits()
        yield from (
            self.unknown_split, self.samples, self.order, self.other_process, self.images, self.fingerprint,
            self.verify, self.identity, self.options,
        )  # fmt: skip

    def read_card(self) -> Card:
        """Return the card, which of a registered data set must name it."""
        if self.card_file is None:
            raise UserError("it is a loader without a data set of its own", remedy="pass a card that names it")
        try:
            card = Card.read(Path(self.card_file))
        except UserError as error:
            self.fail(defects.BAD_CARD, describe(error))
        if self.registration.plugin:
            named = card.name == self.registration.name and self.loads(card.loader)
            self.need(named, defects.BAD_CARD, f"name is {card.name!r}, loader {card.loader!r}")
        return card

    def loads(self, loader: str) -> bool:
        """Whether the card's loader is this registration, or another one of the same target."""
        known = get_plugins().datasets.get(loader)
        return loader == self.registration.name or (known is not None and known.target == self.registration.target)

    def make(self, options: Any, root: Path | None = None) -> Dataset:
        made: Dataset = self.attempt(
            defects.FAILS, self.factory, self.card, root or self.root, options, allowed=CoabenchError
        )
        return made

    def nothing_there(self) -> None:
        """Nothing there, or for a loader that takes files another one, is a user's mistake, and reported as one."""
        with TemporaryDirectory() as folder:
            empty = Path(folder, "empty")
            empty.mkdir()
            self.refuses_or_serves(empty)
            kinds = getattr(self.factory, "root_files", ())
            texts = not isinstance(kinds, str) and all(isinstance(kind, str) for kind in kinds)
            self.need(texts, defects.NO_DATASET, f"root_files = {kinds!r} is no list of texts")
            if kinds:
                file = Path(folder, "file")
                file.write_bytes(b"no data set")
                self.refuses_or_serves(file)

    def refuses_or_serves(self, root: Path) -> None:
        try:
            dataset = self.make(self.defaults, root)
            self.attempt(defects.FAILS, dataset.samples, self.card.splits[0], allowed=UserError)
            self.attempt(defects.VERIFY_RAISES, dataset.verify, allowed=UserError)
        except (UserError, Stop):
            return

    def read_splits(self) -> dict[str, Sequence[Sample]]:
        """Return the samples of every split that is there; the first one must be."""
        self.need_methods(defects.NO_DATASET, self.dataset, "samples", "verify", "fingerprint", "identity", "notes")
        card = getattr(self.dataset, "card", None)
        if not isinstance(card, Card):
            self.fail(defects.NO_DATASET, f"card = {card!r}")
        splits = {}
        for split in self.card.splits:
            try:
                splits[split] = self.attempt(defects.FAILS, self.dataset.samples, split, allowed=UserError)
            except UserError:
                if split == self.card.splits[0]:
                    raise
        for split, samples in splits.items():
            if not isinstance(samples, Sequence) or not all(isinstance(sample, Sample) for sample in samples):
                self.fail(defects.BAD_SAMPLE, f"samples({split!r}) is no list of Sample: {samples!r}"[:200])
        return splits

    def unknown_split(self) -> None:
        try:
            samples = self.dataset.samples("no-such-split")
        except UserError:
            return
        except Exception as error:
            self.add(defects.UNKNOWN_SPLIT, describe(error))
        else:
            self.add(defects.UNKNOWN_SPLIT, f"it returns {len(samples)} samples for 'no-such-split'")

    def samples(self) -> None:
        seen: dict[str, str] = {}
        names = self.card.space.names
        for split, samples in self.splits.items():
            for sample in samples:
                where = f"{sample.id!r} in {split}"
                self.need(sample.id not in seen, defects.COLLIDING_IDS, f"{where} and in {seen.get(sample.id)}")
                seen[sample.id] = split
                namespaced = str(sample.id).startswith(f"{self.card.name}/")
                self.need(namespaced, defects.BAD_ID, f"{where}; expected {self.card.name}/…")
                self.need(sample.target in names, defects.BAD_TARGET, f"{sample.target!r} of {where}")
                self.need(sample.split == split, defects.BAD_SAMPLE, f"{where} says split {sample.split!r}")
                self.need(
                    is_json(dict(sample.attributes)), defects.BAD_SAMPLE, f"attributes of {where}: {sample.attributes}"
                )
                votes = invalid_votes(sample.votes, names)
                self.need(votes is None, defects.BAD_VOTES, f"{where}: {votes}")
                for what in ("name", "read", "size"):
                    self.need(hasattr(sample.image, what), defects.BAD_SAMPLE, f"the image of {where} has no {what}")

    def order(self) -> None:
        """Ask again, and ask another one of its kind."""
        once = listed(self.splits)
        for dataset in (self.dataset, self.make(self.defaults)):
            again = listed({split: self.attempt(defects.FAILS, dataset.samples, split) for split in self.splits})
            self.need(again == once, defects.UNSTABLE_ORDER, _first_difference(once, again))

    def other_process(self) -> None:
        """Ask in a process with other hashes, in which folders are listed in another order."""
        if not self.registration.target:
            return
        root = str(self.root) if self.root else None
        arguments = self.registration.target, str(self.card_file), root, self.assignments, list(self.splits)
        seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
        try:
            again = call_in_process(list_samples, *arguments, PYTHONHASHSEED=seed)
        except RuntimeError as error:
            self.fail(defects.FAILS, f"in another process: {error}")
        once = listed(self.splits)
        difference = f"in another process: {_first_difference(once, again)}"
        self.need(again == once, defects.UNSTABLE_ORDER, difference)

    def images(self) -> None:
        for samples in self.splits.values():
            for sample in [*samples[:READ], *samples[READ:][-READ:]]:
                try:
                    read_image(sample.image)
                    data = sample.image.read()
                except (SampleError, OSError) as error:
                    self.add(defects.UNREADABLE, f"{sample.id!r}: {describe(error)}")
                    continue
                except Exception as error:
                    self.add(defects.UNREADABLE, f"{sample.id!r}: {describe(error)}, which is no OSError")
                    continue
                self.need(
                    data == sample.image.read(), defects.UNREADABLE, f"{sample.id!r}: other bytes the second time"
                )
                size = sample.image.size()
                self.need(size == len(data), defects.UNREADABLE, f"{sample.id!r}: size() is {size}, bytes {len(data)}")

    def fingerprint(self) -> None:
        for split in self.splits:
            once = self.attempt(defects.UNSTABLE_FINGERPRINT, self.dataset.fingerprint, split)
            again = self.attempt(defects.UNSTABLE_FINGERPRINT, self.dataset.fingerprint, split)
            another = self.attempt(defects.UNSTABLE_FINGERPRINT, self.make(self.defaults).fingerprint, split)
            self.need(once == again == another, defects.UNSTABLE_FINGERPRINT, f"{once}, {again} and {another}")

    def verify(self) -> None:
        checks = self.attempt(defects.VERIFY_RAISES, self.dataset.verify)
        if not isinstance(checks, list) or not all(isinstance(check, FileCheck) for check in checks):
            self.add(defects.VERIFY_RAISES, repr(checks)[:200])
            return
        levels = {check.level for check in checks}
        self.need(levels <= {"ok", "warning", "error"}, defects.VERIFY_RAISES, f"levels {sorted(levels)}")
        errors = [check.text for check in checks if check.level == "error"]
        self.need(not errors, defects.VERIFY_COMPLAINS, "; ".join(errors))

    def identity(self) -> None:
        identity = self.attempt(defects.BAD_IDENTITY, self.dataset.identity)
        self.need(isinstance(identity, dict) and is_json(identity), defects.BAD_IDENTITY, repr(identity)[:200])
        notes = self.attempt(defects.FAILS, self.dataset.notes)
        texts = isinstance(notes, list | tuple) and all(isinstance(note, str) for note in notes)
        self.need(texts, defects.FAILS, f"notes() is no list of texts: {notes!r}")

    def options(self) -> None:
        """Set each option to other values: what is recorded must change with the samples, and each must be read."""
        for name, changed in variations(self.defaults):
            try:
                options = changed()
                other = self.shown(options) != self.shown(self.defaults)
                recorded = self.described(options) != self.described(self.defaults)
            except UserError:  # a value that it refuses
                continue
            self.need(recorded or not other, defects.OUTSIDE_IDENTITY, repr(name))

        def use(options: Any) -> None:
            self.shown(options)
            self.make(options).verify()

        check_read(self, self.defaults, use)

    def described(self, options: Any) -> Any:
        """Return what a manifest says of the data set with these options."""
        dataset = self.make(options)
        votes = [votes_digest(dataset.samples(split)) for split in self.splits]
        return dict(dataset.identity()), [dataset.fingerprint(split) for split in self.splits], votes

    def shown(self, options: Any) -> Any:
        """Return what is seen of the data set with these options."""
        dataset = self.make(options)
        parts = []
        for split in self.splits:
            samples = dataset.samples(split)
            parts += [(s.id, f"{s.target} {s.votes}") for s in samples]
            parts += [(s.id, _digest(s)) for s in [*samples[:READ], *samples[READ:][-READ:]]]
        return parts, list(dataset.notes())


def _digest(sample: Sample) -> str:
    try:
        return sha256(sample.image.read()).hexdigest()
    except OSError:
        return "unreadable"


def listed(splits: Mapping[str, Sequence[Sample]]) -> dict[str, list[list[str]]]:
    """Return split -> [id, image, target, votes] of every sample, in order."""
    return {
        split: [[str(s.id), s.image.name, str(s.target), str(s.votes)] for s in samples]
        for split, samples in splits.items()
    }


def list_samples(
    target: str, card: str, root: str | None, assignments: dict[str, str], splits: list[str]
) -> dict[str, list[list[str]]]:
    """Return `listed` of a data set whose folders are listed backwards."""
    factory = Registration("", target, "", "").load()  # imports are over before folders turn round
    list_folders_backwards()
    options = distribute(assignments, {"dataset": factory.Options})["dataset"]
    dataset = factory(Card.read(Path(card)), Path(root) if root else None, options)
    return listed({split: dataset.samples(split) for split in splits})


def _first_difference(one: dict[str, list[list[str]]], other: dict[str, list[list[str]]]) -> str:
    for split, samples in one.items():
        if len(samples) != len(other[split]):
            return f"{split} has {len(samples)} samples, and then {len(other[split])}"
        for position, (a, b) in enumerate(zip(samples, other[split], strict=True)):
            if a != b:
                return f"{split}, position {position}: {a[0]!r} ({a[2]}), and then {b[0]!r} ({b[2]})"
    return ""
