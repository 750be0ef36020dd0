"""Every layout gives the same samples; copies are found where people put them."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest
import yaml
from coabench_faces.dataset import Faces
from PIL import Image
from support import rafdb_tree as tree
from support.rafdb_tree import BASIC, label_file, make_rafdb

from coabench.base import shipped
from coabench.dataset import Card
from coabench.errors import UserError


def targets(dataset, split="test"):
    return {s.id: s.target for s in dataset.samples(split)}


def contents(dataset, split="test"):
    return {s.id: s.image.read() for s in dataset.samples(split)}


@pytest.mark.parametrize("layout", ["merged", "csv-folders", "name-folders"])
def test_layouts_agree_on_labels_and_images_of_the_basic_subset(tmp_path, open_rafdb, layout):
    official = open_rafdb(make_rafdb(tmp_path / "official"))
    other = open_rafdb(make_rafdb(tmp_path / layout, layout=layout))
    for split in ("test", "train"):
        assert targets(other, split) == targets(official, split)
        assert contents(other, split) == contents(official, split)
        assert other.fingerprint(split) == official.fingerprint(split)


def test_merged_layout_agrees_on_the_compound_subset(tmp_path, open_rafdb):
    official = open_rafdb(make_rafdb(tmp_path / "official"), "compound")
    merged = open_rafdb(make_rafdb(tmp_path / "merged", layout="merged"), "compound")
    for split in ("test", "train"):
        assert targets(merged, split) == targets(official, split)
        assert contents(merged, split) == contents(official, split)


def test_targets_are_those_the_label_file_says(tmp_path, open_rafdb):
    root = make_rafdb(tmp_path, compound=(1, 1))
    said = dict(line.split() for line in label_file(root, "compound").read_text().splitlines())
    expected = {f"raf-db-compound/{n[:-4]}": tree.COMPOUND[int(c) - 1][0] for n, c in said.items() if "test" in n}
    assert targets(open_rafdb(root, "compound")) == expected


def test_ids_keep_their_zeros_and_name_their_subset(tmp_path, open_rafdb):
    root = make_rafdb(tmp_path)
    basic, compound = (open_rafdb(root, subset).samples("test")[0] for subset in ("basic", "compound"))
    assert (basic.id, compound.id) == ("raf-db-basic/test_0001", "raf-db-compound/test_001")
    assert basic.image.read() != compound.image.read()
    assert open_rafdb(root).samples("train")[0].id == "raf-db-basic/train_00001"


def test_order_of_samples_does_not_depend_on_the_order_of_lines(tmp_path, open_rafdb):
    root = make_rafdb(tmp_path)
    before = open_rafdb(root).samples("test")
    file = label_file(root, "basic")
    file.write_text("\n".join(reversed(file.read_text().splitlines())))
    assert open_rafdb(root).samples("test") == before
    assert [s.id for s in before] == sorted(s.id for s in before)


@pytest.mark.parametrize("variant", ["corrected spelling", "tabs", "aligned names", "CRLF, BOM and blank lines"])
def test_variants_of_the_label_file_read_the_same(tmp_path, open_rafdb, variant):
    root = make_rafdb(tmp_path)
    before = targets(open_rafdb(root))
    file = label_file(root, "basic")
    if variant == "corrected spelling":
        tree.correct_spelling(root, "basic")
    elif variant == "tabs":
        file.write_text(file.read_text().replace(" ", "\t"))
    elif variant == "aligned names":
        file.write_text(file.read_text().replace(".jpg", "_aligned.jpg"))
    else:
        file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n\r\n"))
    assert targets(open_rafdb(root)) == before


@pytest.mark.parametrize("place", [".", "RAF-DB", "RAF-DB/basic"])
def test_the_official_copy_is_found_from_above_and_from_inside(tmp_path, open_rafdb, place):
    make_rafdb(tmp_path / "RAF-DB")
    sample = open_rafdb(tmp_path / place).samples("test")[0]
    assert sample.id == "raf-db-basic/test_0001"
    assert sample.image.size() > 0
    assert not sample.image.name.startswith("/")


def test_the_folder_of_the_other_subset_is_not_taken(tmp_path, open_rafdb):
    make_rafdb(tmp_path)
    with pytest.raises(UserError, match="no basic subset"):
        open_rafdb(tmp_path / "compound", "basic")


def test_the_data_root_may_be_the_current_folder(tmp_path, open_rafdb, monkeypatch):
    monkeypatch.chdir(make_rafdb(tmp_path) / "compound")
    assert open_rafdb(Path(), "compound").samples("test")[0].image.name == "Image/aligned/test_001_aligned.jpg"
    with pytest.raises(UserError, match="no basic subset"):
        open_rafdb(Path(), "basic")


@pytest.mark.parametrize("subset", ["basic", "compound"])
def test_labels_of_the_other_subset_are_refused_under_a_wrong_folder_name(tmp_path, open_rafdb, subset):
    """Codes 1 to 7 exist in both subsets: without this check compound labels would pass for basic ones."""
    other = {"basic": "compound", "compound": "basic"}[subset]
    shutil.move(make_rafdb(tmp_path / "good") / other, tmp_path / "renamed" / subset)
    kept = [x for x in label_file(tmp_path / "renamed", subset).read_text().splitlines() if int(x.split()[1]) <= 7]
    label_file(tmp_path / "renamed", subset).write_text("\n".join(kept))
    with pytest.raises(UserError, match=f"names of the {other} subset"):
        open_rafdb(tmp_path / "renamed", subset).samples("test")


def test_several_copies_side_by_side_must_be_chosen_from(tmp_path, open_rafdb):
    make_rafdb(tmp_path / "RAF-DB")
    make_rafdb(tmp_path / "RAF-DB-copy")
    with pytest.raises(UserError, match="several copies") as caught:
        open_rafdb(tmp_path)
    assert "RAF-DB, RAF-DB-copy" in str(caught.value)


def test_official_wins_over_merged_and_a_note_says_so(tmp_path, open_rafdb):
    make_rafdb(tmp_path)
    make_rafdb(tmp_path, layout="merged", seed=1)
    dataset = open_rafdb(tmp_path)
    assert dataset.layout.name == "official"
    assert any("merged layout" in note and "official one is used" in note for note in dataset.notes())
    assert open_rafdb(tmp_path, layout="merged").layout.name == "merged"


def test_an_official_copy_alone_has_nothing_to_note(tmp_path, open_rafdb):
    assert list(open_rafdb(make_rafdb(tmp_path)).notes()) == []


@pytest.mark.parametrize("layout", ["csv-folders", "name-folders"])
def test_unofficial_copies_say_so(tmp_path, open_rafdb, layout):
    dataset = open_rafdb(make_rafdb(tmp_path, layout=layout))
    assert any("unofficial copy" in note for note in dataset.notes())


@pytest.mark.parametrize("layout", ["csv-folders", "name-folders"])
def test_unofficial_copies_never_serve_the_compound_subset(tmp_path, open_rafdb, layout):
    root = make_rafdb(tmp_path, layout=layout)
    with pytest.raises(UserError, match="no compound subset"):
        open_rafdb(root, "compound", layout="folders")


def test_the_csv_decides_whatever_the_folders_are_called(tmp_path, open_rafdb):
    root = make_rafdb(tmp_path, layout="csv-folders")
    before = targets(open_rafdb(root))
    for code in range(1, 8):  # a copy that counts its classes from 0
        (root / "DATASET" / "test" / str(code)).rename(root / "DATASET" / "test" / str(code - 1))
    dataset = open_rafdb(root)
    assert targets(dataset) == before
    assert all(s.image.size() > 0 for s in dataset.samples("test"))


def test_numbered_folders_without_a_csv_are_refused(tmp_path, open_rafdb):
    root = make_rafdb(tmp_path, layout="csv-folders")
    for split in ("train", "test"):
        (root / f"{split}_labels.csv").unlink()
    with pytest.raises(UserError, match="do not say which class") as caught:
        open_rafdb(root)
    text, _, lines = caught.value.remedy.partition("check every line:\n")
    assert "guesses" in text
    pasted = yaml.safe_load(lines)["options"]
    assert pasted["values"] == dict(enumerate(BASIC, start=1))
    card = replace(Card.read(shipped.path("datasets_registry", "raf-db-basic.yaml")), loader="faces", options=pasted)
    labels = [sample.target for sample in Faces(card, root, Faces.Options()).samples("test")]
    assert sorted(labels) == sorted(BASIC)


def test_original_images_are_an_option(tmp_path, open_rafdb):
    root = make_rafdb(tmp_path, original=True)
    aligned, original = open_rafdb(root), open_rafdb(root, images="original")
    assert targets(aligned) == targets(original)
    assert original.samples("test")[0].image.name == "basic/Image/original/test_0001.jpg"
    assert aligned.identity() != original.identity()


@pytest.mark.parametrize("layout", ["merged", "csv-folders", "name-folders"])
def test_original_images_exist_in_the_official_layout_only(tmp_path, open_rafdb, layout):
    root = make_rafdb(tmp_path, layout=layout)
    with pytest.raises(UserError, match="no original images"):
        open_rafdb(root, images="original")


def test_attributes_are_words(tmp_path, open_rafdb):
    root = make_rafdb(tmp_path)
    file = tree.attribute_file(root, "basic", "test_0001")
    file.write_text("1 2\n" * 5 + "1\n2\n4\n")
    assert open_rafdb(root).samples("test")[0].attributes == {
        "perceived_gender": "female",
        "perceived_race": "Asian",
        "perceived_age_group": "70+",
    }


@pytest.mark.parametrize("content", [None, "1 2\n" * 5 + "7\n0\n0\n", "1 2\n"])
def test_a_sample_without_usable_attributes_is_still_a_sample(tmp_path, open_rafdb, content):
    root = make_rafdb(tmp_path)
    file = tree.attribute_file(root, "basic", "test_0001")
    file.unlink() if content is None else file.write_text(content)
    first, second = open_rafdb(root).samples("test")[:2]
    assert first.attributes == {}
    assert second.attributes


def test_a_missing_image_is_a_sample_whose_image_cannot_be_read(tmp_path, open_rafdb):
    root = make_rafdb(tmp_path)
    before = len(open_rafdb(root).samples("test"))
    tree.image_file(root, "basic", "test_0001").unlink()
    samples = open_rafdb(root).samples("test")
    assert len(samples) == before
    assert samples[0].image.size() == -1
    with pytest.raises(OSError, match="test_0001"):
        samples[0].image.read()


def test_fingerprint_is_stable_across_data_roots(tmp_path, open_rafdb):
    make_rafdb(tmp_path / "a" / "RAF-DB")
    make_rafdb(tmp_path / "b")
    one, two = open_rafdb(tmp_path / "a"), open_rafdb(tmp_path / "b" / "basic")
    assert one.fingerprint("test") == two.fingerprint("test")


@pytest.mark.parametrize("change", ["label", "image", "missing image", "other split's label"])
def test_fingerprint_changes_with_the_split_and_only_with_it(tmp_path, open_rafdb, change):
    root = make_rafdb(tmp_path)
    before = open_rafdb(root).fingerprint("test")
    sample = open_rafdb(root).samples("test")[0]
    image = tree.image_file(root, "basic", "test_0001")
    if change == "label":
        tree.change_label(root, "basic", "test_0001", "1" if sample.target != "Surprise" else "2")
    elif change == "image":
        image.write_bytes(image.read_bytes() + b"\0")
    elif change == "missing image":
        image.unlink()
    else:
        train = open_rafdb(root).samples("train")[0]
        tree.change_label(root, "basic", "train_00001", "1" if train.target != "Surprise" else "2")
    after = open_rafdb(root).fingerprint("test")
    assert (after == before) == (change == "other split's label")


def test_merged_records_may_lie_in_all_and_beside_other_json(tmp_path, open_rafdb):
    root = make_rafdb(tmp_path, layout="merged")
    before = targets(open_rafdb(root, "compound"))
    for path in list(root.glob("*.json")):
        path.rename(root / "all" / path.name)
    (root / "settings.json").write_text(json.dumps({"id": 1}))
    assert targets(open_rafdb(root, "compound")) == before


@pytest.mark.parametrize("layout", ["official", "merged", "name-folders"])
def test_images_may_be_of_any_format_that_is_read(tmp_path, open_rafdb, layout):
    root = make_rafdb(tmp_path, layout=layout)
    before = open_rafdb(root).samples("test")
    for file in root.rglob("test_*.jpg"):
        Image.open(file).save(file.with_suffix(".webp"))
        file.unlink()
    after = open_rafdb(root).samples("test")
    assert [(sample.id, sample.target) for sample in after] == [(sample.id, sample.target) for sample in before]
    assert {PurePosixPath(sample.image.name).suffix for sample in after} == {".webp"}
    assert all(sample.image.size() > 0 for sample in after)


@pytest.mark.parametrize("with_name", [True, False])
def test_images_and_attributes_may_stay_packed_as_they_come(tmp_path, open_rafdb, with_name):
    packed, unpacked = make_rafdb(tmp_path / "packed"), open_rafdb(make_rafdb(tmp_path / "folder"))
    for place in ("Image/aligned", "Annotation/manual"):
        path = packed / "basic" / place
        shutil.make_archive(str(path), "zip", path.parent if with_name else path, path.name if with_name else None)
        shutil.rmtree(path)
    copy = open_rafdb(packed)
    for split in ("test", "train"):
        assert contents(copy, split) == contents(unpacked, split)
        assert copy.fingerprint(split) == unpacked.fingerprint(split)
        assert [(s.attributes, s.image.name) for s in copy.samples(split)] == [
            (s.attributes, s.image.name) for s in unpacked.samples(split)
        ]
    assert copy.verify() == unpacked.verify()


@pytest.mark.parametrize("layout", ["official", "merged", "csv-folders"])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_an_archive_is_the_copy_that_was_packed(tmp_path, open_rafdb, layout, kind):
    root = make_rafdb(tmp_path / "RAF-DB", layout=layout)
    folder = open_rafdb(root)
    for above, below in ((root, None), (root.parent, root.name)):
        archive = open_rafdb(Path(shutil.make_archive(str(tmp_path / "packed"), kind, above, below)))
        for split in ("test", "train"):
            assert contents(archive, split) == contents(folder, split)
            assert archive.fingerprint(split) == folder.fingerprint(split)
            assert [s.attributes for s in archive.samples(split)] == [s.attributes for s in folder.samples(split)]
        assert archive.verify() == folder.verify()
