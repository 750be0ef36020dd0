"""Texts that take little memory."""

import pytest

from coabench.base.texts import TextIndex, Texts

GIVEN = ["", "toy/é", "toy/\udce9", "", "名/1"]


def test_texts_are_those_that_were_added() -> None:
    texts = Texts(GIVEN)
    assert [*texts] == GIVEN == [texts[i] for i in range(5)]
    assert (texts[-1], texts[1:4], len(texts)) == (GIVEN[-1], GIVEN[1:4], 5)
    assert texts.hashes().tolist() == [hash(text) for text in GIVEN]
    with pytest.raises(IndexError):
        texts[5]


def test_texts_are_alike_where_each_is() -> None:
    assert Texts(["ab", "c"]) == Texts(["ab", "c"])
    assert Texts(["ab", "c"]) != Texts(["a", "bc"])


def test_an_index_finds_each_place_of_a_text() -> None:
    index = TextIndex(Texts(GIVEN))
    assert [index.find(text) for text in [*GIVEN, "toy"]] == [[0, 3], [1], [2], [0, 3], [4], []]
