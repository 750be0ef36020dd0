"""A real browser without a window, for tests of pages."""

from __future__ import annotations

import atexit
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = (
    "--no-sandbox",  # there is none in most containers
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

Open = Callable[..., Any]
SERIOUS = """async (only) => (await axe.run(document, only ? { runOnly: [only] } : {})).violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, nodes }) => nodes.slice(0, 3).map(({ html }) => `${id}: ${html.slice(0, 200)}`))"""


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A browser for all tests that need nothing special of it."""
    with launched() as started:
        yield started


@contextmanager
def launched(*arguments: str) -> Iterator[Any]:
    """Chromium or Chrome, driven by Playwright. Without it tests are skipped, or fail if COABENCH_REQUIRE_BROWSER."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        _absent(f"none of {', '.join(NAMES)} is installed")
    started = _playwright().chromium.launch(executable_path=path, args=[*ARGUMENTS, *arguments])
    try:
        yield started
    finally:
        started.close()


@cache
def _playwright() -> Any:
    """The one driver that a thread may have."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _absent("the package playwright is not installed")
    driver = sync_playwright().start()
    atexit.register(driver.stop)
    return driver


def serious(page: Any, only: str | None = None) -> list[str]:
    """Return what axe-core finds on a page that keeps somebody out; *only*: one of its rules.

    The page's context must have ``bypass_csp=True``. Without axe-core the test is skipped.
    """
    found = find_spec("axe_playwright_python")
    if found is None or found.origin is None:
        pytest.skip("the package axe-playwright-python, which brings axe-core, is not installed")
    axe = Path(found.origin).with_name("axe.min.js").read_text(encoding="utf-8")
    page.evaluate(f"{axe}; void 0")
    said: list[str] = page.evaluate(SERIOUS, only)
    return said


def _absent(why: str) -> None:
    if os.environ.get("COABENCH_REQUIRE_BROWSER"):
        pytest.fail(f"no browser: {why}")
    pytest.skip(f"no browser: {why}")


@pytest.fixture
def browser_page(browser: Any) -> Iterator[Open]:
    """Open a file in a page of its own: ``browser_page(path, "target=x", color_scheme="dark")``.

    In the end no page may have said anything on its console, raised an error, shown a dialog, or asked for anything but
    itself.
    """
    contexts, said, asked, files = [], [], [], []

    def open_page(file: Path, fragment: str = "", **options: Any) -> Any:
        context = browser.new_context(viewport={"width": 1200, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: said.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (said.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: asked.append(request.url.partition("#")[0]))
        files.append(file.as_uri())
        page.goto(file.as_uri() + (f"#{fragment}" if fragment else ""))
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert said == []
    assert [url for url in asked if url not in files and not url.startswith(("data:", "blob:"))] == []
