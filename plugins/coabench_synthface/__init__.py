"""Synthetic faces for coabench: the data sets ``synthface-basic`` and ``synthface-compound``, and how to make them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coabench import hookimpl
from coabench.base.shipped import path  # not "shipped": a module here has that name
from coabench.hookspecs import Register

if TYPE_CHECKING:
    import click


@hookimpl
def coabench_register_datasets(register: Register) -> None:
    for subset, classes in (("basic", "7 basic emotions"), ("compound", "11 compound emotions")):
        register(
            f"synthface-{subset}",
            "coabench_synthface.dataset:SynthFace",
            description=f"synthetic faces, {classes} (a set comes with coabench)",
            card=path("datasets_registry", f"synthface-{subset}.yaml"),
        )
    for name in ("intensity", "intensity-basic", "pose", "light", "resolution", "identity", "blends"):
        register(
            f"synthface-{name}",
            "coabench_synthface.dataset:SynthFace",
            description=f"synthetic faces, of which one thing varies: {name} (a set comes with coabench)",
            card=path("datasets_registry", f"synthface-{name}.yaml"),
        )


@hookimpl
def coabench_register_commands(cli: click.Group) -> None:
    from coabench_synthface.command import command

    cli.add_command(command)
