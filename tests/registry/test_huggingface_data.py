"""A `datasets.Dataset` as a data set and as pictures."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import coabench
from coabench.registry.python_data import from_python
from coabench.testing import ScriptedBackbone, registered
from coabench.testing.pictures import draw_face

datasets = pytest.importorskip("datasets", reason="needs the package datasets")
LABELS = ["happy", "Sadness", "ANGRY"]
CHOICE: dict[str, Any] = {"backbone": "scripted-here", "strategy": "direct"}


@pytest.fixture(autouse=True)
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    with registered("backbones", "scripted-here", ScriptedBackbone()):
        yield


def encoded(picture: Image.Image, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    picture.save(file, kind)
    return file.getvalue()


def made(kind: str = "PNG", **columns: tuple[Any, list[Any]]) -> Any:
    """Two persons with three expressions; the first image is in a file."""
    drawn = [encoded(draw_face(label, person), kind) for person in range(2) for label in LABELS]
    Path("first.png").write_bytes(drawn[0])
    images = [{"path": "first.png"}, *({"bytes": data} for data in drawn[1:])]
    shown = {"image": (datasets.Image(), images), "label": (datasets.ClassLabel(names=LABELS), [0, 1, 2, 0, 1, 2])}
    chosen = {name: pair for name, pair in {**shown, **columns}.items() if pair[1]}
    features = datasets.Features({name: feature for name, (feature, _) in chosen.items()})
    return datasets.Dataset.from_dict({name: values for name, (_, values) in chosen.items()}, features=features)


def test_its_images_and_named_labels_are_samples_with_persons() -> None:
    data = made(subject=(datasets.Value("string"), ["a", "a", "b", "b", None, "c"]))
    run = coabench.evaluate(dataset=data, labels="raf-db-basic", **CHOICE, output="out")
    assert list(run.records["target"]) == 2 * ["Happiness", "Sadness", "Anger"]
    assert list(run.records["attributes.subject"].fillna("")) == ["a", "a", "b", "b", "", "c"]
    assert set(run.records["status"]) <= {"ok", "invalid"}
    again = coabench.evaluate(dataset=data.with_format("numpy"), labels="raf-db-basic", **CHOICE, output="out")
    assert again.manifest["identity"] == run.manifest["identity"]
    said = coabench.predict(data, **CHOICE, faces="none")
    assert [each.picture.file for each in said] == [f"pictures[{row}]" for row in range(6)]
    assert [each.picture.sha256 for each in said][1] == from_python(data, None).open(None).samples("test")[
        1
    ].image.digest()  # type: ignore[attr-defined]


def test_other_bytes_or_rows_are_another_data_set() -> None:
    one, *others = (
        from_python(data, "raf-db-basic").open(None).fingerprint("test")
        for data in (made(), made("JPEG"), made().select([1, 0, 2, 3, 4, 5]), made().shard(2, 0))
    )
    assert one not in others
    assert from_python(made(), "raf-db-basic").open(None).fingerprint("test") == one


def test_an_image_that_is_none_is_an_error_of_its_sample() -> None:
    drawn = made()[1]["image"]
    data = made(image=(datasets.Image(), [drawn, {"bytes": b"no"}, None, {"path": "gone.png"}, drawn, drawn]))
    records = coabench.evaluate(dataset=data, labels="raf-db-basic", **CHOICE).records
    assert list(records["status"] == "error") == [False, True, True, True, False, False]
    assert [reason.split()[3] for reason in records["reason"][1:4]] == ["be", "missing", "missing"]


TEXT = datasets.Value("string")
ABSENT: tuple[Any, list[Any]] = (TEXT, [])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (lambda: datasets.DatasetDict({"train": made(), "test": made()}), r"several splits(?s:.*)dataset\['train'\]"),
        (lambda: made().to_iterable_dataset(), "dataset is a stream"),
        (lambda: made().with_transform(lambda rows: rows), "changes its rows by a transform"),
        (lambda: made(image=ABSENT), r"no column of images(?s:.*)label: ClassLabel(?s:.*)cast_column"),
        (lambda: made(image=(TEXT, ["a.png"] * 6)), r"no column of images(?s:.*)image: Value\(string\)"),
        (lambda: made(mask=(datasets.Image(), [None] * 6)), r"2 columns of images(?s:.*)remove_columns\('mask'\)"),
        (lambda: made(label=ABSENT), "no column of labels"),
        (lambda: made(label=(datasets.Value("int64"), [1] * 6)), r"label: Value\(int64\)(?s:.*)ClassLabel\(names"),
        (lambda: made(label=(datasets.ClassLabel(names=["joy"]), [-1] * 6)), r"dataset\[0\]\['label'\](?s:.*)-1"),
        (lambda: made(label=(datasets.ClassLabel(names=["glee"]), [0] * 6)), "no label: 'glee'"),
        (lambda: made(label=ABSENT, a=(datasets.ClassLabel(names=["joy"]), [0] * 6),
                      b=(datasets.ClassLabel(names=["joy"]), [0] * 6)), "several columns of labels"),
        (lambda: made().select([]), "no samples"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_is_refused(data: Callable[[], Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(coabench.UserError, match=words):
        coabench.evaluate(dataset=data(), **CHOICE)
    assert [path.name for path in tmp_path.iterdir()] == ["first.png"]
