"""Sequences that make their items when they are asked for."""

import pytest

from coabench.base.lazy import Lazy


def test_a_lazy_sequence_has_the_items_of_a_list() -> None:
    squares = Lazy(5, lambda i: i * i)
    assert [*squares] == [0, 1, 4, 9, 16] == [squares[i] for i in range(5)]
    assert (len(squares), squares[-1], squares[1:3]) == (5, 16, [1, 4])
    assert [*Lazy(5, lambda i: i * i, lambda: iter("abcde"))] == [*"abcde"]
    with pytest.raises(IndexError):
        squares[5]
