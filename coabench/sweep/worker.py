"""One planned run carried out: in this process, in one of its own, or on another machine.

``python -m coabench.sweep.worker`` is the process of its own. It reads orders from its standard input, each a line of
JSON, and writes the problem of each, or null, to its standard output, another line. Where one run after the other would
load the same model, it is loaded once. The process ends when its standard input does: then the one that ordered is
gone, and must not find a run locked when the same sweep is started again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, get_args, get_type_hints

from coabench.base import signals
from coabench.base.resources import shortage
from coabench.errors import CoabenchError, UserError
from coabench.evaluation.warm import Warm
from coabench.registry.blame import contained
from coabench.registry.loader import get_plugins
from coabench.runs.identity import list_differences
from coabench.runs.identity_part import Part
from coabench.sweep.jobs import WORKS, work_of

LONGEST = 8000
"""Characters of a problem that are passed on."""


def perform(request: Any, identity: Part, warm: Warm | None = None) -> str | None:
    """Carry out a run, or resume it; return the problem, or None. Raises nothing but `KeyboardInterrupt`.

    Args:
        identity: what was planned. On another machine the same request may be another run: ``--dtype auto`` is another
            precision on another device, say.
        warm: what earlier runs of this process have left loaded; None to leave nothing.
    """
    get_plugins().hear_again()
    try:
        with contained():
            _perform(request, identity, warm or Warm())
    except CoabenchError as error:
        return str(error)[:LONGEST]
    except Exception as error:
        return str(shortage(error) or f"{type(error).__name__}: {error}")[:LONGEST]
    return None


def _perform(request: Any, identity: Part, warm: Warm) -> None:
    def verify(now: Part) -> None:
        if differing := list_differences(identity.to_json(), now.to_json(), "planned -> there"):
            raise UserError(
                "where the run was to begin, the same options made another run than planned",
                found=differing,
                remedy="name 'dtype' and 'device' in the sheet; if files were changed meanwhile, begin the sweep again",
            )

    work_of(request).perform(request, verify, warm)


def order(request: Any, identity: Part) -> bytes:
    """Return the line that orders a run."""
    message = {"job": work_of(request).name, "request": asdict(request), "identity": identity.to_json()}
    return json.dumps(message, default=str).encode() + b"\n"


def read_order(line: bytes) -> tuple[Any, Part]:
    """Return the request and the identity that a line orders."""
    message = json.loads(line)
    work = WORKS[message["job"]]
    return _read_fields(work.request, message["request"]), work.read_identity(message["identity"])


def _read_fields(kind: Any, values: Mapping[str, Any]) -> Any:
    """Return a dataclass of what JSON keeps of one: texts, numbers, lists and mappings."""
    hints = get_type_hints(kind)
    return kind(**{name: _read_field(hints[name], value) for name, value in values.items()})


def _read_field(hint: Any, value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_read_field(get_args(hint)[0], each) for each in value)
    if isinstance(value, str) and Path in (hint, *get_args(hint)):
        return Path(value)
    made = next((member for member in (hint, *get_args(hint)) if is_dataclass(member)), None)
    return _read_fields(made, value) if made and isinstance(value, dict) else value


def main() -> None:
    """Carry out the runs that standard input orders, one after the other."""
    answers = os.dup(1)
    os.dup2(2, 1)  # what libraries print is not the answer
    orders, warm = _Orders(), Warm()
    with signals.interrupting():
        for line in orders:
            try:
                problem = perform(*read_order(line), warm)
            except KeyboardInterrupt:
                problem = f"stopped by {signals.cause()}"
            os.write(answers, json.dumps({"problem": problem}).encode() + b"\n")
            if signals.received():
                break
            orders.done += 1


class _Orders:
    """The lines of standard input, as they come; where it ends and one is not *done*, so does the process."""

    def __init__(self) -> None:
        self.done = 0
        self._lines: SimpleQueue[bytes | None] = SimpleQueue()
        Thread(target=self._read, daemon=True).start()

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._lines.get, None)

    def _read(self) -> None:
        came, begun = 0, b""
        while block := os.read(0, 1 << 16):  # not buffered: a buffer's lock would hang the end of the process
            *lines, begun = (begun + block).split(b"\n")
            came += len(lines)
            for line in lines:
                self._lines.put(line)
        if self.done < came:
            os._exit(1)  # a run may be stopped anywhere: its log is written line by line
        self._lines.put(None)


if __name__ == "__main__":
    main()
