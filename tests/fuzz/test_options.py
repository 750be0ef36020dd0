"""Every option of every command, as the command line declares them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import click
from hypothesis import strategies as st
from support.in_process import command

from coabench.cli import cli

from .attempt import Attempts
from .fuzzing import fuzz
from .values import NUMBERS, TEXTS

EVALUATE = ("evaluate", "--backbone", "scripted", "--dataset", "drawn", "--strategy", "direct", "--set", "count=2")
VALID = {
    ("evaluate",): EVALUATE[1:],
    ("train",): ("--dataset", "drawn", "--dry-run"),
    ("sweep",): ("sheet.yaml", "--dry-run"),
    ("score",): ("p.csv", "--labels", "raf-db-basic"),
    ("leaderboard",): ("runs",),
    ("compare",): ("runs/a", "runs/b"),
    ("report",): ("runs/a",),
    ("webcam",): ("--source", "picture.png", "--no-window", "--backbone", "scripted", "--detector", "whole"),
    ("list",): (),
    ("datasets", "list"): (),
    ("datasets", "show"): ("drawn",),
    ("datasets", "verify"): ("drawn",),
}
"""What makes each command do something, beside the options that are drawn."""
LONG = {"--serve", "--steps", "--epochs", "--nproc", "--measure", "--executor", "--ray-address", "--allow-remote"}
"""Options by which a command may wait for the world, or work for hours, as it should."""
KNOWN = (
    "scripted", "tiny", "drawn", "raf-db-basic", "direct", "chain-of-affect", "none", "auto", "cpu", "test", "runs/a",
    "runs/b", "p.csv", "card.yaml", "sheet.yaml", "picture.png", "fifo", "loop", "folder", "new", "1", "2", "0.5",
    "count=2", "always=Fear", "noise=maybe", "json", "a" * 256, "folder/new", "p.csv/new", "/dev/zero", "/dev/full",
)  # fmt: skip
ODD = [text.replace("\ud800", "\udcff") for text in TEXTS if len(text) < 1000 and "\0" not in text]
"""What an argument can be: no NUL, and of surrogates those that stand for bytes."""
TEXT = st.sampled_from(KNOWN) | st.sampled_from(ODD) | st.sampled_from(NUMBERS).map(str)


@cache
def template() -> Path:
    """Return a folder with something of every kind, made once."""
    folder = Path(mkdtemp())
    for run in ("a", "b"):
        assert command(folder, [*EVALUATE, "--output", f"runs/{run}"], {}).returncode == 0
    (folder / "p.csv").write_text("id,prediction,target\n1,Fear,Fear\n2,Anger,Fear\n")
    (folder / "card.yaml").write_text("name: mine\nloader: faces\nlabels: {classes: [{name: Anger}, {name: Fear}]}\n")
    (folder / "sheet.yaml").write_text("defaults: {backbone: scripted, dataset: drawn}\naxes: {strategy: [direct]}\n")
    from PIL import Image

    Image.effect_noise((64, 64), 60).convert("RGB").save(folder / "picture.png")
    (folder / "folder").mkdir()
    return folder


@st.composite
def lines(draw: Callable[..., Any]) -> list[str]:
    """A command with one to three of its options, and perhaps another argument."""
    path = draw(st.sampled_from(sorted(VALID)))
    found: Any = cli
    context = click.Context(cli)
    for name in path:
        found = found.get_command(context, name)
    options = [p for p in found.params if isinstance(p, click.Option) and p.opts[0] not in LONG]
    words = [*path, *VALID[path]]
    for option in draw(st.lists(st.sampled_from(options), max_size=3)) if options else ():
        words.append(draw(st.sampled_from(option.opts + option.secondary_opts)))
        if not option.is_flag:
            choice = option.type.choices if isinstance(option.type, click.Choice) else ("2",)
            words.append(draw(TEXT | st.sampled_from([str(c) for c in choice])))
    if draw(st.integers(0, 5)) == 0:
        words.append(draw(TEXT))
    return words


@fuzz(0.09, words=lines())
def test_options(attempts: Attempts, words: list[str]) -> None:
    with attempts.folder() as folder:
        shutil.copytree(template(), folder, dirs_exist_ok=True)
        os.mkfifo(folder / "fifo")
        (folder / "loop").symlink_to("loop")
        attempts.run(folder, *words)
