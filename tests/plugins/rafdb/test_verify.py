"""verify() passes a good tree, and names every defect of a bad one."""

from __future__ import annotations

import pytest
from support import rafdb_tree as tree
from support.rafdb_tree import REAL_COUNTS, image_file, label_file, make_rafdb

from coabench.support.image_checks import verify


def found(dataset, level):
    """Return what verify says at a level, but for the counts, which small trees cannot meet."""
    return [c for c in verify(dataset).checks if c.level == level and "the card says" not in c.text]


def only(dataset, level):
    checks = found(dataset, level)
    assert len(checks) == 1, checks
    return checks[0]


@pytest.fixture
def root(tmp_path):
    return make_rafdb(tmp_path)


@pytest.mark.slow
def test_a_tree_with_the_real_counts_passes(tmp_path, open_rafdb):
    counts = {"compound": REAL_COUNTS["compound"]}
    root = make_rafdb(tmp_path, basic=(0, 0), compound=(0, 0), counts=counts, annotations=False, distinct=1)
    checks = verify(open_rafdb(root, "compound")).checks
    assert [c for c in checks if c.level != "ok" and "identical" not in c.text] == []  # one drawing serves for all
    total = sum(map(sum, REAL_COUNTS["compound"].values()))
    assert f"images: {total:,} decoded in full" in [c.text for c in checks]


@pytest.mark.parametrize("subset", ["basic", "compound"])
@pytest.mark.parametrize("layout", ["official", "merged"])
def test_a_good_small_tree_has_only_too_few_images(tmp_path, open_rafdb, subset, layout):
    dataset = open_rafdb(make_rafdb(tmp_path, layout=layout), subset)
    assert found(dataset, "error") == []
    wrong = [c for c in verify(dataset).checks if c.level == "error"]
    assert any("the card says" in c.text for c in wrong)
    warnings = found(dataset, "warning")
    assert warnings == [] if layout == "official" else "merged layout" in warnings[0].text


@pytest.mark.parametrize("layout", ["csv-folders", "name-folders"])
def test_a_good_unofficial_copy_is_flagged_and_nothing_else(tmp_path, open_rafdb, layout):
    dataset = open_rafdb(make_rafdb(tmp_path, layout=layout))
    assert found(dataset, "error") == []
    assert "unofficial copy" in only(dataset, "warning").text


def test_one_image_too_many_is_named_with_its_class(tmp_path, open_rafdb):
    counts = {"compound": {s: list(n) for s, n in REAL_COUNTS["compound"].items()}}
    counts["compound"]["test"][4] += 1
    counts["compound"]["train"][0] -= 1
    root = make_rafdb(tmp_path, basic=(0, 0), counts=counts, annotations=False, distinct=1)
    checks = {c.text.partition(":")[0]: c for c in verify(open_rafdb(root, "compound")).checks}
    assert checks["test"].level == "error"
    assert checks["test"].examples == ("Sadly Surprised: 19 instead of 18",)
    assert "793 images, the card says 792" in checks["test"].text
    assert checks["train"].level == "warning"  # the card's train counts are derived
    assert "not verified" in checks["train"].text


def test_a_missing_split_matters_most_where_it_is_the_default(tmp_path, open_rafdb):
    no_train = open_rafdb(make_rafdb(tmp_path / "a", basic=(0, 1)))
    assert only(no_train, "warning").text == "train: no labelled images in this copy"
    no_test = open_rafdb(make_rafdb(tmp_path / "b", basic=(1, 0)))
    assert only(no_test, "error").text == "test: no labelled images in this copy"


def test_missing_images(root, open_rafdb):
    image_file(root, "basic", "test_0003").unlink()
    image_file(root, "basic", "test_0001").unlink()
    check = only(open_rafdb(root), "error")
    assert check.text == "missing image files: 2 of 21"
    assert check.examples[0] == "basic/Image/aligned/test_0001_aligned.jpg"


@pytest.mark.parametrize("damage", ["truncated", "empty", "text"])
def test_images_that_cannot_be_decoded(root, open_rafdb, damage):
    image = image_file(root, "basic", "test_0002")
    if damage == "truncated":
        tree.truncate_image(root, "basic", "test_0002")
    else:
        image.write_bytes(b"" if damage == "empty" else b"<html>")
    check = only(open_rafdb(root), "error")
    assert check.text == "images that cannot be decoded in full: 1"
    assert check.examples[0].startswith("basic/Image/aligned/test_0002_aligned.jpg: ")


def test_aligned_images_of_another_size(root, open_rafdb):
    from PIL import Image

    file = image_file(root, "basic", "test_0002")
    Image.open(file).resize((224, 224)).save(file)
    check = only(open_rafdb(root), "warning")
    assert check.text == "images of another size than the card's 100×100 pixels: 1"
    assert check.examples == ("basic/Image/aligned/test_0002_aligned.jpg: 224×224",)


def test_names_that_collide_without_their_zeros(root, open_rafdb):
    tree.add_label(root, "compound", "test_1.jpg 3")
    image_file(root, "compound", "test_1").write_bytes(image_file(root, "compound", "test_001").read_bytes())
    dataset = open_rafdb(root, "compound")
    check, copies = found(dataset, "error")
    assert copies.text == "identical images with several labels: 1"
    assert check.text == "names that differ only in leading zeros: 1"
    assert check.examples == ("test_001 and test_1",)
    assert {"raf-db-compound/test_001", "raf-db-compound/test_1"} <= {s.id for s in dataset.samples("test")}


@pytest.mark.parametrize(
    ("line", "heading"),
    [
        ("test_0001.jpg 12", "labels that are not on the card: 1"),
        ("test_0001.jpg 1", "images labelled more than once: 1"),
        ("nonsense", "label lines that cannot be read: 1"),
    ],
)
def test_defects_of_the_label_file_become_checks_and_the_rest_goes_on(root, open_rafdb, line, heading):
    tree.add_label(root, "basic", line)
    tree.truncate_image(root, "basic", "train_00001")
    labels, images = found(open_rafdb(root), "error")
    assert labels.text == heading
    assert "list_patition_label.txt, line 22" in labels.examples[0]
    assert images.text == "images that cannot be decoded in full: 1"


def test_a_label_file_that_is_no_text_is_a_check(root, open_rafdb):
    label_file(root, "basic").write_bytes(b"\xff\xfe\x00")
    texts = [c.text for c in found(open_rafdb(root), "error")]
    assert "label lines that cannot be read: 1" in texts


def test_images_that_no_label_names(root, open_rafdb):
    stray = image_file(root, "basic", "test_0500")
    stray.write_bytes(image_file(root, "basic", "test_0001").read_bytes())
    check = only(open_rafdb(root), "warning")
    assert check.text == "images that no label names: 1"
    assert check.examples == ("basic/Image/aligned/test_0500_aligned.jpg",)


def test_an_image_in_the_folder_of_the_other_split(tmp_path, open_rafdb):
    root = make_rafdb(tmp_path, layout="merged")
    (root / "all/valid/test_0001_aligned.jpg").rename(root / "all/train/test_0001_aligned.jpg")
    texts = [c.text for c in found(open_rafdb(root), "error")]
    assert texts == ["images in the folder of the wrong split: 1", "missing image files: 1 of 21"]
    assert found(open_rafdb(root, "compound"), "error") == []


def test_the_other_subset_in_the_merged_folder_is_no_stray(tmp_path, open_rafdb):
    root = make_rafdb(tmp_path, layout="merged")
    (root / "all/valid/test_999_aligned.jpg").write_bytes(b"")
    assert not any("no label names" in c.text for c in verify(open_rafdb(root, "basic")).checks)
    assert any("no label names" in c.text for c in verify(open_rafdb(root, "compound")).checks)


def test_attribute_files(root, open_rafdb):
    tree.attribute_file(root, "basic", "test_0001").unlink()
    tree.attribute_file(root, "basic", "test_0002").write_text("1 2\n" * 5 + "5\n0\n0\n")
    wrong, absent = found(open_rafdb(root), "warning")
    assert wrong.examples == ("test_0002_manu_attri.txt, line 6: no perceived gender: '5'",)
    assert absent.text == "missing attribute files: 1 of 21"


def test_no_attribute_files_at_all_is_no_defect(tmp_path, open_rafdb):
    dataset = open_rafdb(make_rafdb(tmp_path, annotations=False))
    assert found(dataset, "warning") == []
    assert any("results by perceived group are not available" in c.text for c in verify(dataset).checks)


def test_original_images_are_verified_when_they_are_used(tmp_path, open_rafdb):
    root = make_rafdb(tmp_path, original=True)
    (root / "basic/Image/original/test_0001.jpg").write_bytes(b"")
    assert found(open_rafdb(root), "error") == []
    assert "cannot be decoded" in only(open_rafdb(root, images="original"), "error").text


def test_examples_are_few(root, open_rafdb):
    for file in (root / "basic/Image/aligned").iterdir():
        file.unlink()
    check = only(open_rafdb(root), "error")
    assert check.text == "missing image files: 21 of 21"
    assert len(check.examples) == 5


def test_test_images_that_stand_in_train_under_other_names(root, open_rafdb):
    for number, name in enumerate(("test_0001", "test_0002")):
        (line,) = (x for x in label_file(root, "basic").read_text().splitlines() if x.startswith(name))
        tree.add_label(root, "basic", f"train_{90001 + number}.jpg {line.split()[1]}")
        copy = image_file(root, "basic", f"train_{90001 + number}")
        copy.write_bytes(image_file(root, "basic", name).read_bytes())
    check = only(open_rafdb(root), "error")
    assert check.text == "identical images in several splits: 2"
    folder = "basic/Image/aligned"
    assert f"{folder}/test_0001_aligned.jpg (test, " in check.examples[0]
    assert f"{folder}/train_90001_aligned.jpg (train, " in check.examples[0]


def test_files_that_are_not_read_are_counted_by_ending(tmp_path, open_rafdb):
    root = make_rafdb(tmp_path, layout="name-folders")
    (folder,) = root.glob("**/test/[Ff]ear*")
    for name in ("a.mp4", "b.MP4", ".hidden"):
        (folder / name).write_bytes(b"")
    (image,) = folder.glob("*.jpg")
    image.rename(folder / "c.psd")  # the only image of its class
    texts = [check.text for check in found(open_rafdb(root), "warning")]
    assert "files beside the images that are not read: 2 .mp4, 1 .psd" in texts
