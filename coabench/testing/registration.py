"""Checks of a plugin as a whole: does it load, is it light, are its hooks hooks?"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from difflib import get_close_matches

from coabench import hookspecs
from coabench.hookspecs import PROJECT
from coabench.registry.loader import LoadedPlugin, get_plugins
from coabench.registry.registrations import KINDS, singular
from coabench.testing.defects.registration import (
    DISABLED,
    HEAVY,
    NO_API,
    NO_DESCRIPTION,
    NO_HOOKS,
    NOT_LOADED,
    UNMARKED,
)
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
        findings.add(DISABLED)
        return findings.all
    if plugin.status == "failed":
        findings.add(replace(NOT_LOADED, remedy=plugin.remedy or ""), plugin.error or "")
        return findings.all

    def hooks() -> None:
        findings.need(plugin.hooks, NO_HOOKS)
        unmarked = [name for name in _like_hooks(plugin) if name not in plugin.hooks]
        findings.need(not unmarked, UNMARKED, ", ".join(unmarked))
        if plugin.distribution != PROJECT:  # ours cannot be older or newer than coabench
            findings.need(plugin.api is not None, NO_API)

    def descriptions() -> None:
        registries = get_plugins().registries
        bare = [
            f"{singular(kind)} {name!r}"
            for kind in KINDS
            for name in plugin.registered.get(kind, ())
            if not registries[kind][name].description
        ]
        findings.need(not bare, NO_DESCRIPTION, ", ".join(bare))

    def imports() -> None:
        large = heavy_imports(plugin.module)
        findings.need(not large, HEAVY, ", ".join(large))

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
    request = json.dumps([entry, LARGE])
    code = f"import sys; sys.path[:] = {sys.path!r}\nfrom coabench.testing.registration import main; main()"
    result = subprocess.run([sys.executable, "-c", code], input=request, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise RuntimeError("loaded alone, it fails: " + " ".join(result.stderr.strip().splitlines()[-1:]))
    large: list[str] = json.loads(result.stdout.splitlines()[-1])
    return large


def main() -> None:
    """Load the plugin that standard input names, list what it offers, and print what was imported for it."""
    from importlib.metadata import EntryPoint

    import click

    from coabench.registry.detectors import unavailable
    from coabench.registry.loader import Plugins

    entry, large = json.load(sys.stdin)
    before = set(sys.modules)
    plugins = Plugins([EntryPoint("checked", entry, "coabench")])
    plugins.add_commands(click.Group(), ())
    for detector in plugins.detectors.values():
        unavailable(detector)
    print(json.dumps([name for name in large if name in sys.modules and name not in before]))
