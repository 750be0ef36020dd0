"""What ``--help`` says of every command: headings, sentences, defaults, examples that are true."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

import click
import pytest

from coabench.cli import cli
from coabench.cli.command import Command, heading_of
from coabench.registry.commands import COMMANDS
from coabench.registry.registrations import KINDS


def commands(command: click.Command, context: click.Context) -> Iterator[tuple[str, click.Command]]:
    """Yield every command of the bench that does something, with its words."""
    if not isinstance(command, click.Group):
        yield context.command_path, command
        return
    for name in command.list_commands(context) if command is not cli else COMMANDS:
        below = command.get_command(context, name)
        assert below is not None
        yield from commands(below, click.Context(below, parent=context, info_name=name))


EVERY = dict(commands(cli, click.Context(cli, info_name="coabench")))
OPTIONS = [
    (words, option) for words, command in EVERY.items() for option in command.params if isinstance(option, click.Option)
]


def test_every_option_stands_under_a_heading() -> None:
    stray = [f"{words} {option.opts[0]}" for words, option in OPTIONS if heading_of(option) is None]
    assert not stray, f'under no heading of --help; add each by grouped("Heading", click.option(…)): {stray}'


def test_every_option_says_what_it_does_in_a_sentence() -> None:
    short = [
        f"{words} {option.opts[0]}" for words, option in OPTIONS if not (option.help or "").strip().endswith((".", "…"))
    ]
    assert not short, f"help that is no sentence: {short}"


def test_every_value_has_a_default_or_a_word_about_it() -> None:
    """An option that takes a value and may be left out shows its default, or says what happens without it."""
    silent = [
        f"{words} {option.opts[0]}"
        for words, option in OPTIONS
        if not (option.is_flag or option.required or option.multiple or option.show_default)
        and "default" not in (option.help or "")
        and option.opts[0] not in WITHOUT
    ]
    assert not silent, f"options that do not say what is the default: {silent}"


WITHOUT = {
    "--crop", "--fold", "--folds", "--prediction-column", "--probability-columns", "--detector-weights", "--push",
    "--serve", "--tls-cert", "--tls-key",
}  # fmt: skip
"""Options without which what they are about is not done."""


def test_every_unit_is_said() -> None:
    """A number is in something: the metavar says in what, or that it is a number of what the sentence names."""
    bare = [
        f"{words} {option.opts[0]}"
        for words, option in OPTIONS
        if option.type.name in ("integer", "float", "integer range", "float range") and option.metavar is None
    ]
    assert not bare, f"numbers without a metavar that says the unit (N, SECONDS, PIXELS, PART …): {bare}"


@pytest.mark.parametrize("words", EVERY)
def test_examples_are_true(words: str) -> None:
    """Two each; what they say is a command line that is understood."""
    command = EVERY[words]
    assert isinstance(command, Command), f"{words}: declare it with cls=Command"
    assert len(command.examples) == 2, f"{words}: two examples, as {words} --help shows them"
    for what, line in command.examples:
        assert not what.endswith("."), what
        typed = shlex.split(line.partition(">")[0])
        assert line.startswith(words), line
        context = click.Context(cli, info_name="coabench")
        for word in words.split()[1:]:
            assert isinstance(context.command, click.Group)
            below = context.command.get_command(context, word)
            assert below is not None
            typed = typed[1:]
            last = not isinstance(below, click.Group)
            context = (
                below.make_context(word, typed[1:], parent=context)
                if last
                else click.Context(below, parent=context, info_name=word)
            )


@pytest.mark.parametrize("words", EVERY)
def test_help_fits_a_narrow_terminal(words: str) -> None:
    context = click.Context(EVERY[words], info_name=words, terminal_width=80)
    lines = EVERY[words].get_help(context).splitlines()
    copied = {f"  {line}" for _, line in getattr(EVERY[words], "examples", ())}  # to be copied whole
    assert [line for line in lines if len(line) > 80 and line not in copied] == []
    assert lines[-2] == "Help:"  # what is no option of the command's own stands last, alone


def test_commands_stand_under_what_they_are_for() -> None:
    text = cli.get_help(click.Context(cli, info_name="coabench", terminal_width=110))
    assert [name for name in COMMANDS if text.count(f"\n  {name} ") != 1] == []
    for job in ("Measure:", "Look at results:", "Use:", "Train:", "Set up:"):
        assert f"\n{job}\n" in text


def test_list_names_its_kinds() -> None:
    text = " ".join(EVERY["coabench list"].get_help(click.Context(EVERY["coabench list"])).split())
    assert all(kind in text for kind in KINDS)
