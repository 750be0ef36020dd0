"""Curves, thresholds, matched pictures and blends in the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support.report_run import EVIL, direct, record, write_run

from coabench.reports.report import Report, report


def page(directory: Path, attributes: list[dict[str, Any]], right: list[bool]) -> str:
    made = [direct(i, 0.8, r) | {"attributes": a} for i, (a, r) in enumerate(zip(attributes, right, strict=True))]
    return report(Report(write_run(directory, made, metrics=False)))


def test_a_threshold_is_said_and_drawn(tmp_path: Path) -> None:
    levels = [i % 9 / 8 for i in range(180)]
    known = [{"intensity": x, "subject": str(i // 9)} for i, x in enumerate(levels)]
    shown = page(tmp_path / "run", known, [x > 0.5 or i % 5 == 0 for i, x in enumerate(levels)])
    assert 'id="stimuli"' in shown
    assert "<h3>Intensity</h3>" in shown
    assert "Threshold: <strong>0.5" in shown
    assert "threshold 0.5" in shown
    never = page(tmp_path / "never", known, [i % 11 == 0 for i in range(180)])
    assert "Threshold not reached" in never


def test_matched_pictures_and_blends_are_tables_with_text_made_harmless(tmp_path: Path) -> None:
    known = [{"stimulus": str(i // 2), "varied": EVIL, EVIL: ("light", EVIL)[i % 2], "blend": EVIL, "share": i // 2 / 8}
             for i in range(18)]  # fmt: skip
    shown = page(tmp_path / "run", known, [i % 2 == 0 for i in range(18)])
    assert "Accuracy on matched pictures" in shown
    assert '>100.0</td><td class="number">0.0</td><td class="number">9</td><td class="number">0</td>' in shown
    assert '<td class="number">0.004</td>' in shown  # 2 · 2⁻⁹
    assert "for each share, how many are, in percent" in shown
    assert "<img src=x" not in shown


def test_a_run_without_numbers_has_no_such_section(tmp_path: Path) -> None:
    assert 'id="stimuli"' not in report(
        Report(write_run(tmp_path / "run", [record(1, "Happily Surprised", (None, None))]))
    )
