"""Access control: host name, origin and token of every request for the page and the socket, before anything else."""

from __future__ import annotations

from secrets import compare_digest
from urllib.parse import parse_qs, parse_qsl, quote, urlencode, urlsplit

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from coabench.web.address import BoundAddress
from coabench.web.connections import Connection

CONNECTION = "connection"
"""The name under which the ``state`` of an ASGI scope holds its `Connection`."""


class AccessCheck:
    """An ASGI application in front of another, which refuses requests that may not reach it.

    Args:
        remember: whether a browser that brought the token keeps it as a cookie: a site has many pages, whose addresses
            are to be shown around without it.
        programs: whether sockets are open to programs, which name no origin, and to all pages of this machine; else
            they are to the server's own page only.
    """

    def __init__(self, app: ASGIApp, address: BoundAddress, *, remember: bool = False, programs: bool = False) -> None:
        self._app, self._address, self._remember, self._programs = app, address, remember, programs

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
        elif (refusal := self._refusal(scope)) is not None:
            status, why = refusal
            answer = PlainTextResponse(f"{why}\n", status, {"Cache-Control": "no-store"})
            await answer(scope, receive, _last(send))
        elif scope["type"] == "http":
            app = self._enter if self._brought(scope) else self._app
            await app(scope, receive, _last(send))
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
                f"{self._address.serving.option} NAME:PORT for the name that you use."
            )
        # A browser says where a socket was opened from. No other page may do so, whoever's browser shows it.
        origins = headers.getlist("origin")
        local = self._programs and (not origins or _of_this_machine(origins))
        if scope["type"] == "websocket" and not local and not _same(origins, hosts[0]):
            which = "programs and to pages of this machine" if self._programs else "this server's own page"
            return 403, f"The socket is open to {which} only."
        token = self._address.token
        if token is not None and not (_knows(token, scope["query_string"]) or self._kept(token, headers)):
            return 403, "A token is missing or wrong. Open the whole address that the server printed."
        return None

    def _kept(self, token: str, headers: Headers) -> bool:
        """Whether a request brings the token as the cookie that `_enter` set."""
        if not self._remember:
            return False
        cookies = cookie_parser("; ".join(headers.getlist("cookie")))  # others may be of any form
        return compare_digest(cookies.get(self._cookie, "").encode(), token.encode())

    @property
    def _cookie(self) -> str:
        """The cookie's name: browsers send a cookie to all ports of a host."""
        return f"coabench-{self._address.port}"

    def _brought(self, scope: Scope) -> bool:
        """Whether a request that is allowed has the token in its address, for a browser to keep."""
        token = self._address.token
        return self._remember and token is not None and _knows(token, scope["query_string"])

    async def _enter(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a browser keep the token, and send it to the same address without it."""
        rest = [(name, value) for name, value in parse_qsl(scope["query_string"].decode("latin-1")) if name != "token"]
        path = "/" + quote(scope["path"].lstrip("/"))  # never //host, which would be another server
        answer = RedirectResponse(f"{path}?{urlencode(rest)}" if rest else path, 303, {"Cache-Control": "no-store"})
        answer.set_cookie(
            self._cookie,
            self._address.token or "",
            httponly=True,
            samesite="lax",  # a link in a message opens the site; it only reads
            secure=self._address.certificate is not None,
        )
        await answer(scope, receive, send)


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
