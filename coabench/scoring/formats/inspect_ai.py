"""inspect_ai's logs: ``.eval``, a zip archive of JSON, or ``.json``.

`src/inspect_ai/log/_recorders/eval.py`: ``header.json`` (``_journal/start.json`` while it runs) and, per sample and
epoch, ``samples/ID_epoch_N.json``, an `EvalSample`: ``id``, ``epoch``, ``choices``, ``target``, ``output.completion``
and ``scores``, by scorer, with ``answer``, what the scorer took for the answer. Zstandard packs it, in older versions
deflate. A ``.json`` has the header's fields and ``samples``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from coabench.base.text import safe
from coabench.errors import UserError
from coabench.scoring.formats.archive import Archive
from coabench.scoring.formats.json_text import parse_object
from coabench.scoring.formats.options import lettered
from coabench.scoring.formats.table import Content, Format, Row, Table, all_columns

HEADERS = ("header.json", "_journal/start.json")
KIND = "a log of inspect_ai (.eval)"
REMEDY = "convert it: inspect log convert FILE --to json --output-dir DIR"
ATTACHMENT = "attachment://"
KEPT = ("id", "epoch", "target", "choices", "output", "scores", "metadata", "attachments", "error")
"""What is kept of a sample while an archive is read: messages and events may be large."""
COMPLETION, ANSWER = "completion", "answer."


def read_archive(path: Path, data: bytes) -> Content:
    """Return the samples of a ``.eval`` file, in the order of the archive, and its header.

    Raises:
        UserError: it is damaged, or no log of inspect_ai.
    """
    archive = Archive(path, data, KIND, REMEDY)
    headers = [name for name in HEADERS if name in archive.names]
    if not headers:
        raise UserError(
            f"{path.name} cannot be read", expected=KIND, found=f"an archive without {HEADERS[0]}", remedy=REMEDY
        )
    about = parse_object(path, archive.read(headers[0]), headers[0], "one JSON object")
    rows: list[Row] = []
    for name in dict.fromkeys(archive.names):
        if name.startswith("samples/") and name.endswith(".json"):
            sample = parse_object(path, archive.read(name), name, "one JSON object")
            rows.append(Row(len(rows) + 1, {key: sample[key] for key in KEPT if key in sample}))
    return Content(rows, about)


def _fits(table: Table) -> bool:
    return "eval" in table.about and {"id", "epoch", "target", "output"} <= set(table.columns)


def _arrange(table: Table) -> Table:
    epochs = sorted({row.text("epoch") for row in table.rows})
    if len(epochs) > 1:
        raise UserError(
            f"{table.path.name} asks every sample more than once", expected="one epoch",
            found=f"the epochs {', '.join(epochs[:8])}", remedy="score an evaluation with --epochs 1",
        )  # fmt: skip
    rows = [_arranged(row) for row in table.rows]
    answers = sorted({key for row in rows for key in row.values if key.startswith(ANSWER) and row.text(key)})
    prediction = answers[0] if len(answers) == 1 else COMPLETION
    status = table.about.get("status")
    ended = status in (None, "success")
    more = [] if ended else [f"the evaluation's status is {safe(status, 60)!r}: samples may be missing"]
    defaults = {"prediction": prediction, "response": COMPLETION, "target": "target", "id": "id"}
    return replace(table, rows=rows, columns=all_columns(rows), defaults=defaults, notes=[*table.notes, *more])


def _arranged(row: Row) -> Row:
    sample = row.values
    choices = sample.get("choices")
    scores, metadata = _mapping(sample.get("scores")), _mapping(sample.get("metadata"))
    target = sample.get("target")
    values = {
        "id": sample.get("id"),
        "target": target[0] if isinstance(target, list) and len(target) == 1 else target,
        COMPLETION: _completion(sample),
        **{f"{ANSWER}{name}": _mapping(score).get("answer") for name, score in scores.items()},
        **{f"metadata.{name}": value for name, value in metadata.items()},
    }
    return replace(row, values=values, options=lettered(choices) if isinstance(choices, list) else {})


def _completion(sample: Mapping[str, Any]) -> Any:
    """Return what the model said; a long text may stand among the attachments instead."""
    text = _mapping(sample.get("output")).get(COMPLETION)
    if isinstance(text, str) and text.startswith(ATTACHMENT):
        return _mapping(sample.get("attachments")).get(text.removeprefix(ATTACHMENT))
    return text


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


INSPECT_AI = Format(
    name="inspect-ai",
    version=1,
    tool="inspect_ai 0.3.285 (log version 2)",
    recognised="eval beside the samples, which have id, epoch, target and output",
    reads="the scorer's answer (with --parser the completion), target, id; choices; others as metadata.NAME",
    endings=(".eval", ".json"),
    fits=_fits,
    arrange=_arrange,
)
