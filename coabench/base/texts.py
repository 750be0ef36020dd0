"""Texts of which there may be millions, such as the ids of samples: their bytes, and eight more for each."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import overload

import numpy as np
import numpy.typing as npt

SURROGATES = "surrogatepass"


class Texts(Sequence[str]):
    """A list of texts that keeps no object of each."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._data, self._ends = bytearray(), array("q", [0])
        for text in texts:
            self.append(text)

    def append(self, text: str) -> None:
        """Add a text."""
        self._data += text.encode("utf-8", SURROGATES)
        self._ends.append(len(self._data))

    def hashes(self) -> npt.NDArray[np.int64]:
        """Return the hash of each, the same for equal texts within a process, shape (n,)."""
        return np.fromiter(map(hash, self), np.int64, len(self))

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, which: int) -> str: ...
    @overload
    def __getitem__(self, which: slice) -> list[str]: ...
    def __getitem__(self, which: int | slice) -> str | list[str]:
        numbers = range(len(self))[which]
        if isinstance(numbers, range):
            return [self._text(self._ends[i], self._ends[i + 1]) for i in numbers]
        return self._text(self._ends[numbers], self._ends[numbers + 1])

    def __iter__(self) -> Iterator[str]:
        return (self._text(start, end) for start, end in pairwise(self._ends))

    def _text(self, start: int, end: int) -> str:
        return self._data[start:end].decode("utf-8", SURROGATES)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Texts):
            return NotImplemented
        return self._ends == other._ends and self._data == other._data

    __hash__ = None  # type: ignore[assignment]  # it grows


class TextIndex:
    """Finds texts: sixteen bytes for each."""

    def __init__(self, texts: Texts) -> None:
        hashes = texts.hashes()
        self._texts, self._order = texts, np.argsort(hashes, kind="stable")
        self._hashes = hashes[self._order]

    def find(self, text: str) -> list[int]:
        """Return where a text stands, in order."""
        wanted = np.int64(hash(text))
        first, last = (int(np.searchsorted(self._hashes, wanted, side)) for side in ("left", "right"))
        return [i for i in self._order[first:last].tolist() if self._texts[i] == text]
