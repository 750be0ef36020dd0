"""What may be wrong with a command."""

from __future__ import annotations

from coabench.testing.findings import Defect

HELP_FAILS = Defect(
    "help-fails",
    "its --help fails",
    "it is the first thing that people type",
    "correct the decorators; --help must need nothing: no file, no network, no model",
)
NO_HELP = Defect(
    "no-help",
    "it has no help text",
    "coabench --help shows an empty line",
    "give the function a docstring, or the command help=",
    "warning",
)
DEFECTS = (HELP_FAILS, NO_HELP)
