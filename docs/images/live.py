"""Draws ``live.jpg``: the live page with four rendered faces. ``python docs/images/live.py [FILE]``; needs Chromium."""

from __future__ import annotations

import argparse
import io
import math
import os
import sys
import tempfile
from pathlib import Path

from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
from support.browser import launched
from support.served import Served

from coabench.inference.loading import read_image
from coabench.registry.catalog import find_dataset

SIZE, SIDE, FRAMES = (1280, 720), 250, 60


def film(people: int) -> bytes:
    """Return what a camera sees of so many people who sway a little, as Motion JPEG."""
    samples = list(find_dataset("synthface-identity").open(None).samples("test"))
    by_person = {sample.attributes["subject"]: sample for sample in reversed(samples)}
    shown = [read_image(sample.image).image.resize((SIDE, SIDE)) for _, sample in sorted(by_person.items())[:people]]
    shots = []
    for number in range(FRAMES):
        shot, turn = Image.new("RGB", SIZE, (92, 99, 104)), 2 * math.pi * number / FRAMES
        for place, face in enumerate(shown):
            left = round(SIZE[0] * (place + 0.5) / people - SIDE / 2 + 6 * math.sin(turn + place))
            shot.paste(face, (left, (150, 330)[place % 2] + round(5 * math.cos(turn + place))))
        file = io.BytesIO()
        shot.save(file, "JPEG", quality=92)
        shots.append(file.getvalue())
    return b"".join(shots)


def screenshot(people: int, width: int, height: int, scheme: str, *words: str) -> bytes:
    """Return the page as PNG after some seconds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "film.mjpeg").write_bytes(film(people))
        command = ["--serve", "127.0.0.1:0", "--decode", "score", "--every", "5", *words]  # also on a busy machine
        server = Served(command, {**os.environ, "XDG_CONFIG_HOME": name}, folder)
        camera = f"--use-file-for-fake-video-capture={folder / 'film.mjpeg'}"
        fake = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", camera)
        try:
            with launched(*fake) as browser:
                options = {"viewport": {"width": width, "height": height}, "color_scheme": scheme}
                page = browser.new_page(**options, device_scale_factor=1.5 if width < 600 else 1)
                page.goto(server.url)
                page.click("#agree")
                page.wait_for_selector("#latest tr")
                page.uncheck("#mirror")
                page.wait_for_timeout(15_000)
                page.evaluate("document.getElementById('camera').options[0].text = 'camera 1'")  # not a file's name
                return bytes(page.screenshot())
        finally:
            server.end()


if __name__ == "__main__":
    reader = argparse.ArgumentParser()
    reader.add_argument("file", type=Path, nargs="?", default=Path(__file__).with_name("live.jpg"))
    reader.add_argument("--people", type=int, default=4)
    reader.add_argument("--width", type=int, default=1240)
    reader.add_argument("--height", type=int, default=950)
    reader.add_argument("--scheme", default="light")
    chosen, more = reader.parse_known_args()
    picture = screenshot(chosen.people, chosen.width, chosen.height, chosen.scheme, *more)
    Image.open(io.BytesIO(picture)).convert("RGB").save(chosen.file, quality=70, optimize=True)
