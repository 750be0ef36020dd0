"""Files of predictions as large as one likes: rows are read again, never kept."""

import csv
import io
import json
import random
import tracemalloc
from pathlib import Path

import pytest

from coabench.evaluation import finish
from coabench.scoring.formats.files import read_predictions
from coabench.scoring.job import score
from coabench.scoring.request import Scoring

LABELS = ["Happily Surprised", "Sadly Angry"]


@pytest.mark.parametrize("seed", range(4))
def test_a_row_is_read_again_as_it_was_read(tmp_path: Path, seed: int) -> None:
    """Quoted line breaks, every kind of line end, empty lines, a byte order mark."""
    rng = random.Random(seed)
    end = rng.choice(["\n", "\r\n", "\r"])
    rows = [["id", "target"], *([f"{i}é", rng.choice(["a,b", 'a"b', f"a{end}b", "a\u2028b", ""])] for i in range(40))]
    text = io.StringIO(newline="")
    for row in rows:
        csv.writer(text, lineterminator=end + rng.choice(["", end])).writerow(row)
    file = tmp_path / "table.csv"
    file.write_bytes(text.getvalue().encode("utf-8-sig" if seed % 2 else "utf-8"))
    table = read_predictions(file)[1]
    assert [[*row.values.values()] for row in table.rows] == rows[1:]
    assert [table.rows[i] for i in range(40)] == [*table.rows]
    breaks = [text.getvalue()[: text.getvalue().index(f"{i}é")].count(end) for i in (0, 39)]
    assert [table.rows[0].line, table.rows[-1].line] == [number + 1 for number in breaks]


def test_lines_of_json_are_read_again_as_they_were_read(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_bytes(b'\xef\xbb\xbf{"id": 1}\n\n  \r\n{"id": "\xc3\xa9", "more": [1]}\r\n{"id": 3}')
    table = read_predictions(file)[1]
    assert [(row.line, dict(row.values)) for row in table.rows] == [
        (1, {"id": 1}), (4, {"id": "é", "more": [1]}), (5, {"id": 3}),
    ]  # fmt: skip
    assert table.columns == ["id", "more"]


def test_memory_grows_by_little_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finish, "finish", lambda run, progress: None)  # of the metrics, another test says the same

    def peak(n: int) -> int:
        file = tmp_path / f"{n}.csv"
        rows = (f"sample_{i:06},{LABELS[i % 2]},{LABELS[i % 3 % 2]}\n" for i in range(n))
        file.write_text("id,target,prediction\n" + "".join(rows))
        tracemalloc.start()
        try:
            score(Scoring(file, labels="compound", output=tmp_path / f"run{n}"))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(10)  # what is imported on first use
    few, many = peak(1100), peak(1700)  # both more than are written at a time
    assert many - few < 600 * 300
    log = (tmp_path / "run1700" / "predictions.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in log] == [f"sample_{i:06}" for i in range(1700)]
