"""The address that the page is served at, with the names and the token it answers to; checked before any loading."""

from __future__ import annotations

import ipaddress
import secrets
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from coabench.base.files import Closing
from coabench.errors import UserError
from coabench.web.certificate import INSTALL, Certificate, check_pair, self_signed

PACKAGES = ("starlette", "uvicorn", "websockets")

Address = tuple[socket.AddressFamily, tuple[Any, ...]]
"""What a socket is bound to, as `socket.getaddrinfo` says it."""


@dataclass(frozen=True)
class Serving:
    """What the command line says about serving.

    Attributes:
        option: the option that has the address.
        guide: the documentation that says how to serve to other machines.
        unencrypted: what it means to serve to them without TLS.
        address: ``HOST:PORT``; port 0 for one that is free.
        allow_remote: consent to an address that other machines can reach.
        tls_cert, tls_key: PEM files, both or neither.
        tls_self_signed: make a certificate, once, and keep it in *certificates*.
        certificates: a private folder of the user.
    """

    option: ClassVar[str]
    guide: ClassVar[str]
    unencrypted: ClassVar[str]

    address: str
    allow_remote: bool = False
    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_self_signed: bool = False
    certificates: Path = Path("certificates")


@dataclass
class BoundAddress(Closing):
    """An address that a socket listens at, and what gives access to it.

    Attributes:
        token: what a viewer must know; None on loopback, where only this machine's users come.
        notes: what the user should know, in sentences.
    """

    serving: Serving
    socket: socket.socket
    host: str
    port: int
    names: frozenset[str]
    remote: bool
    token: str | None = None
    certificate: Certificate | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """What to open in a browser, token included."""
        return self.url_of("http")

    def url_of(self, scheme: str) -> str:
        """Return the address with its token; *scheme* is ``http`` or ``ws``, to which TLS adds an ``s``."""
        any_address = self.host in ("0.0.0.0", "::")
        host = _own_name() if any_address else f"[{self.host}]" if ":" in self.host else self.host
        query = f"?token={self.token}" if self.token else ""
        return f"{scheme}{'s' if self.certificate else ''}://{host}:{self.port}/{query}"

    def answers_to(self, name: str) -> bool:
        """Whether a client may call this server by such a host name.

        A foreign page whose name was made to point here (DNS rebinding) brings its own name along. An IP address
        cannot be made to point anywhere.
        """
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return name in self.names
        return self.remote or address.is_loopback

    def close(self) -> None:
        """Give the address back."""
        self.socket.close()


def prepare(serving: Serving) -> BoundAddress:
    """Check the options and take the address.

    Raises:
        UserError: the extra is missing, the address cannot be read, reached or taken, or may be reached by other
            machines without ``--allow-remote``; a certificate that cannot be used.
    """
    _check_packages(serving.option)
    host, port = read_address(serving.address, serving.option)
    resolved = _resolve(host, port, serving.option)
    remote = not ipaddress.ip_address(str(resolved[1][0]).partition("%")[0]).is_loopback
    if remote and not serving.allow_remote:
        raise UserError(
            f"{serving.option} {serving.address} can be reached from other machines",
            expected="an address of this machine alone, such as 127.0.0.1:8765",
            remedy=f"serve on 127.0.0.1 and use an SSH tunnel ({serving.guide}), or add --allow-remote",
        )
    names = {"localhost", host.lower()}
    if remote:
        names |= {_own_name(), f"{_own_name()}.local"}
    certificate = _certificate(serving, sorted(names))
    listening = _listen(resolved, f"{serving.option} {serving.address}")
    port = listening.getsockname()[1]
    address = BoundAddress(serving, listening, host, port, frozenset(names), remote, None, certificate)
    if remote:
        address.token = secrets.token_urlsafe(24)
    if certificate is not None and serving.tls_self_signed:
        address.notes.append(
            "the browser will warn of a certificate that nobody vouches for; continue if it shows this SHA-256 "
            f"fingerprint: {certificate.fingerprint}"
        )
    if remote and certificate is None:
        address.notes.append(
            f"{serving.unencrypted}: add --tls-cert and --tls-key, or --tls-self-signed, or use an SSH tunnel"
        )
    return address


def read_address(text: str, option: str) -> tuple[str, int]:
    """Return host and port of ``HOST:PORT`` or ``[IPV6]:PORT``, the value of an option; `UserError` otherwise."""
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    host = host[1:-1] if bracketed else host
    readable = colon and host and port.isascii() and port.isdigit() and int(port) < 65536
    if not readable or (":" in host) != bracketed or any(c.isspace() or c in "/@" for c in host):
        raise UserError(
            f"{option} {text!r} cannot be read",
            expected="HOST:PORT, such as 127.0.0.1:8765 or [::1]:8765",
            remedy=f"correct {option}",
        )
    return host, int(port)


def _check_packages(option: str) -> None:
    from importlib.util import find_spec

    absent = [name for name in PACKAGES if find_spec(name) is None]
    if absent:
        found = f"no {', '.join(absent)}"
        raise UserError(f"{option} needs packages that are not installed", found=found, remedy=INSTALL)


def _resolve(host: str, port: int, option: str) -> Address:
    """Return the family and the address to bind; IPv4 where a name has both."""
    try:
        candidates = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise UserError(
            f"{option}: {host!r} is no address of this machine",
            expected="127.0.0.1, 0.0.0.0, or a name or address that this machine has",
            remedy=f"correct {option}",
        ) from None
    family, _, _, _, address = min(candidates, key=lambda entry: entry[0] != socket.AF_INET)
    return family, address


def _listen(resolved: Address, typed: str) -> socket.socket:
    family, address = resolved
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # on Windows REUSEADDR would let two servers share a port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(64)
    except OSError as error:
        listening.close()
        raise UserError(
            f"{typed} cannot be taken",
            found=error.strerror or str(error),
            remedy="end what listens there, or choose another address or port (port 0 takes a free one)",
        ) from None
    return listening


def _certificate(serving: Serving, names: list[str]) -> Certificate | None:
    cert, key = serving.tls_cert, serving.tls_key
    if serving.tls_self_signed:
        if cert or key:
            raise UserError(
                "--tls-self-signed does not go with --tls-cert and --tls-key", remedy="leave out the one or the others"
            )
        return self_signed(serving.certificates, names)
    if cert is None and key is None:
        return None
    if cert is None or key is None:
        missing = "--tls-cert" if cert is None else "--tls-key"
        raise UserError("a certificate needs its key, and a key its certificate", remedy=f"add {missing} FILE.pem")
    return check_pair(cert, key)


def _own_name() -> str:
    with suppress(OSError):
        return socket.gethostname().lower() or "localhost"
    return "localhost"
