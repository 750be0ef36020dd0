"""Several questions about one image as one row of tokens: what they begin with in common is computed once.

A row is a trunk (chat prefix, image, the words that all its questions begin with) and branches that see the trunk and
themselves, never one another. Every branch stands at the positions it would have alone, so its losses are those of a
sequence of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from coabench_phi35v.images import Picture

TRUNK = 0


@dataclass
class Row:
    """One packed row.

    Attributes:
        tokens: token ids; image *i* stands as a run of ``-1 - i``.
        positions: the position of each token in its own sequence.
        branches: the branch that each token belongs to, `TRUNK` for those that all share.
        states: the index of the token after which each label is expected.
        labels: the labels.
        pictures: the images.
        long: whether the sequences take the long rope factors.
        weights: what the loss of each label is multiplied by; none where that is 1 for all.
    """

    tokens: list[int]
    positions: list[int]
    branches: list[int]
    states: list[int]
    labels: list[int]
    pictures: tuple[Picture, ...]
    long: bool = False
    weights: list[float] = field(default_factory=list)


def pack(
    turns: Sequence[tuple[Sequence[int], Sequence[int]]], pictures: tuple[Picture, ...], long: bool = False
) -> Row:
    """Pack (prompt, answer) token ids about the same pictures into one row."""
    prompts = [prompt for prompt, _ in turns]
    shared = common(prompts)
    row = Row(list(prompts[0][:shared]), list(range(shared)), [TRUNK] * shared, [], [], pictures, long)
    for branch, (prompt, answer) in enumerate(turns, start=TRUNK + 1):
        own = [*prompt[shared:], *answer[:-1]]  # nothing is predicted after the last token
        first = len(row.tokens)
        sequence = [*range(shared), *range(first, first + len(own))]  # where the tokens of this turn stand in the row
        row.tokens += own
        row.positions += range(shared, shared + len(own))
        row.branches += [branch] * len(own)
        row.states += sequence[len(prompt) - 1 :]
        row.labels += answer
    return row


def common(sequences: Sequence[Sequence[int]]) -> int:
    """Return how many tokens all sequences begin with in common."""
    shared = 0
    for tokens in zip(*sequences, strict=False):
        if len(set(tokens)) > 1:
            break
        shared += 1
    return shared


@dataclass(frozen=True)
class Rows:
    """A batch of rows, padded on the left to a common width.

    Attributes:
        tokens: of each row, without padding.
        states: long, (2, number of labels): row and column of the state that each label is expected after.
    """

    tokens: list[list[int]]
    pictures: list[tuple[Picture, ...]]
    long: list[bool]
    states: Tensor
    _positions: list[list[int]] = field(repr=False)
    _branches: list[list[int]] = field(repr=False)

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Rows:
        width = max(len(row.tokens) for row in rows)
        states = [(i, width - len(row.tokens) + at) for i, row in enumerate(rows) for at in row.states]
        return cls(
            [row.tokens for row in rows],
            [row.pictures for row in rows],
            [row.long for row in rows],
            torch.tensor(states, dtype=torch.long).T,
            [[0] * (width - len(row.tokens)) + row.positions for row in rows],
            [[-1] * (width - len(row.tokens)) + row.branches for row in rows],
        )

    def layout(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Return positions, (rows, width), and the mask, bool (rows, 1, width, width): which token sees which."""
        positions = torch.tensor(self._positions, dtype=torch.long, device=device)
        branches = torch.tensor(self._branches, dtype=torch.long, device=device)
        order = torch.arange(positions.shape[1], device=device)
        same = branches[:, :, None] == branches[:, None, :]
        # Padding is a branch of its own and sees itself: a row of the mask without any key would make NaN.
        mask = (same | (branches == TRUNK)[:, None, :]) & (order[None, :, None] >= order)
        return positions, mask[:, None]
