"""The section of the report: the confusions of a run, by how pleasant the labels are."""

from collections import Counter

from coabench.section import Section, Table

from coabench_valence.circumplex import valences

NAMES = ("pleasant", "neither", "unpleasant", "mixed", "none")


def by_valence(manifest, metrics, records):
    """Return a table of how often samples of each valence were taken for which."""
    pairs = manifest["labels"].get("pairs") or {}

    def valence(label):
        if label is None:  # the answer could not be understood
            return "none"
        of_parts = sorted(valences(pairs.get(label) or (label,)))
        return of_parts[0] if len(of_parts) == 1 else "mixed"

    counts = Counter((valence(record["target"]), valence(record["prediction"])) for record in records)
    shown = [name for name in NAMES if any(name in pair for pair in counts)]
    rows = [[name, *(counts[name, other] for other in shown)] for name in shown if name != "none"]
    about = "How pleasant the labels are, and for what they were taken; mixed labels hold both sides."
    return Section("Valence", [about, Table(["label", *shown], rows)])
