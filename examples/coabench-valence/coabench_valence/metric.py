"""The metric: mistakes that get the very direction wrong."""

from coabench_valence.circumplex import valences


def across_valence(targets, predictions, labels):
    """Count the mistakes, and among them those that take pleasant for unpleasant or the reverse.

    Args:
        targets: the true label of each sample.
        predictions: the predicted one; None where no answer could be understood, which is no mistake of direction.
        labels: what the manifest says of them; ``pairs`` are the two emotions of a compound label.
    """
    pairs = labels.get("pairs") or {}

    def valence(label):
        return valences(pairs.get(label) or (label,)) - {"neither"}

    wrong = [(t, p) for t, p in zip(targets, predictions, strict=True) if p is not None and p != t]
    across = [(t, p) for t, p in wrong if valence(t) and valence(p) and not valence(t) & valence(p)]
    return {"value": len(across) / len(wrong) if wrong else None, "mistakes": len(wrong), "across": len(across)}
