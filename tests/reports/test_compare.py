"""``coabench compare``, on run directories written here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from scipy import stats

from coabench.cli.compare import command
from coabench.errors import UserError
from coabench.render.tables import FORMATS
from coabench.runs import stored
from coabench.runs.stored import records_in

NAMES = ["Happily Surprised", "Sadly Angry", "Sadly Fearful"]
SIZES = {"Happily Surprised": 60, "Sadly Angry": 18, "Sadly Fearful": 30}


def write_run(directory: Path, right: dict[str, set[int]], **changes: Any) -> Path:
    """Write a run that is right on the samples of each label with these numbers, and says nothing elsewhere."""
    directory.mkdir(parents=True)
    records = [
        {"id": f"toy/{name}/{i}", "target": name, "image_sha256": f"{name} {i}", "turns": [], "attributes": {}}
        | ({"prediction": name, "status": "ok", "reason": None} if i in right[name]
           else {"prediction": None, "status": "invalid", "reason": "unparsed-answer"})
        for name, size in SIZES.items() for i in range(size)
    ]  # fmt: skip
    for record in records:
        record |= changes.get("record", lambda _: {})(record)
    records = changes.get("records", lambda found: found)(records)
    manifest = {
        "schema": 1, "status": changes.get("status", "complete"), "reason": None,
        "identity": {
            "backbone": {"name": "toy"}, "strategy": {"name": "direct"}, "decode": "generate", "parsing": None,
            "dataset": {
                "name": "toy", "split": "test", "fingerprint": "f", "labels": "l", "samples": len(records),
                "limit": changes.get("limit"),
            },
        },
        "labels": {"space": "toy", "names": changes.get("names", NAMES), "pairs": {}, "basic": [], "neutral": None},
    }  # fmt: skip
    (directory / "run.json").write_text(json.dumps(manifest))
    (directory / "predictions.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return directory


def first(n: int, start: int = 0) -> dict[str, set[int]]:
    return {name: set(range(start, start + n)) for name in NAMES}


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(a) for a in arguments], env={"COLUMNS": "120"})


def compared(*arguments: object) -> dict[str, Any]:
    result = run(*arguments, "--format", "json")
    assert result.exit_code == 0, result.exception
    data: dict[str, Any] = json.loads(result.stdout)
    return data


def refused(*arguments: object) -> str:
    error = run(*arguments).exception
    assert isinstance(error, UserError), error
    return str(error)


def test_a_clear_difference_is_told(tmp_path: Path) -> None:
    a, b = write_run(tmp_path / "good", first(15)), write_run(tmp_path / "poor", first(6))
    found = compared(a, b)
    uar, war, *recalls = found["figures"]
    assert uar["difference"] == pytest.approx((9 / 60 + 9 / 18 + 9 / 30) / 3)
    assert uar["low"] < uar["difference"] < uar["high"]
    assert (war["only_a"], war["only_b"], war["n"]) == (27, 0, 108)
    assert war["p"] == pytest.approx(2 * stats.norm.sf(27 / 29**0.5))  # the interval's; McNemar's is smaller
    assert [r["label"] for r in recalls] == NAMES
    assert recalls[1]["difference"] == pytest.approx(9 / 18)
    assert recalls[0]["p"] == pytest.approx(3 * max(stats.binomtest(9, 9).pvalue, 2 * stats.norm.sf(9 / 11**0.5)))
    assert found["verdict"].startswith("good is better than poor by 31.67 points of UAR")
    assert compared(b, a)["verdict"].startswith("good is better than poor")


def test_no_difference_says_what_could_have_been_seen(tmp_path: Path) -> None:
    a, b = write_run(tmp_path / "a", first(10)), write_run(tmp_path / "b", first(10, start=2))
    found = compared(a, b)
    assert found["figures"][0]["difference"] == 0
    assert found["figures"][0]["p"] > 0.5
    assert found["verdict"].startswith("No significant difference")
    assert f"{100 * found['minimum_detectable']:.1f} points in 80 of 100" in found["verdict"]
    assert "there is no difference to test" in compared(a, a)["verdict"]


def test_flipped_samples_are_listed(tmp_path: Path) -> None:
    a, b = write_run(tmp_path / "a", first(3)), write_run(tmp_path / "b", first(3, start=1))
    flips = compared(a, b)["flips"]
    assert len(flips) == 6
    assert flips[0] == {
        "id": "toy/Happily Surprised/0",
        "target": "Happily Surprised",
        "a": "Happily Surprised",
        "b": None,
        "right": "a",
    }
    text = run(a, b, "--flips", 2).stdout
    assert "toy/Happily Surprised/3" in text
    assert "toy/Sadly Angry/0" not in text
    assert "4 more" in text
    assert "toy/" not in run(a, b, "--flips", 0).stdout


def test_order_of_the_log_does_not_matter(tmp_path: Path) -> None:
    a = write_run(tmp_path / "a", first(10))
    b = write_run(tmp_path / "b", first(7))
    shuffled = write_run(tmp_path / "x" / "b", first(7), records=lambda records: records[::-1])
    assert compared(a, b) == compared(a, shuffled)


def test_logs_that_stay_in_files_are_compared_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a = write_run(tmp_path / "a", first(14))
    backwards = write_run(tmp_path / "c", first(12, 5), records=lambda r: r[::-1])
    others = [write_run(tmp_path / "b", first(12, 5)), backwards]
    kept = [compared(a, b, "--flips", "200") for b in others]
    monkeypatch.setattr(stored, "KEPT", 0)
    assert not isinstance(records_in(a / "predictions.jsonl"), list)
    assert [compared(a, b, "--flips", "200") for b in others] == kept
    twice = write_run(tmp_path / "d", first(12), records=lambda r: [*r[:-1], r[0]])
    assert "1 ids twice" in refused(a, twice)


def test_subjects_are_resampled_as_a_whole(tmp_path: Path) -> None:
    def person(record: dict[str, Any]) -> dict[str, Any]:
        return {"attributes": {"subject": int(record["id"].rpartition("/")[2]) // 6}}

    a, b = write_run(tmp_path / "a", first(15), record=person), write_run(tmp_path / "b", first(9), record=person)
    found = compared(a, b)
    alone = compared(write_run(tmp_path / "x" / "a", first(15)), write_run(tmp_path / "x" / "b", first(9)))
    assert (found["subjects"], alone["subjects"]) == (10, None)
    assert found["figures"][0]["p"] > 10 * alone["figures"][0]["p"]
    assert "over 10 persons" in run(a, b).stdout


def test_runs_on_other_samples_are_refused(tmp_path: Path) -> None:
    a = write_run(tmp_path / "a", first(10))
    fewer = write_run(tmp_path / "fewer", first(10), records=lambda records: records[3:])
    text = refused(a, fewer)
    assert "3 only in" in text
    assert "toy/Happily Surprised/0, toy/Happily Surprised/1" in text
    swapped = write_run(tmp_path / "swapped", first(10), record=lambda r: {"target": NAMES[0]})
    assert "48 with another target" in refused(a, swapped)
    twice = write_run(tmp_path / "twice", first(10), records=lambda records: [*records, records[0]])
    assert "1 ids twice" in refused(a, twice)
    images = write_run(tmp_path / "images", first(10), record=lambda r: {"image_sha256": "other"})
    assert "108 ids whose images differ" in refused(a, images)
    unknown = write_run(tmp_path / "unknown", first(10), record=lambda r: {"image_sha256": None})
    assert run(a, unknown).exit_code == 0


def test_what_is_no_finished_run_is_refused(tmp_path: Path) -> None:
    a = write_run(tmp_path / "a", first(10))
    assert "holds no run" in refused(a, tmp_path / "nowhere")
    assert "is not finished" in refused(a, write_run(tmp_path / "running", first(10), status="running"))
    other = write_run(tmp_path / "labels", first(10), names=[*NAMES, "Sadly Surprised"])
    assert "have different labels" in refused(a, other)
    (tmp_path / "a" / "run.json").write_text('{"schema": 9}')
    assert "newer coabench" in refused(a, other)


def test_a_limited_run_can_be_compared_and_says_so(tmp_path: Path) -> None:
    a, b = write_run(tmp_path / "a", first(10)), write_run(tmp_path / "b", first(9), limit=108)
    assert "b was made with --limit 108" in run(a, b).stdout


def test_every_format(tmp_path: Path) -> None:
    a, b = write_run(tmp_path / "a<b", first(10)), write_run(tmp_path / "\x1b[2Jb", first(9))
    for format in FORMATS:
        result = run(a, b, "--format", format)
        assert result.exit_code == 0
        assert "\x1b" not in result.stdout
        assert result.stdout == run(a, b, "--format", format).stdout
    assert "a&lt;b" in run(a, b, "--format", "html").stdout
    assert run(a, b, "--format", "csv").stdout.count("\n") == 6
    file = tmp_path / "comparison.md"
    assert run(a, b, "--format", "markdown", "--output", file).stdout == ""
    assert file.read_text() == run(a, b, "--format", "markdown").stdout
    assert "cannot be written" in refused(a, b, "--output", tmp_path / "no" / "folder")
