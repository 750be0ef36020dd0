"""Records that stay in their log, and tables of records."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas
import pytest
from support.report_run import records, write_run

from coabench.errors import UserError
from coabench.runs import stored
from coabench.runs.frames import records_frame
from coabench.runs.stored import changed, records_at, records_in


def test_records_that_stay_in_the_log_are_those_that_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = write_run(tmp_path / "run", records(30)) / "predictions.jsonl"
    kept = records_in(log)
    assert isinstance(kept, list)
    monkeypatch.setattr(stored, "KEPT", 2000)
    left = records_in(log)
    assert not isinstance(left, list)
    assert len(left) == 30
    assert [*left] == kept == [left[i] for i in range(30)]
    assert left[3:5] == kept[3:5]
    for logged in (left, kept):
        assert [*changed(logged, lambda record: record["id"])] == [record["id"] for record in kept]
    assert left[-1] == kept[-1]
    for logged in (left, kept):
        assert [*records_at(logged, range(29, -1, -1))] == kept[::-1]
    log.write_text(log.read_text() + "\n")
    with pytest.raises(UserError, match="changed while it was read"):
        next(iter(left))
    with pytest.raises(UserError, match="changed while it was read"):
        left[0]


def turn(**more: Any) -> dict[str, Any]:
    return {"name": "q", "response": "A", "label": "A", "scores": None} | more


def test_a_table_is_made_record_by_record() -> None:
    """As pandas makes it of all rows at once: what is missing, numbers, flags, texts and what is none of these."""
    given = [
        {"turns": [turn(scores={"A": -0.5})], "attributes": {"age": 3, "flag": True}, "seconds": 0.5},
        {"turns": [], "attributes": {"age": 2.5, "deep": {"a": 1}, "gender": "f"}, "seconds": None},
        {"turns": [turn(label=None), turn(response="B")], "votes": {"A": 2}, "attributes": None},
    ]
    rows = [
        {"id": f"s{i}", "image": None, "target": "A", "prediction": "A", "status": "ok", "reason": None} | row
        for i, row in enumerate(given)
    ]

    def once() -> Iterator[dict[str, Any]]:
        yield from rows

    table = records_frame(once())
    assert table.index.equals(pandas.RangeIndex(3))
    assert list(table["id"]) == ["s0", "s1", "s2"]
    assert list(table["response.q"].fillna("")) == ["A", "", "B"]  # the last of two turns of a name
    assert list(table["attributes.age"].fillna(0)) == [3, 2.5, 0]
    assert {table[name].dtype.kind for name in ("seconds", "scores.q.A", "attributes.age", "votes.A")} == {"f"}
    assert table["correct"].dtype == bool
    assert table.loc[1, "attributes.deep"] == {"a": 1}
    assert table["attributes.flag"].isna().tolist() == [False, True, True]
    assert records_frame([]).empty
