"""``permute-vote``: the orders, the vote, and what is logged of it."""

import pytest
from coabench_strategies.permute_vote import rotations

from coabench.dialogue import Prediction, Task
from coabench.errors import UserError
from coabench.registry.catalog import find_dataset, find_strategy
from coabench.testing import play

BASIC, COMPOUND = (Task(find_dataset(f"synthface-{half}").card.space) for half in ("basic", "compound"))
CHOICE = find_strategy("permute-vote")


def vote(*responses: str, task: Task = BASIC) -> Prediction:
    asked, prediction = play(CHOICE.open(CHOICE.options(orders=len(responses))), task, *responses)
    assert len({question.prompt for question in asked}) == len(responses)
    for question in asked:
        places = [question.prompt.index(f"'{option}'") for option in question.options]
        assert places == sorted(places)  # the prompt lists them in the order that scores would come in
        assert set(question.options) == set(task.labels)
    return prediction


@pytest.mark.parametrize("labels", [BASIC.labels, COMPOUND.labels])
def test_no_option_keeps_its_place_and_in_all_orders_each_has_every_place_once(labels) -> None:
    for number in (3, 5, len(labels)):
        orders = rotations(labels, number)
        assert orders[0] == labels
        for place in zip(*orders, strict=True):
            assert len(set(place)) == number
    starts = [labels.index(order[0]) for order in rotations(labels, 5)]
    gaps = [after - before for before, after in zip(starts, [*starts[1:], len(labels)], strict=True)]
    assert max(gaps) - min(gaps) <= 1


@pytest.mark.parametrize(
    ("responses", "label", "reason", "agreement", "votes"),
    [
        (["Fear"] * 5, "Fear", None, 1.0, {"Fear": 5}),
        (["Fear", "Anger", "Fear", "Sadness", "Fear"], "Fear", None, 0.6, {"Fear": 3, "Anger": 1, "Sadness": 1}),
        (["Anger", "Fear", "Fear", "Sadness", "Disgust"], "Fear", None, 0.4, None),
        (["Fear", "Anger", "Fear", "Sadness", "Anger"], None, "tied", 0.4, {"Fear": 2, "Anger": 2, "Sadness": 1}),
        (["Fear", "what?", "Fear", "hm", "no idea"], None, "unparsed-answer", 0.6, {"Fear": 2}),
        (["Fear", "what?", "Fear", "hm", "Anger"], None, "tied", 0.4, {"Fear": 2, "Anger": 1}),
    ],
)
def test_the_majority_decides_and_an_answer_without_label_is_a_vote_for_none(
    responses, label, reason, agreement, votes
) -> None:
    prediction = vote(*responses)
    assert (prediction.label, prediction.reason) == (label, reason)
    assert prediction.details["agreement"] == agreement
    assert votes is None or prediction.details["votes"] == votes


def test_compound_labels_are_voted_on_directly() -> None:
    assert vote("Sadly Angry", "Sadly Angry", "Happily Surprised", task=COMPOUND).label == "Sadly Angry"


@pytest.mark.parametrize("orders", [-1, 1, 2, 4])
def test_a_number_of_orders_that_cannot_vote(orders: int) -> None:
    with pytest.raises(UserError, match="odd"):
        CHOICE.options(orders=orders)


def test_more_orders_than_options() -> None:
    with pytest.raises(UserError, match="orders=7 or less"):
        play(CHOICE.open(CHOICE.options(orders=9)), BASIC)
