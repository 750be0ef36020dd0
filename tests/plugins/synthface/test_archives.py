"""Sets packed into an archive: the same as in a folder, and told apart from everything else."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZIP_LZMA, ZipFile

import pytest
from coabench_synthface.dataset import SynthFace
from coabench_synthface.packing import pack

from coabench.errors import SampleError, UserError
from coabench.inference.loading import read_image

Open = Callable[..., SynthFace]


def bad(dataset: SynthFace) -> dict[str, tuple[str, ...]]:
    return {c.text.partition(":")[0]: c.examples for c in dataset.verify() if c.level != "ok"}


@pytest.mark.parametrize("subset", ["basic", "compound"])
def test_a_packed_set_is_the_set(pretended: Path, packed: Path, open_set: Open, subset: str) -> None:
    folder, archive = open_set(pretended, subset), open_set(packed, subset)
    for split in ("train", "test"):
        ours, theirs = archive.samples(split), folder.samples(split)
        assert [(s.id, s.target, s.attributes) for s in ours] == [(s.id, s.target, s.attributes) for s in theirs]
        assert [s.image.read() for s in ours] == [s.image.read() for s in theirs]
        assert archive.fingerprint(split) == folder.fingerprint(split)
    assert bad(archive) == {}
    with ZipFile(packed) as zipped:  # anybody else's reader finds nothing wrong either
        assert zipped.testzip() is None
        assert zipped.read("LICENCE.txt") == (pretended / "LICENCE.txt").read_bytes()


def test_packing_twice_gives_the_same_bytes(pretended: Path, packed: Path, tmp_path: Path) -> None:
    shutil.copytree(pretended, tmp_path / "copy", copy_function=shutil.copyfile)  # with other dates
    os.utime(tmp_path / "copy" / "set.json", (0, 0))
    (tmp_path / "copy" / "set.json").chmod(0o600)
    pack(tmp_path / "copy", tmp_path / "copy.zip")
    assert (tmp_path / "copy.zip").read_bytes() == packed.read_bytes()


def test_a_damaged_picture_is_found(pretended: Path, packed: Path, open_set: Open) -> None:
    picture = (pretended / "images" / "test" / "basic_test_00000.jpg").read_bytes()
    data = packed.read_bytes()
    assert data.count(picture) == 1
    packed.write_bytes(data.replace(picture, picture[:-9] + bytes(9)))
    dataset = open_set(packed, "basic")
    assert bad(dataset) == {"pictures that are not as they were made": ("images/test/basic_test_00000.jpg",)}
    with pytest.raises(SampleError, match="damaged"):
        read_image(dataset.samples("test")[0].image)


@pytest.mark.parametrize("packing", [ZIP_DEFLATED, ZIP_BZIP2, ZIP_LZMA])
def test_a_picture_that_cannot_be_unpacked_is_an_error_of_that_picture(
    packing: int, pretended: Path, packed: Path, open_set: Open
) -> None:
    with ZipFile(packed, "w") as archive:
        for file in sorted(path for path in pretended.rglob("*") if path.is_file()):
            archive.write(file, file.relative_to(pretended), packing if file.suffix == ".jpg" else None)
        first = archive.getinfo("images/test/basic_test_00000.jpg")
    data = bytearray(packed.read_bytes())
    start = first.header_offset + 30 + len(first.filename)
    data[start + 9 : start + 40] = bytes(31)
    packed.write_bytes(data)
    with pytest.raises(SampleError, match=r"cannot be (unpacked|read)"):
        read_image(open_set(packed, "basic").samples("test")[0].image)


def test_a_missing_picture_is_found(pretended: Path, packed: Path, open_set: Open) -> None:
    (pretended / "images" / "test" / "basic_test_00000.jpg").rename(pretended / "images" / "test" / "stray.jpg")
    pack(pretended, packed)
    dataset = open_set(packed, "basic")
    assert bad(dataset) == {
        "missing pictures": ("images/test/basic_test_00000.jpg",),
        "pictures that no line names": ("images/test/stray.jpg",),
    }
    assert dataset.samples("test")[0].image.size() == -1
    with pytest.raises(SampleError, match="missing"):
        read_image(dataset.samples("test")[0].image)


def test_what_holds_no_set_is_refused(packed: Path, open_set: Open, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("not a set")
    (tmp_path / "half.zip").write_bytes(packed.read_bytes()[:5000])
    with ZipFile(tmp_path / "other.zip", "w") as other:
        other.writestr("set/set.json", "{}")
    for name, found in (
        ("nowhere", "nothing there"),
        ("note.txt", "another file"),
        ("half.zip", "cut off or damaged"),
        ("other.zip", "no such file"),
    ):
        with pytest.raises(UserError, match=found) as error:
            open_set(tmp_path / name)
        assert str(tmp_path / name) in error.value.problem
        assert error.value.expected
        assert error.value.remedy
