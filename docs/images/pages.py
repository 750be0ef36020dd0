"""Photographs pages of runs of the embedded default made for it: ``report.png``, ``stress.jpg`` and ``explain.jpg``.

    python docs/images/pages.py [FOLDER]

Needs Chromium, and Playwright of the extra ``dev``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from io import BytesIO
from pathlib import Path

from PIL import Image

import coabench
from coabench.robustness.page import stress_page

SUITE = """
conditions:
  - {transform: blur, severities: all}
  - {transform: jpeg, severities: all}
  - {transform: cover-mouth, severities: all}
  - {rewrite: order, rotations: all}
"""
WIDTH = 1100


def photograph(page: Path, top: str, height: int) -> Image.Image:
    """Return a page as it is drawn, from an element on."""
    from playwright.sync_api import sync_playwright

    chromium = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chrome"))))
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        view = browser.new_page(viewport={"width": WIDTH, "height": 900})
        view.goto(page.as_uri())
        begin = view.locator(top).first.bounding_box()
        assert begin is not None
        clip = {"x": 0, "y": begin["y"] - 8, "width": WIDTH, "height": height}
        taken = view.screenshot(full_page=True, clip=clip)
        browser.close()
    return Image.open(BytesIO(taken)).convert("RGB")


def main(folder: Path) -> None:
    work, folder = Path(tempfile.mkdtemp(prefix="coabench-pages-")), folder.resolve()
    os.chdir(work)  # a picture shows commands, and no folder of this machine
    coabench.evaluate(decode="score", output="results/coa-score")
    report = ["report", "results/coa-score", "--output", "report.html"]
    subprocess.run([sys.executable, "-m", "coabench", *report], check=True)
    drawn = photograph(work / "report.html", "main, body", 1360)
    drawn.quantize(64).save(folder / "report.png", optimize=True)
    (work / "pages.yaml").write_text(SUITE, encoding="utf-8")
    it = coabench.stress(suite=work / "pages.yaml", limit=220, decode="score", output="chain-of-affect", jobs=2)
    (work / "stress.html").write_text(stress_page(it), encoding="utf-8")
    coabench.explain("chain-of-affect/clean", samples="wrong:4", output="explain.html")
    photograph(work / "stress.html", "section.summary", 620).save(folder / "stress.jpg", quality=70, optimize=True)
    photograph(work / "explain.html", "#explained", 870).save(folder / "explain.jpg", quality=75, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).parent)
