"""Every card of the literature reads its layout: the right labels, splits and persons, and verify finds no fault."""

from __future__ import annotations

from pathlib import Path

import pytest
from coabench_faces import CARDS
from support.faces_trees import TREES

from coabench.inference.loading import read_image
from coabench.registry.catalog import find_dataset
from coabench.support.image_checks import verify
from coabench.testing import datasets


def test_every_card_has_a_tree_and_a_file() -> None:
    assert set(CARDS) == set(TREES)
    for name in CARDS:
        assert find_dataset(name).card.loader == "faces"


@pytest.mark.parametrize("name", TREES)
def test_a_card_reads_its_layout(name: str, tmp_path: Path) -> None:
    expected = TREES[name](tmp_path)
    choice = find_dataset(name)
    dataset = choice.open(tmp_path)
    assert set(expected) == set(choice.card.splits)
    for split, samples in expected.items():
        found = dataset.samples(split)
        assert [(s.id, s.target, s.attributes.get("subject")) for s in found] == [
            (f"{name}/{identity}", label, subject) for identity, label, subject in sorted(samples)
        ]
        assert {s.split for s in found} == {split}
        image = read_image(found[0].image).image
        assert image.size == ((48, 48) if name == "fer2013" else (16, 16))
    errors = [check.text.partition(":")[0] for check in verify(dataset).checks if check.level == "error"]
    drawn_twice = "identical images in several splits"
    assert set(errors) - {*choice.card.splits, drawn_twice} == set()


@pytest.mark.process
@pytest.mark.parametrize("name", TREES)
def test_a_card_conforms(name: str, tmp_path: Path) -> None:
    TREES[name](tmp_path)
    findings = [f for f in datasets.check(name, tmp_path) if f.defect.name != "verify-complains"]
    assert findings == []


@pytest.mark.parametrize("name", TREES)
def test_a_layout_that_is_assumed_is_noted_with_every_run(name: str, tmp_path: Path) -> None:
    TREES[name](tmp_path)
    choice = find_dataset(name)
    noted = any("not confirmed on the files" in note for note in choice.open(tmp_path).notes())
    assert noted == ("confirmed by" not in choice.card.description and name not in ("ferplus", "ck-plus", "kdef"))


def test_raf_ce_has_codes_of_its_own() -> None:
    raf_ce, raf_db = find_dataset("raf-ce").card.space, find_dataset("raf-db-compound").card.space
    assert [x.code for x in raf_ce.labels] == list(range(14))
    assert raf_ce.from_code(8) == "Fearfully Disgusted"
    assert raf_db.from_code(8) == "Fearfully Surprised"
    for label in raf_db.labels:  # what both have means the same
        assert raf_ce.name_of(*(label.pair or ())) == label.name
