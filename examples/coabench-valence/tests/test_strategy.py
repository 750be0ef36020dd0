import pytest
from coabench.registry.catalog import find_labels
from coabench.strategy import StrategyRequest
from coabench.testing import BASIC, PluginConformance, ScriptedBackbone, StrategyConformance, play, task

from coabench_valence.strategy import ValenceArousal


class TestPlugin(PluginConformance):
    plugin = "valence"


class TestStrategy(StrategyConformance):
    strategy = "valence-arousal"


def made(variant=None, **options):
    request = StrategyRequest(variant, ValenceArousal.Options(**options))
    return ValenceArousal(request)


def test_only_labels_that_fit_are_offered():
    asked, prediction = play(made(), task(BASIC), "Unpleasant.", "excited", "Fear")
    assert list(asked[2].options) == ["Fear", "Disgust", "Anger"]
    assert asked[2].prompt.startswith("The person looks unpleasant and excited.")
    assert prediction.label == "Fear"


def test_what_is_not_understood_is_invalid():
    _, prediction = play(made(), task(BASIC), "Unpleasant.", "hard to say")
    assert (prediction.label, prediction.reason) == (None, "unparsed-arousal")


def test_all_are_offered_where_one_or_none_would_be_left():
    asked, _ = play(made(), task(BASIC), "neither", "calm", "Neutral")
    assert list(asked[2].options) == list(BASIC.names)


def test_or_where_the_user_says_so():
    asked, _ = play(made(narrow=False), task(BASIC), "pleasant", "excited", "Happiness")
    assert list(asked[2].options) == list(BASIC.names)


def test_the_variant_asks_two_questions():
    asked, prediction = play(made("valence"), task(BASIC), "unpleasant", "Sadness")
    assert [question.name for question in asked] == ["valence", "label"]
    assert prediction.details == {"offered": 4}


@pytest.mark.parametrize(
    ("target", "valence", "arousal"),
    [
        ("Happily Surprised", ["pleasant"], ["excited"]),
        ("Happily Disgusted", ["pleasant", "unpleasant"], ["excited"]),
        ("Sadly Fearful", ["unpleasant"], ["excited", "calm"]),
    ],
)
def test_what_is_taught(target, valence, arousal):
    strategy, made_task = made(), task(find_labels("synthface-compound"))
    asked, _ = play(strategy, made_task, "unpleasant", "excited", "Sadly Fearful")
    assert strategy.right_answers(asked[0], made_task, target) == valence
    assert strategy.right_answers(asked[1], made_task, target) == arousal


def test_a_run(coabench_run):
    run = coabench_run(strategy="valence-arousal", backbone=ScriptedBackbone())
    assert run.metrics["samples"] == 8
    assert run.metrics["invalid"] == 0
