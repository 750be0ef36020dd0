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
        ("Up: 3", "Up: many", "the count of 'Up'"),
        ("counts_verified: [test]", "counts_verified: [tests]", "did you mean 'test'"),
        ("code: 2", "code: 1", "stands twice"),
        ("splits: [test, train]", "splits: [test", "not valid YAML"),
    ],
)
def test_a_wrong_card_says_what_is_wrong(tmp_path: Path, old: str, new: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        read(tmp_path, CARD.replace(old, new))
