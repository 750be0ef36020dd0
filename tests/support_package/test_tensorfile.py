"""Files of tensors that are damaged, or none: refused in words before anything large is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from support.special_files import SPECIAL, posix

from coabench.errors import UserError
from coabench.support.adapter_folder import CONFIG, WEIGHTS, AdapterFolder
from coabench.support.tensorfile import TensorFile, TorchFile


def stored(header: object, size: int = 8, length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + bytes(size)


def tensor(begin: Any = 0, end: Any = 8, shape: Any = (2,), dtype: Any = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (stored({"a": tensor()}, length=2**63), "its header does not fit"),
        (stored({"a": tensor()}, length=2**64 - 1), "its header does not fit"),
        (stored(b"[" * 100_000), "more than 64 deep"),
        (stored(b"no JSON"), "Expecting value"),
        (stored(b"\xff" * 20), "utf-8"),
        (stored([1]), "its header is no JSON object"),
        (stored(b'{"a": %b, "a": %b}' % ((json.dumps(tensor()).encode(),) * 2)), "the key 'a' twice"),
        (stored({"a": 5}), "its header: a"),
        (stored({"a": tensor(), "b": tensor()}), "the one before ends at 8"),
        (stored({"a": tensor(4, 8, (1,))}), "takes bytes 4 to 8"),
        (stored({"a": tensor(8, 0)}), "takes bytes 8 to 0"),
        (stored({"a": tensor(-8, 0)}), "data_offsets"),
        (stored({"a": tensor(0, 2**80)}), "tensor a of shape"),
        (stored({"a": tensor(shape=(3,))}), r"of shape \[3\] takes 8 bytes"),
        (stored({"a": tensor(shape=(2**40, 2**40))}), "takes 8 bytes"),
        (stored({"a": tensor(shape=(-2,))}), "shape"),
        (stored({"a": tensor(shape=(True, 2))}), "shape"),
        (stored({"a": tensor(shape=2)}), "shape"),
        (stored({"a": tensor()}, size=12), "take 8 bytes"),
        (stored({"a": tensor(dtype="F8_E9", shape=(8,))}), "of type F8_E9"),
    ],
)
def test_a_damaged_file_is_refused_in_words(data: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(UserError, match=words):
        TensorFile(tmp_path / "x")


def test_what_safetensors_writes_is_read(tmp_path: Path) -> None:
    tensors = {"none": torch.zeros(0, 4), "one": torch.tensor(1.0), "two": torch.ones(2, dtype=torch.bfloat16)}
    save_file(tensors, tmp_path / "x", {"format": "pt"})
    file = TensorFile(tmp_path / "x")
    assert {name: entry.shape for name, entry in file.entries.items()} == {"none": (0, 4), "one": (), "two": (2,)}
    assert all(torch.equal(file.read(name), value) for name, value in tensors.items())


@posix
@pytest.mark.parametrize("kind", ["pipe", "device", "socket", "folder", "link to itself"])
def test_weights_that_are_no_file_are_refused(kind: str, tmp_path: Path) -> None:
    make, words = SPECIAL[kind]
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / CONFIG).write_text("{}")
    path = make(tmp_path / "adapter" / WEIGHTS)
    for read in (lambda: TensorFile(path), lambda: TorchFile(path), lambda: AdapterFolder.read(path.parent)):
        with pytest.raises(UserError, match=words):
            read()


@pytest.mark.parametrize("text", ["[" * 100_000, "[]", "{", '{"r": ' + "1" * 5000 + "}"])
def test_a_damaged_config_is_refused(text: str, tmp_path: Path) -> None:
    save_file({"a": torch.ones(2)}, tmp_path / WEIGHTS)
    (tmp_path / CONFIG).write_text(text)
    with pytest.raises(UserError, match=r"adapter_config\.json cannot be read"):
        AdapterFolder.read(tmp_path)
