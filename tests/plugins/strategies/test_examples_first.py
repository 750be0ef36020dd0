"""``few-shot``: how many examples, and what they look like in the chat."""

from pathlib import Path

import pytest

from coabench.dialogue import Exemplar, Message, Prediction, Task
from coabench.errors import UserError
from coabench.evaluation.job import evaluate
from coabench.evaluation.plan import Evaluation
from coabench.registry.catalog import find_dataset, find_strategy
from coabench.testing import play

SPACE = find_dataset("synthface-compound").card.space


def test_every_exemplar_is_an_exchange_with_its_true_answer() -> None:
    choice = find_strategy("few-shot")
    strategy = choice.open(choice.options(k=2))
    assert strategy.exemplars == 2
    task = Task(SPACE, (Exemplar("train/1", "Sadly Angry"), Exemplar("train/2", "Happily Disgusted")))
    (asked,), prediction = play(strategy, task, "Sadly Fearful")
    assert asked.messages == (
        Message("user", asked.prompt, (0,)),
        Message("assistant", "Sadly Angry"),
        Message("user", asked.prompt, (1,)),
        Message("assistant", "Happily Disgusted"),
        Message("user", asked.prompt, (2,)),
    )
    assert prediction == Prediction("Sadly Fearful")


@pytest.mark.parametrize(("k", "told"), [("0", "1 or more"), ("12", "needs 12 exemplars(?s:.*)fewer")])
def test_a_number_of_exemplars_that_cannot_be(k: str, told: str, tmp_path: Path) -> None:
    request = Evaluation("tiny", "few-shot", "synthface-compound", options={"k": k}, output=tmp_path / "run")
    with pytest.raises(UserError, match=told):
        evaluate(request)
    assert not (tmp_path / "run").exists()
