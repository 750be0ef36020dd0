"""The generator of fake trees, which other tests and the docs lean on."""

from __future__ import annotations

import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from support import rafdb_tree
from support.rafdb_tree import image_file, make_rafdb


def files(root):
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def test_the_same_arguments_give_the_same_tree(tmp_path):
    assert files(make_rafdb(tmp_path / "a")) == files(make_rafdb(tmp_path / "b"))
    assert files(make_rafdb(tmp_path / "c", seed=1)) != files(tmp_path / "a")


def test_no_two_images_are_equal_and_all_are_small_faces(tmp_path):
    root = make_rafdb(tmp_path)
    images = [p.read_bytes() for p in root.rglob("*_aligned.jpg")]
    assert len(images) == len(set(images)) == 7 * 3 + 11 * 3
    assert {Image.open(BytesIO(image)).size for image in images} == {(100, 100)}


def test_images_can_be_derived_from_given_pictures(tmp_path):
    Image.new("RGB", (50, 50), (200, 10, 10)).save(tmp_path / "red.png")
    root = make_rafdb(tmp_path / "tree", faces_from=tmp_path, basic=(0, 1), compound=(0, 0))
    red, green, _ = Image.open(image_file(root, "basic", "test_0001")).getpixel((50, 50))
    assert red > 150 > 50 > green
    assert not (root / "compound").exists()


@pytest.mark.process
def test_it_runs_as_a_program(tmp_path, open_rafdb):
    command = [sys.executable, rafdb_tree.__file__, str(tmp_path / "out"), "--basic", "1", "2", "--layout", "merged"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert len(open_rafdb(Path(done.stdout.strip())).samples("test")) == 14
