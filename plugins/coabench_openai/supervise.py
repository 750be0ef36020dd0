"""Run a command in a process group of its own until it ends, the parent asks for its end, or the parent is gone.

A script of the standard library alone: ``python supervise.py SECONDS COMMAND…``. Standard input is held open by the
parent; whatever ends the parent closes it, and a kill does, too. Then the whole group gets SIGTERM, and SIGKILL after
SECONDS at the latest, so that no worker of a server outlives the run.
"""

import os
import signal
import subprocess
import sys
import threading
import time


def main(patience: float, command: list[str]) -> int:
    """Return the exit status of the command. This process must lead its group; it ends with it."""
    ask = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ask.set())
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def parent_gone() -> None:
        while os.read(0, 1024):
            pass
        ask.set()

    threading.Thread(target=parent_gone, daemon=True).start()
    while child.poll() is None and not ask.wait(0.1):
        pass
    status = child.poll()
    os.killpg(0, signal.SIGTERM)  # this process takes note of it, and no more
    until = time.monotonic() + patience
    while child.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    if status is not None:
        print(f"the server has ended with status {status}", flush=True)
    os.killpg(0, signal.SIGKILL)
    return 1


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), sys.argv[2:]))
