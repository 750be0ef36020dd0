"""A run that 0.1.0 made, before the code moved: it is ranked, shown, compared, scored again and continued."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from coabench.base.version import __version__
from coabench.cli import cli
from coabench.evaluation.job import evaluate
from coabench.evaluation.plan import Evaluation
from coabench.runs import read_records

MADE = Path(__file__).parent / "made_by_0.1.0"
DATE = json.loads((MADE / "run.json").read_text())["ended"][:10]


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return shutil.copytree(MADE, tmp_path / "runs" / "old")


def called(*arguments: object) -> str:
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def answers(run: Path) -> list[dict[str, Any]]:
    return [{**record, "seconds": None} for record in read_records(run)]


def test_it_is_listed_shown_and_compared(old: Path, tmp_path: Path) -> None:
    (row,) = json.loads(called("leaderboard", old.parent, "--format", "json"))
    assert (row["backbone"], row["adapter"], row["strategy"], row["samples"]) == ("tiny", "shipped/direct", "direct", 8)
    assert (row["date"], row["note"]) == (DATE, "not comparable: --limit 8")
    called("report", old, "--output", tmp_path / "page.html")
    assert "shipped/direct (8d1d7422494d)" in (tmp_path / "page.html").read_text()
    assert "--limit 8" in called("compare", old, old)


def test_its_responses_are_read_with_another_parser(old: Path, tmp_path: Path) -> None:
    called("score", old, "--parser", "lenient", "--output", tmp_path / "again")
    identity, before = (json.loads((run / "run.json").read_text())["identity"] for run in (tmp_path / "again", old))
    assert identity.pop("rescored")["run"] == "old"
    assert identity == {**before, "parsing": {**before["parsing"], "parser": "lenient"}}


def test_it_is_continued_where_it_was_stopped(old: Path) -> None:
    whole, log, path = answers(old), old / "predictions.jsonl", old / "run.json"
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:3]) + b'{"id": "torn')
    manifest = json.loads(path.read_text())
    manifest["status"] = "running"
    manifest["identity"] = json.loads(json.dumps(manifest["identity"]).replace('"0.1.0"', f'"{__version__}"'))
    path.write_text(json.dumps(manifest))
    done = evaluate(Evaluation("tiny", "direct", "synthface-basic", limit=8, output=old))
    assert done.manifest["sessions"][1]["from"] == 3
    assert answers(old) == whole
