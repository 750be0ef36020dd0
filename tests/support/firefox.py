"""Firefox without a window, by WebDriver BiDi, which it speaks itself: what tests of the live page need."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

NAMES = ("firefox-esr", "firefox")
PREFERENCES = {
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "media.navigator.permission.disabled": True,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "toolkit.telemetry.enabled": False,
}
CAMERA = """() => {
    // A camera that sees a bright square wander over a dark ground.
    const canvas = Object.assign(document.createElement("canvas"), { width: 320, height: 240 });
    const sheet = canvas.getContext("2d");
    let turn = 0;
    const draw = () => {
        turn += 1;
        sheet.fillStyle = "#141414";
        sheet.fillRect(0, 0, 320, 240);
        sheet.fillStyle = "#c8c8c8";
        sheet.fillRect(100 + 30 * Math.sin(turn / 20), 70, 90, 90);
    };
    setInterval(draw, 50);
    draw();
    if (navigator.mediaDevices) navigator.mediaDevices.getUserMedia = async () => canvas.captureStream(20);
}"""


class Firefox:
    """A running browser and its one connection."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._number = 0
        self.said: list[str] = []
        self.call("session.new", capabilities={})
        self.call("session.subscribe", events=["log.entryAdded"])
        self.call("script.addPreloadScript", functionDeclaration=CAMERA)

    def call(self, method: str, **parameters: Any) -> Any:
        """Send a command and return its result."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(60))
            if message.get("method") == "log.entryAdded":
                self.said.append(f"{message['params']['level']}: {message['params']['text']}")
            if message.get("id") == self._number:
                if message["type"] == "error":
                    raise AssertionError(f"{method}: {message['error']}: {message['message']}")
                return message["result"]

    def open(self, url: str) -> Tab:
        """Open a page in a tab of its own, which comes to the front."""
        tab = Tab(self, self.call("browsingContext.create", type="tab")["context"])
        self.call("browsingContext.navigate", context=tab.context, url=url, wait="complete")
        return tab


class Tab:
    """A tab with a page."""

    def __init__(self, browser: Firefox, context: str) -> None:
        self.browser, self.context = browser, context

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression of JavaScript: a text, a number, a truth value or null."""
        answer = self.browser.call(
            "script.evaluate", expression=expression, target={"context": self.context}, awaitPromise=True
        )
        assert answer["type"] == "success", answer
        return answer["result"].get("value")

    def wait(self, expression: str, seconds: float = 60) -> None:
        """Wait until an expression is true."""
        until = time.monotonic() + seconds
        while not self.evaluate(f"Boolean({expression})"):
            assert time.monotonic() < until, f"{expression}; status: {self.status}"
            time.sleep(0.1)

    def click(self, selector: str) -> None:
        """Click what is not disabled."""
        self.wait(f"document.querySelector({json.dumps(selector)})?.matches(':enabled')")
        self.evaluate(f"document.querySelector({json.dumps(selector)}).click()")

    @property
    def status(self) -> Any:
        return self.evaluate("document.getElementById('status').textContent")

    def says(self, text: str) -> None:
        """Wait until the page's status line has a text."""
        self.wait(f"document.getElementById('status').textContent.includes({json.dumps(text)})")

    def front(self) -> None:
        """Bring it to the front; the others are hidden."""
        self.browser.call("browsingContext.activate", context=self.context)

    def close(self) -> None:
        self.browser.call("browsingContext.close", context=self.context)


@contextmanager
def firefox(folder: Path) -> Iterator[Firefox]:
    """Run Firefox with a profile in *folder*. Without it tests are skipped."""
    from websockets.sync.client import connect

    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"no Firefox: none of {', '.join(NAMES)} is installed")
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in PREFERENCES.items()]
    (folder / "user.js").write_text("\n".join(lines))
    process = subprocess.Popen(
        [path, "--headless", "--no-remote", "--remote-debugging-port", "0", "--profile", str(folder)],
        env={**os.environ, "HOME": str(folder), "MOZ_DISABLE_CONTENT_SANDBOX": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    said: list[str] = []
    assert process.stderr is not None
    reader = threading.Thread(target=said.extend, args=(process.stderr,), daemon=True)
    reader.start()
    try:
        until = time.monotonic() + 60
        while not (found := re.search(r"WebDriver BiDi listening on (ws://\S+)", "".join(list(said)))):
            assert time.monotonic() < until, "".join(said)
            assert process.poll() is None, "".join(said)
            time.sleep(0.1)
        with connect(f"{found[1]}/session", max_size=None) as socket:
            yield Firefox(socket)
    finally:
        process.terminate()
        process.wait(30)
