"""How many records logs hold, counted as they grow."""

from pathlib import Path

from coabench.sweep.state import Tally, count_records


def test_whole_lines_are_counted_once(tmp_path: Path) -> None:
    log = tmp_path / "predictions.jsonl"
    tally = Tally([tmp_path, tmp_path / "absent"])
    assert tally.count() == count_records(tmp_path) == 0
    line = b"x" * 999_999 + b"\n"
    log.write_bytes(3 * line + b"torn")
    assert tally.count() == count_records(tmp_path) == 3
    log.write_bytes(3 * line + b"another\n" + line[:-1])
    assert tally.count() == count_records(tmp_path) == 4
