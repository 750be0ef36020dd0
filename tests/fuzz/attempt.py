"""Running a command on hostile input, and what may come of it."""

from __future__ import annotations

import hashlib
import os
import re
import resource
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.in_process import command

from .values import MARKUP

PATIENCE = 60
"""Seconds after which a command hangs."""
ROOM = 2 * 2**30
"""Bytes by which the memory of this process may grow over one command."""
EXITS = {0, 1, 2, 130}
DEFECTS = re.compile(
    r"defect of coabench|Traceback \(most recent|\b(?:Key|Type|Attribute|Index|Undefined|Recursion|Assertion|Lookup|"
    r"ZeroDivision|Unbound|Overflow|Value|Name|Memory|UnicodeEncode|UnicodeDecode|BrokenProcessPool)Error\b|"
    r"\bpanicked at\b|PanicException|object at 0x"
)
"""What no message may hold: signs that an error was not expected."""
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x80-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
FORBIDDEN = ("os.system", "os.exec", "os.posix_spawn", "os.spawn", "subprocess.Popen", "pickle.find_class", "pty.spawn")
"""What nothing may do on behalf of an input; see Python's table of audit events."""
TARGETS = {"os.rename": 1, "os.remove": 0, "os.rmdir": 0, "os.link": 1, "os.symlink": 1, "os.truncate": 0}
"""The audit events that change what is at a name, with the position of that name."""
OWN = ("git", "uname")
"""The programs that a run asks for its record: of the commit, and by Python's `platform`."""


class Wrong(AssertionError):
    """An outcome that no input may cause."""


class _Hangs(BaseException):
    """Raised by the alarm; no handler of the code under test catches it."""


@dataclass
class Tally:
    """What came of the inputs of one kind: exit code -> how often."""

    exits: Counter[int] = field(default_factory=Counter)
    inputs: int = 0


class Watch:
    """Notes what nothing may do. An audit hook cannot be removed again, so it is switched on and off."""

    def __init__(self) -> None:
        self.on, self.seen = False, list[str]()
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.on and event in FORBIDDEN and not (event == "subprocess.Popen" and arguments[1][0] in OWN):
            self.seen.append(f"{event} {arguments!r:.200}")
        elif self.on and event in TARGETS and isinstance(name := arguments[TARGETS[event]], str | bytes | os.PathLike):
            if not Path(os.path.abspath(os.fsdecode(name))).is_relative_to(tempfile.gettempdir()):  # noqa: PTH100
                self.seen.append(f"{event} {arguments!r:.200}")
        elif self.on and event == "socket.connect" and isinstance(arguments[1], tuple):
            host = str(arguments[1][0])
            if not host.startswith("127.") and host not in ("::1", "localhost"):
                self.seen.append(f"{event} {arguments[1]!r}")


WATCH = Watch()


class Attempts:
    """Runs commands in fresh folders and judges what comes of them.

    Args:
        base: where the folders are made.
        paths: what is on ``sys.path`` beside, for plugins.
        variables: of the environment.
    """

    def __init__(self, base: Path, variables: Mapping[str, str]) -> None:
        self._base, self._variables = base, dict(variables)
        self.tally = Tally()

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """Yield a fresh folder for one input."""
        folder = Path(tempfile.mkdtemp(dir=self._base))
        self.tally.inputs += 1
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def run(self, folder: Path, *words: object, variables: Mapping[str, str] | None = None) -> tuple[int, str]:
        """Run a command in a folder; return its exit code and all that it printed.

        Raises:
            Wrong: it ended otherwise than an input may make it end.
        """
        before, used = _contents(folder), _memory()
        with _alarm(words), _no_bytecode():
            WATCH.seen.clear()
            WATCH.on = True
            try:
                done = command(folder, words, {**self._variables, **(variables or {})})
            finally:
                WATCH.on = False
        said = done.stdout + done.stderr
        self.tally.exits[done.returncode] += 1
        problems = [
            *(f"forbidden: {seen}" for seen in WATCH.seen),
            *([] if done.returncode in EXITS else [f"exit code {done.returncode}"]),
            *([f"an unexpected error: {found[0]}"] if (found := DEFECTS.search(said)) else []),
            *([f"a control character: {found[0]!r}"] if (found := CONTROL.search(said)) else []),
            *([] if done.returncode == 0 or said.strip() else ["it failed without a word"]),
            *([] if _memory() - used < ROOM else [f"memory grew by {(_memory() - used) / 2**20:.0f} MiB"]),
        ]
        after = _contents(folder)
        if done.returncode == 2 and (changed := sorted(before.items() ^ after.items())):
            problems.append(f"exit code 2, and files were changed: {changed}")
        problems += [f"markup in {name}" for name in after if name.endswith(".html") and _unescaped(folder / name)]
        if problems:
            raise Wrong("\n".join([f"coabench {' '.join(map(repr, words))}", *problems, said[-4000:]]))
        return done.returncode, said


@contextmanager
def _alarm(words: tuple[object, ...]) -> Iterator[None]:
    """Fail where the time is up; where there are no alarms the limit of the test has to do."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def ring(*_: object) -> None:
        raise _Hangs

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    try:
        yield
    except _Hangs:
        raise Wrong(f"coabench {' '.join(map(repr, words))}: no end after {PATIENCE} seconds") from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def _no_bytecode() -> Iterator[None]:
    """Keep Python from writing the bytecode of what is imported for the first time: that is no input's doing."""
    before = sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


def _memory() -> int:
    """Return the most bytes that this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _contents(folder: Path) -> dict[str, str]:
    """Return every file of a folder with the hash of its content; locks, which hold nothing, and the cache aside."""
    found = {}
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name != "cache"]
        for name in files:
            path = Path(place, name)
            if name != ".lock" and path.is_file():
                with suppress(OSError):
                    found[str(path.relative_to(folder))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def _unescaped(page: Path) -> bool:
    return MARKUP.encode() in page.read_bytes()
