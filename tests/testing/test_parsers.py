"""Defects of parsers, planted, are named; a sound one has none."""

from __future__ import annotations

import random
import time

import pytest
from support.planted import assert_named

from coabench.labels import fold
from coabench.parser import Parsed, Parser, Response
from coabench.testing.defects import parsers as defects
from coabench.testing.parsers import check

NONE = Parsed(None, None)


def sound(response: Response) -> Parsed:
    label = response.spellings.get(fold(response.text))
    return Parsed(label, "whole") if label else NONE


def first_word(response: Response) -> Parsed:
    return sound(Response(response.text.split(",")[0], response.options, response.spellings))


def anywhere(response: Response) -> Parsed:
    found = [label for spelling, label in response.spellings.items() if spelling in fold(response.text)]
    return Parsed(found[-1], "anywhere") if found else NONE


def indexes(response: Response) -> Parsed:
    return sound(Response(response.text.split()[0], response.options, response.spellings))


def lowers(response: Response) -> Parsed:
    label = sound(response).label
    return Parsed(label.lower(), "whole") if label else NONE


def text(response: Response) -> str | None:
    return sound(response).label


def nameless(response: Response) -> Parsed:
    return Parsed(sound(response).label, None)


def rolls(response: Response) -> Parsed:
    return sound(response) if random.random() < 0.5 else NONE


def in_tags(response: Response) -> Parsed:
    return NONE


@pytest.mark.parametrize("parser", [sound, "exact", "standard", "lenient"])
def test_a_sound_parser_has_no_defect(parser: Parser | str) -> None:
    assert [str(finding) for finding in check(parser)] == []


@pytest.mark.parametrize(
    ("parser", "defect"),
    [
        (first_word, "guesses"), (anywhere, "guesses"), (indexes, "fails"), (lowers, "label-not-recognised"),
        (text, "no-parsed"), (nameless, "no-parsed"), (rolls, "unsteady"), (in_tags, "reads-nothing"),
    ],
)  # fmt: skip
def test_a_defect_is_named(parser: Parser, defect: str) -> None:
    assert_named(check(parser), defect)


def test_a_parser_that_searches_for_long_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(defects, "MOST_SECONDS", 0.001)

    def sleeps(response: Response) -> Parsed:
        if len(response.text) > 1000:
            time.sleep(0.002)
        return sound(response)

    assert_named(check(sleeps), "slow")
