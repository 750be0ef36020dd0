"""lm-evaluation-harness' sample logs: ``--log_samples`` writes ``samples_TASK_DATE.jsonl``.

`lm_eval/loggers/evaluation_tracker.py`, `save_results_samples`: ``arguments`` has ``gen_args_0`` and so on, one per
request, with ``arg_0`` the context and ``arg_1`` the continuation, or how to generate. Of multiple-choice tasks
``filtered_resps`` holds, as texts, the log-likelihood of each continuation and whether it is the greedy one, and
``target`` the number of the right one, from 0.
"""

from __future__ import annotations

from collections.abc import Mapping

from coabench.scoring.formats.harness import RESPONSES, TARGET, Likelihoods, arrange, is_sample_log, unwrapped
from coabench.scoring.formats.table import Format, Row, Table, unreadable


def _fits(table: Table) -> bool:
    return is_sample_log(table) and all(isinstance(row.values.get("arguments"), Mapping) for row in table.rows)


def _likelihoods(row: Row) -> Likelihoods | None:
    """Return the log-likelihoods of a row's continuations; None where the response is a text."""
    responses, requests = row.values.get(RESPONSES), list(row.values["arguments"].values())
    if not isinstance(responses, list) or len(responses) < 2 or len(responses) != len(requests):
        return None
    try:
        numbers = [float(each[0]) for each in responses if isinstance(each, list) and len(each) == 2]
        options = [request["arg_1"].strip() for request in requests]
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    if len(numbers) < len(responses) or len(set(options)) < len(options):
        return None  # acc_mutual_info, say, asks for each once more, without its context
    target = unwrapped(row.values.get(TARGET))
    number = str(target)
    if number.isascii() and number.isdecimal() and len(number) < 4 and int(number) < len(options):
        target = options[int(number)]
    return Likelihoods(target, dict(zip(options, numbers, strict=True)))


def _arrange(table: Table) -> Table:
    """Return the samples; `UserError` where some have log-likelihoods and others have not."""
    arranged = arrange(table, _likelihoods)
    without = [row for row in arranged.rows if row.scores is None]
    if 0 < len(without) < len(arranged.rows):
        raise unreadable(table.path, table.at(without[0]), "log-likelihoods, as elsewhere in the file", "none")
    return arranged


LM_EVAL = Format(
    name="lm-eval",
    version=1,
    tool="lm-evaluation-harness 0.4.13",
    recognised="doc_id, target, filtered_resps and the arguments of requests",
    reads="filtered_resps (log-likelihoods are scores), target, doc_id; others as doc.NAME",
    endings=(".jsonl",),
    fits=_fits,
    arrange=_arrange,
)
