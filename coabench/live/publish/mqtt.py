"""Lines at an MQTT broker: answers under the topic; under ``TOPIC/session``, retained, whether a session runs."""

from __future__ import annotations

import os
import ssl
import threading
from typing import Any

from coabench.errors import UserError, one_line
from coabench.live.publish.channel import QueuedChannel, Unpublished
from coabench.live.publish.target import OPTION, Target
from coabench.live.sources import Note

USERNAME, PASSWORD = "COABENCH_MQTT_USERNAME", "COABENCH_MQTT_PASSWORD"
PATIENCE = 10.0
"""Seconds in which a broker must take the connection at the start."""
ALIVE = 15
"""Seconds after which a broker that says nothing is asked whether it is there (MQTT's keep-alive)."""
RETRY = (1, 30)
"""Seconds before a lost broker is tried again, at first and at most; each further time waits twice as long."""
QOS = 1
"""At least once: the broker acknowledges every line, and one that was on its way when the connection broke is sent
again. Its `number` tells a repeated line."""


class MqttChannel(QueuedChannel):
    """A broker, connected to when this is made, and again where the connection is lost.

    Args:
        last_will: what the broker publishes where the session ends without saying so.

    Raises:
        UserError: paho-mqtt is missing, the broker cannot be reached, or it refuses.
    """

    def __init__(self, target: Target, session: str, last_will: bytes, say: Note) -> None:
        super().__init__(f"the broker {target.host}:{target.port}", say)
        self._target, self._status = target, f"{target.topic}/session"
        self._answered, self._connected, self._acknowledged = (threading.Event() for _ in range(3))
        self._refused, self._lost = "", False
        try:
            self._client = self._make_client(session, last_will)
            self._connect()
        except UserError:
            super().close()
            raise

    def begin(self, line: bytes) -> None:
        self._publish(self._status, line, retain=True)

    def close(self, last: bytes = b"") -> bool:
        ended = super().close()
        reachable = self._connected.is_set()
        if last and reachable:
            self._publish(self._status, last, retain=True)
            self._acknowledged.wait(0.5)
        self._client.disconnect()
        if reachable:  # else it would wait for the next try
            self._client.loop_stop()
        return ended

    def _send(self, line: bytes) -> None:
        """Publish an answer, and wait until the broker has it; one at a time, so that little is ever on its way."""
        while not self._connected.wait(0.1):
            self._check_open()
        self._publish(self._target.topic, line)
        while not self._acknowledged.wait(0.1):
            self._check_open()

    def _check_open(self) -> None:
        if self.closed and not self._connected.is_set():
            raise Unpublished("the broker is gone")

    def _publish(self, topic: str, line: bytes, retain: bool = False) -> None:
        self._acknowledged.clear()
        self._client.publish(topic, line.rstrip(b"\n"), QOS, retain)

    def _make_client(self, session: str, last_will: bytes) -> Any:
        try:
            from paho.mqtt.client import Client
            from paho.mqtt.enums import CallbackAPIVersion
        except ImportError:
            raise UserError(
                f"{OPTION} {self._target.text} needs a package that is not installed",
                found="no paho-mqtt",
                remedy="pip install 'coabench[mqtt]'",
            ) from None
        client = Client(CallbackAPIVersion.VERSION2, client_id=f"coabench-{session}")
        if self._target.tls:
            client.tls_set_context(ssl.create_default_context())
        if (user := os.environ.get(USERNAME)) is not None:
            client.username_pw_set(user, os.environ.get(PASSWORD))
        client.will_set(self._status, last_will.rstrip(b"\n"), QOS, retain=True)
        client.reconnect_delay_set(*RETRY)
        client.connect_timeout = PATIENCE
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_publish = lambda *_: self._acknowledged.set()
        return client

    def _connect(self) -> None:
        target = self._target
        try:
            self._client.connect(target.host, target.port, keepalive=ALIVE)
        except (OSError, ValueError) as error:
            raise self._unreachable(getattr(error, "strerror", None) or one_line(error)) from None
        self._client.loop_start()
        if not self._answered.wait(PATIENCE) or self._refused:
            self._client.loop_stop()
            raise self._unreachable(self._refused or f"it did not answer for {PATIENCE:.0f} seconds")

    def _unreachable(self, found: str) -> UserError:
        return UserError(
            f"{OPTION} {self._target.text}: the broker takes no connection",
            expected=f"an MQTT broker at {self._target.host}:{self._target.port}",
            found=found,
            remedy=f"start the broker, correct the address, or set {USERNAME} and {PASSWORD} where it asks for them",
        )

    def _on_connect(self, _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._refused = str(reason)
        else:
            self._connected.set()
            if self._lost:
                self._lost = False
                self.say(f"{self.name} is back")
        self._answered.set()

    def _on_disconnect(self, _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        was_there = self._connected.is_set()
        self._connected.clear()
        if was_there and reason.is_failure and not self.closed:
            self._lost = True
            self.say(f"{self.name} is gone; trying again")
