"""README, documentation and help are in plain English: none of the words that only this project used."""

import re
from pathlib import Path

import pytest
from click import Command, Context, Group
from support.process import ROOT

from coabench.cli import cli

PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    ROOT / "CODE_OF_CONDUCT.md",
    ROOT / "CHANGELOG.md",
    *ROOT.glob("docs/**/*.md"),
]

AVOIDED = {
    r"(go|goes|going|went) on(?! (the|to|a|your)\b)": "resume, continue",
    r"hangs? on": "depend on",
    r"heeds?": "use, respect",
    r"told(?! apart)": "reported, configured",
    r"said aloud": "reported",
    r"in hand": "available",
    r"has and lacks": "check the installation",
    r"one can vary": "configure",
    r"dear(er|est)": "expensive",
    r"somebody's predictions": "import predictions",
    r"predictions that are there already": "import predictions",
    r"(is|are|was|were) looked at": "read, checked, processed",
    r"what is looked at": "input",
    r"(refused|fails?|ends?) in words": "with a clear message",
    r"what became of": "the status of",
    r"(cut-out|cut out) faces?|faces? (is|are) cut\s?out|cuts? the faces? out": "crop",
    r"let in": "accept",
    r"has the say": "decides",
    r"to the bit": "bit by bit, exactly",
    r"harms? nobody": "does no harm",
    r"what computes": "the device",
    r"belongs? into": "belong in",
    r"drift apart": "differ",
}
"""A pattern -> what to write in its place."""


def avoided(text: str) -> list[str]:
    found = ((match, instead) for what, instead in AVOIDED.items() for match in re.finditer(rf"\b{what}\b", text, re.I))
    return [f"{text[max(0, m.start() - 30) : m.end() + 20]!r}: better {instead}" for m, instead in found]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_are_in_plain_english(page: Path) -> None:
    assert avoided(" ".join(page.read_text(encoding="utf-8").split())) == []


def test_help_is_in_plain_english() -> None:
    def texts(command: Command, context: Context) -> list[str]:
        if isinstance(command, Group):
            names = command.list_commands(context)
            inner = [(name, command.get_command(context, name)) for name in names]
            return [text for name, each in inner if each for text in texts(each, Context(each, context, name))]
        return [command.get_help(context)]

    helps = texts(cli, Context(cli, info_name="coabench"))
    assert len(helps) > 20
    assert [avoided(" ".join(text.split())) for text in helps if avoided(text)] == []
