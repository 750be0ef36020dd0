"""Gaps in a camera's frames, as the log has them."""

from typing import Any

from coabench.live.gaps import LONG, Gaps


def test_what_is_long_is_a_gap_and_a_pause_is_one_however_short() -> None:
    lines: list[tuple[Any, ...]] = []
    gaps = Gaps(lambda kind, data: lines.append((kind, *data.values())))
    for time in (0.0, 0.1, LONG + 0.05, 2 * LONG + 1.0):
        gaps.frame(time)
    gaps.pause()
    gaps.frame(2 * LONG + 1.25)
    gaps.end(2 * LONG + 1.5)
    gaps.end(3 * LONG + 2.0)
    assert lines == [
        ("gap", 2.05, 2.95, "no frames"),
        ("gap", 5.0, 0.25, "paused"),
        ("gap", 5.25, 2.75, "no frames"),
    ]


def test_before_the_first_frame_nothing_is_missing() -> None:
    lines: list[Any] = []
    gaps = Gaps(lambda *line: lines.append(line))
    gaps.pause()
    gaps.end(99.0)
    assert not lines
