"""``coabench.evaluate(dataset=…)`` with pairs and tables from Python."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import coabench
from coabench.testing import ScriptedBackbone, registered
from coabench.testing.pictures import draw_face
from coabench.training.plan import Plan, check

CHOICE: dict[str, Any] = {"backbone": "scripted-here", "strategy": "direct"}
LABELS = ("happy", "Sadness", "ANGRY")


@pytest.fixture(autouse=True)
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    with registered("backbones", "scripted-here", ScriptedBackbone()):
        yield


def faces() -> list[tuple[Any, str]]:
    return [(draw_face(label, person), label) for person in range(2) for label in LABELS]


def test_paths_images_and_arrays_with_labels_are_a_data_set(tmp_path: Path) -> None:
    drawn = faces()
    Image.Image.save(drawn[0][0], tmp_path / "a.png")
    mixed = [(tmp_path / "a.png", "happy"), (np.asarray(drawn[1][0]), "Sadness"), *drawn[2:]]
    run = coabench.evaluate(dataset=mixed, **CHOICE, output="out")
    records = coabench.load_records(run.directory)
    assert list(records["target"]) == 2 * ["Happiness", "Sadness", "Anger"]
    assert records["image"][0] == str(tmp_path / "a.png")
    assert set(records["status"]) <= {"ok", "invalid"}
    assert any("first label space that has all of them" in note for note in run.manifest["notes"])
    assert run.manifest["sessions"][0]["command"][:4] == ["coabench", "evaluate", "--backbone", "scripted-here"]


def test_the_same_pictures_are_the_same_run_and_others_are_not() -> None:
    first = coabench.evaluate(dataset=faces(), **CHOICE)
    assert coabench.evaluate(dataset=faces(), **CHOICE).directory == first.directory
    changed = [(Image.eval(image, lambda value: 255 - value), label) for image, label in faces()]
    assert coabench.evaluate(dataset=changed, **CHOICE).directory != first.directory


def test_a_table_is_a_data_set_with_persons() -> None:
    table = pd.DataFrame(faces(), columns=["image", "label"]).assign(subject=["a", "a", "b", "b", "c", "c"])
    run = coabench.evaluate(dataset=table, labels="raf-db-basic", **CHOICE, output="out")
    assert run.manifest["labels"]["space"] == "raf-db-basic"
    assert list(coabench.load_records(run.directory)["attributes.subject"]) == ["a", "a", "b", "b", "c", "c"]


def test_pictures_are_learnt_from(monkeypatch: pytest.MonkeyPatch) -> None:
    plans: list[Plan] = []
    monkeypatch.setattr("coabench.api.train_all", lambda request, progress: plans.append(check(request)))
    coabench.train(dataset=faces(), labels="raf-db-basic", strategy="direct", steps=1, batch_size=2, dev=0)
    (source,) = plans[0].sources
    assert source.space.name == "raf-db-basic"
    assert [sample.target for sample in source.fit] == 2 * ["Happiness", "Sadness", "Anger"]
    assert {sample.split for sample in source.fit} == {"train"}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ([], "no samples"),
        (5, "does not fit"),
        ({"a": 1}, "does not fit"),
        ([("a.png", 3)], "is no text"),
        ([("a.png", "happy"), "b.png"], r"dataset\[1\] is no pair"),
        ([(None, "happy")], r"dataset\[0\] is no picture"),
        ([("absent.png", "happy")], "not one image"),
        ([(np.zeros((4, 4, 3), np.uint8), "hapy")], "did you mean 'happy'"),
        (pd.DataFrame({"file": [1], "label": ["x"]}), "no column 'image'"),
        (pd.DataFrame([["a.png", "x", "y"]], columns=["image", "label", "label"]), "several columns 'label'"),
    ],
)
def test_what_is_no_data_set_is_refused(data: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(coabench.UserError, match=words):
        coabench.evaluate(dataset=data, **CHOICE)
    with pytest.raises(coabench.UserError, match="leave it out"):
        coabench.evaluate(dataset="synthface-basic", labels="raf-db-basic", **CHOICE)
    assert list(tmp_path.iterdir()) == []


def torch_set(items: list[Any], **members: Any) -> Any:
    from torch.utils.data import Dataset

    methods = {"__len__": lambda self: len(items), "__getitem__": lambda self, index: items[index], **members}
    return type("Mine", (Dataset,), {name: member for name, member in methods.items() if member is not None})()


def test_a_torch_dataset_is_one_whose_classes_name_numbers() -> None:
    drawn = faces()
    run = coabench.evaluate(dataset=torch_set(drawn), **CHOICE)
    assert list(coabench.load_records(run.directory)["target"]) == 2 * ["Happiness", "Sadness", "Anger"]
    numbered = [(image, LABELS.index(label)) for image, label in drawn]
    same = coabench.evaluate(dataset=torch_set(numbered, classes=list(LABELS)), **CHOICE)
    assert same.directory == run.directory  # the same pictures and labels, whatever held them


@pytest.mark.parametrize(
    ("items", "members", "words"),
    [
        (faces()[:1], {"__len__": None}, "has no length"),
        ([(face, 1) for face, _ in faces()], {}, "is no text(?s:.*)map numbers to names"),
        ([(face, 3) for face, _ in faces()], {"classes": list(LABELS)}, "is no text(?s:.*)found: 3"),
        (faces(), {"__getitem__": lambda self, index: 1 / 0}, r"dataset\[0\] cannot be read(?s:.*)ZeroDivisionError"),
        ([1], {}, r"dataset\[0\] is no pair"),
    ],
)
def test_a_torch_dataset_of_other_things_is_refused(
    items: list[Any], members: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(coabench.UserError, match=words):
        coabench.evaluate(dataset=torch_set(items, **members), **CHOICE)
    assert list(tmp_path.iterdir()) == []


def test_a_tensor_is_no_picture() -> None:
    import torch

    with pytest.raises(coabench.UserError, match=r"dataset\[0\] is no picture(?s:.*)a Tensor"):
        coabench.evaluate(dataset=torch_set([(torch.zeros(3, 4, 4), "happy")]), **CHOICE)
