"""Tensors that are kept on disk: what is torn is made again, the folder stays within bounds, processes share it."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from torch import Tensor

from coabench.support.tensor_store import TensorStore

SIZE = 4096
"""Bytes of a tensor here; its file has a hundred or two more."""


def made(value: int, kind: torch.dtype = torch.float32) -> Tensor:
    return torch.full((SIZE // kind.itemsize,), value, dtype=kind)


def nothing() -> Tensor:
    raise AssertionError("computed again")


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.safetensors"))


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_what_is_kept_comes_back_to_the_same_and_another_process(tmp_path: Path, kind: torch.dtype) -> None:
    store = TensorStore(tmp_path / "vision", 10**6)
    assert torch.equal(store.get(b"one", lambda: made(1, kind)), made(1, kind))
    for each in (store, TensorStore(tmp_path / "vision", 10**6)):
        assert torch.equal(each.get(b"one", nothing), made(1, kind))
        assert torch.equal(each.get(b"two", lambda: made(2, kind)), made(2, kind))
    assert (store.looked, store.found) == (3, 1)
    if os.name == "posix":
        assert (tmp_path / "vision").stat().st_mode & 0o077 == 0


def test_what_is_torn_changed_or_another_ones_is_made_again(tmp_path: Path) -> None:
    store = TensorStore(tmp_path, 10**6)
    store.get(b"one", lambda: made(1))
    (file,) = files(tmp_path)
    whole = file.read_bytes()
    wrong = TensorStore(tmp_path / "other", 10**6)
    wrong.get(b"two", lambda: made(2))
    changed = bytearray(whole)
    changed[-5] ^= 1
    for damaged in (b"", whole[:100], whole[:-1], bytes(changed), b"\xff" * len(whole),
                    files(tmp_path / "other")[0].read_bytes()):  # fmt: skip
        file.write_bytes(damaged)
        assert torch.equal(store.get(b"one", lambda: made(1)), made(1))
        assert torch.equal(store.get(b"one", nothing), made(1))


def test_the_folder_stays_within_bounds_and_the_longest_unused_goes_first(tmp_path: Path) -> None:
    limit = 3 * (SIZE + 400)
    before = TensorStore(tmp_path, limit)
    for key in (b"one", b"two", b"three"):
        before.get(key, lambda: made(1))
    for age, file in enumerate(files(tmp_path)):
        os.utime(file, (age + 1, age + 1))
    (tmp_path / ".0123.tmp").write_bytes(b"half of a file of a process that was killed")
    store = TensorStore(tmp_path, limit)
    oldest, *others = files(tmp_path)
    store.get(b"four", lambda: made(4))
    assert not oldest.exists()
    assert all(other.exists() for other in others)
    assert not (tmp_path / ".0123.tmp").exists()
    store.get(b"five", lambda: made(5))
    store.get(b"six", lambda: made(6))
    store.get(b"seven", lambda: made(7))  # all that is there was asked for: it stays
    assert sum(file.stat().st_size for file in files(tmp_path)) <= limit
    for key, value in ((b"four", 4), (b"five", 5), (b"six", 6)):
        assert torch.equal(store.get(key, nothing), made(value))
    TensorStore(tmp_path, 100).get(b"eight", lambda: made(8))
    assert len(files(tmp_path)) == 3


def test_a_folder_that_cannot_be_had_costs_time_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    store = TensorStore(tmp_path / "file" / "vision", 10**6)
    assert torch.equal(store.get(b"one", lambda: made(1)), made(1))
    gone = TensorStore(tmp_path / "gone", 10**6)
    gone.get(b"one", lambda: made(1))
    shutil.rmtree(tmp_path / "gone")
    assert torch.equal(gone.get(b"one", lambda: made(1)), made(1))
    assert torch.equal(gone.get(b"one", nothing), made(1))


def test_writers_beside_each_other_keep_bounds_and_values(tmp_path: Path) -> None:
    """Two stores over one folder, as two processes have them: locks and files are all that they share."""
    limit = 4 * (SIZE + 400)

    def work(start: int) -> bool:
        store = TensorStore(tmp_path, limit)
        keys = [(start + step) % 6 for step in range(30)]
        return all(torch.equal(store.get(bytes([key]), lambda key=key: made(key)), made(key)) for key in keys)  # type: ignore[misc]

    with ThreadPoolExecutor(2) as threads:
        assert all(threads.map(work, (0, 3)))
    assert sum(file.stat().st_size for file in files(tmp_path)) <= limit
    assert not [*tmp_path.glob(".*.tmp")]
