"""Plugins come in from outside, and a bad one harms nobody."""

import json
from pathlib import Path

import pytest
from support.process import Run


def plant(folder: Path, name: str, code: str, distribution: str | None = None) -> None:
    """Write a plugin as pip would have installed it."""
    distribution = distribution or f"coabench-{name}"
    (folder / f"{name}.py").write_text("from coabench import hookimpl\n" + code)
    info = folder / f"{distribution.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[coabench]\n{name} = {name}\n")


GOOD = "@hookimpl\ndef coabench_register_backbones(register):\n    register('fine', 'm:a')\n"
DEFECTS = {
    "raises at import": ("raise RuntimeError('no luck')", "RuntimeError: no luck"),
    "exits at import": ("import absent_library", "absent_library"),
    "raises in a hook": (
        "@hookimpl\ndef coabench_register_backbones(register):\n    register('half', 'm:a')\n    1 / 0\n",
        "ZeroDivisionError",
    ),
    "misspells a hook": ("@hookimpl\ndef coabench_register_backbone(register): ...\n", "coabench_register_backbone"),
    "asks for an unknown argument": (
        "@hookimpl\ndef coabench_register_backbones(register, wish): ...\n",
        "wish",
    ),
    "takes a built-in name": (
        "@hookimpl\ndef coabench_register_strategies(register):\n    register('direct', 'm:a')\n",
        "'direct' in strategies is already registered by plugin 'strategies'",
    ),
    "registers no target": (
        "@hookimpl\ndef coabench_register_backbones(register):\n    register('odd', 'just_a_module')\n",
        "module:attribute",
    ),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_bad_plugin_is_named_and_harms_nobody(coabench: Run, installed: Path, tmp_path: Path, defect: str) -> None:
    code, told = DEFECTS[defect]
    plant(tmp_path, "zz_bad", code)
    plant(tmp_path, "zzz_good", GOOD)
    listing = coabench("plugins", "list", "--format", "json", PYTHONPATH=f"{tmp_path}:{python_path(installed)}")
    assert listing.returncode == 0
    plugins = {p["plugin"]: p for p in json.loads(listing.stdout)}
    assert plugins["zz_bad"]["status"] == "failed"
    assert told in plugins["zz_bad"]["error"]
    assert (plugins["zz_bad"]["distribution"], plugins["zz_bad"]["version"]) == ("coabench-zz_bad", "1.0")
    assert plugins["zzz_good"]["status"] == "ok"
    names = coabench("list", "--format", "json", PYTHONPATH=f"{tmp_path}:{python_path(installed)}")
    listed = {row["name"] for row in json.loads(names.stdout)}
    assert {"fine", "direct", "phi-3.5-vision"} <= listed
    assert "half" not in listed  # rolled back
    assert "zz_bad" in names.stderr
    strict = coabench("list", PYTHONPATH=f"{tmp_path}:{python_path(installed)}", COABENCH_STRICT_PLUGINS="1")
    assert strict.returncode == 2
    assert "zz_bad" in strict.stderr
    without = coabench(
        "list", PYTHONPATH=f"{tmp_path}:{python_path(installed)}", COABENCH_STRICT_PLUGINS="1",
        COABENCH_DISABLE_PLUGINS="zz_bad",
    )  # fmt: skip
    assert without.returncode == 0


def python_path(installed: Path) -> str:
    import os

    return os.pathsep.join([str(installed), os.environ.get("PYTHONPATH", "")])


def test_help_works_with_every_defect_at_once(coabench: Run, installed: Path, tmp_path: Path) -> None:
    for i, (code, _) in enumerate(DEFECTS.values()):
        plant(tmp_path, f"zz_bad{i}", code)
    assert coabench("--help", PYTHONPATH=f"{tmp_path}:{python_path(installed)}").returncode == 0


def test_an_installed_plugin_is_listed_with_its_distribution(coabench: Run) -> None:
    plugins = {p["plugin"]: p for p in json.loads(coabench("plugins", "list", "--format", "json").stdout)}
    scripted = plugins["scripted"]
    assert (scripted["distribution"], scripted["version"], scripted["status"]) == ("coabench-scripted", "2.5", "ok")
    assert "register_backbones" in scripted["hooks"]
    assert "scripted" in scripted["registers"]


def test_a_plugin_adds_a_command(coabench: Run) -> None:
    assert "scripted-hello" in coabench("--help").stdout
    assert coabench("scripted-hello").stdout == "hello from a plugin\n"


def test_disabling_all_leaves_an_empty_bench(coabench: Run) -> None:
    assert json.loads(coabench("list", "--format", "json", COABENCH_DISABLE_PLUGINS="all").stdout) == []


def test_a_registration_that_cannot_be_imported_says_so(coabench: Run) -> None:
    result = coabench("evaluate", "--backbone", "absent-library", "--dataset", "drawn")
    assert result.returncode == 2
    assert "coabench_scripted.nowhere" in result.stderr


def test_listing_imports_nothing_heavy(coabench: Run, environment: dict[str, str], tmp_path: Path) -> None:
    import subprocess
    import sys

    code = """
import sys
from coabench.cli import main
try: main({arguments})
except SystemExit: pass
heavy = {{"torch", "transformers", "pandas", "numpy", "cv2", "PIL"}} & set(sys.modules)
assert not heavy, heavy
"""
    for arguments in (["--help"], ["list"], ["plugins", "list"], ["datasets", "list"]):
        script = code.format(arguments=arguments)
        subprocess.run([sys.executable, "-c", script], check=True, env=environment, cwd=tmp_path, capture_output=True)


def test_every_hook_is_documented_and_exercised() -> None:
    """A hook that no plugin of this suite implements is not known to work."""
    import inspect

    from coabench import hookspecs

    hooks = [name for name in dir(hookspecs) if name.startswith("coabench_")]
    support = Path(__file__).parent
    sources = "".join(p.read_text() for p in [*support.rglob("*.py"), *(support.parent / "plugins").rglob("*.py")])
    for name in hooks:
        assert inspect.getdoc(getattr(hookspecs, name)), f"{name} has no docstring"
        assert f"def {name}(" in sources
