"""What a name may stand for: a regular file of a size that fits, or else an error in words; never a wait."""

from pathlib import Path

import pytest
from support.special_files import SPECIAL, posix

from coabench.base.reading import is_file, is_folder, open_file, read_bytes, read_text, what_is_at


@posix
@pytest.mark.parametrize("kind", SPECIAL)
def test_what_is_no_regular_file_is_refused_in_words(kind: str, tmp_path: Path) -> None:
    make, words = SPECIAL[kind]
    path = make(tmp_path / "x")
    with pytest.raises(OSError) as caught:  # noqa: PT011  # the words are what counts
        read_bytes(path, 100)
    assert caught.value.strerror == words
    assert not is_file(path)
    assert is_folder(path) == (kind == "folder")
    assert what_is_at(path)


def test_a_file_is_read_to_its_limit(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"12345")
    assert read_bytes(tmp_path / "x", 5) == b"12345"
    with pytest.raises(OSError, match="a file of 5 bytes; at most 4 are read"):
        read_bytes(tmp_path / "x", 4)
    with open_file(tmp_path / "x") as file:
        assert file.read() == b"12345"


def test_a_null_byte_in_a_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="a name with a null byte"):
        read_bytes(tmp_path / "a\0b", 100)
    assert not is_file(tmp_path / "a\0b")
    assert not is_folder(tmp_path / "a\0b")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs a file that hides its size")
def test_a_file_that_hides_its_size_is_bounded_too() -> None:
    with pytest.raises(OSError, match="a file of more; at most 10 are read"):
        read_bytes(Path("/proc/self/status"), 10)


def test_text_is_utf_8_without_its_mark(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\xef\xbb\xbfa\r\nb\rc\n")
    assert read_text(tmp_path / "x") == "a\nb\nc\n"
    (tmp_path / "x").write_bytes("a\nü".encode("latin-1"))
    with pytest.raises(ValueError, match="no UTF-8 text: byte 0xfc in line 2"):
        read_text(tmp_path / "x")
