"""The leaderboard, by way of its command, on run directories written here."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from support.leaderboard_run import N, write_run
from support.special_files import SPECIAL, posix

from coabench.cli.leaderboard import command
from coabench.errors import UserError
from coabench.render.tables import FORMATS
from coabench.reports.entries import find_runs
from coabench.reports.leaderboard import leaderboard
from coabench.reports.published import load_published

COLUMNS = (
    "kind", "dataset", "split", "samples", "fingerprint", "rank_low", "rank_high", "leading", "name",
    "backbone", "model", "adapter", "strategy", "decode", "parser", "preparation", "seed", "training_seed", "recipe",
    "fold", "options",
    "uar", "uar_low", "uar_high", "war", "war_low", "war_high", "macro_f1", "macro_f1_low", "macro_f1_high",
    "adjusted_uar", "adjusted_uar_low", "adjusted_uar_high", "kappa", "kappa_low", "kappa_high",
    "difference", "difference_low", "difference_high", "p",
    "invalid", "invalid_rate", "errors", "images_per_second", "date", "source", "note",
)  # fmt: skip


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(a) for a in arguments], env={"COLUMNS": "120"})


def rows(root: Path, *arguments: object) -> list[dict[str, Any]]:
    result = run(root, "--format", "json", *arguments)
    assert result.exit_code == 0, result.exception
    data: list[dict[str, Any]] = json.loads(result.stdout)
    return data


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "results"


def test_ranks_by_uar_with_intervals(root: Path) -> None:
    write_run(root / "low", 8)
    write_run(root / "high", 36)
    first, second = rows(root)
    assert (first["name"], first["rank_low"], first["rank_high"]) == ("high", 1, 1)
    assert (second["name"], second["rank_low"], second["rank_high"]) == ("low", 2, 2)
    assert first["uar"] == pytest.approx(0.9)
    assert first["uar_low"] < 0.9 < first["uar_high"]
    assert (first["images_per_second"], first["date"], first["invalid_rate"]) == (
        12.5,
        "2026-01-03",
        pytest.approx(0.1),
    )
    assert {tuple(row) for row in rows(root)} == {COLUMNS}


def test_runs_that_cannot_be_told_apart_share_ranks(root: Path) -> None:
    for name, hits in (("a", 30), ("b", 30), ("c", 29), ("d", 5)):
        write_run(root / name, hits)
    assert [(r["name"], r["rank_low"], r["rank_high"], r["leading"]) for r in rows(root)] == [
        ("a", 1, 2, True), ("b", 1, 2, True), ("c", 1, 2, True), ("d", 3, 3, False),
    ]  # fmt: skip
    shown = run(root).stdout
    assert shown.count("\n1–2* ") == 3
    assert "The same predictions, so counted once where runs are ranked: a, b." in shown


def test_a_paired_test_tells_apart_what_intervals_do_not(root: Path) -> None:
    """The worse run gets nothing right that the better one does not."""
    write_run(root / "better", 30)
    write_run(root / "worse", 25)
    better, worse = rows(root)
    assert better["uar_low"] < worse["uar_high"]
    assert (better["rank_high"], worse["rank_low"]) == (1, 2)


def test_baseline_adds_differences(root: Path) -> None:
    write_run(root / "a", 30)
    write_run(root / "b", 25)
    write_run(root / "c", 25)
    write_run(root / "elsewhere", 25, fingerprint="0" * 64)
    got = {row["name"]: row for row in rows(root, "--baseline", root / "b")}
    assert got["a"]["difference"] == pytest.approx(5 / 40)
    assert 0 < got["a"]["difference_low"] < 5 / 40 < got["a"]["difference_high"]
    assert got["a"]["p"] < 0.001
    assert (got["c"]["difference"], got["c"]["p"]) == (0, 1)
    assert got["b"]["difference"] is got["b"]["p"] is got["elsewhere"]["difference"] is None
    text = run(root, "--baseline", root / "b").stdout
    assert "+12.5" in text
    assert "<0.001" in text
    assert "baseline" in text
    assert "The baseline b answered other samples" in text


def test_baseline_must_be_a_run_that_can_be_compared(root: Path) -> None:
    write_run(root / "a", 30)
    write_run(root / "failed", 30, status="failed", reason="no memory")
    for name, text in (("nowhere", "is not among the runs"), ("failed", "no memory")):
        error = run(root, "--baseline", root / name).exception
        assert isinstance(error, UserError)
        assert text in str(error)


def test_a_log_of_other_samples_is_set_apart(root: Path) -> None:
    for name in ("a", "b", "c"):
        write_run(root / name, 30)
    log = root / "b" / "predictions.jsonl"
    log.write_text(log.read_text().replace('"Sadly Angry/', '"other/'))
    got = {row["name"]: row for row in rows(root)}
    assert (got["b"]["kind"], got["a"]["kind"], got["c"]["kind"]) == ("not ranked", "run", "run")
    assert got["b"]["note"].startswith("mismatched")


def test_only_comparable_runs_are_ranked_together(root: Path) -> None:
    write_run(root / "a", 30)
    write_run(root / "b", 20, fingerprint="0" * 64)
    write_run(root / "c", 10, split="train")
    got = rows(root)
    assert {(r["name"], r["rank_low"], r["rank_high"]) for r in got} == {("a", 1, 1), ("b", 1, 1), ("c", 1, 1)}
    assert run(root).stdout.count("samples, 3 labels") == 3


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"limit": 50}, "not comparable: --limit 50"),
        ({"status": "running"}, "not finished"),
        ({"status": "failed", "reason": "out of memory\ndetails"}, "failed: out of memory"),
        ({"lost": 1}, f"the log holds {N - 1} of {N} records"),
    ],
)
def test_other_runs_are_listed_apart(root: Path, change: dict[str, Any], why: str) -> None:
    write_run(root / "good", 20)
    write_run(root / "other", 40, **change)
    good, other = rows(root)
    assert (good["name"], good["rank_low"], good["rank_high"]) == ("good", 1, 1)
    assert (other["kind"], other["rank_low"]) == ("not ranked", None)
    assert other["note"].startswith(why)
    assert "details" not in other["note"]
    assert "Not ranked" in run(root).stdout


def damage(path: Path, text: str) -> None:
    path.write_text(text)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("run.json", "{"),
        ("run.json", "[]"),
        ("run.json", '{"schema": 99}'),
        ("run.json", '{"schema": 1, "status": "complete", "identity": {}, "labels": {}}'),
        ("run.json", '{"schema": 1, "status": "complete", "identity": {"dataset": [], "backbone": 3}, "labels": {}}'),
        ("predictions.jsonl", "no json\n"),
        ("predictions.jsonl", ""),
        ("predictions.jsonl", '{"id": 1, "target": "Joy", "prediction": null, "status": "ok", "turns": []}\n'),
    ],
)
def test_damaged_runs_are_told_and_not_fatal(root: Path, file: str, text: str) -> None:
    write_run(root / "good", 20)
    damage(write_run(root / "bad", 40) / file, text)
    good, bad = rows(root)
    assert (good["name"], good["rank_low"], bad["name"], bad["kind"]) == ("good", 1, "bad", "not ranked")
    assert bad["note"]
    assert all(run(root, "--format", f).exit_code == 0 for f in ("table", "markdown", "csv"))


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e999"])
def test_figures_that_are_no_numbers_are_computed_again(root: Path, value: str) -> None:
    path = write_run(root / "bad", 20) / "metrics.json"
    path.write_text(re.sub(r'"uar": [\d.]+', f'"uar": {value}', path.read_text()))
    (row,) = rows(root)
    assert (row["kind"], row["uar"]) == ("run", 0.5)
    assert row["note"] == "metrics.json is damaged: computed again from the log"


@pytest.mark.parametrize("value", ['"many"', "[]", "1.5"])
def test_impossible_figures_are_damage(root: Path, value: str) -> None:
    path = write_run(root / "bad", 20) / "metrics.json"
    path.write_text(re.sub(r'"uar": [\d.]+', f'"uar": {value}', path.read_text()))
    (row,) = rows(root)
    assert (row["kind"], row["uar"]) == ("run", 0.5)
    assert row["note"].startswith("metrics.json is damaged (metrics.json: uar cannot be read): computed again")


@pytest.mark.parametrize("samples", ["Infinity", '"many"', "null", "[]"])
def test_impossible_manifests_are_damage(root: Path, samples: str) -> None:
    path = write_run(root / "bad", 20) / "run.json"
    path.write_text(path.read_text().replace(f'"samples": {N}', f'"samples": {samples}'))
    (row,) = rows(root)
    assert row["kind"] == "not ranked"
    assert "run.json" in row["note"]
    assert "damaged" in row["note"] or "identity.dataset" in row["note"]


def test_metrics_are_computed_again_when_they_do_not_belong_to_the_log(root: Path) -> None:
    stale = write_run(root / "stale", 20)
    path = stale / "metrics.json"
    path.write_text(
        path.read_text().replace('"uar": 0.5', '"uar": 0.99').replace('"log_sha256": "', '"log_sha256": "0')
    )
    write_run(root / "without", 10, metrics=False)
    damage(write_run(root / "broken", 5) / "metrics.json", "{")
    got = {row["name"]: row for row in rows(root)}
    assert [got[n]["uar"] for n in ("stale", "without", "broken")] == pytest.approx([0.5, 0.25, 0.125])
    assert "does not belong" in got["stale"]["note"]
    assert "there is no metrics.json" in got["without"]["note"]
    assert "is damaged" in got["broken"]["note"]
    assert "stale: metrics.json does not belong to predictions.jsonl" in run(root).stdout


def test_matching_metrics_are_trusted(root: Path) -> None:
    """So that a leaderboard of many runs needs no bootstrap; the hash ties them to the log."""
    path = write_run(root / "a", 20) / "metrics.json"
    written = path.read_text()
    path.write_text(re.sub(r'"macro_f1_interval": \[[^]]*\]', '"macro_f1_interval": [0.1, 0.9]', written))
    (row,) = rows(root)
    assert (row["uar"], row["macro_f1_low"], row["note"]) == (0.5, 0.1, None)


def test_an_edited_interval_is_computed_again(root: Path) -> None:
    path = write_run(root / "a", 20) / "metrics.json"
    path.write_text(re.sub(r'"uar_interval": \[[^]]*\]', '"uar_interval": [0.49, 0.51]', path.read_text()))
    (row,) = rows(root)
    assert row["uar_low"] < 0.45
    assert "computed again" in row["note"]


def test_metrics_that_contradict_the_log_are_computed_again(root: Path) -> None:
    path = write_run(root / "a", 20) / "metrics.json"
    path.write_text(path.read_text().replace('"uar": 0.5', '"uar": 0.51'))
    (row,) = rows(root)
    assert row["uar"] == 0.5
    assert row["note"] == (
        "metrics.json is damaged (uar is not what predictions.jsonl gives): computed again from the log"
    )


def published_file(folder: Path, **fields: Any) -> Path:
    folder.mkdir(exist_ok=True)
    row = {"name": "Old & Good", "uar": 99.9, "work": "A. Author, 2020", "url": "https://x.org", "table": "table 1"}
    text = json.dumps({"dataset": "toy", "split": "test", "rows": [row | fields]})
    (folder / "toy.yaml").write_text(text)  # JSON is YAML
    return folder


def test_published_rows_are_shown_and_never_ranked(root: Path, tmp_path: Path) -> None:
    write_run(root / "a", 20)
    (section,) = leaderboard(root, published=published_file(tmp_path / "published", note="careful"))
    ours, theirs = section.rows
    assert (ours["rank_low"], ours["rank_high"]) == (1, 1)  # although the published number is higher
    assert (theirs["kind"], theirs["rank_low"], theirs["uar"]) == ("published", None, pytest.approx(0.999))
    assert theirs["source"] == "A. Author, 2020, https://x.org (table 1)"
    assert any(theirs["source"] in note for note in section.notes)
    assert "Old & Good: careful" in section.notes


def test_published_rows_stay_with_their_split(root: Path, tmp_path: Path) -> None:
    write_run(root / "a", 20, split="train")
    (section,) = leaderboard(root, published=published_file(tmp_path / "published"))
    assert [row["kind"] for row in section.rows] == ["run"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"url": ""}, "url cannot be read"),
        ({"table": None}, "the field 'table' is missing"),
        ({"uar": 0}, "uar cannot be read(?s:.)*a percentage"),
        ({"uar": "60"}, "uar cannot be read(?s:.)*a number"),
        ({"uar": 101}, "uar cannot be read(?s:.)*a percentage"),
        ({"uar": None}, "there is no metric"),
        ({"accuracy": 3}, "unknown field 'accuracy'"),
        ({"per_class": {"a": [5, 4]}}, r"per_class.a cannot be read(?s:.)*\[hits, samples\]"),
        ({"per_class": {}}, "per_class cannot be read"),
        ({"uar": 60.0, "per_class": {"a": [1, 2], "b": [1, 4]}}, "per_class gives uar 37.50"),
    ],
)
def test_published_rows_need_a_source_and_must_agree(tmp_path: Path, fields: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=rf"published/.*yaml: rows\[0\].*{words}"):
        load_published(published_file(tmp_path / "published", **fields))


def test_shipped_published_rows() -> None:
    results = load_published()
    by_name = {(r.dataset, r.name): r for r in results}
    assert len(by_name) == len(results) == 22
    ours = by_name["raf-db-compound", "Chain-of-Affect (Phi-3.5-vision)"]
    assert ours.per_class is not None
    assert sum(n for _, n in ours.per_class.values()) == 792
    basic = by_name["raf-db-basic", "Chain-of-Affect (Phi-3.5-vision)"]
    assert basic.per_class is not None
    assert sum(n for _, n in basic.per_class.values()) == 3068
    assert all(r.url.startswith("https://") for r in results)


def test_dataset_filter(root: Path) -> None:
    write_run(root / "a", 20)
    write_run(root / "b", 20, name="other")
    damage(write_run(root / "bad", 20) / "run.json", "{")
    assert [r["name"] for r in rows(root, "--dataset", "toy")] == ["a", "bad"]
    kinds = {r["kind"] for r in rows(root, "--dataset", "raf-db-compound") if r["name"] != "bad"}
    assert kinds == {"published"}
    error = run(root, "--dataset", "raf-db-compuond").exception
    assert isinstance(error, UserError)
    assert "did you mean 'raf-db-compound'" in str(error)


def test_runs_are_found_three_levels_down_and_once(root: Path) -> None:
    deep = write_run(root / "x" / "y" / "z", 20)
    write_run(root / "1" / "2" / "3" / "4", 20)
    write_run(deep / "inside", 20)  # within a run nothing is looked for
    (root / "link").symlink_to(deep)
    assert [d.name for d in find_runs(root)] == ["link"]
    assert rows(deep)[0]["name"] == "z"


def test_nothing_to_rank_says_what_to_do(root: Path) -> None:
    missing = run(root).exception
    root.mkdir()
    empty = run(root).exception
    for error, text in ((missing, "there is no folder"), (empty, "there is no run in")):
        assert isinstance(error, UserError)
        assert text in str(error)
        assert "coabench evaluate" in str(error)


def test_same_bytes_for_the_same_input(root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, hits in (("b", 20), ("a", 20), ("c", 31)):
        write_run(root / name, hits, metrics=name != "c")
    for format in FORMATS:
        first, second = run(root, "--format", format).stdout_bytes, run(root, "--format", format).stdout_bytes
        monkeypatch.setenv("COABENCH_CACHE", str(tmp_path / f"empty-{format}"))
        assert first == second == run(root, "--format", format).stdout_bytes


def test_a_changed_run_is_read_again(root: Path) -> None:
    write_run(root / "a", 30)
    write_run(root / "b", 20)
    assert [row["name"] for row in rows(root)] == ["a", "b"]
    log = root / "b" / "predictions.jsonl"
    log.write_text(
        log.read_text().replace('"prediction": null', '"prediction": "Sadly Angry"').replace("invalid", "ok")
    )
    assert next(row for row in rows(root) if row["name"] == "b")["uar"] > 0.6


def test_many_runs_are_read_by_several_processes(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    for i in range(18):
        write_run(root / f"{i:02}", 10 + i)
    damage(root / "05" / "run.json", "{")
    first = rows(root)
    assert [row["name"] for row in first] == [f"{i:02}" for i in reversed(range(18)) if i != 5] + ["05"]
    assert rows(root) == first


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_latex_compiles(root: Path, tmp_path: Path) -> None:
    evil = "<a_b>%$#&~^\\{}|\"'[x] 你好 é – −1\x1b"
    write_run(root / "a", 20, strategy=evil, backbone={"name": evil, "model": evil, "adapter": evil})
    write_run(root / "b", 30)
    write_run(root / "failed", 30, status="failed", reason=evil)
    table = run(root, "--format", "latex", "--baseline", root / "b").stdout
    document = "\\documentclass{article}\\usepackage{booktabs,graphicx}\\begin{document}\n%s\\end{document}\n"
    (tmp_path / "board.tex").write_text(document % table, encoding="utf-8")
    command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "board.tex"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-2000:]
    assert (tmp_path / "board.pdf").stat().st_size > 1000


def test_html_is_one_page_with_a_plot(root: Path) -> None:
    write_run(root / "a", 20)
    page = run(root, "--format", "html").stdout
    assert page.startswith("<!doctype html>")
    assert "<svg" in page
    assert "default-src &#39;none&#39;" in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "").replace("http-equiv", "")


def test_hostile_names_come_out_harmless(root: Path) -> None:
    evil = "<script>alert(1)</script>|`x`\x1b[2J\n=1"
    write_run(root / "a", 20, strategy=evil, backbone={"name": f"={evil}", "model": evil, "adapter": evil})
    for format in FORMATS:
        text = run(root, "--format", format).stdout
        assert "\x1b" not in text
        assert "\n=1" not in text
        assert "<script>alert" not in text or format in ("table", "csv", "json")
        assert "script" in text
    markdown = run(root, "--format", "markdown").stdout
    assert "<" not in markdown
    (row,) = csv.DictReader(StringIO(run(root, "--format", "csv").stdout))
    assert row["backbone"].startswith("'=")


def test_table_fits_120_columns(root: Path) -> None:
    write_run(
        root / "raf-db-compound.chain-of-affect-corrected.phi-3.5-vision.1a2b3c4d",
        20,
        name="raf-db-compound",
        strategy="chain-of-affect:corrected",
        backbone={
            "name": "transformers",
            "model": "Qwen/Qwen2.5-VL-7B-Instruct",
            "adapter": "runs/my-chain-of-affect-r32",
        },
    )
    lines = [line for line in run(root).stdout.splitlines() if "https://" not in line and str(root) not in line]
    assert max(map(len, lines)) <= 120
    assert any("Qwen2.5-VL-7B-Instruct" in line for line in lines)


def test_output_file(root: Path, tmp_path: Path) -> None:
    write_run(root / "a", 20)
    file = tmp_path / "board.md"
    result = run(root, "--format", "markdown", "--output", file)
    assert result.stdout == ""
    assert str(file) in result.stderr
    assert file.read_bytes() == run(root, "--format", "markdown").stdout_bytes
    error = run(root, "--output", tmp_path / "no" / "folder").exception
    assert isinstance(error, UserError)
    assert "cannot be written" in str(error)


def test_errors_of_a_run_are_remarked(root: Path) -> None:
    directory = write_run(root / "a", 20, metrics=False)
    log = directory / "predictions.jsonl"
    log.write_text(
        log.read_text().replace('"invalid", "reason": "unparsed-answer"', '"error", "reason": "unreadable"', 3)
    )
    (row,) = rows(root)
    assert row["errors"] == 3
    assert "a: 3 samples not asked about" in run(root).stdout


@pytest.mark.parametrize("file", ["run.json", "metrics.json", "predictions.jsonl"])
@pytest.mark.parametrize(
    "damage", ["[" * 100_000, '{"a": ' * 100_000, "1" * 10_000], ids=["lists", "objects", "digits"]
)
def test_a_file_without_end_takes_no_other_run_with_it(file: str, damage: str, tmp_path: Path) -> None:
    write_run(tmp_path / "good", 30)
    bad = write_run(tmp_path / "bad", 20)
    (bad / file).write_text(damage + "\n")
    by_name = {row["name"]: row for row in rows(tmp_path)}
    assert by_name["good"]["kind"] == "run"
    if file == "metrics.json":  # computed again
        assert by_name["bad"]["note"] == "metrics.json is damaged: computed again from the log"
    else:
        assert by_name["bad"]["kind"] == "not ranked"
        assert "damaged" in by_name["bad"]["note"] or "is no record" in by_name["bad"]["note"]


@posix
@pytest.mark.parametrize("file", ["run.json", "metrics.json", "predictions.jsonl"])
def test_a_pipe_among_the_files_of_a_run_is_not_read(file: str, tmp_path: Path) -> None:
    write_run(tmp_path / "good", 30)
    bad = write_run(tmp_path / "bad", 20)
    (bad / file).unlink()
    SPECIAL["pipe"][0](bad / file)
    by_name = {row["name"]: row for row in rows(tmp_path)}
    assert by_name["good"]["kind"] == "run"
    assert by_name["bad"]["note"]
    assert (by_name["bad"]["kind"] == "run") == (file == "metrics.json")


TURN = {"name": "answer", "prompt": "p", "options": ["a", "b"], "response": "a", "label": "a"}


def test_a_count_that_no_array_holds_is_no_record(tmp_path: Path) -> None:
    run_folder = write_run(tmp_path / "bad", 20)
    lines = (run_folder / "predictions.jsonl").read_text().splitlines()
    lines[2] = json.dumps({**json.loads(lines[2]), "turns": [{**TURN, "new_tokens": 2**64}]})
    (run_folder / "predictions.jsonl").write_text("\n".join(lines) + "\n")
    (row,) = rows(tmp_path)
    assert row["kind"] == "not ranked"
    assert "new_tokens" in row["note"]


def test_a_log_probability_above_0_is_no_record(tmp_path: Path) -> None:
    bad = write_run(tmp_path / "bad", 20)
    lines = (bad / "predictions.jsonl").read_text().splitlines()
    lines[2] = json.dumps({**json.loads(lines[2]), "turns": [{**TURN, "scores": {"a": -1.0, "b": 0.5}}]})
    (bad / "predictions.jsonl").write_text("\n".join(lines) + "\n")
    write_run(tmp_path / "good", 20)
    assert {row["note"] for row in rows(tmp_path)} == {None, f"{bad}/predictions.jsonl: line 3 is no record"}
