"""Metrics of the test plugin."""


def silence(targets, predictions, labels):
    assert set(targets) <= set(labels["names"])
    return predictions.count(None) / len(targets)


def failing(targets, predictions, labels):
    return float("nan")


def labels_used(targets, predictions, labels):
    used = len(set(predictions) - {None})
    return {"value": used, "interval": [used - 1, used + 0.5], "of": len(labels["names"])}


def leaving(targets, predictions, labels):
    print("words on stdout")
    raise SystemExit(9)
