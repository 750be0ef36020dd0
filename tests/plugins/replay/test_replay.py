"""``replay:``: a run asked again of its own log."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from support.process import ROOT
from support.runs import records

from coabench.errors import JobError, UserError
from coabench.evaluation.job import evaluate
from coabench.evaluation.plan import Evaluation

LOG = "predictions.jsonl"


@pytest.fixture(scope="module")
def made(faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of the model that ships, by strategy."""
    folder = tmp_path_factory.mktemp("made")
    for strategy in ("chain-of-affect", "pair-scores"):
        ask(faces, "tiny", strategy, folder / strategy)
    return folder


def ask(faces: Path, backbone: str, strategy: str, output: Path, **rest: Any) -> Any:
    rest = {"dataset": "synthface-compound", **rest}
    return evaluate(Evaluation(backbone, strategy, data_root=faces, output=output, **rest))


def kept(run: Path, to: Path, change: Any = None, manifest: bool = True) -> Path:
    """Copy a run, each record changed."""
    to.mkdir()
    lines = records(run)
    for line in lines:
        if change is not None:
            change(line)
    (to / LOG).write_text("".join(json.dumps(line) + "\n" for line in lines))
    if manifest:
        shutil.copy(run / "run.json", to)
    return to


@pytest.mark.parametrize("strategy", ["chain-of-affect", "pair-scores"])
@pytest.mark.parametrize("file", ["", LOG])
def test_a_replay_equals_the_run_but_for_the_time(
    strategy: str, file: str, faces: Path, made: Path, tmp_path: Path
) -> None:
    run = made / strategy
    done = ask(faces, f"replay:{run / file}", strategy, tmp_path / "again", batch_size=3)
    for before, after in zip(records(run), records(tmp_path / "again"), strict=True):
        assert json.dumps(before | {"seconds": None}) == json.dumps(after)
    assert done.manifest["images_per_second"] is None  # nobody was asked, so nothing is timed
    assert done.metrics["uar"] == json.loads((run / "metrics.json").read_text())["uar"]
    notes = "\n".join(done.manifest["notes"])
    assert "no model was asked" in notes
    assert "recorded from synthface-compound, split test" in notes
    recorded = done.manifest["identity"]["backbone"]["facts"]["recorded"]
    assert recorded["backbone"] == "tiny"


def test_a_log_alone_is_enough_and_another_log_is_another_backbone(faces: Path, made: Path, tmp_path: Path) -> None:
    bare = kept(made / "chain-of-affect", tmp_path / "bare", manifest=False)
    done = ask(faces, f"replay:{bare}", "chain-of-affect", tmp_path / "again")
    assert any("not known" in note for note in done.manifest["notes"])
    kept(made / "chain-of-affect", tmp_path / "other", lambda r: r["turns"][0].update(response="Sadness"), False)
    shutil.copy(tmp_path / "other" / LOG, bare / LOG)
    with pytest.raises(UserError, match="log_sha256"):
        ask(faces, f"replay:{bare}", "chain-of-affect", tmp_path / "again")


def test_the_same_answers_lead_to_another_conclusion(faces: Path, made: Path, tmp_path: Path) -> None:
    prompts = (ROOT / "prompts" / "chain-of-affect.corrected.yaml").read_text()
    (tmp_path / "mine.yaml").write_text(prompts.replace("conclude: [primary, secondary]", "conclude: primary"))
    ask(faces, f"replay:{made / 'chain-of-affect'}", str(tmp_path / "mine.yaml"), tmp_path / "again")
    assert {record["reason"] for record in records(tmp_path / "again")} == {"no-class"}


@pytest.mark.parametrize(
    ("strategy", "options", "told"),
    [
        ("direct", {}, "asked of no sample"),
        ("chain-of-affect", {"decode": "score"}, "asked of no sample"),
        ("chain-of-affect", {"adapter": "somewhere"}, "somewhere"),
    ],
)
def test_what_was_never_asked_is_refused_before_anything_is_written(
    strategy: str, options: dict[str, str], told: str, faces: Path, made: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=told):
        ask(faces, f"replay:{made / 'chain-of-affect'}", strategy, tmp_path / "again", **options)
    assert not (tmp_path / "again").exists()


def test_an_answer_that_leads_elsewhere_ends_the_job_with_the_sample_and_the_question(
    faces: Path, made: Path, tmp_path: Path
) -> None:
    def one_less(record: dict[str, Any]) -> None:
        del record["turns"][1:]

    short = kept(made / "chain-of-affect", tmp_path / "short", one_less)
    with pytest.raises(JobError, match=r"(?s)compound_test_\d+ was never asked.*primary emotion conveyed.*--strategy"):
        ask(faces, f"replay:{short}", "chain-of-affect", tmp_path / "again")


def test_other_samples_end_the_job(faces: Path, made: Path, tmp_path: Path) -> None:
    with pytest.raises(JobError, match=r"nothing about synthface-basic/(?s:.*)--dataset"):
        ask(
            faces, f"replay:{made / 'chain-of-affect'}", "chain-of-affect", tmp_path / "again",
            dataset="synthface-basic",
        )  # fmt: skip


def test_what_was_an_error_is_one_again(faces: Path, made: Path, tmp_path: Path) -> None:
    def fail(record: dict[str, Any]) -> None:
        if record["id"].endswith("0"):
            record.update(status="error", prediction=None, reason="the server refuses this picture", turns=[])
        elif record["id"].endswith("1"):
            record.update(status="error", prediction=None, reason="and hangs up", turns=record["turns"][:1])

    broken = kept(made / "chain-of-affect", tmp_path / "broken", fail)
    ask(faces, f"replay:{broken}", "chain-of-affect", tmp_path / "again")
    for before, after in zip(records(broken), records(tmp_path / "again"), strict=True):
        assert json.dumps(before | {"seconds": None}) == json.dumps(after)


TWICE = """
name: twice
chat: continued
questions:
  - {name: one, prompt: "Which label?"}
  - {name: two, prompt: "Which label?"}
conclude: two
"""


def test_a_question_that_comes_up_again_gets_its_next_answer(faces: Path, made: Path, tmp_path: Path) -> None:
    (tmp_path / "twice.yaml").write_text(TWICE)
    turn = {"name": "label", "prompt": "Which label?", "options": []}
    said = [{**turn, "response": label, "label": label} for label in ("Sadly Angry", "Sadly Fearful")]
    kept(made / "chain-of-affect", tmp_path / "log", lambda record: record.update(turns=said), manifest=False)
    ask(faces, f"replay:{tmp_path / 'log'}", str(tmp_path / "twice.yaml"), tmp_path / "again")
    assert {record["prediction"] for record in records(tmp_path / "again")} == {"Sadly Fearful"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "no log at"),
        ("", "holds no answers"),
        (
            '{"id": "a", "target": "b", "prediction": null, "status": "ok", "reason": null, "turns": []}\n',
            "from a file",
        ),
        (
            '{"id": "a", "target": "b", "prediction": null, "status": "ok", "reason": null, "turns": [{}]}\n',
            "line 1 is no record",
        ),
        (
            '{"id": "a", "target": "b", "prediction": null, "status": "ok", "reason": null, '
            '"turns": [{"name": "n", "label": null, "prompt": "p", "response": "", "options": ["x", "y"], '
            '"scores": {"x": -0.5}}]}\n',
            "a score for each option",
        ),
        ("no json\n", "line 1 is no record"),
        ("[" * 100_000 + "\n", "line 1 is no record"),
        (
            '{"id": "a", "target": "b", "prediction": null, "status": "ok", "reason": null, '
            '"turns": [{"name": "n", "label": null, "prompt": "p", "response": "", "options": ["x"], '
            '"scores": {"x": 0.5}}]}\n',
            "a score of 0.5, where log-probabilities are 0 at most",
        ),
    ],
)
def test_a_log_that_cannot_be_replayed(text: str | None, told: str, faces: Path, tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    if text is not None:
        (tmp_path / "log" / LOG).write_text(text)
    with pytest.raises(UserError, match=told):
        ask(faces, f"replay:{tmp_path / 'log'}", "chain-of-affect", tmp_path / "run")
