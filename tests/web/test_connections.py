"""Which connections are kept, and which are closed. Waits are short here; what is closed is never awaited in vain."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from support.event_loop import run

from coabench.web import connections
from coabench.web.certificate import self_signed
from coabench.web.connections import Acceptor, Connection, network_of

LONG = 60.0
"""Seconds after which a test gives up."""


class Echo(asyncio.Protocol):
    """Sends back what it receives."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)

    def connection_lost(self, error: Exception | None) -> None:
        self.connection.lost.set()


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer

    async def served(self) -> bool:
        self.writer.write(b"x")
        try:
            return await asyncio.wait_for(self._reader.read(1), LONG) == b"x"
        except ConnectionError:
            return False

    async def closed(self) -> None:
        """Wait until the server has closed it, maybe after an alert of TLS; TimeoutError where it does not."""
        with suppress(ConnectionError):
            await asyncio.wait_for(self._reader.read(), LONG)


class Server:
    def __init__(self, port: int) -> None:
        self.port = port
        self.connections: list[Connection] = []

    async def connect(self, source: str = "127.0.0.1") -> Client:
        return Client(*await asyncio.open_connection("127.0.0.1", self.port, local_addr=(source, 0)))


@asynccontextmanager
async def serving(tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = Server(listening.getsockname()[1])

        def protocol(connection: Connection) -> Echo:
            server.connections.append(connection)
            return Echo(connection)

        accepting = asyncio.create_task(Acceptor(protocol, tls).accept(listening))
        try:
            yield server
        finally:
            accepting.cancel()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "PATIENCE", 0.3)


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "WAITING", 4)
    monkeypatch.setattr(connections, "WAITING_PER_NETWORK", 3)


needs_sources = pytest.mark.skipif(
    not Path("/proc/net").is_dir(), reason="only Linux answers at all of 127.0.0.0/8 unasked"
)


def test_a_connection_that_requests_nothing_is_closed(impatient: None) -> None:
    async def scenario() -> None:
        async with serving() as server:
            silent, dripping = await server.connect(), await server.connect()
            assert await dripping.served()
            await silent.closed()
            await dripping.closed()

    run(scenario())


def test_a_tls_handshake_that_never_ends_is_closed(impatient: None, tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    certificate = self_signed(tmp_path, [])
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate.cert, certificate.key)

    async def scenario() -> None:
        async with serving(tls) as server:
            silent, torn, plain = [await server.connect() for _ in range(3)]
            torn.writer.write(b"\x16\x03\x01\x02")
            plain.writer.write(b"GET / HTTP/1.1\r\n\r\n")
            await silent.closed()
            await torn.closed()
            await plain.closed()

    run(scenario())


def test_a_permitted_connection_stays_and_counts_no_longer(impatient: None, narrow: None) -> None:
    async def scenario() -> None:
        async with serving() as server:
            viewer = await server.connect()
            assert await viewer.served()
            with server.connections[0].permitted():
                strangers = [await server.connect() for _ in range(6)]
                for stranger in strangers:
                    await stranger.closed()
                assert await viewer.served()
            await viewer.closed()

    run(scenario())


def test_one_more_of_an_address_takes_the_place_of_its_oldest(narrow: None) -> None:
    async def scenario() -> None:
        async with serving() as server:
            clients = [await server.connect() for _ in range(5)]
            await clients[0].closed()
            await clients[1].closed()
            for client in clients[2:]:
                assert await client.served()

    run(scenario())


@needs_sources
def test_an_address_takes_nothing_from_another_until_all_places_are_taken(narrow: None) -> None:
    async def scenario() -> None:
        async with serving() as server:
            other = await server.connect("127.0.0.2")
            many = [await server.connect() for _ in range(9)]
            await many[0].closed()
            assert await other.served()
            third = await server.connect("127.0.0.3")
            await other.closed()  # the oldest of all
            assert await third.served()

    run(scenario())


def test_accepting_goes_on_after_the_system_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it does while the process may open no more files: the oldest makes room."""

    async def scenario() -> None:
        async with serving() as server:
            first = await server.connect()
            assert await first.served()
            loop = asyncio.get_running_loop()
            monkeypatch.setattr(loop, "sock_accept", refusing_once(loop.sock_accept))
            await server.connect()  # accepted by the call under way
            second = await server.connect()
            await first.closed()
            assert await second.served()

    run(scenario())


def refusing_once(accept: Callable) -> Callable:
    refusals = [OSError(24, "Too many open files")]

    async def sock_accept(listening: socket.socket) -> object:
        if refusals:
            raise refusals.pop()
        return await accept(listening)

    return sock_accept


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_what_an_address_counts_for(address: str, network: str) -> None:
    assert network_of(address) == network
