"""What the sample logs of lm-evaluation-harness and of its descendant lmms-eval have in common.

Both write one object per document and filter, with ``doc_id``, ``target``, ``filtered_resps`` (one per request; a list
where a filter keeps several) and the results of metrics; some versions ``doc`` too, the row of the data set. Their
`sanitize_list` and ``str(target)`` leave texts of what was nested.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from coabench.errors import UserError
from coabench.scoring.formats.options import options_of
from coabench.scoring.formats.table import Row, Table, all_columns, unreadable

ID, TARGET, RESPONSES, FILTER, DOC = "doc_id", "target", "filtered_resps", "filter", "doc"
LONGEST = 1000
"""Characters of a target that may be a list written as text."""


def is_sample_log(table: Table) -> bool:
    """Whether the rows are samples of either tool."""
    return {ID, TARGET, RESPONSES} <= set(table.columns)


class Likelihoods(NamedTuple):
    """What a multiple-choice question came to: the true option, and option -> log-likelihood."""

    target: Any
    scores: Mapping[str, float]


def arrange(table: Table, likelihoods: Callable[[Row], Likelihoods | None] = lambda row: None) -> Table:
    """Return one row per document, with the responses of each filter in a column.

    What is in ``doc``, and in other objects, becomes columns: ``doc.age``.

    Args:
        likelihoods: reads the responses of a row as such; None where they are a text.

    Raises:
        UserError: the filters do not answer the same documents, or one keeps several responses.
    """
    filters: dict[str, list[Row]] = {}
    for row in table.rows:
        filters.setdefault(str(row.values.get(FILTER) or "none"), []).append(row)
    first, *others = filters
    ids = [row.text(ID) for row in filters[first]]
    for name in others:
        if [row.text(ID) for row in filters[name]] != ids:
            raise UserError(
                f"{table.path.name} has other documents for the filter {name!r} than for {first!r}",
                expected="the samples of one evaluation", remedy="score the file of one evaluation alone",
            )  # fmt: skip
    columns = {name: f"{RESPONSES}:{name}" if others else RESPONSES for name in filters}
    rows = []
    for position, row in enumerate(filters[first]):
        arranged = replace(row, values=dict(_flat(row)), options=options_of(row.values.get(DOC)))
        if not others and (read := likelihoods(row)):
            more, scores = {TARGET: read.target}, read.scores
        else:
            more, scores = {columns[name]: _response(table, each[position]) for name, each in filters.items()}, None
        rows.append(replace(arranged, values={**arranged.values, **more}, scores=scores))
    defaults = {"prediction": RESPONSES, "target": TARGET, "id": ID}
    return replace(table, rows=rows, columns=all_columns(rows), defaults=defaults)


def unwrapped(value: Any) -> Any:
    """Return what lists of one hold, be they lists or, of a target, what ``str`` makes of them: ``[['Fear']]``."""
    while True:
        if isinstance(value, list) and len(value) == 1:
            (value,) = value
        elif isinstance(value, str) and len(value) <= LONGEST and (inner := _inside(value.strip())) is not None:
            value = inner
        else:
            return value


def _inside(text: str) -> str | None:
    """Return the text of the only item of a written list; None where it is no such list."""
    if not (text.startswith("[") and text.endswith("]")):
        return None
    inner = text[1:-1].strip()
    quote = inner[:1]
    if quote in "'\"" and quote and len(inner) > 1 and inner.endswith(quote) and quote not in inner[1:-1]:
        return inner[1:-1]
    return inner if inner.isdecimal() or _inside(inner) is not None else None


def _flat(row: Row) -> Iterator[tuple[str, Any]]:
    for key, value in row.values.items():
        if isinstance(value, Mapping):
            yield from ((f"{key}.{name}", item) for name, item in value.items())
        elif key == TARGET:
            yield key, unwrapped(value)
        elif key != RESPONSES:
            yield key, value


def _response(table: Table, row: Row) -> Any:
    """Return the one response; `UserError` where there are several."""
    value = row.values.get(RESPONSES)
    while isinstance(value, list) and len(value) == 1:
        (value,) = value
    if isinstance(value, list) and value:
        raise unreadable(table.path, table.at(row), "one response", f"{len(value)} in {RESPONSES!r}")
    return value or None
