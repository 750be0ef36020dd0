"""Defects of data sets, planted, are named; data sets that ship have none."""

from __future__ import annotations

import io
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from support.planted import assert_named

from coabench.dataset import Check, Dataset, Sample
from coabench.errors import UserError
from coabench.registry.loader import get_plugins
from coabench.registry.registrations import Registration
from coabench.testing.datasets import check
from coabench.testing.pictures import draw_face
from coabench.testing.runs import registered, tiny_run
from coabench.testing.spaces import CARDS

CARD = CARDS["testing-basic"]


@dataclass(frozen=True)
class Drawing:
    name: str
    shade: int = 0

    def read(self) -> bytes:
        file = io.BytesIO()
        draw_face("Neutral", self.shade).save(file, "PNG")
        return file.getvalue()

    def size(self) -> int:
        return len(self.read())


class Sound(Dataset):
    """Two drawings of each label in both splits."""

    needs_root = False

    @dataclass(frozen=True)
    class Options:
        each: int = 2
        mark: str = ""

    def __init__(self, card: Any, root: Path | None, options: Any) -> None:
        self.card, self.options = card, options

    def samples(self, split: str) -> Sequence[Sample]:
        if split not in self.card.splits:
            raise UserError(f"there is no split {split!r}", expected=", ".join(self.card.splits))
        return [
            Sample(f"{self.card.name}/{split}_{i:02}{self.options.mark}", Drawing(f"{split}_{i:02}", i), target, split)
            for i, target in enumerate(self.card.space.names * self.options.each)
        ]

    def identity(self) -> dict[str, Any]:
        return {"each": self.options.each}

    def verify(self) -> list[Check]:
        return [Check("ok", "drawn when they are needed")]


class Changed(Sound):
    """Changes every sample."""

    def change(self, sample: Sample) -> Sample:
        return sample

    def samples(self, split: str) -> Sequence[Sample]:
        return [self.change(sample) for sample in super().samples(split)]


class Shuffles(Sound):
    def samples(self, split: str) -> Sequence[Sample]:
        return random.sample(list(super().samples(split)), 14)


class Collides(Changed):
    def change(self, sample: Sample) -> Sample:
        return replace(sample, id=sample.id.replace("train", "test"))


class Bare(Changed):
    def change(self, sample: Sample) -> Sample:
        return replace(sample, id=sample.id.partition("/")[2])


class Codes(Changed):
    def change(self, sample: Sample) -> Sample:
        return replace(sample, target="1")


class OneSplit(Changed):
    def change(self, sample: Sample) -> Sample:
        return replace(sample, split="test")


class Paths(Changed):
    def change(self, sample: Sample) -> Sample:
        return replace(sample, attributes={"file": Path("a.png")})


class BareImages(Changed):
    def change(self, sample: Sample) -> Sample:
        return replace(sample, image=Path("a.png"))


class Dictionaries(Sound):
    def samples(self, split: str) -> Any:
        return [{"id": sample.id} for sample in super().samples(split)]


@dataclass(frozen=True)
class Torn(Drawing):
    def read(self) -> bytes:
        return super().read()[:60]


class TornImages(Changed):
    def change(self, sample: Sample) -> Sample:
        return replace(sample, image=Torn(sample.image.name))


@dataclass(frozen=True)
class Estimated(Drawing):
    def size(self) -> int:
        return 1000


class EstimatedSizes(Changed):
    def change(self, sample: Sample) -> Sample:
        return replace(sample, image=Estimated(sample.image.name))


class AnySplit(Sound):
    def samples(self, split: str) -> Sequence[Sample]:
        return super().samples(split) if split in self.card.splits else []


class CrashesOnSplits(Sound):
    def samples(self, split: str) -> Sequence[Sample]:
        return {"test": super().samples("test"), "train": super().samples("train")}[split]


class Random(Sound):
    def fingerprint(self, split: str) -> str:
        return f"{random.random()}"


class VerifyCrashes(Sound):
    def verify(self) -> list[Check]:
        raise KeyError("test")


class VerifyPrints(Sound):
    def verify(self) -> Any:
        return True


class Complains(Sound):
    def verify(self) -> list[Check]:
        return [Check("error", "two images are missing")]


class IdentityOfObjects(Sound):
    def identity(self) -> dict[str, Any]:
        return {"root": Path()}


class OutsideIdentity(Sound):
    """An option that changes pixels, and neither ids nor sizes, is seen by identity() alone."""

    @dataclass(frozen=True)
    class Options:
        darker: bool = False

    def samples(self, split: str) -> Sequence[Sample]:
        shade = 7 if self.options.darker else 0
        return (
            [
                Sample(f"{self.card.name}/{split}_{target}", Padded(target, shade), target, split)
                for target in self.card.space.names
            ]
            if split in self.card.splits
            else super().samples(split)
        )

    def identity(self) -> dict[str, Any]:
        return {}


@dataclass(frozen=True)
class Padded(Drawing):
    """An image file of a fixed size."""

    def read(self) -> bytes:
        return super().read().ljust(2000, b"\0")


class Ignores(Sound):
    @dataclass(frozen=True)
    class Options:
        each: int = 2
        mark: str = ""
        seed: int = 0


class Untyped(Sound):
    class Options:
        each = 2


class Relies(Sound):
    """Crashes where the folder is not what it expects."""

    def __init__(self, card: Any, root: Path | None, options: Any) -> None:
        super().__init__(card, root, options)
        if root is not None:
            (root / "labels.txt").read_text()


def _voted(votes: Any) -> type[Changed]:
    class Voted(Changed):
        def change(self, sample: Sample) -> Sample:
            return replace(sample, votes=votes)

    return Voted


PLANTED: list[tuple[Any, str, str]] = [
    (object, "no-dataset", "has no needs_root"),
    (Untyped, "unusable-options", "Options is"),
    (Shuffles, "unstable-order", "test, position "),
    (Collides, "colliding-ids", "'testing-basic/test_00' in train and in test"),
    (Bare, "id-not-namespaced", "expected testing-basic/…"),
    (Codes, "target-not-a-label", "'1' of 'testing-basic/test_00'"),
    (_voted({"Joy": 3}), "unusable-votes", "'testing-basic/test_00' in test: 'Joy' is no label"),
    (_voted({"Anger": -1}), "unusable-votes", "-1 votes for 'Anger'"),
    (_voted({"Anger": float("nan")}), "unusable-votes", "nan votes for 'Anger'"),
    (_voted({"Anger": True}), "unusable-votes", "True votes for 'Anger'"),
    (_voted({"Anger": 1e300}), "unusable-votes", "1e+300 votes for 'Anger'"),
    (_voted(None), "unusable-votes", "None is no mapping"),
    (OneSplit, "unusable-sample", "says split 'test'"),
    (Paths, "unusable-sample", "attributes of"),
    (BareImages, "unusable-sample", "has no read"),
    (Dictionaries, "unusable-sample", "no list of Sample"),
    (TornImages, "unreadable-image", "'testing-basic/test_00'"),
    (EstimatedSizes, "unreadable-image", "size() is 1000"),
    (AnySplit, "unknown-split", "it returns 0 samples"),
    (CrashesOnSplits, "unknown-split", "KeyError: 'no-such-split'"),
    (Random, "unstable-fingerprint", "0."),
    (VerifyCrashes, "verify-raises", "KeyError"),
    (VerifyPrints, "verify-raises", "True"),
    (Complains, "verify-complains", "two images are missing"),
    (IdentityOfObjects, "unusable-identity", "Path"),
    (OutsideIdentity, "option-outside-identity", "'darker'"),
    (Ignores, "ignored-option", "'seed' is never read"),
    (Relies, "fails", "FileNotFoundError"),
]


@pytest.mark.parametrize(("planted", "name", "seen"), PLANTED, ids=lambda value: getattr(value, "__name__", None))
def test_a_planted_defect_is_named(planted: Any, name: str, seen: str) -> None:
    assert_named(check(planted, card=CARD), name, seen)


FOLDER = """
from coabench.dataset import Check, Dataset, ImageFile, Sample
from coabench.errors import UserError


class Folder(Dataset):
    def __init__(self, card, root, options):
        self.card, self.root = card, root
        if not (root / "test").is_dir():
            raise UserError("nothing there")

    def files(self, split):
        return ORDER

    def samples(self, split):
        if split not in self.card.splits:
            raise UserError("no such split")
        files = self.files(split)
        name = self.card.name
        return [Sample(f"{name}/{split}/{f.name}", ImageFile(f.parent, f.name), f.stem[:-1], split) for f in files]

    def verify(self):
        return []
"""


@pytest.mark.process
@pytest.mark.parametrize(
    ("order", "sound"),
    [
        ("sorted((self.root / split).glob('*.png'))", True),
        ("(self.root / split).glob('*.png')", False),
        ("(self.root / split).iterdir()", False),
        ("{f.name: f for f in sorted((self.root / split).iterdir())}.values()", True),
        ("sorted(sorted((self.root / split).iterdir()), key=lambda f: hash(f.name))", False),
    ],
)
def test_an_order_that_holds_on_this_machine_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: str, sound: bool
) -> None:
    """It is asked for in another process, with other hashes and folders listed the other way round."""
    for split in ("test", "train"):
        (tmp_path / split).mkdir()
        for emotion in ("Anger", "Fear", "Sadness", "Disgust"):
            for person in range(4):  # sixteen names are not ordered alike by two hashes
                draw_face(emotion).save(tmp_path / split / f"{emotion}{person}.png")
    module = f"planted_{abs(hash(order))}"
    (tmp_path / f"{module}.py").write_text(FOLDER.replace("ORDER", order))
    monkeypatch.syspath_prepend(tmp_path)
    subject = Registration("folder", f"{module}:Folder", "", "", details={"card": CARD})
    findings = check(subject, tmp_path)
    if sound:
        assert [str(finding) for finding in findings] == []
    else:
        assert_named(findings, "unstable-order", "in another process: test, position ")


class Gated(Sound):
    """One option depends on another, and one is refused below 1."""

    @dataclass(frozen=True)
    class Options:
        shift: bool = False
        by: int = 3
        each: int = 1

    def __init__(self, card: Any, root: Path | None, options: Any) -> None:
        if options.each < 1:
            raise UserError("each is at least 1")
        super().__init__(card, root, options)

    def samples(self, split: str) -> Sequence[Sample]:
        if split not in self.card.splits:
            raise UserError("no such split")
        by = self.options.by if self.options.shift else 0
        return [
            Sample(f"{self.card.name}/{split}_{target}", Drawing(target, by), target, split)
            for target in self.card.space.names
        ]

    def identity(self) -> dict[str, Any]:
        return {"by": self.options.by if self.options.shift else 0, "each": self.options.each}


def test_an_option_that_depends_on_another_is_not_ignored() -> None:
    assert [str(finding) for finding in check(Gated, card=CARD)] == []


def test_a_card_that_is_another_ones(tmp_path: Path) -> None:
    assert_named(check(Registration("mine", "m:a", "p", "1"), card=CARD), "not-importable")
    (tmp_path / "card.yaml").write_text("schema: 1\nname: mine\n")
    assert_named(check(Sound, card=tmp_path / "card.yaml"), "unusable-card", "'labels' is missing")
    registration = Registration("mine", "coabench.testing.pictures:Pictures", "p", "1", details={"card": CARD})
    assert_named(check(registration), "unusable-card", "name is 'testing-basic'")


@pytest.mark.process
@pytest.mark.parametrize("name", list(get_plugins().datasets))
def test_data_sets_that_ship_conform(name: str) -> None:
    """As far as they can be looked at without their files."""
    findings = check(name)
    assert [str(finding) for finding in findings if finding.defect.level != "unchecked"] == []
    assert findings == [] or not name.startswith("synthface")


@pytest.mark.process
def test_raf_db_conforms(tmp_path: Path) -> None:
    from support.rafdb_tree import make_rafdb

    make_rafdb(tmp_path)
    counts_differ = {"verify-complains"}
    for name in ("raf-db-basic", "raf-db-compound"):
        assert {f.defect.name for f in check(name, tmp_path)} <= counts_differ
        [finding] = check(name)
        assert (finding.defect.level, finding.evidence) == ("unchecked", "it needs its files")


def test_a_sound_data_set_has_no_finding() -> None:
    assert [str(finding) for finding in check(Sound, card=CARD)] == []


def test_a_run_with_unusable_votes_is_refused_before_it_begins(tmp_path: Path) -> None:
    with registered("datasets", "voted", _voted({"Joy": 3}), card=CARD), pytest.raises(UserError) as error:
        tiny_run(tmp_path / "run", dataset="voted")
    assert "'Joy' is no label" in str(error.value)
    assert not (tmp_path / "run").exists()
