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
from coabench_phi35v.layers import Span

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

    @property
    def alone(self) -> bool:
        """Whether there is one branch: every token sees all before it."""
        return max(self.branches) <= TRUNK + 1


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
    """A batch of rows, one after the other in a single one, without padding; those of one width together.

    Attributes:
        tokens: token ids; image *i* of the batch stands as a run of ``-1 - i``.
        positions: the position of each token in its own sequence.
        long: whether each token's row takes the long rope factors.
        pictures: the images, some perhaps several times.
        states: long, (number of labels,): the index of the token that each label is expected after.
    """

    tokens: list[int]
    positions: list[int]
    long: list[bool]
    pictures: list[Picture]
    states: Tensor
    _groups: list[list[Row]] = field(repr=False)

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Rows:
        groups: dict[tuple[bool, int], list[int]] = {}
        for index, row in enumerate(rows):
            groups.setdefault((row.alone, len(row.tokens)), []).append(index)
        tokens, pictures, starts = list[int](), list[Picture](), dict[int, int]()
        order = [index for group in groups.values() for index in group]
        for index in order:
            starts[index] = len(tokens)
            tokens += [token - len(pictures) if token < 0 else token for token in rows[index].tokens]
            pictures += rows[index].pictures
        return cls(
            tokens,
            [position for index in order for position in rows[index].positions],
            [rows[index].long for index in order for _ in rows[index].tokens],
            pictures,
            torch.tensor([starts[index] + at for index, row in enumerate(rows) for at in row.states]),
            [[rows[index] for index in group] for group in groups.values()],
        )

    def spans(self, device: torch.device) -> list[Span]:
        """Return which tokens see which, the masks as booleans."""
        return [
            Span(len(group), len(group[0].tokens), None if group[0].alone else _mask(group, device))
            for group in self._groups
        ]


def _mask(rows: Sequence[Row], device: torch.device) -> Tensor:
    """Return which token sees which in rows of one width: bool, (rows, 1, width, width)."""
    branches = torch.tensor([row.branches for row in rows], device=device)[:, None]
    same = branches[..., :, None] == branches[..., None, :]
    return (same | (branches == TRUNK)[..., None, :]).tril_()
