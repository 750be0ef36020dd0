"""Which addresses a viewer may let this machine open: none, unless whoever serves the page has named their hosts.

Whoever can type an address lets this machine talk to whatever it reaches: a router, other people's cameras, services
that listen to this machine alone (server-side request forgery). So hosts are named in advance. A host that is named is
trusted with it, too: a stream over HTTP may refer to other addresses, which FFmpeg follows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from coabench.errors import UserError
from coabench.live.sources import shown

ANY = "any"
"""In place of a host: all that this machine reaches."""
LONGEST = 2000
"""Characters of an address."""
_HOST = r"(?:\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?)"
_NAMED = re.compile(rf"(?P<host>{_HOST})(?::(?P<port>\d{{1,5}}))?")
_USER = r"(?:[^\\/?#@\s\x00-\x1f\x7f-\U0010ffff]+@)?"
_ADDRESS = re.compile(rf"(?:rtsps?|rtmp|https?)://{_USER}{_NAMED.pattern}(?:[/?#][!-~]*)?", re.IGNORECASE | re.ASCII)
"""Narrow, so that FFmpeg, which reads an address anew, finds the same host in it."""


class Addresses:
    """The hosts that a viewer may let this machine open.

    Attributes:
        allowed: whether there are any.
    """

    def __init__(self, hosts: Sequence[str]) -> None:
        """Read ``HOST``, which stands for all its ports, ``HOST:PORT`` or `ANY`; `UserError` for anything else."""
        for text in hosts:
            if text != ANY and not _NAMED.fullmatch(text.lower()):
                raise UserError(
                    f"--page-address {text!r} cannot be read",
                    expected=f"HOST or HOST:PORT, such as camera.local or 192.168.0.20:554, or {ANY}",
                    remedy="correct --page-address",
                )
        self._hosts = frozenset(text.lower() for text in hosts)
        self.allowed = bool(hosts)

    def check(self, address: str) -> str:
        """Return an address without the space around it; `UserError` where this machine is not to open it."""
        address = address.strip()
        if not self.allowed:
            raise UserError(
                "this server opens no addresses",
                remedy="whoever started it can allow a host: --page-address HOST",
            )
        read = _ADDRESS.fullmatch(address) if len(address) <= LONGEST else None
        if read is None:
            raise UserError(
                "this is no address of a stream",
                expected="rtsp://HOST/PATH, rtsps://…, rtmp://…, http://… or https://…",
                remedy="correct it; a user's name and password go before the host: rtsp://USER:PASSWORD@HOST/PATH",
            )
        host = read["host"].lower()
        if not {ANY, host, f"{host}:{read['port']}"} & self._hosts:
            raise UserError(
                f"this server does not open addresses of {host}",
                found=shown(address),
                remedy=f"whoever started it can allow the host: --page-address {host}",
            )
        return address
