"""A data root that holds pipes, devices and links in circles: refused in words, and never read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from coabench_faces.dataset import Faces
from support.faces_trees import put
from support.special_files import SPECIAL, posix

from coabench.errors import SampleError, UserError
from coabench.inference.loading import read_image
from coabench.support.image_checks import verify

Open = Callable[..., Faces]


@posix
@pytest.mark.parametrize("kind", ["pipe", "socket", "link to itself", "link to nowhere"])
def test_an_image_that_is_no_file_is_named_and_not_read(kind: str, root: Path, open_faces: Open) -> None:
    put(root / "Anger" / "a.jpg")
    make, words = SPECIAL[kind]
    make(root / "Anger" / "b.jpg")
    faces = open_faces("files: '{label}/*.jpg'")
    good, bad = faces.samples("test")
    assert read_image(good.image).image.size == (16, 16)
    with pytest.raises(SampleError, match="is missing" if kind == "link to nowhere" else words):
        read_image(bad.image)
    assert any(check.level == "error" and "b.jpg" in str(check.examples) for check in verify(faces).checks)


@posix
@pytest.mark.parametrize("kind", ["pipe", "socket", "folder", "link to itself"])
def test_a_table_that_is_no_file_is_refused(kind: str, root: Path, open_faces: Open) -> None:
    make, words = SPECIAL[kind]
    make(root / "labels.csv")
    with pytest.raises(UserError, match=words):
        open_faces("table: labels.csv\nimage: file\nlabel: emotion").samples("test")


@posix
def test_a_device_is_outside_the_data_root(root: Path, open_faces: Open) -> None:
    (root / "Anger").mkdir()
    (root / "Anger" / "a.jpg").symlink_to("/dev/zero")
    with pytest.raises(UserError, match="a link that leads out of the data root"):
        open_faces("files: '{label}/*.jpg'").samples("test")


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("labels.csv", "file,emotion\na.png,1".encode("utf-16"), "no UTF-8 text"),
        ("labels.csv", "file,emotion\nä.png,1".encode("latin-1"), "no UTF-8 text"),
        ("labels.csv", b"file,emotion\na.png," + b"1" * 200_000, "field larger than field limit"),
        ("labels.csv", b"file,file,emotion\na.png,a.png,1", "'file' twice"),
        ("labels.csv", b",".join(b"%d" % i for i in range(20_000)) + b"\n1", "20,000"),
        ("labels.csv", b"a.png,1\nb.png,2\n", "there is no column 'emotion'"),
        ("labels.csv", b"file,emotion\na\0.png,1\n", "no name of a file"),
        ("labels.jsonl", b'{"file": "a.png", "emotion": ' + b"[" * 100_000, "more than 64 deep"),
        ("labels.jsonl", b'{"file": "a.png", "emotion": 1, "emotion": 2}', "the key 'emotion' twice"),
        ("labels.jsonl", b'{"file": "a.png", "emotion": NaN}', "NaN, which is no number"),
        ("labels.jsonl", b'{"file": "a.png", "emotion": ' + b"1" * 5000 + b"}", "a number of 5,000 digits"),
    ],
)
def test_a_hostile_table_is_refused_in_words(name: str, data: bytes, words: str, root: Path, open_faces: Open) -> None:
    put(root / "a.png")
    (root / name).write_bytes(data)
    with pytest.raises(UserError, match=words):
        open_faces(f"table: {name}\nimage: file\nlabel: emotion").samples("test")


@pytest.mark.parametrize("shape", ["(1000000000000000,)", "(" * 2000])
def test_a_hostile_array_is_refused_in_words(shape: str, root: Path, open_faces: Open) -> None:
    put(root / "a.png")
    header = f"{{'descr': '<i8', 'fortran_order': False, 'shape': {shape}, }}".encode()
    (root / "a.npy").write_bytes(b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header + bytes(8))
    with pytest.raises(UserError, match=r"a \.npy file that can be read"):
        open_faces("table: '*.npy'\ncolumns: [emotion]\nimage: '{file}.png'\nlabel: emotion").samples("test")


def test_a_table_with_carriage_returns_alone_is_read(root: Path, open_faces: Open) -> None:
    put(root / "a.png")
    (root / "labels.csv").write_bytes(b"file,emotion\ra.png,1\r")
    (sample,) = open_faces("table: labels.csv\nimage: file\nlabel: emotion").samples("test")
    assert sample.target == "Anger"
