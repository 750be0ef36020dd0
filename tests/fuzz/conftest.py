"""How many inputs, from which seed, and what came of them: ``make fuzz SEED=… INPUTS=…``."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.in_process import plugins_on

from .attempt import Attempts


@pytest.fixture(scope="module")
def world(scripted: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for a file of tests; the plugin of ``support/scripted`` is there, the user's home and cache are not."""
    base = tmp_path_factory.mktemp("fuzz")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "HF_HOME"):
            patch.setenv(name, str(base / "home"))
        patch.setenv("SCRIPTED_SOUND", "1")
        patch.delenv("OPENAI_API_KEY", raising=False)
        with plugins_on(scripted):
            yield base


@pytest.fixture
def attempts(world: Path, record_property: Any, request: pytest.FixtureRequest) -> Iterator[Attempts]:
    """What runs the inputs of a test; what came of them is shown when all is done."""
    made = Attempts(world, {"COLUMNS": "160", "COABENCH_CACHE": str(world / "cache")})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield made
    assert made.tally.exits[0] or made.tally.inputs < 50, "not one input was good: the valid one is not"
    record_property("fuzz", {"kind": request.node.name.removeprefix("test_"), "inputs": made.tally.inputs,
                             "exits": dict(made.tally.exits)})  # fmt: skip


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the table of inputs by kind."""
    reports = [report for group in terminalreporter.stats.values() for report in group]
    found = [dict(getattr(report, "user_properties", ())) for report in reports]  # a file left out has none
    rows = [properties["fuzz"] for properties in found if "fuzz" in properties]
    if not rows:
        return
    terminalreporter.section(f"inputs by kind, seed {os.environ.get('FUZZ_SEED', '0')}")
    total: Counter[int] = Counter()
    line = "{:<22} {:>7}   {:>7} {:>7} {:>7} {:>7}"
    terminalreporter.write_line(line.format("kind", "inputs", "exit 0", "exit 1", "exit 2", "exit 130"))
    for row in sorted(rows, key=lambda row: str(row["kind"])):
        exits = {int(code): count for code, count in row["exits"].items()}
        total.update(exits)
        total[-1] += row["inputs"]
        terminalreporter.write_line(line.format(row["kind"], row["inputs"], *(exits.get(c, 0) for c in (0, 1, 2, 130))))
    terminalreporter.write_line(line.format("all", total[-1], *(total[c] for c in (0, 1, 2, 130))))
