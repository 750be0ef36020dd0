"""What the loader refuses, and what it says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from support import rafdb_tree as tree
from support.rafdb_tree import label_file, make_rafdb
from support.special_files import SPECIAL, posix

from coabench.errors import UserError


def test_no_data_root(open_rafdb):
    with pytest.raises(UserError, match="needs to know where") as caught:
        open_rafdb(None)
    assert "--data-root" in caught.value.expected
    assert "whdeng.cn" in caught.value.remedy


def test_a_data_root_that_is_not_there(tmp_path, open_rafdb):
    with pytest.raises(UserError, match=r"(?s)nowhere cannot be read.*nothing there"):
        open_rafdb(tmp_path / "nowhere")


def test_a_data_root_that_is_another_file(tmp_path, open_rafdb):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="another file"):
        open_rafdb(tmp_path / "file")


def test_a_data_root_without_rafdb_lists_what_was_looked_for_and_found(tmp_path, open_rafdb):
    for name in "abcdefghij":
        (tmp_path / name).mkdir()
    with pytest.raises(UserError, match="no basic subset") as caught:
        open_rafdb(tmp_path)
    assert "basic/EmoLabel/list_patition_label.txt" in caught.value.expected
    assert "all/train" in caught.value.expected
    assert caught.value.found == "a/, b/, c/, d/, e/, f/, g/, h/ and 2 more"
    assert "on request" in caught.value.remedy


def test_an_empty_data_root(tmp_path, open_rafdb):
    with pytest.raises(UserError) as caught:
        open_rafdb(tmp_path)
    assert caught.value.found == "nothing in it"


def test_a_label_file_with_yet_another_name(tmp_path, open_rafdb):
    root = make_rafdb(tmp_path)
    label_file(root, "basic").rename(label_file(root, "basic").with_name("list_partiton_label.txt"))
    with pytest.raises(UserError, match="no label file") as caught:
        open_rafdb(root)
    assert caught.value.found == "list_partiton_label.txt"


def test_two_label_files_that_differ(tmp_path, open_rafdb):
    root = make_rafdb(tmp_path)
    file = label_file(root, "basic")
    twin = file.with_name("list_partition_label.txt")
    twin.write_bytes(file.read_bytes())
    assert open_rafdb(root).samples("test")
    twin.write_text("test_0001.jpg 1\n")
    with pytest.raises(UserError, match="two label files that differ"):
        open_rafdb(root)


@posix
def test_a_label_file_that_is_no_file(tmp_path, open_rafdb):
    root = make_rafdb(tmp_path)
    file = label_file(root, "basic")
    file.unlink()
    SPECIAL["pipe"][0](file)
    with pytest.raises(UserError, match="a pipe, not a file"):
        open_rafdb(root).samples("test")


def test_images_in_an_archive_that_is_none_or_that_lies_in_another_one(tmp_path, open_rafdb):
    root = make_rafdb(tmp_path / "RAF-DB")
    (root / "basic" / "Image" / "original.zip").touch()
    with pytest.raises(UserError, match=r"original.zip cannot be used"):
        open_rafdb(root, images="original")
    packed = shutil.make_archive(str(root), "zip", root)
    with pytest.raises(UserError, match="no folder") as caught:
        open_rafdb(Path(packed), images="original")
    assert "unpack" in caught.value.remedy
    assert "original.zip" in caught.value.remedy


@pytest.mark.parametrize(
    ("line", "expected", "found"),
    [
        ("test_9999.jpg", "an image name and a code", "'test_9999.jpg'"),
        ("test_9999.jpg test 4", "an image name and a code", "'test_9999.jpg test 4'"),
        ("photo.jpg 4", "an image name and a code", "'photo.jpg 4'"),
        ("test_9999.jpg 8", "a whole number from 1 to 7", "'8'"),
        ("test_9999.jpg 0", "a whole number from 1 to 7", "'0'"),
        ("test_9999.jpg -1", "a whole number from 1 to 7", "'-1'"),
        ("test_9999.jpg 4.0", "a whole number from 1 to 7", "'4.0'"),
        ("test_9999.jpg Fear", "a whole number from 1 to 7", "'Fear'"),
        ("test_0001.jpg 4", "every image once", "test_0001 again"),
        ("test_0001_aligned.jpg 4", "every image once", "test_0001 again"),
    ],
)
def test_a_bad_line_in_the_label_file(tmp_path, open_rafdb, line, expected, found):
    root = make_rafdb(tmp_path)
    tree.add_label(root, "basic", line)
    number = len(label_file(root, "basic").read_text().splitlines())
    with pytest.raises(UserError) as caught:
        open_rafdb(root).samples("test")
    assert f"basic/EmoLabel/list_patition_label.txt, line {number}" in caught.value.problem
    assert expected in caught.value.expected
    assert found in caught.value.found
    assert "coabench datasets verify raf-db-basic" in caught.value.remedy


def test_only_the_codes_of_the_own_subset_count(tmp_path, open_rafdb):
    root = make_rafdb(tmp_path)
    tree.add_label(root, "compound", "test_999.jpg 11")
    assert open_rafdb(root, "compound").samples("test")
    tree.add_label(root, "compound", "test_998.jpg 12")
    with pytest.raises(UserError) as caught:
        open_rafdb(root, "compound").samples("test")
    assert caught.value.expected == "a whole number from 1 to 11"


def test_a_label_file_that_is_no_text(tmp_path, open_rafdb):
    root = make_rafdb(tmp_path)
    label_file(root, "basic").write_bytes("test_0001.jpg 4\n".encode("utf-16"))
    with pytest.raises(UserError) as caught:
        open_rafdb(root).samples("test")
    assert "UTF-8" in caught.value.expected


def test_a_split_that_the_card_does_not_know(tmp_path, open_rafdb):
    with pytest.raises(UserError, match="no split 'trian'") as caught:
        open_rafdb(make_rafdb(tmp_path)).samples("trian")
    assert "did you mean 'train'?" in caught.value.remedy


@pytest.mark.parametrize("layout", ["official", "merged", "csv-folders", "name-folders"])
def test_a_split_that_the_copy_does_not_have(tmp_path, open_rafdb, layout):
    dataset = open_rafdb(make_rafdb(tmp_path, basic=(0, 1), layout=layout))
    assert dataset.samples("test")
    with pytest.raises(UserError, match="no 'train' split") as caught:
        dataset.samples("train")
    assert caught.value.found == "only test"


# Merged layout


def edit(root, change, name="all_ft_valid.json"):
    records = json.loads((root / name).read_text())
    (root / name).write_text(json.dumps(change(records)))


def compound(records):
    return next(r for r in records if r["id"].endswith("_2"))


def drop_an_order(records):
    return [r for r in records if r is not compound(records)]


def other_answer(records):
    record = compound(records)
    taken = record["conversations"][0]["value"]
    old = record["conversations"][1]["value"]
    record["conversations"][1]["value"] = next(e for e in tree.BASIC if e != old and f"was {e}." not in taken)
    return records


def strange_answer(records):
    compound(records)["conversations"][1]["value"] = "Contempt"
    return records


def pair_without_a_class(records):
    stem = compound(records)["image"]
    for record, (primary, secondary) in zip(
        [r for r in records if r["image"] == stem], [("Happiness", "Anger"), ("Anger", "Happiness")], strict=True
    ):
        question, answer = record["conversations"]
        question["value"] = f"<image>\nThe primary emotion conveyed by this image was {primary}. Please select"
        answer["value"] = secondary
    return records


def basic_prompt(records):
    compound(records)["conversations"][0]["value"] = "<image>\nSelect an emotion label"
    return records


def image_of_the_other_subset(records):
    compound(records)["image"] = "test_0001_aligned.jpg"
    return records


def broken_record(records):
    del compound(records)["conversations"][1]
    return records


def strange_name(records):
    compound(records)["image"] = "face.jpg"
    return records


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (drop_an_order, "one for either order"),
        (other_answer, "one for either order"),
        (strange_answer, "Surprise, Fear, Disgust"),
        (pair_without_a_class, "one of the pairs of the card"),
        (basic_prompt, "a prompt of the compound subset"),
        (image_of_the_other_subset, "an image and a prompt of the compound subset"),
        (broken_record, "a conversation of two turns"),
        (strange_name, "an image such as test_"),
    ],
)
def test_records_that_cannot_be_trusted(tmp_path, open_rafdb, change, expected):
    root = make_rafdb(tmp_path, layout="merged")
    edit(root, change)
    with pytest.raises(UserError) as caught:
        open_rafdb(root, "compound").samples("test")
    assert "all_ft_valid.json, record" in caught.value.problem
    assert expected in caught.value.expected


def test_a_basic_image_with_two_records(tmp_path, open_rafdb):
    root = make_rafdb(tmp_path, layout="merged")
    edit(root, lambda records: [*records, records[0]])
    with pytest.raises(UserError) as caught:
        open_rafdb(root).samples("test")
    assert "every basic image once" in caught.value.expected


def test_json_that_is_cut_off(tmp_path, open_rafdb):
    root = make_rafdb(tmp_path, layout="merged")
    file = root / "all_ft_train.json"
    file.write_text(file.read_text()[:-20])
    with pytest.raises(UserError, match=r"all_ft_train\.json"):
        open_rafdb(root).samples("train")


def test_merged_folders_without_json(tmp_path, open_rafdb):
    root = make_rafdb(tmp_path, layout="merged")
    for file in root.glob("*.json"):
        file.unlink()
    with pytest.raises(UserError, match="no labels"):
        open_rafdb(root)
    (root / "other.json").write_text("[1, 2]")
    with pytest.raises(UserError, match=r"other\.json"):
        open_rafdb(root).samples("test")


# Folders


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("test_9999_aligned.jpg,8", "a whole number from 1 to 7"),
        ("test_9999_aligned.jpg", "an image name and a code"),
        ("face.jpg,3", "a RAF-DB name"),
        ("train_00001_aligned.jpg,3", "an image of the test split"),
        ("test_001_aligned.jpg,3", "an image of the basic subset"),
        ("test_0001_aligned.jpg,3", "every image once"),
    ],
)
def test_a_bad_line_in_a_csv(tmp_path, open_rafdb, line, expected):
    root = make_rafdb(tmp_path, layout="csv-folders")
    with (root / "test_labels.csv").open("a") as stream:
        stream.write(line + "\n")
    with pytest.raises(UserError) as caught:
        open_rafdb(root).samples("test")
    assert "test_labels.csv, line" in caught.value.problem
    assert expected in caught.value.expected


def test_a_csv_with_another_header(tmp_path, open_rafdb):
    root = make_rafdb(tmp_path, layout="csv-folders")
    file = root / "test_labels.csv"
    file.write_text(file.read_text().replace("image,label", "label,image"))
    with pytest.raises(UserError) as caught:
        open_rafdb(root).samples("test")
    assert caught.value.expected == "the header image,label"


def test_an_image_in_two_numbered_folders(tmp_path, open_rafdb):
    root = make_rafdb(tmp_path, layout="csv-folders")
    for code in (1, 2):
        (root / "DATASET" / "test" / str(code) / "test_0001_aligned.jpg").touch()
    with pytest.raises(UserError) as caught:
        open_rafdb(root).samples("test")
    assert "DATASET/test/1/test_0001_aligned.jpg and DATASET/test/2" in caught.value.found


def test_a_folder_that_is_no_emotion(tmp_path, open_rafdb):
    root = make_rafdb(tmp_path, layout="name-folders")
    (root / "test" / "anger").rename(root / "test" / "angst")
    with pytest.raises(UserError) as caught:
        open_rafdb(root).samples("test")
    assert caught.value.found == "'angst'"


def test_folders_that_were_split_anew(tmp_path, open_rafdb):
    root = make_rafdb(tmp_path, layout="name-folders")
    file = next((root / "train" / "anger").iterdir())
    file.rename(root / "test" / "anger" / file.name)
    with pytest.raises(UserError) as caught:
        open_rafdb(root).samples("test")
    assert "an image of the test split" in caught.value.expected
