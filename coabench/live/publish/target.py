"""Where answers are published, as ``--publish`` says it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from coabench.base.names import to_file
from coabench.errors import UserError
from coabench.web.address import Serving, read_address

OPTION = "--publish"
EXPECTED = "stdout, ws://HOST:PORT, wss://HOST:PORT, mqtt://HOST[:PORT]/TOPIC or mqtts://HOST[:PORT]/TOPIC"
PORTS = {"mqtt": 1883, "mqtts": 8883}
"""The ports that are registered for them."""
LONGEST = 65_535
"""Bytes of a topic in UTF-8 (MQTT 3.1.1, section 1.5.3)."""

Kind = Literal["stdout", "ws", "mqtt"]


class SocketServing(Serving):
    """How answers are served at a WebSocket."""

    option = OPTION
    guide = "docs/guides/publishing.md"
    unencrypted = "without TLS the answers travel in the clear"


@dataclass(frozen=True)
class Publishing:
    """What the command line says about publishing.

    Attributes:
        targets: the texts of ``--publish``.
        serving: what it says of TLS and of other machines, for ``ws://`` and ``wss://``.
    """

    targets: tuple[str, ...] = ()
    serving: SocketServing = field(default_factory=lambda: SocketServing(""))


@dataclass(frozen=True)
class Target:
    """One place to publish to.

    Attributes:
        text: what was typed.
        address: ``HOST:PORT`` of a WebSocket to open.
        host, port, topic: of a broker.
        tls: whether the way is encrypted.
    """

    text: str
    kind: Kind
    address: str = ""
    host: str = ""
    port: int = 0
    topic: str = ""
    tls: bool = False


def read_targets(texts: Sequence[str]) -> list[Target]:
    """Return what the texts of ``--publish`` say, in order.

    Raises:
        UserError: one cannot be read, or two are the same.
    """
    targets = [_read(text) for text in texts]
    twice = next((text for text in texts if texts.count(text) > 1), None)
    if twice is not None:
        raise UserError(f"{OPTION} {twice} stands there twice", remedy="leave one out")
    return targets


def _read(text: str) -> Target:
    scheme, slashes, rest = text.partition("://")
    authority, _, path = rest.partition("/")
    if text == "stdout":
        return Target(text, "stdout")
    if scheme in ("ws", "wss") and slashes:
        if path:
            raise _unreadable(text, "a path behind the address", "leave it out: lines come at the root")
        try:
            read_address(authority, OPTION)
        except UserError:
            raise _unreadable(text, _missing(authority)) from None
        return Target(text, "ws", address=authority, tls=scheme == "wss")
    if scheme in PORTS and slashes:
        return _read_broker(text, scheme, authority, path)
    raise _unreadable(text)


def _read_broker(text: str, scheme: str, authority: str, topic: str) -> Target:
    if "@" in authority:  # which every list of processes would show
        raise _unreadable(
            f"{scheme}://…@{authority.rpartition('@')[2]}/{topic}",
            "a user before the host",
            "set COABENCH_MQTT_USERNAME and COABENCH_MQTT_PASSWORD in the environment",
        )
    try:
        parts = urlsplit(f"//{authority}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise _unreadable(text) from None
    if not host or port == 0 or any(c.isspace() for c in authority):
        raise _unreadable(text, None if host else "no host")
    data = to_file(topic)
    wild = not topic or any(c in topic for c in "#+\0") or topic.startswith("$") or data.decode() != topic  # no UTF-8
    if wild or len(data) > LONGEST:
        raise _unreadable(text, f"the topic {topic!r}", "name a topic without # + or a leading $, such as lab/faces")
    return Target(text, "mqtt", host=host, port=port or PORTS[scheme], topic=topic, tls=scheme == "mqtts")


def _missing(authority: str) -> str | None:
    """Return what is not there of ``HOST:PORT``; None where both are."""
    host, port = authority.rsplit(":", 1) if ":" in authority else (authority, "")
    absent = [name for name, part in (("host", host), ("port", port)) if not part]
    return f"no {' and no '.join(absent)}" if absent else None


def _unreadable(text: str, found: str | None = None, remedy: str = f"correct {OPTION}") -> UserError:
    return UserError(f"{OPTION} {text!r} cannot be read", expected=EXPECTED, found=found, remedy=remedy)
