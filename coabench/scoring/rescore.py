"""Rescoring: a run's recorded responses, read with another parser.

The strategy is replayed: each recorded response, read anew, is sent into it. As long as its question is the recorded
one, the recorded response is the answer. Where the new reading leads to another question, the model's answer is
unknown, and the sample is invalid for the reason `NOT_ASKED`.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from coabench.base.files import sha256_of
from coabench.base.reading import exists
from coabench.base.vocabulary import ERROR
from coabench.decode import EXTERNAL, GENERATE, SAMPLE, SCORED, Decode
from coabench.dialogue import Answer, Exemplar, Prediction, Task, Turn
from coabench.errors import UserError
from coabench.evaluation.finish import store
from coabench.evaluation.progress import Progress, Silence
from coabench.inference.engine import Outcome, advance, understand
from coabench.labels import LabelSpace
from coabench.parser import Parser
from coabench.registry.catalog import find_strategy, is_file
from coabench.registry.parsers import find_parser
from coabench.runs.finished import RecordedRun, read_run
from coabench.runs.identity import Parsing, StrategyIdentity, list_differences
from coabench.runs.record import describe_prediction, describe_turn
from coabench.runs.result import FinishedRun
from coabench.runs.run import LOG
from coabench.runs.stored import changed
from coabench.scoring.formats.table import counted
from coabench.scoring.job import check_output
from coabench.strategy import Strategy

NOT_ASKED = "not-asked"
"""The reason of a sample that needs a question which the model never answered."""


@dataclass(frozen=True)
class Rescoring:
    """What to rescore, as options of the command line.

    Attributes:
        run: the directory of a complete run.
        parser: a registered name.
        strategy: the prompt file that the run was made with, where it is not found by itself.
        labels: likewise the card with its label space.
        output: the new run directory; None for one below ``results``.
    """

    run: Path
    parser: str
    strategy: str | None = None
    labels: str | None = None
    output: Path | None = None
    overwrite: bool = False
    command: tuple[str, ...] = ()


def rescore(request: Rescoring, progress: Progress | None = None) -> FinishedRun:
    """Make a run of the responses of another, read with another parser; its metrics are computed as for any run.

    Raises:
        UserError: bad input; nothing was written.
        JobError: the run could not be written.
    """
    parser = find_parser(request.parser)
    check_output(request.output, request.run)
    run = read_run(request.run)
    _check_responses(run)
    strategy, space = _strategy(run, request.strategy), run.space(request.labels, exact=True)
    records = changed(run.records, lambda record: _replayed(run, record, strategy, space, parser))
    before, differing, lost = run.identity.parser, 0, 0
    for new, old in zip(records, run.records, strict=True):
        differing += new["prediction"] != old["prediction"]
        lost += new["reason"] == NOT_ASKED
    notes = [
        *run.manifest.get("notes", ()),
        f"rescored with the parser {request.parser!r} (before: {before!r}) from the responses of the run "
        f"{run.directory.resolve().name}; no model was asked",
        f"{differing} of {len(records)} predictions differ from that run's",
    ]
    if lost:
        notes.append(
            f"{counted(lost, 'sample')} invalid ({NOT_ASKED}): read this way, the answer leads to a question that was "
            "never asked; only an evaluation could tell"
        )
    identity = replace(
        run.identity,
        parsing=Parsing.by(parser),
        rescored={"run": run.directory.resolve().name, "log_sha256": sha256_of(run.directory / LOG)},
    )
    return store(
        request.output, identity, run.manifest["labels"], notes, records,
        overwrite=request.overwrite, command=request.command, progress=progress or Silence(),
        training=run.manifest.get("training"),
    )  # fmt: skip


def replay(
    strategy: Strategy, task: Task, asked: list[Mapping[str, Any]], parser: Parser, decode: Decode = GENERATE.name
) -> Outcome:
    """Return what the strategy concludes from recorded turns, read with *parser*.

    Args:
        asked: the turns of a record, in order.
        decode: how they were answered.
    """
    outcome, conversation, recorded = Outcome(), strategy.converse(task), iter(asked)
    question = advance(conversation, None, outcome)
    while question is not None:
        turn = next(recorded, None)
        if turn is None or (turn["prompt"], turn["options"]) != (question.prompt, list(question.options)):
            outcome.prediction = Prediction.invalid(NOT_ASKED)
            break
        answer = Answer(
            turn["response"],
            turn.get("scores"),
            prompt_tokens=turn.get("prompt_tokens") or 0,
            cached_tokens=turn.get("cached_tokens") or 0,
            new_tokens=turn.get("new_tokens") or 0,
        )
        read = understand(question, answer, task.space, parser, decode)
        outcome.turns.append(Turn(question, read))
        question = advance(conversation, read, outcome)
    return outcome


def _check_responses(run: RecordedRun) -> None:
    """Refuse a run that has no responses of its own to parse."""
    decode, why = run.identity.decode, None
    if decode in SCORED:
        why = f"with --decode {decode} the label is the best-scoring option: there is nothing to parse"
    elif decode == SAMPLE.name:
        why = "its labels are voted among sampled dialogues, whose questions the log does not hold"
    elif run.identity.rewrites is not None:
        why = "its questions were rewritten (--rewrite), and what its answers say is not what the strategy asked for"
    elif decode == EXTERNAL:
        why = "its predictions come from a file, which can be scored again"
    if why is not None:
        raise UserError(
            f"{run.directory} cannot be rescored: {why}",
            expected=f"a run made with --decode {GENERATE.name}",
            found=f"decode {decode}",
        )
    if run.identity.rescored is not None:
        raise UserError(
            f"{run.directory} is rescored itself, and may lack responses that its parser led away from",
            expected="the run that the model was asked for",
            found=f"rescored from {run.identity.rescored['run']}",
            remedy="rescore that run",
        )


def _strategy(run: RecordedRun, spec: str | None) -> Strategy:
    """Return the strategy that the run was made with, its prompts unchanged since."""
    recorded = run.identity.strategy
    name = recorded.name
    typed = run.typed("--strategy") or ""
    if spec is None and recorded.plugin == "prompt file":
        spec = typed if is_file(typed) and exists(Path(typed)) else None
        if spec is None:
            raise UserError(
                f"the strategy {name!r} of the run {run.directory} is a prompt file that is not here",
                expected=f"the file {typed!r}" if typed else "the file that it was evaluated with",
                remedy="pass --strategy FILE.yaml",
            )
    chosen = find_strategy(spec or name)
    try:
        strategy = chosen.open(chosen.options(**recorded.options))
    except TypeError:
        raise UserError(
            f"the strategy {spec or name} has other options than the run {run.directory} was made with",
            found=", ".join(recorded.options),
            remedy="install the version of the plugin that the run's manifest names",
        ) from None
    # The questions must be the same; which version of which plugin brought them does not matter.
    options = {"options": recorded.options} if recorded.options else {}
    now = StrategyIdentity(name=strategy.name, more={**strategy.identity(), **options})
    then = replace(recorded, plugin=None, plugin_version=None)
    differing = list_differences(then.to_json(), now.to_json(), "then -> now")
    if differing:
        raise UserError(
            f"the strategy {spec or name} is not the one that the run {run.directory} was made with",
            found=differing,
            remedy="pass --strategy FILE.yaml with the prompts of then, or evaluate again",
        )
    return strategy


def _replayed(
    run: RecordedRun, record: Mapping[str, Any], strategy: Strategy, space: LabelSpace, parser: Parser
) -> dict[str, Any]:
    """Return the record of the new run. It is not timed: no model was asked."""
    if record["status"] == ERROR:
        return {**record, "seconds": None}
    labels: dict[str, str] = {}
    with suppress(KeyError, TypeError):  # a damaged list of exemplars shows in the first question
        labels = {exemplar["id"]: exemplar["label"] for exemplar in run.identity.exemplars or ()}
    exemplars = tuple(Exemplar(i, labels.get(i, "")) for i in record.get("exemplars") or ())
    outcome = replay(strategy, Task(space, exemplars), record["turns"], parser)
    prediction = outcome.prediction or Prediction(None)  # never None: a replay ends with a prediction
    if prediction.reason == NOT_ASKED and not outcome.turns:
        raise UserError(
            f"{run.directory / LOG}: the first question about {record['id']} is not that of {strategy.name!r}",
            expected="the questions of the run's strategy",
            remedy="restore the log",
        )
    return {
        **{key: value for key, value in record.items() if key != "details"},
        **describe_prediction(prediction),
        "turns": [describe_turn(turn) for turn in outcome.turns],
        "seconds": None,
    }
