"""Access control: host name, origin and token of every request for the page and the socket, before anything else."""

from __future__ import annotations

from secrets import compare_digest
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from coabench.live.browser.address import BoundAddress
from coabench.live.browser.connections import Connection

CONNECTION = "connection"
"""The name under which the ``state`` of an ASGI scope holds its `Connection`."""


class AccessCheck:
    """An ASGI application in front of another, which refuses requests that may not reach it.

    Args:
        programs: the socket is open to programs, which name no origin, and to all pages of this machine; else to the
            server's own page only.
    """

    def __init__(self, app: ASGIApp, address: BoundAddress, programs: bool = False) -> None:
        self._app, self._address, self._programs = app, address, programs

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
        elif (refusal := self._refusal(scope)) is not None:
            status, why = refusal
            answer = PlainTextResponse(f"{why}\n", status, {"Cache-Control": "no-store"})
            await answer(scope, receive, _last(send))
        elif scope["type"] == "http":
            await self._app(scope, receive, _last(send))
        else:
            connection: Connection = scope["state"][CONNECTION]
            with connection.permitted():
                await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Return the HTTP status and the reason to refuse with; None for one that is allowed."""
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._address.answers_to(_name(hosts[0])):
            return 421, (
                "This server does not go by that name. Open the address that it printed, or start it with "
                "--serve NAME:PORT for the name that you use."
            )
        # A browser says where a socket was opened from. No other page may do so, whoever's browser shows it.
        origins = headers.getlist("origin")
        local = self._programs and (not origins or _of_this_machine(origins))
        if scope["type"] == "websocket" and not local and not _same(origins, hosts[0]):
            which = "programs and to pages of this machine" if self._programs else "this server's own page"
            return 403, f"The socket is open to {which} only."
        if self._address.token is not None and not _knows(self._address.token, scope["query_string"]):
            return 403, "A token is missing or wrong. Open the whole address that the server printed."
        return None


def _last(send: Send) -> Send:
    """Return *send* for the only answer of a connection: none is kept open for another request."""

    async def send_last(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
        await send(message)

    return send_last


def _name(host: str) -> str:
    """Return the name in a ``Host`` header; the empty string where it cannot be read."""
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port  # raises where it is no number
    except ValueError:
        return ""
    whole = parts.netloc == host and "@" not in host
    return parts.hostname or "" if whole else ""


def _same(origins: list[str], host: str) -> bool:
    """Whether an ``Origin`` header names the host. The scheme is left open: TLS may end in front of this server."""
    return len(origins) == 1 and origins[0].lower() in (f"http://{host.lower()}", f"https://{host.lower()}")


def _of_this_machine(origins: list[str]) -> bool:
    """Whether an ``Origin`` header names a page that this machine serves, at whatever port."""
    scheme, _, host = origins[0].lower().partition("://")
    loopback = _name(host) in ("localhost", "127.0.0.1", "::1")
    return len(origins) == 1 and scheme in ("http", "https") and loopback


def _knows(token: str, query: bytes) -> bool:
    tokens = parse_qs(query.decode("latin-1")).get("token", [""])
    return len(tokens) == 1 and compare_digest(tokens[0].encode(), token.encode())
