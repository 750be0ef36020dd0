"""How many records logs hold, counted as they grow."""

from pathlib import Path

from coabench.sweep.state import LineTally


def test_whole_lines_are_counted_once(tmp_path: Path) -> None:
    log = tmp_path / "predictions.jsonl"
    tally = LineTally([log, tmp_path / "absent" / log.name])
    assert tally.count() == 0
    line = b"x" * 999_999 + b"\n"
    log.write_bytes(3 * line + b"torn")
    assert tally.count() == LineTally([log]).count() == 3
    log.write_bytes(3 * line + b"another\n" + line[:-1])
    assert tally.count() == LineTally([log]).count() == 4
