"""Data set cards are checked when they are read."""

from pathlib import Path

import pytest

from coabench.dataset import Card
from coabench.errors import UserError

CARD = """
name: mine
title: Mine
loader: raf-db-basic
splits: [test, train]
labels:
  classes:
    - {name: Up, code: 1}
    - {name: Down, code: 2}
counts:
  test: {Up: 3, Down: 4}
counts_verified: [test]
"""


def read(tmp_path: Path, text: str) -> Card:
    path = tmp_path / "card.yaml"
    path.write_text(text)
    return Card.read(path)


def test_a_card_of_ten_lines_is_enough(tmp_path: Path) -> None:
    card = read(tmp_path, CARD)
    assert card.space.names == card.space.basic == ("Up", "Down")
    assert card.counts["test"]["Down"] == 4
    assert card.splits[0] == "test"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("title:", "titel:", "did you mean 'title'"),
        ("loader: raf-db-basic", "", "'loader' is missing"),
        ("Up: 3", "Upp: 3", "did you mean 'Up'"),
        ("Up: 3", "Up: many", r"counts.test.Up cannot be read(?s:.)*(a whole number|0 or more)"),
        ("counts_verified: [test]", "counts_verified: [tests]", "did you mean 'test'"),
        ("code: 2", "code: 1", "stands twice"),
        ("splits: [test, train]", "splits: [test", "not valid YAML"),
        (
            "splits: [test, train]",
            "splits: test",
            r"yaml: splits cannot be read(?s:.)*a list of texts(?s:.)*write \[test\]",
        ),
        ("splits: [test, train]", "splits: [test, 2]", r"splits\[1\] cannot be read(?s:.)*put it in quotes"),
        ("splits: [test, train]", "splits: [test, train, test]", r"splits cannot be read(?s:.)*every entry once"),
        ("title: Mine", "title: 2026", r"yaml: title cannot be read(?s:.)*a number: 2026(?s:.)*put it in quotes"),
        ("title: Mine", "title: [Mine]", "title cannot be read"),
        ("title: Mine", "on: Mine", "unknown field True"),
        ("title: Mine", "schema: 2", r"schema 2 is unknown(?s:.)*schema: 1"),
        ("title: Mine", "options: [subset]", r"options cannot be read(?s:.)*a mapping"),
        (
            "name: Up, code: 1",
            "name: no, code: 1",
            r"labels.classes\[0\].name cannot be read(?s:.)*true or false: False",
        ),
        ("code: 1}", "code: '1'}", r"classes\[0\].code cannot be read(?s:.)*a whole number"),
        ("code: 1}", "code: yes}", r"classes\[0\].code"),
        ("code: 1}", "aliases: high}", r"classes\[0\].aliases cannot be read(?s:.)*a list of texts"),
        ("code: 1}", "pair: high}", r"classes\[0\].pair"),
        ("labels:", "labels: [Up, Down]\nignored:", "unknown field 'ignored'"),
        ("  classes:", "  neutral: 0\n  classes:", "labels.neutral"),
        ("Up: 3", "Up: yes", r"counts.test.Up cannot be read(?s:.)*(a whole number|0 or more)"),
        ("Up: 3", "Up: -3", r"counts.test.Up cannot be read(?s:.)*(a whole number|0 or more)"),
        ("test: {Up: 3, Down: 4}", "test: 7", "counts.test cannot be read"),
        ("counts_verified: [test]", "counts_verified: test", "counts_verified cannot be read"),
    ],
)
def test_a_wrong_card_says_what_is_wrong(tmp_path: Path, old: str, new: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        read(tmp_path, CARD.replace(old, new))
