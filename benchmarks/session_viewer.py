"""The page of a long live session in Chromium: how large it is, how soon it opens, how smoothly it is scrubbed.

python benchmarks/session_viewer.py [--hours 1] [--rate 5] [--faces 3]
"""

from __future__ import annotations

import json
import random
import shutil
import tempfile
import time
from pathlib import Path

from command_line import any_number, parser_of, run_benchmark, whole_number
from playwright.sync_api import sync_playwright

from coabench.live.replay import Replay, replay
from coabench.registry.catalog import find_dataset

EMOTIONS = ("Surprise", "Fear", "Disgust", "Happiness", "Sadness", "Anger", "Neutral")
SCRUB = """async () => {
    const bar = document.getElementById("cursor");
    const frame = () => new Promise(requestAnimationFrame);
    const times = [];
    for (let i = 0, last = performance.now(); i < 200; i += 1) {
        bar.value = bar.max * i / 200;
        bar.dispatchEvent(new Event("input"));
        await frame();
        await frame();
        const now = performance.now();
        times.push((now - last) / 2);
        last = now;
    }
    times.sort((a, b) => a - b);
    return [times[100], times[190]];
}"""


def write_log(path: Path, seconds: float, rate: float, faces: int) -> int:
    """Write a session of two questions with scores an answer; return the number of answers."""
    chance, labels = random.Random(0), find_dataset("synthface-compound").card.space.names
    count = round(seconds * rate)
    with path.open("w") as file:
        file.write(json.dumps({"schema": 1, "kind": "webcam", "source": "0", "identity": {}}) + "\n")
        for number in range(count):
            turns = [
                {"name": name, "prompt": f"Which emotion is {name}?", "options": EMOTIONS, "response": "",
                 "label": chance.choice(EMOTIONS), "scores": {each: -3 * chance.random() for each in EMOTIONS}}
                for name in ("primary", "secondary")
            ]  # fmt: skip
            answer = {"frame": number, "time": number / rate, "track": number % faces + 1, "box": [0, 0, 90, 90],
                      "prediction": chance.choice(labels), "status": "ok", "turns": turns}  # fmt: skip
            file.write(json.dumps(answer) + "\n")
    return count


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--hours", type=any_number(0.01), default=1.0)
    parser.add_argument("--rate", type=any_number(0.01), default=5.0)
    parser.add_argument("--faces", type=whole_number(), default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        log, page = Path(folder) / "log.jsonl", Path(folder) / "page.html"
        answers = write_log(log, 3600 * given.hours, given.rate, given.faces)
        began = time.perf_counter()
        page.write_text(replay(Replay(log, page), print))
        print(f"{answers:,} answers, {log.stat().st_size / 1e6:.1f} MB; page {page.stat().st_size / 1e6:.1f} MB, "
              f"made in {time.perf_counter() - began:.1f} s")  # fmt: skip
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 1200, "height": 900})
        began = time.perf_counter()
        tab.goto(page.as_uri())
        while not tab.locator("#time").inner_text():
            time.sleep(0.01)
        opened = time.perf_counter() - began
        median, late = tab.evaluate(SCRUB)
        print(f"opens in {opened:.2f} s; scrubbed at {median:.1f} ms a frame, 95th percentile {late:.1f} ms")
        browser.close()


if __name__ == "__main__":
    run_benchmark(main)
