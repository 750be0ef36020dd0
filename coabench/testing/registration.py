"""Checks of a plugin as a whole: does it load, is it light, are its hooks hooks?"""

from __future__ import annotations

import sys
from dataclasses import replace
from difflib import get_close_matches

from coabench import hookspecs
from coabench.base.isolation import call_in_process
from coabench.hookspecs import PROJECT
from coabench.registry.loaded_plugin import LoadedPlugin
from coabench.registry.loader import get_plugins
from coabench.registry.registrations import KINDS, singular
from coabench.testing.defects import registration as defects
from coabench.testing.findings import Finding, Findings

LARGE = (
    "torch", "torchvision", "transformers", "peft", "accelerate", "pandas", "numpy", "scipy", "sklearn", "cv2", "PIL",
    "matplotlib", "tensorflow", "jax", "onnx", "onnxruntime", "ultralytics", "httpx", "httpx2", "requests", "openai",
    "huggingface_hub", "jinja2",
)  # fmt: skip
"""Packages that take a noticeable time to import."""


def check(plugin: LoadedPlugin) -> list[Finding]:
    """Check a plugin as it was loaded, and return what is wrong with it."""
    findings = Findings(f"plugin {plugin.name!r}")
    if plugin.status == "disabled":
        findings.add(defects.DISABLED)
        return findings.all
    if plugin.status == "failed":
        findings.add(replace(defects.NOT_LOADED, remedy=plugin.remedy or ""), plugin.error or "")
        return findings.all

    def hooks() -> None:
        findings.need(plugin.hooks, defects.NO_HOOKS)
        unmarked = [name for name in _like_hooks(plugin) if name not in plugin.hooks]
        findings.need(not unmarked, defects.UNMARKED, ", ".join(unmarked))
        if plugin.distribution != PROJECT:  # ours cannot be older or newer than coabench
            findings.need(plugin.api is not None, defects.NO_API)

    def descriptions() -> None:
        registries = get_plugins().registries
        bare = [
            f"{singular(kind)} {name!r}"
            for kind in KINDS
            for name in plugin.registered.get(kind, ())
            if not registries[kind][name].description
        ]
        findings.need(not bare, defects.NO_DESCRIPTION, ", ".join(bare))

    def imports() -> None:
        large = heavy_imports(plugin.module)
        findings.need(not large, defects.HEAVY, ", ".join(large))

    return findings.run([hooks, descriptions, imports])


def _like_hooks(plugin: LoadedPlugin) -> list[str]:
    """Return the functions of a plugin that are named like a hook, or nearly."""
    loaded = plugin.manager.get_plugin(plugin.name) if plugin.manager else None
    known = [name for name in dir(hookspecs) if name.startswith("coabench_")]
    named = [name for name in dir(loaded) if name.startswith("coabench_") and callable(getattr(loaded, name))]
    return [name for name in named if get_close_matches(name, known, n=1, cutoff=0.85)]


def heavy_imports(entry: str) -> list[str]:
    """Return which `LARGE` packages loading a plugin and listing what it offers imports, in a process of its own.

    Args:
        entry: what its entry point names: a module, or ``module:attribute``.
    """
    try:
        return call_in_process(imported_by, entry, LARGE)
    except RuntimeError as error:
        raise RuntimeError(f"loaded alone, it fails: {error}") from None


def imported_by(entry: str, large: list[str]) -> list[str]:
    """Load the plugin of an entry point, list what it offers, and return which large packages that imported."""
    from importlib.metadata import EntryPoint

    import click

    from coabench.registry.detectors import unavailable
    from coabench.registry.loader import Plugins

    before = set(sys.modules)
    plugins = Plugins([EntryPoint("checked", entry, "coabench")])
    plugins.add_commands(click.Group(), ())
    for each in (*plugins.detectors.values(), *plugins.executors.values()):
        unavailable(each)
    return [name for name in large if name in sys.modules and name not in before]
