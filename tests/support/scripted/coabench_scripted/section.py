"""A section of the report."""

from coabench.section import Section


def silences(manifest, metrics):
    print("on standard output")
    return Section("Silences", [f"{metrics['invalid']} of {metrics['samples']} samples have no label."])
