"""Where the server is, and the key that it may want: checked before anything is sent."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import SplitResult, urlsplit

from coabench.errors import UserError
from coabench.support.redaction import Redaction, without_credentials

USUAL_KEY = "OPENAI_API_KEY"
EXAMPLES = "http://127.0.0.1:8000/v1 (vLLM), http://127.0.0.1:11434/v1 (Ollama), https://api.openai.com/v1"
_SECRET = re.compile(r"\b(?:sk|pk|hf|gsk|xai)[-_](?=[A-Za-z_-]*[0-9])[A-Za-z0-9_-]{12,}")
_NO_KEY_HERE = "put the key into the environment, for instance export OPENAI_API_KEY=…, and correct the option"


@dataclass(frozen=True)
class Address:
    """The address that a user typed.

    Attributes:
        url: scheme, host, port and path, without a slash at the end.
        host: host and port.
        private: whether what goes there stays on this machine, or is encrypted.
    """

    url: str
    host: str
    private: bool

    @property
    def chat(self) -> str:
        """Where questions go."""
        return f"{self.url}/chat/completions"

    @classmethod
    def read(cls, typed: str | None) -> Self:
        """Read what stands in ``--set base_url=…``.

        Raises:
            UserError: there is none, it is no address of a server, or it holds a secret, which is then not repeated.
        """
        if not typed:
            raise UserError(
                "the backbone openai needs the address of a server",
                expected=f"--set base_url=URL, such as {EXAMPLES}",
                remedy="add it; pictures go where you say, and nowhere by default",
            )
        parts, port = _split(typed)
        if parts.username is not None or parts.password is not None or _SECRET.search(typed):
            raise UserError(
                "--set base_url holds a user name, a password or a key",
                expected="the address alone: it is recorded in the manifest",
                remedy=_NO_KEY_HERE,
            )
        if parts.query or parts.fragment:
            raise UserError(
                "--set base_url holds more than an address",
                expected="nothing after ? or #, where keys are often put: it is recorded in the manifest",
                remedy=_NO_KEY_HERE,
            )
        if parts.path.rstrip("/").endswith("/chat/completions"):
            raise UserError(
                "--set base_url already ends in /chat/completions",
                expected=f"what comes before it, such as {EXAMPLES}",
                remedy="leave /chat/completions away",
            )
        name = (parts.hostname or "").lower()
        host = (f"[{name}]" if ":" in name else name) + (f":{port}" if port is not None else "")
        url = f"{parts.scheme}://{host}{parts.path.rstrip('/')}"
        return cls(url, host, parts.scheme == "https" or _on_this_machine(name))


def refuse_secrets(options: Mapping[str, str | None], secrets: Redaction) -> None:
    """Refuse options that are recorded and hold the key, in any form, or what looks like one, or a password.

    Raises:
        UserError: which does not repeat it.
    """
    for option, value in options.items():
        if value is not None and secrets.text(value) != value:
            raise UserError(f"{option} holds the key", remedy="leave it in the environment alone")
        if value is not None and (_SECRET.search(value) or without_credentials(value) != value):
            raise UserError(
                f"{option} holds a user name, a password or a key",
                expected="what may be read by anybody: it is recorded in the manifest",
                remedy=_NO_KEY_HERE,
            )


def read_key(variable: str | None) -> str | None:
    """Return the key, or None where the environment holds none.

    Args:
        variable: what ``--set key_variable=…`` names; None for ``OPENAI_API_KEY``, which need not be there.

    Raises:
        UserError: no name of a variable (a key, perhaps, so it is not repeated), one that is not set, or a key that no
            header can hold.
    """
    if variable is not None and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", variable):
        raise UserError(
            "--set key_variable names no environment variable",
            expected="the name of a variable, such as MY_KEY, and not the key itself",
            remedy="export MY_KEY=…, then --set key_variable=MY_KEY",
        )
    key = os.environ.get(variable or USUAL_KEY, "").strip()
    if not key and variable is not None:
        raise UserError(
            "the environment variable that --set key_variable names is not set",
            expected="a variable that holds the key",
            remedy="export it, or leave key_variable away if the server wants no key",
        )
    if not re.fullmatch(r"[!-~]*", key):
        raise UserError(
            f"the key in the environment variable {variable or USUAL_KEY} cannot be sent",
            expected="printable ASCII characters without spaces",
            remedy="copy it again",
        )
    return key or None


def _split(typed: str) -> tuple[SplitResult, int | None]:
    try:
        parts = urlsplit(typed)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    readable = re.fullmatch(r"[!-~]+", typed) and parts.scheme in ("http", "https") and parts.hostname
    if not readable or "\\" in typed or port == 0:
        raise UserError(
            "--set base_url is no address of a server",
            expected=f"http:// or https://, a host and a path, such as {EXAMPLES}",
            remedy="correct --set base_url",
        )
    return parts, port


def _on_this_machine(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"
