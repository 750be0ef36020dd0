"""How many viewers may be connected, in all and from one network."""

from __future__ import annotations

from collections import Counter

VIEWERS = 32
"""Browsers that may be connected at once."""
VIEWERS_PER_NETWORK = 8
"""The same for one address, or one IPv6 network."""


class Places:
    """The viewers that are connected, by their network."""

    def __init__(self) -> None:
        self._viewers = Counter[str]()

    def enter(self, network: str) -> bool:
        """Count a viewer from a network; return False, and count nothing, where too many are there."""
        if self._viewers[network] >= VIEWERS_PER_NETWORK or self._viewers.total() >= VIEWERS:
            return False
        self._viewers[network] += 1
        return True

    def exit(self, network: str) -> None:
        """A viewer from a network has gone."""
        self._viewers -= Counter([network])  # drops the network with its last viewer
