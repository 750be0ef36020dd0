"""One planned run carried out: in this process, in one of its own, or on another machine.

``python -m coabench.sweep.worker`` is the process of its own. It reads the order from its standard input, one line of
JSON, and writes the problem, or null, to its standard output, another line. It ends when its standard input does: then
the process that ordered the run is gone, and must not find the run locked when the same sweep is started again.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from threading import Thread

from coabench.base import signals
from coabench.base.resources import shortage
from coabench.errors import CoabenchError, UserError
from coabench.evaluation.job import carry_out
from coabench.evaluation.plan import Evaluation, check
from coabench.evaluation.progress import Silence
from coabench.registry.blame import contained
from coabench.runs.identity import RunIdentity, list_differences

LONGEST = 8000
"""Characters of a problem that are passed on."""


def perform(request: Evaluation, identity: RunIdentity) -> str | None:
    """Carry out a run, or resume it; return the problem, or None. Raises nothing but `KeyboardInterrupt`.

    Args:
        identity: what was planned. On another machine the same request may be another run: ``--dtype auto`` is another
            precision on another device, say.
    """
    try:
        with contained():
            _perform(request, identity)
    except CoabenchError as error:
        return str(error)[:LONGEST]
    except Exception as error:
        return str(shortage(error) or f"{type(error).__name__}: {error}")[:LONGEST]
    return None


def _perform(request: Evaluation, identity: RunIdentity) -> None:
    plan = check(request)
    differing = list_differences(identity.to_json(), plan.identity.to_json(), "planned -> there")
    if differing:
        raise UserError(
            "where the run was to begin, the same options made another run than planned",
            found=differing,
            remedy="name 'dtype' and 'device' in the sheet; if files were changed meanwhile, begin the sweep again",
        )
    carry_out(request, plan, Silence())


def order(request: Evaluation, identity: RunIdentity) -> bytes:
    """Return the line that orders a run."""
    return json.dumps({"request": asdict(request), "identity": identity.to_json()}, default=str).encode() + b"\n"


def main() -> None:
    """Carry out the run that standard input orders."""
    with os.fdopen(0, "rb", buffering=0, closefd=False) as orders:  # a buffer's lock would hang the end of the process
        line = orders.readline()
    if not line.endswith(b"\n"):
        raise SystemExit("no order came")
    message = json.loads(line)
    answers = os.dup(1)
    os.dup2(2, 1)  # what libraries print is not the answer
    Thread(target=_end_with_input, daemon=True).start()
    fields = message["request"]
    for name in ("data_root", "output"):
        fields[name] = None if fields[name] is None else Path(fields[name])
    request = Evaluation(**{**fields, **{name: tuple(fields[name]) for name in ("command", "transform", "rewrite")}})
    with signals.interrupting():
        try:
            problem = perform(request, RunIdentity.read(message["identity"]))
        except KeyboardInterrupt:
            problem = f"stopped by {signals.cause()}"
    os.write(answers, json.dumps({"problem": problem}).encode() + b"\n")


def _end_with_input() -> None:
    while os.read(0, 1 << 10):
        pass
    os._exit(1)  # a run may be stopped anywhere: its log is written line by line


if __name__ == "__main__":
    main()
