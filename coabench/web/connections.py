"""Connections: accepted under limits, and closed unless they soon make a request that is permitted.

uvicorn limits neither the time until a request is complete nor the connections of an address, and TLS handshakes happen
before it learns of a connection. So connections are accepted here, and handed to it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PATIENCE = 10.0
"""Seconds from accepting a connection to the end of its answer, TLS handshake included. Only a permitted socket lasts
longer; when it has ended, its connection has as long again to be closed."""
WAITING = 64
"""Connections that may be open at once beside permitted sockets. Small enough for the 256 files of macOS."""
WAITING_PER_NETWORK = 16
"""The same for one address, or one IPv6 network."""
FULL = 0.1
"""Seconds of rest after the system refuses to accept a connection."""


class Connection:
    """One that was accepted.

    Attributes:
        network: what it counts for; see `network_of`.
        waiting: whether it makes room for others; a permitted socket does not.
        lost: set when it is closed.
    """

    def __init__(self, network: str) -> None:
        self.network = network
        self.waiting = True
        self.lost = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def attend(self, work: asyncio.Task[None]) -> None:
        """Let *work* hold the connection until it is lost or its time is up."""
        self._task = work
        self._limit(PATIENCE)
        work.add_done_callback(lambda _: self._limit(None))

    def end(self) -> None:
        """Close it at once, whatever it waits for."""
        self.waiting = False
        if self._task is not None:
            self._task.cancel()

    @contextmanager
    def permitted(self) -> Iterator[None]:
        """Leave it open, and count it no longer, while in the context."""
        self.waiting = False
        self._limit(None)
        try:
            yield
        finally:
            self.waiting = True
            self._limit(PATIENCE)

    def _limit(self, seconds: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        over = self._task is None or self._task.done()
        self._timer = None if over or seconds is None else asyncio.get_running_loop().call_later(seconds, self.end)


Protocols = Callable[[Connection], asyncio.Protocol]
"""Returns the protocol of a connection; it must set `Connection.lost` in the end."""


class Acceptor:
    """Accepts connections, so many at once; one more takes the place of the one that has waited longest.

    So strangers who connect and stay cannot lock anybody out: a browser sends its request at once.
    """

    def __init__(self, protocols: Protocols, tls: ssl.SSLContext | None = None) -> None:
        self._protocols, self._tls = protocols, tls
        self._open: dict[Connection, None] = {}  # in order of their arrival

    async def accept(self, listening: socket.socket) -> None:
        """Accept connections until cancelled."""
        loop = asyncio.get_running_loop()
        listening.setblocking(False)
        while True:
            try:
                accepted, peer = await loop.sock_accept(listening)
            except OSError:  # no more files may be open, or the peer is gone
                self._make_room(self._waiting())
                await asyncio.sleep(FULL)
                continue
            self._admit(accepted, network_of(peer[0]))
            await asyncio.sleep(0)  # accepting returns at once while others are in the queue

    def _admit(self, accepted: socket.socket, network: str) -> None:
        waiting = self._waiting()
        rivals = [connection for connection in waiting if connection.network == network]
        if len(rivals) >= WAITING_PER_NETWORK:
            self._make_room(rivals)
        elif len(waiting) >= WAITING:
            self._make_room(waiting)
        connection = Connection(network)
        connection.attend(asyncio.create_task(self._hold(connection, accepted)))
        self._open[connection] = None

    def _waiting(self) -> list[Connection]:
        return [connection for connection in self._open if connection.waiting]

    @staticmethod
    def _make_room(waiting: list[Connection]) -> None:
        if waiting:
            waiting[0].end()

    async def _hold(self, connection: Connection, accepted: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        transport: asyncio.Transport | None = None
        try:
            transport, _ = await loop.connect_accepted_socket(
                lambda: self._protocols(connection), accepted, ssl=self._tls
            )
            await connection.lost.wait()
        except (OSError, asyncio.CancelledError):  # no TLS, gone already, or ended
            pass
        finally:
            if transport is not None:
                transport.abort()
            del self._open[connection]


def network_of(address: str) -> str:
    """Return what an address counts for: itself, and of IPv6 the /64, which one machine may have all to itself."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    return str(ip.ipv4_mapped or ipaddress.ip_network((ip, 64), strict=False))
