"""TLS certificates: the user's own, checked, or one that this machine signs itself."""

from __future__ import annotations

import hashlib
import ipaddress
import os
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from coabench.base.reading import is_file
from coabench.errors import UserError

if TYPE_CHECKING:
    from cryptography import x509

INSTALL = "pip install 'coabench[serve]'"
VALID = timedelta(days=365)
"""Browsers turn down certificates that are valid for much more than a year."""
RENEWED = timedelta(days=14)
"""A certificate is made anew when it has less time left than this."""


@dataclass(frozen=True)
class Certificate:
    """PEM files of a certificate and its key, and the fingerprint that a browser shows."""

    cert: Path
    key: Path
    fingerprint: str


def check_pair(cert: Path, key: Path) -> Certificate:
    """Return the certificate; `UserError` where the files cannot be used together."""
    for path, option in ((cert, "--tls-cert"), (key, "--tls-key")):
        if not is_file(path):
            raise UserError(f"{option} {path} is no file", expected="a PEM file", remedy=f"correct {option}")
    try:
        # Without a password OpenSSL would ask for one on the terminal, in the middle of starting.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, password=lambda: "")
        return Certificate(cert, key, _fingerprint(cert))
    except (OSError, ValueError) as error:
        raise UserError(
            f"--tls-cert {cert} and --tls-key {key} cannot be used",
            expected="PEM files of a certificate and of its own key, the key without a password",
            found=str(error),
            remedy="correct them, or take --tls-self-signed",
        ) from None


def self_signed(folder: Path, names: list[str]) -> Certificate:
    """Return a certificate for *names* and localhost that this machine signed, made where there is none that fits.

    Made once and kept, so that a browser in which it was accepted continues to accept it.

    Raises:
        UserError: the package ``cryptography`` is missing, or the folder cannot be written.
    """
    try:
        from cryptography import x509
    except ImportError:
        raise UserError(
            "--tls-self-signed needs a package that is not installed", found="no cryptography", remedy=INSTALL
        ) from None
    names = sorted({*names, "localhost", "127.0.0.1", "::1"})
    cert, key = folder / "self-signed.pem", folder / "self-signed.key"
    try:
        if is_file(cert) and is_file(key) and _fits(x509.load_pem_x509_certificate(cert.read_bytes()), names):
            return check_pair(cert, key)
    except (OSError, ValueError, UserError):  # torn or tampered with: another is made
        pass
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        public, private = _make(names)
        _write_private(key, private)
        cert.write_bytes(public)
    except OSError as error:
        raise UserError(
            f"the certificate cannot be kept in {folder}",
            found=error.strerror or str(error),
            remedy="make the folder writable, or take --tls-cert and --tls-key",
        ) from None
    return check_pair(cert, key)


def _fits(certificate: x509.Certificate, names: list[str]) -> bool:
    """Whether a certificate names all *names* and is valid for a while yet."""
    from cryptography import x509

    alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    known = {str(general.value) for general in alternative}
    return set(names) <= known and certificate.not_valid_after_utc - datetime.now(UTC) > RENEWED


def _make(names: list[str]) -> tuple[bytes, bytes]:
    """Return PEM of a certificate for *names*, and of its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "coabench on this machine")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))  # clocks differ
        .not_valid_after(now + VALID)
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM), private


def _general(name: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _write_private(path: Path, data: bytes) -> None:
    """Write a file that nobody else can read, not for a moment either."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)


def _fingerprint(cert: Path) -> str:
    """Return the SHA-256 of the first certificate in a PEM file, as browsers write it."""
    text = cert.read_text(encoding="ascii")
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    first = begin + text.partition(begin)[2].partition(end)[0] + end
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(first)).hexdigest().upper()
    return ":".join(digest[i : i + 2] for i in range(0, len(digest), 2))
