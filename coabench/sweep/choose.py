"""From ``--executor NAME:key=value,…`` to the executor."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from coabench.base.resources import out_of_memory
from coabench.errors import CoabenchError, JobError, UserError, with_type
from coabench.registry.built_in import OWN
from coabench.registry.detectors import unavailable
from coabench.registry.loader import get_plugins
from coabench.registry.options import parse_component, read_parameters
from coabench.registry.registrations import Registration
from coabench.sweep.executor import Ending, Executor, ExecutorRequest
from coabench.sweep.planned import Planned

OPTION = "--executor"
SHORTHANDS = {"jobs": ("--jobs", "local"), "address": ("--ray-address", "ray")}
"""Parameter -> the option that sets it, too, and the executor that it was made for."""


def open_executor(text: str, **shorthands: Any) -> Executor:
    """Return an executor, ready to check what it is to do.

    Args:
        text: ``NAME:key=value,…``.
        shorthands: parameters that options of their own set; None where they were not typed.

    Raises:
        UserError: there is none of that name, it cannot be used here, or a parameter does not fit.
    """
    name, parameters = parse_component(text, OPTION)
    registration = get_plugins().executors.find(name)
    if problem := unavailable(registration):
        raise UserError(f"the executor {name!r} is not available here", found=problem.reason, remedy=problem.remedy)
    declared = getattr(registration.load(), "Options", Executor.Options)
    typed = {key: str(value) for key, value in shorthands.items() if value is not None}
    _check_shorthands(name, [field.name for field in fields(declared)], typed, parameters)
    options = read_parameters(declared, {**parameters, **typed}, f"{OPTION} {name}")
    executor: Executor = registration.open(ExecutorRequest(options))
    return executor if registration.plugin == OWN else Guarded(executor, registration)


def runs_at_a_time(text: str, jobs: int | None) -> int:
    """Return how many runs an executor does at a time, as far as its ``--executor`` or ``--jobs`` say so."""
    return jobs or int(parse_component(text, OPTION)[1].get("jobs", 1))


def _check_shorthands(name: str, known: Sequence[str], typed: Mapping[str, str], parameters: Mapping[str, str]) -> None:
    for key in typed:
        option, made_for = SHORTHANDS[key]
        if key not in known:
            raise UserError(f"{option} is for {OPTION} {made_for}", found=f"{OPTION} {name}",
                            remedy=f"leave {option} out")  # fmt: skip
        if key in parameters:
            raise UserError(f"{option} and {OPTION} {name}:{key}=… say the same", remedy="leave one of them out")


class Guarded(Executor):
    """The executor of a plugin, whose failure is named."""

    def __init__(self, executor: Executor, registration: Registration) -> None:
        self._executor, self._registration = executor, registration
        self.spreads = executor.spreads

    def check(self, runs: Sequence[Planned]) -> None:
        """Let it check; what it raises beside `CoabenchError` is a `JobError` that names the plugin."""
        try:
            self._executor.check(runs)
        except Exception as error:
            raise self._named(error) from error

    def execute(self, runs: Sequence[Planned]) -> Generator[Ending | None]:
        """Let it carry out the runs, likewise."""
        try:
            yield from self._executor.execute(runs)
        except Exception as error:
            raise self._named(error) from error

    def _named(self, error: Exception) -> Exception:
        if isinstance(error, CoabenchError) or out_of_memory(error):
            return error
        name, plugin = self._registration.name, self._registration.plugin
        return JobError(
            f"the executor {name!r} of plugin {plugin!r} fails",
            found=with_type(error),
            remedy=f"report it to the author of {plugin!r}, or choose another {OPTION}; what is recorded is safe",
        )
