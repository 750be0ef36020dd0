"""What the viewer in the seat looks at: their camera, or, in its place, a source that this machine reads for them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from coabench.base.worker_thread import WorkerThread
from coabench.errors import CoabenchError, JobError, UserError
from coabench.live.browser.addresses import Addresses
from coabench.live.browser.frames import Sent
from coabench.live.browser.seating import Seating
from coabench.live.browser.serving import Permissions
from coabench.live.browser.uploads import MAX_PIXELS, Upload
from coabench.live.capture import Capture
from coabench.live.snapshot import Frame
from coabench.live.sources import Note, Source, open_source, shown
from coabench.registry.blame import contained

HOLD = 0.5
"""Seconds without a word that the page has shown a picture, after which a film waits for it."""
Kind = Literal["camera", "film", "address"]


@dataclass(frozen=True)
class Watched:
    """What is looked at.

    Attributes:
        name: what the log calls it; an address without its credentials.
        since: the index of its first frame.
        ended: whether no more frames come.
    """

    kind: Kind = "camera"
    name: str = "browser"
    since: int = 0
    ended: bool = False


@dataclass(frozen=True)
class _Opener:
    kind: Kind
    name: str
    open: Callable[[], Source]
    upload: Upload | None = None


class _Playing:
    """A source that is read: a picture at a time, and the next when the page has shown the last."""

    def __init__(self, opener: _Opener, source: Source) -> None:
        self.opener = opener
        self._capture = Capture(source)
        self._awaited: int | None = None
        self._sent = 0.0
        self._held = False

    def next(self, pause: float) -> Frame | None:
        """Return the newest frame, if one is welcome, and *pause* seconds have passed since the last."""
        silent = time.monotonic() - self._sent
        hold = self._awaited is not None and silent > HOLD
        if hold != self._held:
            self._held = hold
            self._capture.pause(hold)
        frame = self._capture.take(0) if self._awaited is None and silent >= pause else None
        if frame is not None and frame.image.shape[0] * frame.image.shape[1] > MAX_PIXELS:
            raise JobError("its pictures are too large")  # they can grow on the way
        return frame

    def sent(self, number: int) -> None:
        """Wait until the page has shown this frame."""
        self._awaited, self._sent = number, time.monotonic()

    def shown(self, number: int) -> None:
        """The page has shown a frame."""
        if number == self._awaited:
            self._awaited = None

    @property
    def ended(self) -> bool:
        return self._capture.ended

    def close(self) -> None:
        self._capture.close()


class Player:
    """The camera of the viewer in the seat, or a source of this machine in its place.

    Each begins a scene of its own, so that no face goes from one to the other. All methods are called in the thread of
    the web server.

    Args:
        changed: called with what is looked at from now on.

    Attributes:
        watched: what is looked at.
        opening: what is being opened, if anything.
        addresses: which ones a viewer may let this machine open.
        films: whether a viewer may send one.
    """

    def __init__(
        self, permissions: Permissions, seating: Seating, note: Note, changed: Callable[[Watched], None]
    ) -> None:
        self.watched = Watched()
        self.opening: str | None = None
        self.addresses, self.films = Addresses(permissions.addresses), permissions.films
        self._seating, self._note, self._changed = seating, note, changed
        self._playing: _Playing | None = None
        self._worker = WorkerThread("player")
        self._folder: TemporaryDirectory[str] | None = None
        self._uploads = 0

    # -- choosing -----------------------------------------------------------------------------------------------------

    def receive(self, name: str, size: str) -> Upload:
        """Return a film of which nothing has come yet; `UserError` where there cannot be one."""
        if not self.films:
            raise UserError("this server takes no films", remedy="whoever started it chose --no-films")
        if self._folder is None:
            try:
                self._folder = TemporaryDirectory(prefix="coabench-films-", ignore_cleanup_errors=True)
            except OSError as error:
                raise JobError("the film cannot be kept on the server", found=error.strerror) from None
        self._uploads += 1
        return Upload(Path(self._folder.name), self._uploads, name, size)

    async def write(self, upload: Upload, piece: bytes) -> None:
        """Write a piece of a film; see `Upload.write`."""
        await asyncio.wrap_future(self._worker.submit(lambda: upload.write(piece)))

    def drop(self, upload: Upload) -> None:
        """Delete a film that will not be looked at."""
        self._worker.submit(upload.delete)

    async def play(self, viewer: object, upload: Upload) -> None:
        """Look at a film that has come; `CoabenchError` where it cannot be read, and it is deleted."""
        try:
            await self._open(viewer, _Opener("film", upload.name, lambda: upload.open(self._note), upload))
        except BaseException:
            upload.delete()
            raise

    async def dial(self, viewer: object, address: str) -> None:
        """Look at what an address shows; `CoabenchError` where it may not or cannot be opened."""
        checked = self.addresses.check(address)
        await self._open(viewer, _Opener("address", shown(checked), lambda: _dialled(checked, self._note)))

    async def again(self, viewer: object) -> None:
        """Look at the same film from its beginning, or open the same address again."""
        if self._playing is None:
            raise UserError("there is nothing to play again", remedy="choose a film or an address")
        await self._open(viewer, self._playing.opener)

    def back(self) -> None:
        """Look through the viewer's camera again."""
        if self._playing is not None:
            self._put(None)

    def close(self) -> None:
        """Close what is read, and delete all films."""
        playing, self._playing = self._playing, None
        if playing is not None:
            playing.close()
        self._worker.close(0.5)
        if self._folder is not None:
            self._folder.cleanup()

    async def _open(self, viewer: object, opener: _Opener) -> None:
        if self.opening is not None:
            raise UserError("another source is being opened", found=self.opening, remedy="wait for it")
        self.opening = opener.name
        try:
            playing = await asyncio.wrap_future(self._worker.submit(lambda: self._read(opener)))
        except CoabenchError:
            raise
        except Exception as error:
            self._note(f"{opener.name} cannot be opened: {type(error).__name__}")
            raise JobError(f"{opener.name} cannot be opened", found=type(error).__name__) from error
        finally:
            self.opening = None
        if self._seating.seat(viewer) != "yours":
            self._worker.submit(playing.close)
            raise UserError("the seat was lost meanwhile", remedy="start again")
        self._put(playing)

    @contained()
    def _read(self, opener: _Opener) -> _Playing:
        return _Playing(opener, opener.open())

    def _put(self, playing: _Playing | None) -> None:
        """Look at another source; let go of the one before, and of its film unless it is played again."""
        old, self._playing = self._playing, playing
        if old is not None:
            self._worker.submit(old.close)
            upload = old.opener.upload
            if upload is not None and (playing is None or playing.opener is not old.opener):
                self._worker.submit(upload.delete)
        since = self._seating.begin()
        opener = None if playing is None else playing.opener
        self.watched = Watched(since=since) if opener is None else Watched(opener.kind, opener.name, since)
        self._changed(self.watched)

    # -- looking ------------------------------------------------------------------------------------------------------

    def next(self, pause: float) -> Frame | None:
        """Return the next frame of this machine's source, once it is welcome and *pause* seconds after the last.

        None where there is none: the page has not shown the last one, the source has ended, or it is the camera.
        """
        playing = self._playing
        if playing is None or self.watched.ended:
            return None
        try:
            taken = playing.next(pause)
        except Exception as error:
            self._note(f"{self.watched.name} cannot be read any more: {type(error).__name__}: {error}")
            self.watched = replace(self.watched, ended=True)
            self._worker.submit(playing.close)
            return None
        if taken is None:
            self.watched = replace(self.watched, ended=playing.ended)
            return None
        frame = self._seating.frame(Sent(0, 1000 * taken.time, taken.image))
        playing.sent(frame.index)
        return frame

    def shown(self, number: str) -> None:
        """The page has shown a frame."""
        if self._playing is not None and number.isdecimal() and len(number) < 12:
            self._playing.shown(int(number))


def _dialled(address: str, note: Note) -> Source:
    try:
        return open_source(address, note)
    except UserError as error:
        raise UserError(
            f"the address {error.problem.removeprefix('--source ')}",
            expected=error.expected,
            remedy="check the address, the password and the network",
        ) from None
