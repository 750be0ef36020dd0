"""Everything that a session publishes to."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import Any

from coabench.base.files import Closing
from coabench.errors import JobError, UserError
from coabench.live.publish.channel import Channel
from coabench.live.publish.messages import Messages
from coabench.live.publish.target import OPTION, SocketServing, Target
from coabench.live.snapshot import FaceAnswer
from coabench.live.sources import Note
from coabench.web.address import prepare


class Publisher(Closing):
    """Publishes the answers of a session; call it with each. Use as a context manager.

    Everything is reached when this is made, so before anything is loaded or written.

    Args:
        targets: see `coabench.live.publish.target.read_targets`.
        serving: see `coabench.live.publish.target.Publishing`.
        stdout: the file of the lines on standard output; see `coabench.live.publish.stdout.kept_for_lines`.
        note: called with what the user should know.

    Raises:
        UserError: a target cannot be reached or taken, or lacks consent or a package.

    Attributes:
        session: the id of the session.
    """

    def __init__(self, targets: Sequence[Target], serving: SocketServing, stdout: Any, note: Note) -> None:
        self.session = secrets.token_hex(8)
        self._note, self._messages = note, Messages(self.session)
        self._channels: list[Channel] = []
        self._begun = False
        self._ended: bool | None = None
        with ExitStack() as undo:
            undo.callback(self.close)
            for target in targets:
                self._channels.append(self._open(target, serving, stdout))
            undo.pop_all()

    def begin(self, header: Mapping[str, Any], say: Note) -> None:
        """Publish what answers.

        Args:
            header: as in the log.
            say: called from now on with what happens, from any thread.
        """
        self._note, self._begun = say, True
        line = self._messages.begin(header)
        for channel in self._channels:
            channel.begin(line)

    def __call__(self, answer: FaceAnswer) -> None:
        """Publish an answer. Never waits, never fails."""
        line = self._messages.answer(answer)
        for channel in self._channels:
            channel.put(line)

    def close(self) -> bool:
        """Publish the end and close everything, once; return whether all threads have ended."""
        if self._ended is None:
            last = self._messages.end() if self._begun else b""
            ended = [channel.close(last) for channel in self._channels]
            self._ended = all(ended)
        return self._ended

    def _open(self, target: Target, serving: SocketServing, stdout: Any) -> Channel:
        if target.kind == "stdout":
            from coabench.live.publish.stdout import StdoutChannel

            return StdoutChannel(stdout, self._say)
        if target.kind == "mqtt":
            from coabench.live.publish.mqtt import MqttChannel

            if not target.tls and target.host not in ("localhost", "127.0.0.1", "::1"):
                self._note(f"{target.text}: answers travel in the clear, and the password, too; mqtts:// encrypts")
            return MqttChannel(target, self.session, self._messages.end(), self._say)
        return self._open_socket(target, serving)

    def _open_socket(self, target: Target, serving: SocketServing) -> Channel:
        certified = bool(serving.tls_cert or serving.tls_key or serving.tls_self_signed)
        if target.tls and not certified:
            raise UserError(
                f"{OPTION} {target.text} needs a certificate",
                remedy="add --tls-cert and --tls-key, or --tls-self-signed, or write ws://",
            )
        if not target.tls:
            serving = replace(serving, tls_cert=None, tls_key=None, tls_self_signed=False)
        address = prepare(replace(serving, address=target.address))
        from coabench.live.publish.websocket import WebSocketChannel

        channel = WebSocketChannel(address, self._say)
        self._note(f"publishing at {address.url_of('ws')}")
        if address.certificate is not None:
            self._note(f"the SHA-256 fingerprint of its certificate is {address.certificate.fingerprint}")
        elif address.remote:
            self._note("the answers travel in the clear; wss:// encrypts")
        return channel

    def _say(self, text: str) -> None:
        with suppress(JobError):  # the log cannot be written, as its next line will say
            self._note(text)
