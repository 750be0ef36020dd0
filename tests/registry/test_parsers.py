"""A parser of a plugin reads a run's answers, is part of its identity, and cannot answer with what is no label."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support.runs import records

from coabench.errors import JobError, UserError
from coabench.parser import Parsed, Response
from coabench.scoring.job import score
from coabench.scoring.request import Scoring
from coabench.testing import ScriptedBackbone, registered, tiny_run


def letters(response: Response) -> Parsed:
    """Read ``B`` as the second option."""
    place = "ABCDEFGHIJK".find(response.text) if len(response.text) == 1 else -1
    if not 0 <= place < len(response.options):
        return Parsed(None, None)
    return Parsed(response.options[place], "letter")


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    with registered("parsers", "letters", letters):
        yield


def test_it_reads_the_answers_of_a_run_and_is_part_of_its_identity(tmp_path: Path) -> None:
    run = tiny_run(tmp_path / "run", backbone=ScriptedBackbone(["B"]), parser="letters")
    read = {(r["prediction"], r["turns"][0]["match"]) for r in records(run.directory)}
    assert read == {("Sadly Fearful", "letter")}
    parsing = run.manifest["identity"]["parsing"]
    assert parsing == {"version": 1, "parser": "letters", "plugin": "coabench.testing", "plugin_version": ""}


def test_a_built_in_parser_leaves_the_identity_as_it_was_in_0_1_0(tmp_path: Path) -> None:
    run = tiny_run(tmp_path / "run", limit=1)
    assert run.manifest["identity"]["parsing"] == {"version": 1, "parser": "standard"}


def test_a_prompt_file_names_it(tmp_path: Path) -> None:
    file = tmp_path / "letters.yaml"
    prompt = "schema: 1\nquestions: [{name: a, prompt: Which?}]\nparser: "
    file.write_text(prompt + "letters")
    run = tiny_run(tmp_path / "run", strategy=str(file), backbone=ScriptedBackbone(["A"]), limit=1)
    assert records(run.directory)[0]["prediction"] == "Happily Surprised"
    file.write_text(prompt + "leters")
    with pytest.raises(UserError, match=r"letters.yaml.*'leters'(.|\n)*did you mean 'letters'"):
        tiny_run(tmp_path / "other", strategy=str(file))


def test_sentences_in_a_file_are_read_by_it(tmp_path: Path) -> None:
    file = tmp_path / "said.csv"
    file.write_text("id,target,prediction\na,Surprise,A\nb,Fear,fear\nc,Disgust,B\n")
    run = score(Scoring(file, labels="synthface-basic", parser="letters", unknown="invalid", output=tmp_path / "run"))
    first, _, third = records(run.directory)
    assert (first["turns"][0]["match"], first["prediction"] == first["target"]) == ("letter", True)
    assert third["prediction"] == "Fear"


@pytest.mark.parametrize(
    ("returned", "found"),
    [(Parsed("Rage", "rule"), "'Rage'"), (Parsed("Sadly Fearful", None), "None"), ("Sadly Fearful", "'Sadly Fearful'"),
     ((np.array(["Sadly Fearful"] * 2), "rule"), "array")],
)  # fmt: skip
def test_what_is_no_label_ends_the_run_and_names_the_plugin(tmp_path: Path, returned: object, found: str) -> None:
    with registered("parsers", "other", lambda response: returned), pytest.raises(JobError) as error:
        tiny_run(tmp_path / "run", parser="other")
    assert "the parser 'other' of plugin 'coabench.testing' returns" in error.value.problem
    assert found in (error.value.found or "")


def test_a_parser_that_fails_names_the_plugin(tmp_path: Path) -> None:
    with (
        registered("parsers", "other", lambda response: 1 / 0),
        pytest.raises(JobError, match="fails for the response"),
    ):
        tiny_run(tmp_path / "run", parser="other")


def test_one_that_nothing_asks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--parser letters has no effect"):
        tiny_run(tmp_path / "run", parser="letters", decode="score")
    with pytest.raises(UserError, match="there is no parser named 'leters'"):
        tiny_run(tmp_path / "run", parser="leters")
