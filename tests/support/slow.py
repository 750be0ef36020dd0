"""A way to a server that is slow, and can break: a proxy of TCP on this machine."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from typing import Self


class SlowWay:
    """Passes on what goes to and comes from a port of this machine, each piece *delay* seconds later.

    Attributes:
        port: where it listens.
        delay: seconds, one way.
        broken: whether it takes no connections.
    """

    def __init__(self, port: int, delay: float = 0.0) -> None:
        self._to, self.delay, self.broken = port, delay, False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                here, _ = self._listener.accept()
                if self.broken:
                    here.close()
                    continue
                there = socket.create_connection(("127.0.0.1", self._to))
                self._open += [here, there]
                for ends in ((here, there), (there, here)):
                    threading.Thread(target=self._pass_on, args=ends, daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                time.sleep(self.delay)
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def drop(self) -> None:
        """Break every connection."""
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.broken = True
        self._listener.close()
        self.drop()
