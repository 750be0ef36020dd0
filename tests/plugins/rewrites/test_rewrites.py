"""The rewrites that ship change the question as they say, and answers mean what they meant to the strategy."""

from __future__ import annotations

from math import log
from pathlib import Path
from typing import Any

import pytest

from coabench.dialogue import Exemplar, Question, Task
from coabench.errors import UserError
from coabench.inference.engine import rehearse
from coabench.registry.catalog import find_labels, open_strategy
from coabench.registry.loader import get_plugins
from coabench.registry.rewrites import Rewrites
from coabench.reports.leaderboard import leaderboard
from coabench.runs import read_records
from coabench.scoring.rescore import Rescoring, rescore
from coabench.testing import BASIC, ScriptedBackbone, tiny_run
from coabench.testing.rewrites import check, questions
from coabench.testing.scripted import CHOSEN

SHIPPED = [name for name, entry in get_plugins().rewrites.items() if entry.plugin == "rewrites"]


@pytest.mark.parametrize("name", SHIPPED)
def test_it_conforms(name: str) -> None:
    assert [str(finding) for finding in check(name)] == []


def asked(spec: str, question: str = "a question") -> str:
    return Rewrites([spec], 0)(questions()[question]).question.prompt.removeprefix(
        "Select an emotion label from the following options: "
    )


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("order:rotate=2", "'Disgust', 'Happiness', 'Sadness', 'Anger', 'Neutral', 'Surprise', or 'Fear'."),
        ("order:seed=3", "'Surprise', 'Happiness', 'Fear', 'Neutral', 'Disgust', 'Sadness', or 'Anger'."),
        ("case:style=upper", "'SURPRISE', 'FEAR', 'DISGUST', 'HAPPINESS', 'SADNESS', 'ANGER', or 'NEUTRAL'."),
        ("quotes:style=none", "Surprise, Fear, Disgust, Happiness, Sadness, Anger, or Neutral."),
        ("numbering:style=letters", "(a) 'Surprise', (b) 'Fear', (c) 'Disgust', (d) 'Happiness', (e) 'Sadness', "
                                    "(f) 'Anger', or (g) 'Neutral'."),
        ("language:options=keep", "Wähle eine Bezeichnung für die Emotion aus den folgenden Möglichkeiten: 'Surprise', "
                                  "'Fear', 'Disgust', 'Happiness', 'Sadness', 'Anger' oder 'Neutral'."),
        ("comma", "'Surprise', 'Fear', 'Disgust', 'Happiness', 'Sadness', 'Anger' or 'Neutral'."),
        ("synonyms", "'Astonishment', 'Fright', 'Revulsion', 'Joy', 'Sorrow', 'Rage', or 'Expressionless'."),
    ],
)  # fmt: skip
def test_the_list_of_options_is_rewritten(spec: str, text: str) -> None:
    assert asked(spec) == text


def test_labels_that_are_mentioned_and_the_chat_before_are_rewritten_alike() -> None:
    both = Rewrites(["synonyms", "order:rotate=1"], 0)
    second = both(questions()["a second question"])
    assert second.question.prompt == (
        "The primary emotion conveyed by this image was Astonishment. Please select the next most strongly felt "
        "emotion from the following options: Revulsion, Joy, Sorrow, Rage, Expressionless, or Fright."
    )
    assert [second.labels[option] for option in second.question.options] == [*BASIC.basic[2:], BASIC.basic[1]]
    shown = both(questions()["a question after an exemplar"]).question
    assert [message.text for message in shown.context] == [shown.prompt, "Astonishment"]
    assert asked("synonyms", "compound labels").startswith(
        "'Joyfully Astonished', 'Sorrowfully Frightened', 'Furiously Revolted'"
    )


@pytest.mark.parametrize("decode", ["generate", "score"])
def test_a_model_that_takes_the_first_option_answers_by_the_order_alone(tmp_path: Path, decode: Any) -> None:
    names = [*BASIC.basic]
    for turn in (1, 6):
        run = tiny_run(
            tmp_path / f"{turn}",
            dataset="testing-basic",
            decode=decode,
            rewrite=(f"order:rotate={turn}",),
        )
        assert {record["prediction"] for record in read_records(run.directory)} == {names[turn]}
        [said] = next(iter(read_records(run.directory)))["turns"]
        assert said["options"] == [*names[turn:], *names[:turn]]


def test_answers_in_other_words_are_read_back(tmp_path: Path) -> None:
    def predictions(text: str, *rewrite: str) -> set[str | None]:
        run = tiny_run(
            tmp_path / "run",
            backbone=ScriptedBackbone([text]),
            rewrite=rewrite,
            overwrite=True,
            dataset="testing-basic",
        )
        return {record["prediction"] for record in read_records(run.directory)}

    assert predictions("Sorrow", "synonyms") == predictions("sadness.", "synonyms") == {"Sadness"}
    assert predictions("(3)", "order:rotate=2", "numbering") == {"Sadness"}
    assert predictions("3", "numbering", "synonyms") == {"Disgust"}
    assert predictions("8", "numbering") == {None}
    assert predictions("Trauer", "language") == predictions("sad", "language") == {"Sadness"}
    assert predictions("悲しみ。", "language:to=ja", "order") == {"Sadness"}
    assert predictions("(2)", "language:to=zh", "order:rotate=3", "numbering") == {"Sadness"}
    run = tiny_run(
        tmp_path / "scored",
        backbone=ScriptedBackbone(lambda q: q.options[3]),
        decode="score",
        rewrite=("synonyms", "order"),
        dataset="testing-basic",
    )
    [turn] = next(iter(read_records(run.directory)))["turns"]
    assert (turn["label"], [*turn["scores"]]) == ("Sadness", [*BASIC.basic[1:], BASIC.basic[0]])
    assert turn["scores"]["Sadness"] == pytest.approx(log(CHOSEN), abs=1e-5)


def test_the_run_is_a_variant_with_its_rewrites_in_the_identity(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    clean, changed = (tiny_run(runs / name, rewrite=spec) for name, spec in (("a", ()), ("b", ("order:seed=3",))))
    assert "rewrites" not in clean.manifest["identity"]
    [rewrite] = changed.manifest["identity"]["rewrites"]
    assert (rewrite["spec"], rewrite["options"]) == ("order:seed=3", {"rotate": 1, "seed": 3})
    assert any("will not be ranked" in note for note in changed.manifest["notes"])
    rows = [row for section in leaderboard(runs) for row in section.rows if row["kind"] != "published"]
    assert [(row["kind"], row["note"]) for row in rows] == [
        ("run", None), ("not ranked", "a variant: --rewrite order:seed=3"),
    ]  # fmt: skip
    with pytest.raises(UserError, match="were rewritten"):
        rescore(Rescoring(runs / "b", "lenient", tmp_path / "c"))


@pytest.mark.parametrize(
    ("strategy", "spec", "problem"),
    [
        ("rank", "order", "asks open questions"), ("direct", "comma:last=yes", "changes no question"),
        ("direct", "order:rotate=0", "1 to 63"), ("direct", "ordr", "there is no rewrite named 'ordr'"),
        ("rank", "language", "in the open question 'rank'"), ("direct", "language:to=it", "de or fr"),
        ("direct", "preamble:text= ", "cannot be read"), ("direct", "order:rotate=4", "changes no question"),
        ("schema: 1\nname: a\nquestions: [{name: q, prompt: What is it?}]\nconclude: q\n", "order", "does not list"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused(tmp_path: Path, strategy: str, spec: str, problem: str) -> None:
    with pytest.raises(UserError) as error:
        tiny_run(tmp_path / "run", strategy=strategy, rewrite=(spec,))
    assert problem in str(error.value)
    assert not (tmp_path / "run").exists()


def test_open_questions_of_a_strategy_that_asks_both_are_left_and_named(tmp_path: Path) -> None:
    run = tiny_run(tmp_path / "run", strategy="action-units", rewrite=("quotes",))
    assert "--rewrite leaves these questions as they are: observed, interpreted" in run.manifest["notes"]
    assert '"Happily Surprised", "Sadly Fearful"' in next(iter(read_records(run.directory)))["turns"][-1]["prompt"]


@pytest.mark.parametrize("to", ["de", "fr", "es", "ja", "zh"])
def test_the_texts_of_the_strategies_that_ship_are_translated(to: str) -> None:
    basic, compound = map(find_labels, ("raf-db-basic", "raf-db-compound"))
    for name in ("direct", "chain-of-affect", "chain-of-affect:published", "action-units", "think-answer", "few-shot"):
        for space in (basic, compound):
            strategy, _ = open_strategy(name)
            exemplars = tuple(Exemplar(f"train/{i}", space.names[i]) for i in range(strategy.exemplars))
            asked = rehearse(strategy, Task(space, exemplars))
            for before, after in zip(asked, Rewrites([f"language:to={to}"], 0).check(asked, name), strict=True):
                assert all(
                    new.text != old.text for old, new in zip(before.messages[::2], after.messages[::2], strict=True)
                )
                assert not {*before.options} & {*after.options} - {"Surprise", "Neutral"}


@pytest.mark.parametrize(
    ("to", "end"),
    [("de", "Anger und Neutral"), ("fr", "Anger et Neutral"), ("es", "Anger y Neutral"), ("ja", "Anger、Neutral"),
     ("zh", "Anger、Neutral")],
)  # fmt: skip
def test_a_ranking_is_asked_for_in_another_language_with_labels_in_english(to: str, end: str, tmp_path: Path) -> None:
    run = tiny_run(
        tmp_path / "run", strategy="rank", rewrite=(f"language:to={to},options=keep",), dataset="testing-basic",
        backbone=ScriptedBackbone(lambda q: "1. Anger\n2. Fear" if end in q.prompt else "?"),
    )  # fmt: skip
    assert {record["prediction"] for record in read_records(run.directory)} == {"Anger"}


def test_every_label_that_ships_has_a_synonym() -> None:
    for space in map(find_labels, ("raf-db-basic", "raf-db-compound")):
        for table in "ab":
            made = Rewrites([f"synonyms:table={table}"], 0)(Question(", ".join(space.names), space.names))
            assert len({*made.labels}) == len(space.names)
