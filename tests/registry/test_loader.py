"""Plugins come in from outside, and a bad one harms nobody."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.in_process import in_process
from support.planted import plant
from support.process import ROOT, Run

HOOK = "@hookimpl\ndef coabench_register_{}:\n    {}\n"


GOOD = """
@hookimpl
def coabench_register_backbones(register):
    register("fine", "m:a")


@hookimpl
def coabench_register_commands(cli):
    import click
    cli.add_command(click.Command("zzz-hello", callback=lambda: click.echo("hello"), help="Say hello."))
"""
DEFECTS = {  # what is wrong -> the code, what is told, what is advised
    "raises at import": ("raise RuntimeError('no luck')", "RuntimeError: no luck", "COABENCH_DISABLE_PLUGINS=zz_bad"),
    "exits at import": ("raise SystemExit(3)", "SystemExit: 3", "report it"),
    "lacks a library": ("import absent_library", "absent_library", "install what provides 'absent_library'"),
    "asks for the others": (
        "from coabench.registry.loader import get_plugins\nget_plugins()",
        "it asks for the plugins while they are being loaded",
        "report it to its author",
    ),
    "is no Python": ("def x(:\n", "SyntaxError", "report it"),
    "prints while it is imported": ("print('[]')\nraise ValueError('loud')", "ValueError: loud", "report it"),
    "raises in a hook": (
        HOOK.format("backbones(register)", "register('half', 'm:a'); 1 / 0"),
        "ZeroDivisionError",
        "upgrade coabench-zz_bad",
    ),
    "misspells a hook": (
        HOOK.format("backbone(register)", "pass"),
        "there is no hook named 'coabench_register_backbone'",
        "did you mean 'coabench_register_backbones'?",
    ),
    "asks for an unknown argument": (
        HOOK.format("backbones(register, wish)", "pass"),
        "wish",
        "docs/reference/plugins.md",
    ),
    "takes a built-in name": (
        HOOK.format("strategies(register)", "register('direct', 'm:a')"),
        "'direct' in strategies is already registered by plugin 'strategies'",
        "the plugin that you do not need",
    ),
    "takes its own name twice": (
        HOOK.format("backbones(register)", "register('half', 'm:a'); register('half', 'm:b')"),
        "'half' in backbones is already registered by plugin 'zz_bad'",
        "coabench-zz_bad",
    ),
    "registers no target": (
        HOOK.format("backbones(register)", "register('odd', 'just_a_module')"),
        "'just_a_module'; it must be 'module:attribute'",
        "report it",
    ),
    "registers a name that cannot be typed": (
        HOOK.format("backbones(register)", "register('a b', 'm:a')"),
        "the name 'a b' cannot be typed",
        "report it",
    ),
    "takes another data set's short name": (
        HOOK.format("datasets(register)", "register('half', 'm:a', short='compound')"),
        "the short name 'compound' of data set 'half' is already that of",
        "the plugin that you do not need",
    ),
    "registers a card that is not there": (
        HOOK.format("datasets(register)", "register('odd', 'm:a', card='/nowhere/card.yaml')"),
        "the card of 'odd' is not there",
        "report it",
    ),
    "needs a newer interface": (
        "COABENCH_API = 99",
        "it was written for version 99 of the plugin interface",
        "upgrade coabench (pip install --upgrade coabench), or install an older coabench-zz_bad",
    ),
    "needs a newer interface to be imported": (
        "COABENCH_API = 99\nfrom coabench.yet_to_come import magic",
        "it was written for version 99 of the plugin interface",
        "upgrade coabench",
    ),
    "is too old": ("COABENCH_API = 0", "it was written for version 0", "upgrade coabench-zz_bad"),
    "says no version": ("COABENCH_API = '1'", "COABENCH_API = '1' is no whole number", "report it"),
}
COMMANDS = {  # these fail when the commands are asked for
    "shadows a built-in command": (
        HOOK.format("commands(cli)", "import click; cli.add_command(click.Command('evaluate', help='Mine.'))"),
        "its command 'evaluate' is a command of coabench",
        "report it",
    ),
    "adds no command": (
        HOOK.format("commands(cli)", "cli.commands['odd'] = print"),
        "its command 'odd' is no click command",
        "report it",
    ),
    "raises where commands are added": (HOOK.format("commands(cli)", "raise OSError('gone')"), "gone", "report it"),
    "clears the command line": (HOOK.format("commands(cli)", "del cli.commands['evaluate']"), "KeyError", "report it"),
}
PACKAGES = {  # what is wrong with its entry point -> the entry point, what is told
    "names a module that does not exist": ("{}.nowhere", "names a module that does not exist"),
    "names an attribute that does not exist": ("{}:nowhere", "names something that does not exist"),
    "has an entry point that is none": ("{}, really!", "it must be 'module' or 'module:attribute'"),
}


@pytest.fixture(scope="module")
def beset(scripted: list[str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, dict[str, str]]:
    """The command line among all defective plugins at once, and defect -> the name of the plugin that has it."""
    folder = tmp_path_factory.mktemp("beset")
    names = {}
    for i, (defect, (code, *_)) in enumerate({**DEFECTS, **COMMANDS}.items()):
        names[defect] = f"zz_bad{i}"
        plant(folder, names[defect], code.replace("zz_bad", names[defect]))
    for i, (defect, (entry, _)) in enumerate(PACKAGES.items()):
        names[defect] = f"zz_hull{i}"
        plant(folder, names[defect], "", entry=entry.format(names[defect]))
    plant(folder, "nameless", "", metadata=False)
    plant(folder, "garbled", "")
    (folder / "coabench_garbled-1.0.dist-info" / "entry_points.txt").write_bytes(b"[coabench]\n\xff\xfe = \x00\n")
    plant(folder, "zzz_good", GOOD)
    hidden = folder / "older"
    hidden.mkdir()
    plant(hidden, "zzz_good", "raise RuntimeError('hidden by the one before it on the path')")
    run = in_process(folder, [str(folder), str(hidden), *scripted], {"COLUMNS": "160"})
    return run, names


@pytest.fixture(scope="module")
def plugins(beset: tuple[Run, dict[str, str]]) -> dict[str, dict[str, str]]:
    """Plugin -> what `plugins list` says of it, among all defective plugins."""
    listing = beset[0]("plugins", "list", "--format", "json")
    assert listing.returncode == 0, listing.stderr
    return {p["plugin"]: p for p in json.loads(listing.stdout)}


def test_bad_plugins_harm_nobody(beset: tuple[Run, dict[str, str]], plugins: dict[str, dict[str, str]]) -> None:
    run, bad = beset
    assert plugins["zzz_good"]["status"] == "ok"
    failed = {name for name, plugin in plugins.items() if plugin["status"] == "failed"}
    assert failed == {*bad.values(), "coabench-garbled"}
    names = run("list", "--format", "json")
    assert names.returncode == 0
    assert "zz_bad0" in names.stderr
    listed = {row["name"] for row in json.loads(names.stdout)}
    assert {"fine", "direct", "phi-3.5-vision", "scripted"} <= listed
    assert not {"half", "odd"} & listed  # rolled back
    assert run("zzz-hello").stdout == "hello\n"
    helped = run("--help")
    assert helped.returncode == 0
    assert "zzz-hello" in helped.stdout
    evaluated = run("evaluate", "--backbone", "scripted", "--dataset", "drawn", "--limit", 2)
    assert evaluated.returncode == 0, evaluated.stderr


@pytest.mark.parametrize("defect", [*DEFECTS, *COMMANDS])
def test_a_bad_plugin_is_named_with_what_to_do(
    beset: tuple[Run, dict[str, str]], plugins: dict[str, dict[str, str]], defect: str
) -> None:
    name = beset[1][defect]
    _, told, advised = {**DEFECTS, **COMMANDS}[defect]
    bad = plugins[name]
    assert bad["status"] == "failed"
    assert told.replace("zz_bad", name) in bad["error"]
    assert advised.replace("zz_bad", name) in bad["remedy"]
    assert (bad["distribution"], bad["version"]) == (f"coabench-{name}", "1.0")


@pytest.mark.parametrize("defect", PACKAGES)
def test_a_bad_package_is_named_with_what_to_do(
    beset: tuple[Run, dict[str, str]], plugins: dict[str, dict[str, str]], defect: str
) -> None:
    bad = plugins[beset[1][defect]]
    assert PACKAGES[defect][1] in bad["error"]
    assert bad["remedy"].startswith(f"reinstall coabench-{beset[1][defect]}")


def test_metadata_that_cannot_be_read_are_named(plugins: dict[str, dict[str, str]]) -> None:
    assert plugins["nameless"]["status"] == "ok"
    garbled = plugins["coabench-garbled"]
    assert garbled["remedy"] == "reinstall or uninstall coabench-garbled"
    assert "its metadata cannot be read: UnicodeDecodeError" in garbled["error"]
    assert "coabench_garbled-1.0.dist-info" in garbled["error"]


def test_strict_refuses_what_is_not_silenced(
    beset: tuple[Run, dict[str, str]], plugins: dict[str, dict[str, str]]
) -> None:
    run, _ = beset
    strict = run("list", COABENCH_STRICT_PLUGINS="1")
    assert strict.returncode == 2
    assert "zz_bad0" in strict.stderr
    failed = [name for name, plugin in plugins.items() if plugin["status"] == "failed"]
    silenced = {"COABENCH_STRICT_PLUGINS": "1", "COABENCH_DISABLE_PLUGINS": ",".join(failed)}
    assert run("list", **silenced).returncode == 0


def test_a_person_reads_what_was_left_out(beset: tuple[Run, dict[str, str]]) -> None:
    listing = beset[0]("plugins", "list")
    assert "zz_bad0 (coabench-zz_bad0 1.0) is left out: RuntimeError: no luck. What to do: upgrade" in listing.stdout
    assert "`coabench plugins check NAME` says more" in listing.stderr


def test_what_is_missing_may_be_what_was_left_out(coabench: Run, tmp_path: Path) -> None:
    plant(tmp_path, "zz_bad", HOOK.format("strategies(register)", "register('mine', 'm:a'); 1 / 0"))
    result = coabench("evaluate", "--strategy", "mine", PYTHONPATH=str(tmp_path))
    assert result.returncode == 2
    assert "`coabench plugins list` says why the plugin zz_bad is left out" in result.stderr


def test_two_plugins_of_one_name(coabench: Run, tmp_path: Path) -> None:
    plant(tmp_path, "zzz_good", GOOD)
    plant(tmp_path, "zz_other", "", entry="zz_other")
    info = tmp_path / "coabench_zz_other-1.0.dist-info" / "entry_points.txt"
    info.write_text("[coabench]\nstrategies = zz_other\n")
    listing = coabench("plugins", "list", "--format", "json", PYTHONPATH=str(tmp_path))
    [first, second] = [p for p in json.loads(listing.stdout) if p["plugin"] == "strategies"]
    assert (first["distribution"], first["status"]) == ("coabench", "ok")  # a stranger never takes a built-in's place
    assert "the entry-point name 'strategies' is taken by coabench" in second["error"]
    assert "uninstall coabench-zz_other" in second["remedy"]


def test_hooks_that_take_fewer_arguments_and_hooks_that_are_to_come(coabench: Run, tmp_path: Path) -> None:
    """An older plugin knows fewer arguments; a newer one may offer a hook that this version does not call."""
    code = """
from pathlib import Path

@hookimpl
def coabench_run_started():
    Path("told").write_text("started")

@hookimpl
def coabench_run_finished(metrics):
    Path("told").write_text(Path("told").read_text() + f" {metrics['samples']}")

@hookimpl(optionalhook=True)
def coabench_register_wishes(register, star): ...
"""
    plant(tmp_path, "zz_old", code)
    run = coabench("evaluate", "--backbone", "scripted", "--dataset", "drawn", "--limit", 2, PYTHONPATH=str(tmp_path))
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "told").read_text() == "started 2"


def test_a_command_that_crashes_is_its_own_affair(coabench: Run, tmp_path: Path) -> None:
    code = """
    import click

    @cli.command("zz-crash")
    def crash():
        \"\"\"Crash.\"\"\"
        raise LookupError("over")
"""
    plant(tmp_path, "zz_bad", "@hookimpl\ndef coabench_register_commands(cli):" + code)
    crashed = coabench("zz-crash", PYTHONPATH=str(tmp_path))
    assert (crashed.returncode, "Traceback" in crashed.stderr) == (1, False)
    assert "LookupError: over" in crashed.stderr
    assert coabench("--help", PYTHONPATH=str(tmp_path)).returncode == 0


def test_an_observer_that_fails_or_prints_does_not_touch_the_run(coabench: Run, tmp_path: Path) -> None:
    code = """
@hookimpl
def coabench_sample_predicted(record):
    print("seen", record["id"])
    if record["id"].endswith("1"):
        raise SystemExit("enough")
"""
    plant(tmp_path, "zz_bad", code)
    run = coabench(
        "evaluate", "--backbone", "scripted", "--dataset", "drawn", "--limit", 4,
        PYTHONPATH=str(tmp_path),
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert "seen" not in run.stdout
    assert "plugin 'zz_bad' failed in coabench_sample_predicted and is left out: SystemExit: enough" in run.stderr
    assert "seen drawn/test_000" in run.stderr
    assert "seen drawn/test_002" not in run.stderr


def test_an_installed_plugin_is_listed_with_its_distribution(coabench: Run) -> None:
    plugins = {p["plugin"]: p for p in json.loads(coabench("plugins", "list", "--format", "json").stdout)}
    scripted = plugins["scripted"]
    assert (scripted["distribution"], scripted["version"], scripted["status"]) == ("coabench-scripted", "2.5", "ok")
    assert "register_backbones" in scripted["hooks"]
    assert "scripted" in scripted["registers"]


def test_a_plugin_adds_a_command(coabench: Run) -> None:
    assert "scripted-hello" in coabench("--help").stdout
    assert coabench("scripted-hello").stdout == "hello from a plugin\n"


def test_disabling_all_leaves_a_bench_with_nothing_but_its_own(coabench: Run) -> None:
    rows = json.loads(coabench("list", "--format", "json", COABENCH_DISABLE_PLUGINS="all").stdout)
    assert {(row["kind"], row["plugin"].partition(" ")[0]) for row in rows} == {
        ("parser", "coabench"), ("executor", "coabench"),
    }  # fmt: skip


def test_a_registration_that_cannot_be_imported_says_so(coabench: Run) -> None:
    result = coabench("evaluate", "--backbone", "absent-library", "--dataset", "drawn")
    assert result.returncode == 2
    assert "coabench_scripted.nowhere" in result.stderr


def test_listing_imports_nothing_heavy(environment: dict[str, str], tmp_path: Path) -> None:
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
    tests = ROOT / "tests"
    sources = "".join(p.read_text() for p in [*tests.rglob("*.py"), *(ROOT / "plugins").rglob("*.py")])
    for name in hooks:
        assert inspect.getdoc(getattr(hookspecs, name)), f"{name} has no docstring"
        assert f"def {name}(" in sources


def test_plugins_are_found_beside_the_backport_of_importlib_metadata(environment: dict[str, str]) -> None:
    """It takes the place of the standard library's finder where a package imports it, as MLflow does."""
    if importlib.util.find_spec("importlib_metadata") is None:
        pytest.skip("importlib_metadata is not installed: it comes with the extra 'mlflow'")
    lines = ["import importlib_metadata", "from coabench.registry.loader import get_plugins"]
    code = "\n".join([*lines, "print(*get_plugins().backbones)"])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert {"scripted", "tiny"} <= set(done.stdout.split()), done.stderr
