"""Requests over HTTP: bounded in time and size, repeated where that may help, else an error in words."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import os
import random
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, TypeVar

import httpx2

from coabench.base.json import FOREIGN, parse_json
from coabench.base.reading import open_file
from coabench.base.text import safe
from coabench.base.version import __version__
from coabench.errors import JobError, UserError
from coabench.support.redaction import Redaction, without_credentials
from coabench_openai.address import Address
from coabench_openai.replies import Malformed, beginning, error_text, is_page

T = TypeVar("T")
RETRIED = frozenset({408, 409, 425, 429})
"""Statuses after which a request is tried again, beside all from 500 on."""
REFUSALS = frozenset({400, 413, 415, 422})
"""Statuses by which a server refuses this request, and perhaps no other."""
FIRST_WAIT, LONGEST_WAIT = 0.5, 60.0
"""Seconds before the first repetition (doubled each time), and the most ever waited, whatever the server says."""
CONNECTING = 10.0
"""Seconds for connecting."""
LARGEST = 4 * 2**20
"""Bytes of a reply."""
NOTABLE_WAIT = 5.0
"""Seconds of waiting that the user reads about, at most once in `LONGEST_WAIT`."""
HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "Content-Type": "application/json",
    "User-Agent": f"coabench/{__version__}",
}
RESUME = "what is recorded is safe: when it is back, run the same command again"
_log = logging.getLogger(__name__)


class Refused(Exception):
    """The server refuses this one request, or fails over it; in its words.

    Attributes:
        failing: whether it is the server that fails.
    """

    def __init__(self, message: str, failing: bool = False) -> None:
        super().__init__(message)
        self.failing = failing


class Halted(Exception):
    """Another request has failed for good: this one is not worth sending."""


class _Transient(Exception):
    """Something that may pass.

    Attributes:
        message: what it was.
        retry_after: how long the server wants us to wait, in seconds.
        of_request: whether it may be due to this one request, and others fare better.
    """

    def __init__(self, message: str, retry_after: float | None = None, of_request: bool = False) -> None:
        super().__init__(message)
        self.message, self.retry_after, self.of_request = message, retry_after, of_request


class Client:
    """Sends requests to one address. To be used in one event loop.

    Args:
        key: sent as bearer token, and cut out of all that comes back: nothing that this class returns or raises has it.
        variable: the environment variable that the key is from.
        timeout: seconds for one request, from connecting to the last byte.
        retries: how often a request is repeated at most.
        authorities: a PEM file with the certificates to trust instead of the usual ones.

    Raises:
        UserError: a PEM file that cannot be read.
    """

    def __init__(
        self, address: Address, key: str | None, variable: str, timeout: float, retries: int, authorities: str | None
    ) -> None:
        self.address, self.timeout, self.retries = address, timeout, retries
        self._key, self._variable, self.redaction = key, variable, Redaction(key)
        self._trusted: ssl.SSLContext | bool = True if authorities is None else _trusted(authorities)
        self._http: httpx2.AsyncHTTPTransport | None = None
        self._reached = False
        self._warned = -math.inf

    async def post(self, body: dict[str, Any], read: Callable[[Any], T], halt: asyncio.Event | None = None) -> T:
        """Send a request and return what *read* makes of the reply, which may find it `Malformed`.

        Args:
            halt: ends the waiting between repetitions.

        Raises:
            Refused: the server will not or cannot answer this request.
            Halted: *halt* was set.
            JobError: no request can be answered: in its words, or after all repetitions.
        """
        content = json.dumps(body, ensure_ascii=False).encode("utf-8", "backslashreplace")
        repetition = 0
        while True:
            try:
                return await self._once(content, read)
            except _Transient as transient:
                if repetition == self.retries:
                    times = f"{repetition + 1} times" if repetition else "once"
                    if transient.of_request:
                        raise Refused(f"{transient.message}, {times}", failing=True) from None
                    raise JobError(
                        f"the server at {self.address.url} has not answered a request that was sent {times}",
                        found=transient.message,
                        remedy=RESUME,
                    ) from None
                await self._wait(transient, repetition, halt)
                repetition += 1

    async def _once(self, content: bytes, read: Callable[[Any], T]) -> T:
        try:
            async with asyncio.timeout(self.timeout):
                status, headers, received = await self._exchange(content)
        except TimeoutError:
            raise _Transient(f"no answer within {self.timeout:g} seconds (--set timeout=…)") from None
        except (httpx2.TransportError, httpx2.DecodingError) as error:
            raise self._unreached(error) from None
        self._reached = True
        text, data = self.redaction.text(received), self._decoded(received)
        if not 200 <= status < 300:
            raise self._problem(status, text, data, headers)
        if is_page(text):
            raise JobError(
                f"what answers at {self.address.chat} is no server of the OpenAI protocol",
                expected="JSON",
                found=error_text(text, data),
                remedy="correct --set base_url; it usually ends in /v1",
            )
        if data is None:
            raise _Transient(f"a reply that is no JSON: {beginning(text, 100)}")
        if isinstance(data, dict) and data.get("error") and not data.get("choices"):  # some hide their errors so
            code = data["error"].get("code") if isinstance(data["error"], dict) else None
            if isinstance(code, int) and 400 <= code < 600:
                raise self._problem(code, text, data, headers)
            raise _Transient(error_text(text, data), of_request=True)
        try:
            return read(data)
        except Malformed as error:
            raise _Transient(str(error), of_request=True) from None

    async def _exchange(self, content: bytes) -> tuple[int, httpx2.Headers, str]:
        """Send the request; return status, headers and body as they came."""
        if self._http is None:
            # A transport alone follows no redirects, asks no proxy, keeps no cookies and decompresses nothing.
            self._http = httpx2.AsyncHTTPTransport(
                verify=self._trusted,
                trust_env=False,
                limits=httpx2.Limits(max_connections=None, max_keepalive_connections=None),
            )
        request = httpx2.Request(
            "POST",
            self.address.chat,
            headers=HEADERS | ({"Authorization": f"Bearer {self._key}"} if self._key else {}),
            content=content,
            extensions={"timeout": httpx2.Timeout(None, connect=CONNECTING).as_dict()},
        )
        response = await self._http.handle_async_request(request)
        async with aclosing(response):
            coding = response.headers.get("content-encoding", "")
            if coding.strip().lower() not in ("", "identity"):  # little of it may be more than memory holds
                problem = f"a reply of status {response.status_code} that is compressed, unasked: {coding}"
                raise httpx2.RemoteProtocolError(problem)
            data = bytearray()
            async for part in response.aiter_raw():
                data += part
                if len(data) > LARGEST:
                    raise httpx2.RemoteProtocolError(f"a reply of more than {LARGEST} bytes")
        return response.status_code, response.headers, data.decode("utf-8", "replace")

    def _decoded(self, text: str) -> Any:
        """Return the JSON of a body, without the key; None where it is none, or deeper than any reply."""
        try:
            return self.redaction.value(parse_json(text, FOREIGN))
        except ValueError:
            return None

    async def _wait(self, transient: _Transient, repetition: int, halt: asyncio.Event | None) -> None:
        """Wait as long as the server says, or twice as long each time; not in step with others."""
        seconds = FIRST_WAIT * 2**repetition * random.uniform(0.5, 1.0)
        seconds = min(seconds if transient.retry_after is None else transient.retry_after, LONGEST_WAIT)
        if seconds >= NOTABLE_WAIT and time.monotonic() - self._warned >= LONGEST_WAIT:
            self._warned = time.monotonic()
            more = f"repetition {repetition + 1} of {self.retries}"
            _log.warning(f"{self.address.url}: waiting for {seconds:.0f} s ({more}) after {transient.message}")
        try:
            await asyncio.wait_for((halt or asyncio.Event()).wait(), seconds)
        except TimeoutError:
            return
        raise Halted

    def _unreached(self, error: httpx2.RequestError) -> Exception:
        """Return what went wrong with the connection."""
        reason = safe(self.redaction.text(_reason(error)), 200) or type(error).__name__
        connecting = isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout)
        if connecting and _is_tls(error):
            return JobError(
                f"there is no trustworthy connection to {self.address.url}",
                expected="a certificate from an authority that is known here, for this host",
                found=reason,
                remedy="correct --set base_url (http or https?), or name the authority's PEM file: --set ca_file=…",
            )
        if connecting and not self._reached:
            return JobError(
                f"nothing answers at {self.address.url}",
                expected="a server that runs and listens there",
                found=reason,
                remedy="start the server or correct --set base_url, and run the same command again",
            )
        return _Transient(reason)

    def _problem(self, status: int, text: str, data: Any, headers: httpx2.Headers) -> Exception:
        """Return what a status other than 200 means."""
        url, words = self.address.url, f"status {status}: {error_text(text, data)}"
        if status in REFUSALS:
            return Refused(words)
        if (status in RETRIED and "insufficient_quota" not in text) or status >= 500:
            return _Transient(words, _seconds(headers.get("retry-after")), of_request=status == 500)
        if status in (401, 403):
            key = f"the key from {self._variable} was sent" if self._key else f"no key was sent: no {self._variable}"
            return JobError(
                f"the server at {url} does not let us in",
                expected="a key that it accepts",
                found=f"{words}; {key}",
                remedy=f"export {self._variable}=…, or name another variable: --set key_variable=NAME",
            )
        if status in (404, 405):
            return JobError(
                f"the server at {url} has no such model, or no chat completions at this path",
                expected=f"an answer from {self.address.chat}",
                found=words,
                remedy="correct the name after --backbone openai:, or --set base_url; it usually ends in /v1",
            )
        if 300 <= status < 400:
            return JobError(
                f"the server at {url} sends questions on to another address",
                expected="an answer: pictures and key go where --set base_url says, and nowhere else",
                found=safe(without_credentials(self.redaction.text(headers.get("location", f"status {status}"))), 200),
                remedy="give that address as --set base_url if you trust it",
            )
        if status in (402, 429):
            return JobError(
                f"the account at {self.address.host} is used up", found=words, remedy=f"top it up; {RESUME}"
            )
        return JobError(f"the server at {url} does not answer", found=words, remedy=RESUME)


def _seconds(retry_after: str | None) -> float | None:
    """Return what a ``Retry-After`` header means: seconds or a date (RFC 9110, 10.2.3); None where it means nothing."""
    if not retry_after:
        return None
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(retry_after).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError, OSError):
            return None
    return None if math.isnan(seconds) else max(0.0, seconds)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what led to it, the first cause last."""
    while error is not None:
        yield error
        inner = error.exceptions[-1] if isinstance(error, BaseExceptionGroup) else None  # of several addresses
        error = inner or error.__cause__ or error.__context__


def _reason(error: BaseException) -> str:
    """Return what the system says went wrong, or what the client says."""
    for cause in reversed(list(_causes(error))):
        if isinstance(cause, ConnectionError) and cause.errno:
            return os.strerror(cause.errno)
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
    return str(error)


def _is_tls(error: BaseException) -> bool:
    return any(isinstance(cause, ssl.SSLError) for cause in _causes(error))


def _trusted(file: str) -> ssl.SSLContext:
    try:
        open_file(Path(file)).close()  # for what it refuses: OpenSSL would wait for a pipe
        return ssl.create_default_context(cafile=file)
    except (OSError, ssl.SSLError) as error:
        raise UserError(
            f"the certificates in {file} cannot be read",
            expected="a PEM file",
            found=error.strerror or str(error),
            remedy="correct --set ca_file=…",
        ) from None
