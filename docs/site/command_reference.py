"""The directive ``commands``: every command with its examples and options, as ``--help`` shows them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from coabench.cli import cli
from coabench.cli.command import Command, heading_of


class Commands(SphinxDirective):
    """All commands of the program, a section each."""

    def run(self) -> list[nodes.Node]:
        context = click.Context(cli, info_name="coabench", color=False)
        return [self._section(each) for each in _commands(cli, context)]

    def _section(self, context: click.Context) -> nodes.section:
        command, path = context.command, context.command_path
        section = nodes.section("", nodes.title("", path), ids=[path.replace(" ", "-")])
        usage = " ".join(command.collect_usage_pieces(context))
        section += nodes.literal_block("", f"{path} {usage}", language="text")
        section += [_paragraph(text) for text in (command.help or "").split("\n\n")]
        if isinstance(command, Command) and command.examples:
            text = "\n".join(f"# {what}\n{line}" for what, line in command.examples)
            section += nodes.literal_block(text, text, language="sh")
        options: dict[str, nodes.definition_list] = {}
        for parameter in command.get_params(context):
            if not isinstance(parameter, click.Option) or (row := parameter.get_help_record(context)) is None:
                continue
            heading = heading_of(parameter) or "Help"
            if heading not in options:
                options[heading] = nodes.definition_list()
                section += [nodes.rubric("", heading), options[heading]]
            term = nodes.term("", "", nodes.literal("", row[0]))
            options[heading] += nodes.definition_list_item("", term, nodes.definition("", _paragraph(row[1])))
        return section


def _paragraph(text: str) -> nodes.paragraph:
    """Return a paragraph in which what stands between backticks is code."""
    parts = re.split(r"`([^`]+)`", " ".join(text.split()))
    return nodes.paragraph("", "", *(nodes.literal("", p) if i % 2 else nodes.Text(p) for i, p in enumerate(parts)))


def _commands(command: click.Command, context: click.Context) -> Iterator[click.Context]:
    """Yield the contexts of all commands that do something, of groups those in them."""
    if not isinstance(command, click.Group):
        yield context
        return
    for name in command.list_commands(context):
        if (each := command.get_command(context, name)) is not None and not each.hidden:
            yield from _commands(each, click.Context(each, parent=context, info_name=name))


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directive."""
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True}
