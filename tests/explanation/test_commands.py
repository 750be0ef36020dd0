"""``coabench explain`` and ``coabench report --explain`` from outside; runs with changed images, too."""

import json
from base64 import b64decode
from io import BytesIO
from pathlib import Path
from re import search

import pytest
from PIL import Image
from support.process import Run

BASE = ("evaluate", "--backbone", "scripted", "--dataset", "drawn", "--limit", 6, "--decode", "score")
EXPLAIN = ("--samples", "all:2", "--window", "0.5", "--overlap", "0")


def image_of(page: Path) -> Image.Image:
    found = search(r'src="data:image/\w+;base64,([^"]+)" alt="the image as the model saw it"', page.read_text())
    assert found
    return Image.open(BytesIO(b64decode(found[1])))


@pytest.mark.parametrize(
    "changed",
    [("--transform", "rotate:degrees=90"), ("--strategy", "one-shot"), ()],
    ids=["transform", "few-shot", "plain"],
)
def test_a_run_is_explained_as_its_model_saw_the_images(
    coabench: Run, tmp_path: Path, changed: tuple[str, ...]
) -> None:
    made = coabench(*BASE, *changed, "--output", "run")
    assert made.returncode == 0, made.stderr
    done = coabench("explain", "run", *EXPLAIN)
    assert done.returncode == 0, done.stderr
    assert done.stderr.index("written to explain.json") < done.stderr.index("written to explain.html")
    data = json.loads((tmp_path / "explain.json").read_text())
    assert len(data["samples"]) == 2
    assert any("score as recorded, to 0.0000 nats" in note for note in data["notes"]), data["notes"]
    width, height = data["samples"][0]["size"]
    seen = image_of(tmp_path / "explain.html")
    assert seen.width / seen.height == pytest.approx(width / height, 0.02)


def test_a_report_has_the_maps_and_the_numbers(coabench: Run, tmp_path: Path) -> None:
    assert coabench(*BASE, "--output", "run").returncode == 0
    made = coabench("report", "run", "--explain", 2)
    assert made.returncode == 0, made.stderr
    page = (tmp_path / "run.html").read_text()
    assert page.count('alt="the image as the model saw it"') == 2
    assert "pointing game" not in page.partition("<h2>Over these samples</h2>")[2].partition("</table>")[0].lower()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nothing",), "nothing"),
        (("run", "--samples", "wrongs:2"), "did you mean 'wrong'"),
        (("run", "--window", "2"), "--window"),
        (("run", "--output", "numbers.json"), "a page and its numbers"),
        (("run", "--output", "no/such/folder.html"), "cannot be written"),
    ],
)
def test_mistakes_are_said_and_nothing_is_written(
    coabench: Run, tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    assert coabench(*BASE, "--output", "run").returncode == 0
    refused = coabench("explain", *words)
    assert refused.returncode == 2
    assert message in refused.stderr
    assert "Traceback" not in refused.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
