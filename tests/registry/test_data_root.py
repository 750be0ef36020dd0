"""What may be a data root, by one rule for evaluate, datasets verify and plugins check."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import pytest
from PIL import Image

from coabench.dataset import Card, Check, Dataset, Sample
from coabench.errors import UserError
from coabench.evaluation.job import evaluate
from coabench.evaluation.plan import Evaluation
from coabench.registry.catalog import find_dataset
from coabench.support.image_checks import verify
from coabench.testing.datasets import check
from coabench.testing.runs import registered
from coabench.testing.spaces import CARDS

CARD = CARDS["testing-basic"]


class Zipped(Dataset):
    """Pictures named ``SPLIT/LABEL.png`` in a ZIP archive."""

    root_files: Sequence[str] = (".zip",)

    def __init__(self, card: Card, root: Path | None, options: Any) -> None:
        self.card, self.root = card, root
        assert root is not None
        try:
            self.zip = ZipFile(root)
        except (OSError, BadZipFile) as error:
            raise UserError(f"{root} is no ZIP archive", found=str(error), remedy="correct --data-root") from None

    def samples(self, split: str) -> Sequence[Sample]:
        self.card.check_split(split)
        names = [name for name in sorted(self.zip.namelist()) if name.startswith(f"{split}/")]
        return [Sample(f"{self.card.name}/{name}", Member(self.zip, name), Path(name).stem, split) for name in names]

    def verify(self) -> list[Check]:
        return [Check("ok", "labels: read")]


class Member:
    def __init__(self, archive: ZipFile, name: str) -> None:
        self.archive, self.name = archive, name

    def read(self) -> bytes:
        return self.archive.read(self.name)

    def size(self) -> int:
        return self.archive.getinfo(self.name).file_size


class Crashing(Zipped):
    def __init__(self, card: Card, root: Path | None, options: Any) -> None:
        self.card = card
        assert root is not None
        if not root.is_dir():
            ZipFile(root)
        raise UserError("nothing there")


class Misspelt(Zipped):
    root_files = ".zip"


class Folders(Zipped):
    root_files = ()


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    with ZipFile(tmp_path / "faces.zip", "w") as archive:
        card = Card.read(CARD)
        for split in card.splits:
            for shade, label in enumerate(card.space.names):
                file = io.BytesIO()
                Image.new("RGB", (40, 40), (20 * shade, 99, len(split))).save(file, "PNG")
                archive.writestr(f"{split}/{label}.png", file.getvalue())
    return tmp_path / "faces.zip"


def found(factory: type[Dataset], root: Path) -> list[str]:
    return [f"{finding.defect.name}: {finding.evidence}" for finding in check(factory, root, card=CARD)]


def test_a_loader_that_needs_a_data_root_and_takes_files_gets_one_from_every_command(
    archive: Path, tmp_path: Path
) -> None:
    with registered("datasets", "testing-basic", Zipped, card=str(CARD)):
        done = evaluate(Evaluation("tiny", "direct", "testing-basic", data_root=archive, output=tmp_path / "run"))
        assert done.metrics["samples"] == len(Card.read(CARD).space.names)
        checks = verify(find_dataset("testing-basic").open(archive)).checks  # as `datasets verify` does
        assert not [each for each in checks if each.level == "error"]
    assert found(Zipped, archive) == []


@pytest.mark.parametrize(
    ("factory", "name", "words"),
    [
        (Folders, "faces.zip", r"faces\.zip is no folder\n(?s:.*)unpack it if it is an archive"),
        (Zipped, "nowhere.zip", r"is no folder and no file\n(?s:.*)or a file \(\.zip\)\n(?s:.*)nothing there"),
        (Zipped, "note.txt", r"note\.txt is no ZIP archive"),
        (Zipped, None, r"needs --data-root\n(?s:.*)or a file \(\.zip\)"),
    ],
)
def test_another_data_root_is_refused_in_the_words_of_the_rule(
    factory: type[Dataset], name: str | None, words: str, archive: Path, tmp_path: Path
) -> None:
    (tmp_path / "note.txt").write_text("no archive")
    root = None if name is None else tmp_path / name
    with registered("datasets", "testing-basic", factory, card=str(CARD)), pytest.raises(UserError, match=words):
        evaluate(Evaluation("tiny", "direct", "testing-basic", data_root=root, output=tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_the_conformance_suite_applies_the_rule_and_offers_a_file_that_is_none(archive: Path, tmp_path: Path) -> None:
    (refused,) = found(Folders, archive)
    assert "unchecked" in refused
    assert "is no folder" in refused
    (crashed,) = [line for line in found(Crashing, tmp_path) if line.startswith("fails")]
    assert "BadZipFile" in crashed
    assert any("root_files = '.zip'" in line for line in found(Misspelt, archive))
