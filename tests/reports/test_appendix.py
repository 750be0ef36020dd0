"""The appendix of a paper: what runs and trainings record, and what they do not."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support.in_process import command as in_process
from support.report_run import EVIL, VISIBLE, records, write_run

import coabench
from coabench.robustness.conditions import Condition
from coabench.robustness.folder import LeftOut, StressFolder
from coabench.runs.training_identity import TrainingIdentity

OLD = Path(__file__).parents[1] / "support" / "written_by_0_1_0" / "adapters" / "rank-1"


def manifest(folder: Path, name: str = "run.json") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / name).read_text())
    return found


def change(folder: Path, **fields: Any) -> None:
    (folder / "run.json").write_text(json.dumps({**manifest(folder), **fields}))


def seeded(folder: Path, seed: int, **fields: Any) -> Path:
    """Write a run with a seed."""
    write_run(folder, records())
    found = manifest(folder)
    change(folder, identity={**found["identity"], "seed": seed}, **fields)
    return folder


def section(text: str, title: str) -> str:
    return text.split(f"## {title}\n")[1].split("\n## ")[0]


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    return in_process(Path.cwd(), [*arguments], {})


def written(*arguments: object) -> str:
    result = command("appendix", *arguments)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_what_runs_share_stands_once_and_the_rest_in_a_table(tmp_path: Path) -> None:
    text = written(seeded(tmp_path / "a", 1), seeded(tmp_path / "b", 2))
    questions = section(text, "Questions and decoding")
    assert questions.count("**strategy:** chain-of-affect") == 1
    assert "| seed | 1 | a |\n|  | 2 | b |" in questions
    assert "Runs that differ in their seed alone: a, b." in section(text, "NeurIPS paper checklist")


def test_the_questions_stand_there_as_they_were_asked(tmp_path: Path) -> None:
    asked = section(written(seeded(tmp_path / "a", 1)), "Questions, as asked")
    assert "primary, always the same text:\n\n```text\nWhich primary emotion?\nChoose one.\n```" in asked
    assert "Which secondary emotion?" in asked


def test_what_was_done_to_the_images_stands_part_by_part(tmp_path: Path) -> None:
    run = seeded(tmp_path / "a", 1)
    step = {"step": "transform", "spec": "blur:sigma=1", "transforms": [{"name": "blur", "options": {"sigma": 1}}]}
    change(run, identity={**manifest(run)["identity"], "preparation": [step]})
    data = section(written(run), "Data")
    assert "- **image preparation spec:** blur:sigma=1\n" in data
    assert "- **image preparation transforms options sigma:** 1\n" in data


def test_figures_have_intervals_and_say_how_they_are_computed(tmp_path: Path) -> None:
    figures = section(written(seeded(tmp_path / "a", 1)), "Figures")
    assert re.search(r"^\| a +\| +90 \|", figures, re.MULTILINE)
    metrics = json.loads((tmp_path / "a" / "metrics.json").read_text())
    assert f"{100 * metrics['uar']:.2f}" in figures
    assert f"{metrics['bootstrap']['replicates']:,} replicates, seed {metrics['bootstrap']['seed']}" in figures
    assert "unparsed-primary 9" in figures
    assert "repeated 9" in figures


def test_what_is_not_recorded_is_said_and_not_guessed(tmp_path: Path) -> None:
    run = seeded(tmp_path / "a", 1, sessions=[], seconds=None)
    text = written(run)
    assert "- **device:** not recorded" in section(text, "Compute")
    assert "- **Python:** not recorded" in section(text, "Software")
    assert "a: not recorded." in section(text, "Commands")
    neurips = section(text, "NeurIPS paper checklist")
    assert "In part" in neurips.split("8 Compute resources:")[1].split("\n")[0]
    assert "1 Claims:** For the authors to answer." in neurips
    acl = section(text, "ACL responsible NLP checklist")
    assert "Not recorded. For the authors to answer." in acl.split("B2 ")[1].split("\n")[0]  # no card of 'toy'
    assert "The training of the weights is not among these files: a." in acl


def test_an_adapter_comes_with_what_it_learnt_from(tmp_path: Path) -> None:
    text = written(OLD)
    identity = manifest(OLD, "training.json")["identity"]
    data = section(text, "Training: data")
    for part in identity["data"]:
        assert part["fingerprint"] in data
    assert f"- **rank:** {identity['recipe']['rank']}\n" in section(text, "Training: recipe")


def test_the_training_of_a_runs_adapter_is_found_and_another_one_is_not_taken_for_it(tmp_path: Path) -> None:
    identity = TrainingIdentity.read(manifest(OLD, "training.json")["identity"])
    run = write_run(tmp_path / "a", records())
    backbone = {**manifest(run)["identity"]["backbone"], "adapter": str(OLD)}
    changed = {**manifest(run)["identity"], "backbone": backbone}
    change(run, identity=changed, training={"seed": identity.seed, "recipe": identity.any_seed.digest})
    assert "## Training: recipe" in written(run)
    change(run, training={"seed": identity.seed, "recipe": "0" * 64})
    text = written(run)
    assert "## Training: recipe" not in text
    assert "The training of the weights is not among these files: a." in text


def test_python_returns_what_the_command_writes(tmp_path: Path) -> None:
    runs = seeded(tmp_path / "a", 1), seeded(tmp_path / "b", 2)
    assert coabench.appendix(coabench.load_run(runs[0]), str(runs[1])) == written(*runs)
    assert coabench.appendix(runs[0], format="latex") == written(runs[0], "--format", "latex")
    with pytest.raises(coabench.UserError, match="no run is given"):
        coabench.appendix()
    with pytest.raises(coabench.UserError, match="format"):
        coabench.appendix(runs[0], format="pdf")  # type: ignore[arg-type]


def test_a_stress_is_its_runs(tmp_path: Path) -> None:
    for name in ("clean", "blur-1"):
        seeded(tmp_path / "stress" / name, 1)
    conditions = [Condition("clean", "clean"), Condition("blur-1", "blur", 1, ("blur:sigma=1",))]
    left_out = [LeftOut("mask", "there are no landmarks")]
    StressFolder(tmp_path / "stress", "images", conditions, left_out).write()
    text = written(tmp_path / "stress")
    assert "2 runs (clean, blur-1)" in text
    assert "mask: there are no landmarks" in section(text, "Conditions left out")
    change(tmp_path / "stress" / "blur-1", status="stopped")
    result = command("appendix", tmp_path / "stress")
    assert (result.returncode, result.stdout) == (2, "")
    assert "blur-1" in result.stderr


@pytest.mark.parametrize("case", ["unfinished", "twice", "absent", "torn", "neither"])
def test_mistakes_are_said_and_nothing_is_written(tmp_path: Path, case: str) -> None:
    run = seeded(tmp_path / "a", 1)
    arguments: list[Path] = [run]
    if case == "unfinished":
        change(run, status="stopped")
    elif case == "twice":
        arguments = [run, tmp_path / "." / "a"]
    elif case == "absent":
        arguments = [run, tmp_path / "b"]
    elif case == "torn":
        log = run / "predictions.jsonl"
        log.write_text("".join(log.read_text().splitlines(keepends=True)[:-1]))
    else:
        arguments = [tmp_path]
    result = command("appendix", *arguments, "--output", tmp_path / "appendix.md")
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "appendix.md").exists()


def hostile(folder: Path) -> Path:
    """Write a run whose every text would act on something."""
    evil = EVIL + r" \input{/etc/passwd} \end{document} $^_%#&~ | `x` ```` -- 你好 é"
    given = records()
    for record in given:
        for turn in record["turns"]:
            turn["prompt"] = f"{evil}\n```\n\\end{{quote}} 'a' \"b\" --limit"
    write_run(folder, given, notes=[evil])
    found = manifest(folder)
    identity = {**found["identity"], "seed": 1, "backbone": {"name": evil, "model": evil, "adapter": evil}}
    identity["strategy"] = {"name": evil, "sha256": evil}
    session = {"command": ["coabench", evil], "device": evil, "environment": {"python": evil, "packages": {evil: evil}}}
    change(folder, identity=identity, sessions=[session])
    return folder


def test_hostile_text_is_harmless_in_markdown(tmp_path: Path) -> None:
    text = written(hostile(tmp_path / "a"))
    outside = "".join(part for i, part in enumerate(text.split("`````")) if i % 2 == 0)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "<script" not in outside
    assert VISIBLE in text  # a question and a command are quoted as they are, in a fence that they cannot end


@pytest.mark.process
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_latex_compiles_whatever_is_in_it(tmp_path: Path) -> None:
    runs = [hostile(tmp_path / "a"), seeded(tmp_path / "b_c%", 2), OLD]
    result = command("appendix", *runs, "--format", "latex", "--output", tmp_path / "appendix.tex")
    assert result.returncode == 0, result.stderr
    text = (tmp_path / "appendix.tex").read_text()
    assert r"\input" not in text
    assert r"\textquotesingle{}a\textquotesingle{}" in text
    needed = r"\usepackage[utf8]{inputenc}\usepackage{array,booktabs,graphicx}"
    page = rf"\documentclass[twocolumn]{{article}}{needed}\begin{{document}}\input{{appendix}}\end{{document}}"
    (tmp_path / "paper.tex").write_text(page)
    line = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "paper.tex"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
