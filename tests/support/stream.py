"""A camera in the network: JPEG pictures over HTTP, as such cameras stream them."""

import http.server
import io
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import numpy as np
from numpy.typing import NDArray
from PIL import Image


@contextmanager
def streaming(
    picture: NDArray[np.uint8],
    pictures: int = 10**6,
    answers: int = 10**6,
    hangs: bool = False,
    pause: float = 0.01,
) -> Iterator[str]:
    """Serve a stream; give its address.

    Args:
        picture: what it shows.
        pictures: how many of them there are before the connection breaks off.
        answers: how many connections get any; later ones get an error.
        hangs: the connection stays open instead, and nothing comes any more.
        pause: seconds between two pictures.
    """
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG")
    data = file.getvalue()
    part = b"--b\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n" % (len(data), data)
    left, over = [answers], threading.Event()

    class Camera(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            left[0] -= 1
            if left[0] < 0:
                self.send_error(503)
                return
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=b")
            self.end_headers()
            with suppress(OSError):  # the viewer has gone
                for _ in range(pictures):
                    self.wfile.write(part)
                    time.sleep(pause)
                if hangs:
                    over.wait(60)

        def log_message(self, *_: object) -> None:
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Camera)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/stream"
    finally:
        over.set()
        server.shutdown()
