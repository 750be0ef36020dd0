from coabench.testing import COMPOUND, MetricConformance

from coabench_valence.metric import across_valence

LABELS = {"names": ["Happiness", "Sadness", "Fear", "Surprise"]}


class TestMetric(MetricConformance):
    metric = "across-valence"


def test_only_mistakes_of_direction_count():
    targets = ["Happiness", "Happiness", "Sadness", "Sadness", "Sadness"]
    predictions = ["Happiness", "Fear", "Fear", "Surprise", None]
    assert across_valence(targets, predictions, LABELS) == {"mistakes": 3, "across": 1, "value": 1 / 3}


def test_mixtures_have_both_sides():
    labels = COMPOUND.describe()
    assert across_valence(["Happily Surprised"], ["Sadly Fearful"], labels)["across"] == 1


def test_no_mistakes_no_share():
    assert across_valence(["Fear"], ["Fear"], LABELS)["value"] is None


def test_it_stands_in_the_metrics_of_a_run(coabench_run):
    assert coabench_run().metrics["plugins"]["across-valence"]["mistakes"] == 6
