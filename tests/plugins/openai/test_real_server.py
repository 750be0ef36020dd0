"""A real server, ``transformers serve``, with a tiny LLaVA: it answers what the backbone ``transformers`` answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.chat_server import ChatServer, Request, relay
from support.runs import untimed
from support.transformers_serve import TransformersServe

from coabench.errors import JobError
from coabench.testing import tiny_run

pytestmark = pytest.mark.process

pytest.importorskip("torch")
pytest.importorskip("fastapi", reason="transformers[serving]")

TWO = """
name: two-questions
questions:
  - {name: primary, prompt: "Which emotion does this face show?", options: basic}
  - {name: secondary, prompt: "Beside {{ primary }}, what do you see?", options: basic}
conclude: [primary, secondary]
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from support.tiny_vlms import build_llava

    return build_llava(tmp_path_factory.mktemp("llava"))


@pytest.fixture(scope="module")
def real(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TransformersServe]:
    with TransformersServe(model, tmp_path_factory.mktemp("served") / "log") as running:
        yield running


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("strategy") / "two.yaml"
    file.write_text(TWO)
    return str(file)


def answered(run: Path | list[Any]) -> list[dict[str, Any]]:
    """The records without what a server does not say: how much of a prompt it had computed already."""
    records = untimed(run) if isinstance(run, Path) else run
    return [{**each, "turns": [{**turn, "cached_tokens": None} for turn in each["turns"]]} for each in records]


def local(model: Path, strategy: str, output: Path, **rest: Any) -> None:
    given = {"max_new_tokens": "8"}
    tiny_run(output, backbone=f"transformers:{model}", strategy=strategy, options=given, dtype="float32", **rest)


@pytest.mark.parametrize(("strategy", "dataset"), [("two", "testing-compound"), ("one-shot", "testing-basic")])
def test_a_run_over_http_equals_the_local_run_of_the_same_model(
    strategy: str, dataset: str, model: Path, real: TransformersServe, two: str, evaluate: Any,
    tmp_path: Path,
) -> None:  # fmt: skip
    strategy = two if strategy == "two" else strategy
    local(model, strategy, tmp_path / "local", dataset=dataset)
    address = {"base_url": real.url, "max_tokens": "8", "timeout": "60"}
    served = evaluate(strategy, dataset=dataset, backbone=f"openai:{model}", options=address)
    assert answered(served) == answered(tmp_path / "local")
    turns = [turn for record in served for turn in record["turns"]]
    assert len({turn["response"] for turn in turns}) > 2
    assert {turn["name"] for turn in turns} <= {"primary", "secondary", "answer"}
    assert [turn for turn in turns if turn["label"]]


def test_another_model_than_the_one_that_is_served_is_told(real: TransformersServe, evaluate: Any) -> None:
    with pytest.raises(JobError, match=r"Server is pinned to(?s:.*)the model"):
        evaluate(backbone="openai:other", options={"base_url": real.url})


def test_scores_are_called_unserved_where_they_are(real: TransformersServe, model: Path, evaluate: Any) -> None:
    with pytest.raises(JobError, match="no log-probabilities"):
        evaluate("pair-scores", backbone=f"openai:{model}", options={"base_url": real.url})


def test_a_server_that_is_killed_and_comes_back_is_asked_nothing_twice(
    model: Path, real: TransformersServe, coabench: Any, tmp_path: Path
) -> None:
    asked: list[Request] = []

    def kill_at_the_fifth(request: Request) -> None:
        if not request.trial:
            asked.append(request)
            if len(asked) == 5:
                real.kill()

    command = ["evaluate", "--backbone", f"openai:{model}", "--dataset", "synthface-compound", "--limit", "6"]
    command += ["--batch-size", "2", "--output", "run", "--set", "max_tokens=8", "--set", "retries=1"]
    with ChatServer(relay(real.url, kill_at_the_fifth)) as counting:
        command += ["--set", f"base_url={counting.url}", "--set", "concurrency=2"]
        failed = coabench(*command)
        assert failed.returncode == 1, failed.stderr
        assert "has not answered a request that was sent 2 times" in failed.stderr
        assert "run the same command again" in failed.stderr
        assert 0 < len(untimed(tmp_path / "run")) < 6
        gone = coabench(*command)
        assert gone.returncode == 1
        real.start()
        done = coabench(*command)
        assert done.returncode == 0, done.stderr
        assert set(counting.answered.values()) == {1}
    local(model, "chain-of-affect", tmp_path / "local", dataset="synthface-compound", limit=6)
    assert answered(tmp_path / "run") == answered(tmp_path / "local")
