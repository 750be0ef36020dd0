"""Names for the faces of the viewer in the seat. They are forgotten with the seat; a log keeps them as notes."""

from __future__ import annotations

from collections.abc import Collection

from coabench.errors import UserError

LONGEST = 40
"""Characters of a name."""
KEPT = 64
"""Faces that can be named, and merged into; of more the newest."""


class People:
    """The faces that were met since the seat was taken, by their numbers.

    Attributes:
        names: those that have one.
    """

    def __init__(self) -> None:
        self._met: dict[int, None] = {}
        self.names: dict[int, str] = {}

    def forget(self) -> None:
        """Another viewer takes the seat."""
        self._met, self.names = {}, {}

    def meet(self, track: int) -> None:
        """A face was answered about."""
        self._met.setdefault(track)
        if len(self._met) > KEPT:
            gone = next(iter(self._met))
            del self._met[gone]
            self.names = {track: name for track, name in self.names.items() if track != gone}

    def find(self, track: str) -> int:
        """Return the number of a face that was met; `UserError` for anything else."""
        if not track.isdecimal() or len(track) > 9 or int(track) not in self._met:
            raise UserError("there is no such face", found=track[:LONGEST], remedy="choose one that was in the picture")
        return int(track)

    def name(self, track: int, name: str) -> str:
        """Call a face by a name, or by none; return what happened, in words."""
        name = name.strip()
        if len(name) > LONGEST:
            raise UserError("a name is too long", expected=f"{LONGEST} characters", found=f"{len(name)}")
        if not name:
            self.names = {other: said for other, said in self.names.items() if other != track}
            return f"face {track} has no name"
        self.names = {**self.names, track: name}
        return f"face {track} is called {name}"

    def merge(self, track: int, into: int, present: Collection[int]) -> str:
        """Let a face that is *present* be an earlier one from here on; return what happened, in words.

        The earlier one keeps its name, or gets that of the other.
        """
        if track == into or track not in present or into in present:
            raise UserError(
                "these are not one face",
                expected="one that is in the picture, and an earlier one that is not",
                found=f"faces {track} and {into}",
            )
        if track in self.names:
            name, rest = self.names[track], {other: said for other, said in self.names.items() if other != track}
            self.names = {into: name, **rest}
        self._met = {other: None for other in self._met if other != track}
        return f"face {track} is face {into} from here on"
