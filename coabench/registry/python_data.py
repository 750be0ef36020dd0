"""A data set from Python: (image, label) pairs or a table in memory."""

from __future__ import annotations

import hashlib
import io
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from coabench.base.reading import user_path
from coabench.base.text import plural
from coabench.base.vocabulary import SUBJECT
from coabench.dataset import Card, Check, Dataset, ImageFile, ImageSource, Sample
from coabench.errors import UserError, with_type
from coabench.labels import LabelSpace
from coabench.registry.catalog import DatasetChoice, Unpackaged, find_labels, known_spaces
from coabench.registry.class_folders import label_of, matching_space
from coabench.registry.huggingface_data import RowImage, is_huggingface, row_images, row_labels, row_subjects
from coabench.support.images import UnreadableImage, plain
from coabench.support.memory_images import as_image, in_memory
from coabench.support.verification import check

if TYPE_CHECKING:
    from PIL.Image import Image

NAME = "pictures"
SPLIT = "test"
TAKEN = (
    "a data set's name, a card, a folder or archive; a list of (image, label), the image a path, a PIL image or a "
    "uint8 array; a DataFrame with the columns image and label; a torch Dataset of such pairs; or a datasets.Dataset"
)


@dataclass(frozen=True)
class MemoryImage:
    """A picture in memory, as 8-bit RGB."""

    name: str
    image: Image

    def read(self) -> bytes:
        """Return it as PNG."""
        file = io.BytesIO()
        self.image.save(file, "PNG", compress_level=1)
        return file.getvalue()

    def size(self) -> int:
        """Return the number of bytes of its pixels."""
        return self.image.width * self.image.height * 3

    def digest(self) -> str:
        """Return the SHA-256 of its pixels."""
        return hashlib.sha256(repr(self.image.size).encode() + self.image.tobytes()).hexdigest()


class PythonDataset(Dataset):
    """Samples that were handed over; a subclass holds them."""

    needs_root = False
    held: ClassVar[Sequence[Sample]] = ()
    said: ClassVar[Sequence[str]] = ()

    def __init__(self, card: Card, root: Path | None, options: Dataset.Options) -> None:
        self.card = card

    def samples(self, split: str) -> Sequence[Sample]:
        self.card.check_split(split)
        return self.held

    def notes(self) -> Sequence[str]:
        return self.said

    def verify(self) -> list[Check]:
        return [check("ok", f"{self.card.splits[0]}: {plural(len(self.held), 'image')}")]

    def fingerprint(self, split: str) -> str:
        """Return the SHA-256 over id, target, name and size of every image; over what those hold that are no files."""
        digest = hashlib.sha256()
        for sample in self.samples(split):
            image = sample.image
            held = image.digest() if isinstance(image, MemoryImage | RowImage) else None
            digest.update(json.dumps([sample.id, sample.target, image.name, image.size(), held]).encode() + b"\n")
        return digest.hexdigest()


def chosen_dataset(data: Any, labels: str | None, split: str = SPLIT) -> str | DatasetChoice:
    """Return the name or path of a data set as text, or the data set that was handed over; see `from_python`."""
    if not isinstance(data, str | PathLike):
        return from_python(data, labels, split)
    if labels is not None:
        raise UserError(
            "labels says whose the labels of pictures from Python are", expected="a list or a DataFrame as dataset",
            found=f"dataset={fspath(data)!r}, which has its own", remedy="leave it out",
        )  # fmt: skip
    return fspath(data)


def from_python(data: Any, labels: str | None, split: str = SPLIT) -> DatasetChoice:
    """Return the data set of (image, label) pairs, of a DataFrame, or of a `datasets.Dataset`.

    Args:
        labels: a data set or card whose labels these are; None for the first label space that knows all of them.
        split: what the samples are taken as.

    Raises:
        UserError: something else, an image of another kind, or a label that is none of the space.
    """
    rows = list(_rows(data))
    if not rows:
        raise UserError("dataset has no samples", expected=TAKEN, remedy="pass some")
    if all(row.image.size() < 0 for row in rows):
        raise UserError(
            f"not one image of the dataset is there, of {len(rows):,}",
            expected=f"{rows[0].image.name}, and so on",
            remedy="correct the paths; they are relative to the working directory",
        )
    texts = sorted({row.label for row in rows})
    remedy = "correct the labels, or pass labels='raf-db-basic' or a card"
    spaces = [find_labels(labels)] if labels is not None else known_spaces()
    space = matching_space("dataset", "labels", texts, spaces, remedy)
    held = tuple(row.sample(position, space, split, len(str(len(rows)))) for position, row in enumerate(rows))
    card = Card(NAME, space, "python", (split,), title="From Python")
    guessed = () if labels else (f"the labels are those of {space.name}, the first label space that has all of them",)
    factory = type("Held", (PythonDataset,), {"held": held, "said": guessed})
    return DatasetChoice(card, Unpackaged(NAME, "", "python", "", thing=factory))


@dataclass(frozen=True)
class _Row:
    image: ImageSource
    label: str
    subject: str | None = None

    def sample(self, position: int, space: LabelSpace, split: str, width: int) -> Sample:
        target = label_of(self.label, space)
        assert target is not None  # the space was chosen so
        attributes = {} if self.subject is None else {SUBJECT: self.subject}
        return Sample(f"{NAME}/{position:0{width}}", self.image, target, split, attributes)


def _rows(data: Any) -> Iterator[_Row]:
    if is_huggingface(data):
        yield from map(_Row, row_images(data), row_labels(data), row_subjects(data))
        return
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(data, pandas.DataFrame):
        absent = [name for name in ("image", "label") if name not in data.columns]
        if absent:
            raise UserError(
                f"dataset has no column {' and no column '.join(map(repr, absent))}",
                expected="the columns image and label; subject says who is on the image",
                found=", ".join(map(str, data.columns)) or "no columns",
                remedy="rename the columns: dataset.rename(columns={'file': 'image', 'emotion': 'label'})",
            )
        several = [name for name in ("image", "label", SUBJECT) if list(data.columns).count(name) > 1]
        if several:
            raise UserError(
                f"dataset has several columns {several[0]!r}", expected="one", found=", ".join(map(str, data.columns)),
                remedy="keep one of them: dataset.loc[:, ~dataset.columns.duplicated()]",
            )  # fmt: skip
        subjects = data[SUBJECT] if SUBJECT in data.columns else [None] * len(data)
        for position, (image, label, subject) in enumerate(zip(data["image"], data["label"], subjects, strict=True)):
            yield _row(position, image, label, None if pandas.isna(subject) is True else str(subject))
        return
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(data, torch.utils.data.Dataset) and not isinstance(data, Iterable):
        data = _of_torch(data)
    if not isinstance(data, Iterable) or isinstance(data, Mapping | bytes) or in_memory(data):
        problem = f"dataset={repr(data)[:60]} does not fit"
        raise UserError(problem, expected=TAKEN, found=f"a {type(data).__name__}", remedy="pass one of these")
    for position, item in enumerate(data):
        pair = (item.get("image"), item.get("label")) if isinstance(item, Mapping) else item
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            found = f"a {type(item).__name__}" + (f" of {len(pair)}" if isinstance(pair, tuple | list) else "")
            raise UserError(f"dataset[{position}] is no pair", expected="(image, label)", found=found, remedy="pass it")
        yield _row(position, *pair)


def _of_torch(data: Any) -> Iterator[Any]:
    """Yield the items of a torch Dataset, by index; numbers that its ``classes`` name become those names."""
    try:
        length = len(data)
    except TypeError:
        raise UserError(
            f"dataset, a {type(data).__name__}, has no length", expected="a torch Dataset with __len__ and __getitem__",
            remedy="give it one, or pass a list",
        ) from None  # fmt: skip
    names = getattr(data, "classes", None)
    for position in range(length):
        try:
            item = data[position]
        except Exception as error:
            raise UserError(
                f"dataset[{position}] cannot be read", found=with_type(error), remedy="mend the Dataset"
            ) from error
        if isinstance(item, tuple | list) and len(item) == 2:
            item = (item[0], _class_name(item[1], names))
        yield item


def _class_name(label: Any, names: Any) -> Any:
    """Return the name of a class that stands for a number; anything else as it is."""
    number = isinstance(label, Integral) and not isinstance(label, bool)
    return names[label] if number and isinstance(names, Sequence) and 0 <= label < len(names) else label


def _row(position: int, image: Any, label: Any, subject: str | None = None) -> _Row:
    name = f"dataset[{position}]"
    if not isinstance(label, str):
        raise UserError(
            f"the label of {name} is no text", expected="the name of a label", found=repr(label),
            remedy="map numbers to names first: they mean something else in every data set",
        )  # fmt: skip
    if isinstance(image, str | PathLike):
        return _Row(ImageFile(Path(), str(user_path(fspath(image)))), label, subject)
    if not in_memory(image):
        expected = "a path, a PIL image or a uint8 array (height, width, 3)"
        raise UserError(
            f"{name} is no picture", expected=expected, found=f"a {type(image).__name__}", remedy="pass one"
        )
    try:
        return _Row(MemoryImage(name, plain(as_image(image, name))[0]), label, subject)
    except UnreadableImage as error:
        raise UserError(f"{name} cannot be decoded", found=str(error), remedy="leave it out") from None
