"""What may be wrong with anything that is registered."""

from __future__ import annotations

from coabench.testing.findings import Defect

BAD_OPTIONS = Defect(
    "unusable-options",
    "its Options cannot be filled from --set",
    "the command line makes them from text, and every field needs a default",
    "declare a frozen dataclass whose fields have types and defaults",
)
IGNORED_OPTION = Defect(
    "ignored-option",
    "it declares an option that is never read",
    "the user sets it, believes that it worked, and reports a number under a false name",
    "use the option, or delete it",
)
NOT_IMPORTABLE = Defect(
    "not-importable",
    "its target cannot be imported",
    "it is listed, and fails when somebody uses it",
    "correct the 'module:attribute' that is registered, or add what it imports to the package's dependencies",
)
