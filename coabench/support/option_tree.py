"""The options of a question as a tree of tokens, so that one forward pass scores them all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass
class OptionTree:
    """Options that share their first tokens share the nodes that stand for these.

    A node stands for a token that something is predicted *after*; the end token of an option needs none.

    Attributes:
        tokens: the token of each node; a parent stands before its children.
        parents: the node before each, -1 for the prompt.
        paths: per option, (state, token) pairs: the token's log-probability is read after that state, where state 0 is
            the end of the prompt and state 1 + i is node i.
    """

    tokens: list[int] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    paths: list[list[tuple[int, int]]] = field(default_factory=list)

    @classmethod
    def of(cls, options: Sequence[Sequence[int]], end: int) -> OptionTree:
        """Build the tree of options (token ids), each followed by the token *end*."""
        tree = cls()
        nodes: dict[tuple[int, int], int] = {}
        for option in options:
            path, at = [], -1
            for token in option:
                path.append((at + 1, token))
                if (at, token) not in nodes:
                    nodes[at, token] = len(tree.tokens)
                    tree.tokens.append(token)
                    tree.parents.append(at)
                at = nodes[at, token]
            tree.paths.append([*path, (at + 1, end)])
        return tree

    @property
    def depths(self) -> list[int]:
        """How many nodes stand above each."""
        depths: list[int] = []
        for parent in self.parents:
            depths.append(depths[parent] + 1 if parent >= 0 else 0)
        return depths

    def visible(self) -> Tensor:
        """Return bool (nodes, nodes): which node (row) sees which (column), itself and those above it."""
        seen = torch.eye(len(self.tokens), dtype=torch.bool)
        for node, parent in enumerate(self.parents):
            if parent >= 0:
                seen[node] |= seen[parent]
        return seen
