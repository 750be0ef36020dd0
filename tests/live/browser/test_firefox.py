"""The live page in Firefox: what it must do in another browser than Chromium, and on a bad way to the server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from support.firefox import Firefox, Tab, firefox
from support.process import process_environment
from support.served import Served, served
from support.slow import SlowWay

from coabench.live.overlay.colours import css, face_colour

pytestmark = pytest.mark.browser
NEWEST = "document.querySelector('#latest tr')?.innerText"


@pytest.fixture(scope="module")
def browser_of_mozilla(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    with firefox(tmp_path_factory.mktemp("profile")) as started:
        yield started
    ended = ("establish a connection", "interrupted while the page was loading")  # a server that is away, a tab closed
    errors = [line for line in started.said if line.startswith("error")]
    unexpected = [line for line in errors if not any(each in line for each in ended)]
    assert unexpected == []


@pytest.fixture(scope="module")
def environment(installed: Path) -> dict[str, str]:
    return process_environment(installed)


@pytest.fixture(scope="module")
def server(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(environment, tmp_path_factory.mktemp("served")) as started:
        yield started


@pytest.fixture
def tabs(browser_of_mozilla: Firefox) -> Iterator[list[Tab]]:
    opened: list[Tab] = []
    yield opened
    for tab in opened:
        tab.close()


def begin(tab: Tab) -> Tab:
    tab.says("Connected")
    tab.click("#agree")
    tab.wait(NEWEST)
    return tab


def goes_on(tab: Tab) -> None:
    """Wait for answers that are new."""
    count = "Number(document.getElementById('count').textContent.replaceAll(',', ''))"
    before = tab.evaluate(count)
    tab.wait(f"{count} > {before}")


def at(server: Served, way: SlowWay) -> str:
    parts = urlsplit(server.url)
    return parts._replace(netloc=f"127.0.0.1:{way.port}").geturl()


def test_answers_switching_and_a_hidden_tab(browser_of_mozilla: Firefox, server: Served, tabs: list[Tab]) -> None:
    tabs.append(browser_of_mozilla.open(server.url))
    tab = begin(tabs[0])
    tab.says("Running. One face in the picture.")
    colours = [css(face_colour(track)) for track in range(1, 100)]
    card, chip = "document.querySelector('.face')", "querySelector('.number-chip').textContent"
    tab.wait(f"{card} && {colours}[{card}.{chip} - 1] === {card}.style.getPropertyValue('--series')")
    tab.evaluate(
        "(() => { const s = document.getElementById('strategy'); s.value = 'direct'; "
        "s.dispatchEvent(new Event('change', { bubbles: true })); })()"
    )
    tab.wait("document.querySelectorAll('.face li').length === 1")
    tabs.append(browser_of_mozilla.open("about:blank"))
    tab.wait("document.hidden")
    tab.front()
    tab.wait("!document.hidden")
    goes_on(tab)
    tab.says("Running.")


def test_a_second_viewer_takes_over(browser_of_mozilla: Firefox, server: Served, tabs: list[Tab]) -> None:
    tabs.append(browser_of_mozilla.open(server.url))
    first = begin(tabs[0])
    tabs.append(browser_of_mozilla.open(server.url))
    second = tabs[1]
    second.says("Somebody else is connected. You can start when they stop.")
    first.click("#start")
    begin(second)


def test_side_by_side(
    browser_of_mozilla: Firefox, environment: dict[str, str], tmp_path: Path, tabs: list[Tab]
) -> None:
    with served(environment, tmp_path, "--decode", "score", "--beside", "strategy=direct") as server:
        tabs.append(browser_of_mozilla.open(server.url))
        tab = begin(tabs[0])
        tab.click("#bars")
        tab.wait("document.querySelectorAll('.face .beside li').length === 1")
        tab.wait("/^B [=≠] [A-Z]/.test(document.querySelector('.face .beside li').innerText.trim())")
        tab.wait("document.querySelectorAll('.face .options').length === 2")
        tab.wait("/A = B\\s+\\d+ %/.test(document.getElementById('agreement').innerText)")
        tab.wait(
            "new Set([...document.querySelectorAll('#latest tr')].map((row) => row.cells[2].innerText)).size === 2"
        )
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_slow_way_that_breaks(browser_of_mozilla: Firefox, server: Served, tabs: list[Tab]) -> None:
    with SlowWay(urlsplit(server.url).port or 0, delay=0.25) as way:
        tabs.append(browser_of_mozilla.open(at(server, way)))
        tab = begin(tabs[0])
        goes_on(tab)
        tab.wait("parseFloat(document.querySelector('.face .who')?.innerText.match(/([0-9.]+) s old/)?.[1]) > 0.2")
        way.broken = True
        way.drop()
        tab.says("Trying again in")
        assert tab.evaluate("document.getElementById('mark').textContent") == "No connection"
        way.broken, way.delay = False, 0.0
        tab.says("Running.")
        goes_on(tab)


def test_the_server_restarts(
    browser_of_mozilla: Firefox, environment: dict[str, str], tmp_path: Path, tabs: list[Tab]
) -> None:
    with served(environment, tmp_path) as server:
        tabs.append(browser_of_mozilla.open(server.url))
        tab, port = begin(tabs[0]), urlsplit(server.url).port
        server.end()
        tab.says("The server was ended. Trying again")
    with served(environment, tmp_path, address=f"127.0.0.1:{port}"):
        tab.says("Running.")
        goes_on(tab)
