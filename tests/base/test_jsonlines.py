"""JSON lines: what is torn does not count, what is damaged is named, what is added is whole."""

import hashlib
from pathlib import Path

import pytest

from coabench.base.jsonlines import InvalidLine, LineWriter, encode, read_line, read_lines


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lines.jsonl"


def test_lines_know_their_number_and_offset(path: Path) -> None:
    path.write_bytes(b'{"a": 1}\n{"a": "\xc3\xa9"}\n{"a"')
    digest = hashlib.sha256()
    lines = list(read_lines(path, digest))
    assert [tuple(line) for line in lines] == [(1, 0, {"a": 1}), (2, 9, {"a": "é"})]
    assert digest.digest() == hashlib.sha256(path.read_bytes()).digest()  # the torn line included
    with path.open("rb") as file:
        assert read_line(file, 9) == {"a": "é"}


def test_no_file_has_no_lines(path: Path) -> None:
    assert list(read_lines(path)) == []


@pytest.mark.parametrize("line", [b"{", b"", b"[1]", b"null", b"\xff"])
def test_what_is_no_object_is_named_or_passed_over(path: Path, line: bytes) -> None:
    path.write_bytes(b'{"a": 1}\n' + line + b'\n{"a": 2}\n')
    with pytest.raises(InvalidLine) as error:
        list(read_lines(path))
    assert error.value.number == 2
    assert [(line.number, line.data["a"]) for line in read_lines(path, skip_invalid=True)] == [(1, 1), (3, 2)]


@pytest.mark.parametrize("torn", [b"", b"{", b"x" * 200_000])
def test_a_writer_goes_on_after_the_last_whole_line(path: Path, torn: bytes) -> None:
    path.write_bytes(b'{"a": 1}\n' + torn)
    with LineWriter(path) as log:
        log.append([{"a": 2}, {"a": 3}])
        log.append([])
    assert path.read_bytes() == b'{"a": 1}\n{"a": 2}\n{"a": 3}\n'


def test_half_a_character_is_escaped_and_nan_refused() -> None:
    assert encode({"a": "\ud800é"}) == b'{"a": "\\ud800\xc3\xa9"}\n'
    with pytest.raises(ValueError, match="JSON"):
        encode({"a": float("nan")})
