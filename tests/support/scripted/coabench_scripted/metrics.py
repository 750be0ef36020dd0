"""Metrics of the test plugin."""


def silence(targets, predictions, labels):
    assert set(targets) <= set(labels["names"])
    return predictions.count(None) / len(targets)


def failing(targets, predictions, labels):
    return float("nan")
