"""Scores from the likeliest first tokens, which is all that a server of this protocol tells of its probabilities.

The score of an option is the natural logarithm of the probability that the *first token* of the answer begins this
option and no other: the sum over the returned tokens that do. It is a bound from above on the probability of the whole
option, and close to it where a first token settles the rest of the word.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations

from coabench.errors import SampleError
from coabench.labels import Choices

UNCLEAR = 0.01
"""How much probability may lie on tokens that begin several options: no score is further off than that."""
LEAST = -100.0
"""The score of an option for which nothing is left."""


def alike(options: Choices) -> tuple[str, str] | None:
    """Return two options that no first token can tell apart: their first words are the same."""
    for one, other in combinations(options, 2):
        if one.casefold().split()[:1] == other.casefold().split()[:1]:
            return one, other
    return None


def first_token_scores(options: Choices, likeliest: Sequence[tuple[str, float]]) -> dict[str, float]:
    """Return the score of each option.

    An option that no returned token begins gets what may be left for it: the smallest probability returned, or its
    share of what all returned tokens leave of 1, whichever is less.

    Args:
        options: of the question.
        likeliest: tokens with their natural-log probabilities; white space before a token and case do not count.

    Raises:
        SampleError: the tokens begin none of the options, or too much lies on tokens that begin several.
    """
    shares, unclear = dict.fromkeys(options, 0.0), 0.0
    for token, log_probability in likeliest:
        begun = _begun(token, options)
        if len(begun) == 1:
            shares[begun[0]] += math.exp(min(log_probability, 0.0))
        elif begun:
            unclear += math.exp(min(log_probability, 0.0))
    if unclear > UNCLEAR:
        raise SampleError(
            "the first tokens do not tell the options apart: "
            f"{unclear:.2f} of the probability lies on beginnings that several of them share"
        )
    if not any(shares.values()):
        tokens = ", ".join(repr(token[:20]) for token, _ in likeliest[:5])
        raise SampleError(f"the answer begins with none of the options; the likeliest first tokens are {tokens}")
    return _scores(shares, [log_probability for _, log_probability in likeliest])


def _begun(token: str, options: Choices) -> list[str]:
    text = token.strip().casefold()
    return [option for option in options if text and option.casefold().startswith(text)]


def _scores(shares: Mapping[str, float], returned: Sequence[float]) -> dict[str, float]:
    absent = sum(not share for share in shares.values())
    total = math.fsum(math.exp(min(value, 0.0)) for value in returned)
    left = min(math.exp(min(*returned, 0.0)), max(1.0 - total, 0.0) / max(absent, 1))
    floor = max(math.log(left), LEAST) if left > 0 else LEAST
    over = max(math.fsum(shares.values()), 1.0)  # rounding in the server
    return {option: math.log(share / over) if share else floor for option, share in shares.items()}
