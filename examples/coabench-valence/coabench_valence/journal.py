"""The observer: a journal of runs, in the file that VALENCE_JOURNAL names."""

import os


def note(run, text):
    """Append a line about a run; nothing without VALENCE_JOURNAL, since nobody has asked for one."""
    if path := os.environ.get("VALENCE_JOURNAL"):
        with open(path, "a", encoding="utf-8") as file:
            file.write(f"{run.directory.name}: {text}\n")
