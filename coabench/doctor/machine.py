"""The doctor job: what is installed, works, or is broken, in plain words.

Every topic is examined on its own: whatever is broken in one is reported there, and does not stop the others.
Nothing is fetched and nothing is written.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from pathlib import Path

from coabench.base import cache, environment
from coabench.base.requirements import Package, declared
from coabench.base.signals import is_interrupt
from coabench.base.version import __version__
from coabench.doctor import checks
from coabench.doctor.diagnosis import Diagnosis, described
from coabench.doctor.imports import IMPORTED, import_problem, import_problems
from coabench.support.opencv import repairing

PATIENCE = 2.0
"""Seconds that the size of a folder may take."""
LOW_SPACE = 2**30
"""Bytes; with less on the disk, a word about it."""

DRIVER = Path("/proc/driver/nvidia/version")
TORCH_FOR_CPU = "pip install --no-compile torch --index-url https://download.pytorch.org/whl/cpu"


def examine(load_commands: Callable[[], object] = lambda: None) -> list[Diagnosis]:
    """Examine this machine.

    Args:
        load_commands: called before the plugins are looked at; a plugin may fail only when its commands are asked for.
    """
    import_problems.cache_clear()
    trials = checks.start()  # while the rest is looked at
    topics: dict[str, Callable[[], Iterator[Diagnosis]]] = {
        "software": _software,
        "devices": _devices,
        "plugins": lambda: _plugins(load_commands),
        "extras": _extras,
        "detectors": _detectors,
        "files": _files,
        "checks": lambda: checks.outcomes(trials),
    }
    return [finding for name, look in topics.items() for finding in _guarded(name, look)]


def _guarded(topic: str, look: Callable[[], Iterator[Diagnosis]]) -> list[Diagnosis]:
    """Return what can be found, and what stopped the search."""
    findings = []
    try:
        with redirect_stdout(sys.stderr):  # stdout is for data
            for finding in look():
                findings.append(finding)
    except BaseException as error:
        if is_interrupt(error):
            raise
        what = "examined further" if findings else "examined"
        findings.append(Diagnosis(topic, topic, "broken", f"could not be {what}: {described(error)}"))
    return findings


def _software() -> Iterator[Diagnosis]:
    commit = (environment.describe()["git"] or {}).get("commit", "")[:12]
    yield Diagnosis("software", "coabench", "ok", __version__ + (f", commit {commit}" if commit else ""))
    here = platform.python_version()
    version = f"{here} ({platform.system()} {platform.machine()})"
    needed = declared()
    from packaging.specifiers import SpecifierSet

    if SpecifierSet(needed.python).contains(here, prereleases=True):
        yield Diagnosis("software", "python", "ok", f"{version}; supported: {needed.python}")
    else:
        yield Diagnosis(
            "software", "python", "broken", f"{version} is not supported", f"use a Python that is {needed.python}"
        )
    problems: dict[str, str] = {}
    order = list(IMPORTED)  # torch first: where it is broken, what imports it is not to blame
    findings = {
        package.name: _needed(package, problems)
        for package in sorted(needed.packages, key=lambda p: order.index(p.name) if p.name in order else len(order))
    }
    yield from (findings[package.name] for package in needed.packages)


def _needed(package: Package, problems: dict[str, str]) -> Diagnosis:
    """Say whether a package can be used; *problems*: what is wrong with those that were examined before."""
    install = f"pip install '{package.wanted}'"
    if package.installed is None:
        return Diagnosis("software", package.name, "broken", f"not installed; needed: {package.supported}", install)
    if not package.fits:
        found = f"{package.installed} is outside of what is supported: {package.supported}"
        return Diagnosis("software", package.name, "broken", found, install)
    if problem := import_problem(package.name):
        cause = next((name for name, other in problems.items() if other == problem), None)
        if cause is not None:
            found = f"{package.installed} cannot be imported, because {cause} cannot"
            return Diagnosis("software", package.name, "broken", found, f"repair {cause} first")
        problems[package.name] = problem
        found = f"{package.installed} is installed and cannot be imported: {problem}"
        again = f"pip install --force-reinstall '{package.wanted}'"
        remedy = repairing(problem) if IMPORTED[package.name] == "cv2" else again
        return Diagnosis("software", package.name, "broken", found, remedy)
    found = f"{package.installed}; supported: {package.supported or 'any'}"
    if package.newer:
        remedy = "should anything fail: pip install 'coabench[tested]'"
        return Diagnosis("software", package.name, "note", f"{found}; tested up to {package.tested}", remedy)
    return Diagnosis("software", package.name, "ok", found)


def _devices() -> Iterator[Diagnosis]:
    cores = os.cpu_count() or 0
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores
    limited = f", {usable} of them usable" if usable != cores else ""
    processor = next(iter(environment.cpu_fields("model name")), platform.processor() or platform.machine())
    machine = f"{processor}, {cores} cores{limited}{_memory()}"
    if problem := import_problem("torch"):
        yield Diagnosis("devices", "cpu", "ok", machine)
        remedy = "see torch, under software: without it no model runs here"
        yield Diagnosis("devices", "torch", "broken", f"cannot be imported: {problem}", remedy)
        return
    import torch

    from coabench.support.placement import cpu_flags, device_of, dtype_name, dtype_of

    def auto(device: torch.device) -> str:
        return dtype_name(dtype_of("auto", device))

    fast = sorted({"amx_bf16", "avx512_bf16"} & cpu_flags())
    speed = f"bfloat16 in hardware ({', '.join(fast)})" if fast else "no bfloat16 in hardware that is known of"
    yield Diagnosis("devices", "cpu", "ok", f"{machine}; {speed}; --dtype auto is {auto(torch.device('cpu'))}")
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            seen = torch.cuda.get_device_properties(index)
            yield Diagnosis(
                "devices",
                f"cuda:{index}",
                "ok",
                f"{seen.name}, {seen.total_memory / 2**30:.1f} GiB, compute capability {seen.major}.{seen.minor}; "
                f"--dtype auto is {auto(torch.device('cuda', index))}",
            )
    else:
        yield _no_cuda(torch.__version__, torch.version.cuda)
    if torch.backends.mps.is_available():
        found = "Apple's GPU is here, and coabench does not support it; --device auto takes the CPU"
        yield Diagnosis("devices", "mps", "note", found)
    chosen = device_of("auto")
    found = f"--device auto takes {chosen}; a backbone may have a --dtype auto of its own, which its manifest says"
    yield Diagnosis("devices", "auto", "ok", found)


def _no_cuda(version: str, cuda: str | None) -> Diagnosis:
    driver = DRIVER.exists() or shutil.which("nvidia-smi") is not None
    if cuda is None:
        found = f"none: torch {version} is built without CUDA"
        remedy = "install a build of torch with CUDA: pytorch.org says how" if driver else ""
        return Diagnosis("devices", "cuda", "note" if driver else "ok", found, remedy)
    if not driver:
        found = f"no driver of NVIDIA here; torch {version} brings CUDA {cuda} along, some 5 GB"
        return Diagnosis(
            "devices", "cuda", "note", found, f"to do without them, begin a new environment with: {TORCH_FOR_CPU}"
        )
    remedy = "compare the driver (nvidia-smi) with the CUDA of torch, and look at CUDA_VISIBLE_DEVICES"
    found = f"none that works, though torch {version} is built for CUDA {cuda}"
    return Diagnosis("devices", "cuda", "note", found, remedy)


def _memory() -> str:
    try:
        return f", {os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB of memory"
    except (AttributeError, ValueError, OSError):
        return ""


def _plugins(load_commands: Callable[[], object]) -> Iterator[Diagnosis]:
    from coabench.registry.loaded_plugin import DISABLE
    from coabench.registry.loader import get_plugins

    plugins = get_plugins()
    load_commands()
    for plugin in plugins.loaded:
        whose = f"{plugin.distribution} {plugin.version}"
        if plugin.status == "failed":
            yield Diagnosis("plugins", plugin.name, "broken", f"{whose}: {plugin.error}", plugin.remedy or "")
        elif plugin.status == "disabled":
            yield Diagnosis(
                "plugins", plugin.name, "note", f"{whose}, left out because of {DISABLE}", f"unset {DISABLE}"
            )
        else:
            registered = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in plugin.registered.items() if names)
            yield Diagnosis("plugins", plugin.name, "ok", f"{whose}{f'; {registered}' if registered else ''}")


def _extras() -> Iterator[Diagnosis]:
    for name, packages in declared().extras.items():
        absent = [p.name for p in packages if p.installed is None]
        outside = [f"{p.name} {p.installed} is not {p.supported}" for p in packages if p.installed and not p.fits]
        broken = [f"{p.name}: {problem}" for p in packages if p.fits and (problem := import_problem(p.name))]
        there = ", ".join(f"{p.name} {p.installed}" for p in packages if p.fits)
        install = f"pip install 'coabench[{name}]'"
        if broken:
            names = " ".join(line.partition(":")[0] for line in broken)
            found = f"installed and cannot be imported: {'; '.join(broken)}"
            yield Diagnosis("extras", name, "broken", found, f"pip install --force-reinstall torch {names}")
        elif absent or outside:
            problems = [f"missing: {', '.join(absent)}"] if absent else []
            problems += [f"outside of what is supported: {'; '.join(outside)}"] if outside else []
            yield Diagnosis("extras", name, "missing" if absent else "note", "; ".join(problems), install)
        else:
            yield Diagnosis("extras", name, "ok", f"complete: {there}")


def _detectors() -> Iterator[Diagnosis]:
    from coabench.errors import UserError
    from coabench.registry.detectors import AUTO, find_detector, unavailable
    from coabench.registry.loader import get_plugins

    for name, found in get_plugins().detectors.items():
        if unusable := unavailable(found):
            yield Diagnosis("detectors", name, "missing", unusable.reason, unusable.remedy)
        else:
            suffixes = " or ".join(found.details.get("weights", ()))
            usable = f"can be used, with a {suffixes} file as --detector-weights" if suffixes else "can be used"
            yield Diagnosis("detectors", name, "ok", usable)
    try:
        yield Diagnosis("detectors", AUTO, "ok", f"--detector auto takes {find_detector(AUTO).registration.name}")
    except UserError as error:
        yield Diagnosis("detectors", AUTO, "note", error.problem, error.remedy or "")


def _files() -> Iterator[Diagnosis]:
    yield _folder("cache", cache.folder, "COABENCH_CACHE", "without it, leaderboards are read anew each time")
    yield _folder("hub cache", _hub_cache, "HF_HOME", "without it, no model can be fetched")
    offline = [name for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE") if os.environ.get(name)]
    if offline:
        settings = ", ".join(f"{name}={os.environ[name]}" for name in offline)
        yield Diagnosis("files", "offline", "note", f"{settings}: only what is in the hub cache is found")
    yield _folder("results", lambda: Path("results").absolute(), "--output", "runs go there by default")


def _hub_cache() -> Path:
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def _folder(item: str, find: Callable[[], Path], setting: str, role: str) -> Diagnosis:
    """Say where a folder is, how large, whether it can be written, and how much space is left."""
    try:
        path = find()
        there = path if path.exists() else next(parent for parent in path.parents if parent.exists())
        if not there.is_dir():
            return Diagnosis("files", item, "note", f"{there} is no folder; {role}", f"set {setting} to a folder")
        if not os.access(there, os.W_OK | os.X_OK):
            return Diagnosis("files", item, "note", f"{path} cannot be written; {role}", f"set {setting} to another")
        free = shutil.disk_usage(there).free
        description = f"{path}, {_size(path) if there == path else 'not there yet'}; {_bytes(free)} free on the disk"
    except (Exception, SystemExit) as error:
        return Diagnosis("files", item, "note", f"cannot be looked at: {described(error)}; {role}", f"set {setting}")
    if free < LOW_SPACE:
        return Diagnosis("files", item, "note", description, "make room")
    return Diagnosis("files", item, "ok", description)


def _size(folder: Path) -> str:
    """Return how much the files below a folder hold, as far as can be counted in a moment."""
    end = time.monotonic() + PATIENCE
    total = 0
    for where, _, names in os.walk(folder):  # links are not followed: the hub's cache is full of them
        for name in names:
            try:
                total += os.lstat(Path(where, name)).st_size
            except OSError:
                continue
        if time.monotonic() > end:
            return f"more than {_bytes(total)}"
    return _bytes(total)


def _bytes(number: int) -> str:
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number} bytes"
