"""The answers of a live session for programs: JSON lines on stdout, at a WebSocket, or at an MQTT broker.

Read in this order: `messages` (what a line holds), `target` (where they go, as it was typed), `channel` (what every way
out has), `stdout`, `websocket`, `mqtt` (the ways out), `publisher` (all of a session). For
users: docs/guides/publishing.md.
"""

from __future__ import annotations

from coabench.live.publish.publisher import Publisher
from coabench.live.publish.target import Publishing, SocketServing, read_targets

__all__ = ["Publisher", "Publishing", "SocketServing", "read_targets"]
