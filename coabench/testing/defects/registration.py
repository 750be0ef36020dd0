"""What may be wrong with a plugin as a whole."""

from __future__ import annotations

from coabench.hookspecs import API_NAME, API_VERSION
from coabench.testing.findings import UNEXPECTED, Defect

NOT_LOADED = Defect(
    "not-loaded",
    "it cannot be loaded",
    "nothing that it offers is there",
    "",
)
DISABLED = Defect(
    "disabled",
    "it is disabled",
    "nothing of it can be checked",
    "take it out of COABENCH_DISABLE_PLUGINS",
)
HEAVY = Defect(
    "heavy-imports",
    "being listed is enough to import large packages",
    "every start of coabench would wait for them, --help included, whoever is using it",
    "import them in the module that the target names, or where they are used; the entry module only registers",
)
UNMARKED = Defect(
    "unmarked-hook",
    "a function is named like a hook and is not marked as one",
    "it is never called",
    "put @hookimpl above it (from coabench import hookimpl)",
)
NO_HOOKS = Defect(
    "no-hooks",
    "it implements no hook",
    "it does nothing",
    "implement at least one of the hooks in docs/reference/plugins.md, marked with @hookimpl, in the module of the "
    "entry point",
)
NO_API = Defect(
    "no-api-version",
    f"it does not say which version of the plugin interface it was written for ({API_NAME})",
    "an older coabench would let it in and fail later, instead of saying what to upgrade",
    f"add {API_NAME} = {API_VERSION} to the module of the entry point",
    "warning",
)
NO_DESCRIPTION = Defect(
    "no-description",
    "something is registered without a description",
    "coabench list shows an empty cell",
    "pass description= in a line of plain words",
    "warning",
)
DEFECTS = (NOT_LOADED, DISABLED, HEAVY, UNMARKED, NO_HOOKS, NO_API, NO_DESCRIPTION, UNEXPECTED)
