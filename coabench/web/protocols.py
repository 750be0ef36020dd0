"""The protocols that uvicorn speaks over an accepted connection, with limits that it does not have."""

from __future__ import annotations

import asyncio
import ssl

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

from coabench.web.access import CONNECTION
from coabench.web.address import BoundAddress
from coabench.web.certificate import Certificate
from coabench.web.connections import Acceptor, Connection

HEADER = 16 * 1024
"""Bytes of a request without its body, which nobody reads."""
BIGGEST = 1024 * 1024
"""Bytes of a message; what is bigger closes the connection before it is read."""
FRAGMENTS = 1024
"""Frames that a message may come in. Browsers send messages of our size in one, or in some tens."""
CONTROLS = 100
"""Pings and pongs in a second. Browsers send no pings, and a pong for each of ours."""


class _Http(H11Protocol):
    """HTTP: one request, which may ask for the socket."""

    def connection_lost(self, exc: Exception | None) -> None:
        connection: Connection = self.app_state[CONNECTION]
        connection.lost.set()
        super().connection_lost(exc)


class _Socket(WebSocketsSansIOProtocol):
    """The WebSocket of a viewer. Pings, pongs and fragments never reach the application, so they are counted here."""

    _fragments = 0
    _controls = 0
    _since = 0.0

    def connection_lost(self, exc: Exception | None) -> None:
        connection: Connection = self.app_state[CONNECTION]
        connection.lost.set()
        super().connection_lost(exc)

    def handle_text(self, event: Frame) -> None:
        self._fragments = 0
        super().handle_text(event)

    def handle_bytes(self, event: Frame) -> None:
        self._fragments = 0
        super().handle_bytes(event)

    def handle_cont(self, event: Frame) -> None:
        self._fragments += 1
        if self._usable(self._fragments < FRAGMENTS):
            super().handle_cont(event)

    def handle_ping(self) -> None:
        if self._usable(self._count_control()):
            super().handle_ping()

    def handle_pong(self, event: Frame) -> None:
        if self._usable(self._count_control()):
            super().handle_pong(event)

    def _count_control(self) -> bool:
        """Count a ping or pong; return whether there were few."""
        if self.loop.time() - self._since > 1:
            self._since, self._controls = self.loop.time(), 0
        self._controls += 1
        return self._controls <= CONTROLS

    def _usable(self, within_limits: bool) -> bool:
        """Return whether the connection can still be used; it is closed at once where limits were exceeded."""
        if not within_limits:
            self.transport.abort()
        return not self.transport.is_closing()


class WebServer(uvicorn.Server):
    """uvicorn, behind our own `Acceptor`."""

    def __init__(self, app: ASGIApp, address: BoundAddress) -> None:
        config = uvicorn.Config(
            app,
            http=_Http,
            ws=_Socket,
            h11_max_incomplete_event_size=HEADER,
            ws_max_size=BIGGEST,
            ws_ping_interval=5.0,
            ws_ping_timeout=10.0,
            ws_per_message_deflate=False,  # JPEG does not get smaller, and small messages could unpack into huge ones
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,  # it would hold the token
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        super().__init__(config)
        self._address = address

    async def run_until_exit(self) -> None:
        """Accept and serve until `should_exit` is set."""
        acceptor = Acceptor(self._protocol, _tls(self._address.certificate))
        accepting = asyncio.create_task(acceptor.accept(self._address.socket))
        try:
            await self.serve(sockets=[])
        finally:
            accepting.cancel()

    def _protocol(self, connection: Connection) -> asyncio.Protocol:
        return _Http(self.config, self.server_state, {CONNECTION: connection})


def _tls(certificate: Certificate | None) -> ssl.SSLContext | None:
    if certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.cert, certificate.key)
    return context
