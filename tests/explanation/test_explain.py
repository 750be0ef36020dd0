"""What the maps of planted models say, and what cannot be explained."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL.Image import Image

from coabench.backbone import Backbone, BackboneRequest, Questions, Viewing
from coabench.dataset import ImageSource, Sample
from coabench.detector import Detector, Face
from coabench.dialogue import Answer
from coabench.errors import UserError
from coabench.evaluation.job import evaluate
from coabench.evaluation.plan import Evaluation
from coabench.explanation.choice import choose
from coabench.explanation.deletion import area_under, order_of
from coabench.explanation.explanation import Explanation
from coabench.explanation.job import Explaining, explain
from coabench.explanation.page import numbers, page, write
from coabench.explanation.regions import areas, masks, points_at, shares
from coabench.explanation.windows import SIDE, Windows
from coabench.support.crops import TEMPLATE
from coabench.testing.pictures import Pictures
from coabench.testing.runs import registered
from coabench.testing.scripted import ScriptedBackbone
from coabench.testing.spaces import CARDS

MOUTH = [(x / 48, y / 48) for x, y in ((16, 19), (32, 19), (24, 27), (15, 35), (33, 35))]
"""The landmarks of the drawn faces, in parts of the image."""


class MouthReader(Backbone[Image]):
    """Is sure of the first option by how much of its colour is where a drawn mouth is; sees nothing else."""

    capabilities = frozenset({"generates", "scores"})
    weights = "mouth"

    def __call__(self, request: BackboneRequest) -> "MouthReader":
        return self

    def identity(self) -> Mapping[str, Any]:
        return {"weights": self.weights}

    def prepare(self, images: Sequence[Image], sample: str | None = None) -> Image:
        return images[-1]

    def look(self, batch: Sequence[Image]) -> Viewing:
        return _Mouths(batch)


class _Mouths(Viewing):
    def __init__(self, batch: Sequence[Image]) -> None:
        self.batch = batch

    def generate(self, questions: Questions) -> list[Answer | None]:
        return [q and Answer(q.options[0]) for q in questions]

    def score(self, questions: Questions) -> list[Answer | None]:
        answers: list[Answer | None] = []
        for image, question in zip(self.batch, questions, strict=True):
            assert question is not None
            pixels = np.asarray(image, float)
            height, width = pixels.shape[:2]
            mouth = pixels[height * 33 // 48 : height * 38 // 48, width * 17 // 48 : width * 31 // 48]
            sure = 0.2 + 0.79 * float((mouth[..., 1] < 50).mean())
            rest = log((1 - sure) / (len(question.options) - 1))
            scores = {o: log(sure) if i == 0 else rest for i, o in enumerate(question.options)}
            answers.append(Answer(question.options[0], scores))
        return answers


class Faces(Pictures):
    """The drawn faces, of which the landmarks are known, and that the mouth moves."""

    def samples(self, split: str) -> Sequence[Sample]:
        return [replace(s, landmarks=tuple((48 * x, 48 * y) for x, y in MOUTH)) for s in super().samples(split)]

    def action_units(self, label: str) -> Sequence[int]:
        return (12,)


@contextmanager
def answering(backbone: Backbone[Any], directory: Path, limit: int = 2, **rest: Any) -> Iterator[None]:
    """Make a run over drawn faces, and keep what it needs registered for a while."""
    with (
        registered("backbones", "planted", backbone),
        registered("datasets", "testing-compound", Faces, card=CARDS["testing-compound"]),
    ):
        evaluate(Evaluation("planted", "direct", "testing-compound", limit=limit, output=directory, **rest))
        yield


@pytest.fixture(scope="module")
def explained(tmp_path_factory: pytest.TempPathFactory) -> Explanation:
    directory = tmp_path_factory.mktemp("mouth") / "run"
    with answering(MouthReader(), directory, limit=6, decode="score"):
        return explain(Explaining(directory, "all:6"))


def test_a_model_that_reads_only_the_mouth_is_found_out(explained: Explanation) -> None:
    figures = {figure.name: figure for figure in explained.figures()}
    assert figures["pointing game"].mean == 1
    assert figures["pointing game"].chance < 0.3
    mouth = figures["mouth"]
    assert mouth.interval[0] > 4 * mouth.chance
    assert mouth.mean > max(figures[name].mean for name in ("brows", "eyes", "nose"))
    assert figures["brows"].mean < 0.02
    assert figures["deletion"].mean < figures["deletion"].chance


def test_the_scores_agree_with_the_run(explained: Explanation) -> None:
    assert [note for note in explained.notes if "score as recorded, to 0.0000 nats" in note]


def test_the_page_has_a_map_for_every_question_and_the_json_its_numbers(explained: Explanation) -> None:
    text = page(explained)
    assert text.count('alt="map of the question') == sum(len(sample.maps) for sample in explained.samples) == 6
    assert "http" not in re.sub(r"http://www.w3.org\S*", "", text).split("<main", 1)[1]
    data = json.loads(numbers(explained))
    drops = np.array(data["samples"][0]["questions"][0]["drops"])
    assert drops.shape == (SIDE, SIDE)
    assert drops.max() == pytest.approx(explained.samples[0].maps[0].drops.max(), abs=1e-5)


def test_what_comes_from_the_data_is_escaped(explained: Explanation) -> None:
    first = explained.samples[0]
    bad = replace(first, record={**first.record, "id": "<script>alert(1)</script>"})
    assert "<script>alert" not in page(replace(explained, samples=[bad]))


def test_the_same_seed_gives_the_same_samples() -> None:
    records = [{"id": f"d/{i}", "prediction": "a", "target": "ab"[i % 2], "status": "ok"} for i in range(40)]
    wrong = choose(records, "wrong:5", 3)
    assert wrong == choose(records, "wrong:5", 3) != choose(records, "wrong:5", 4)
    assert len(wrong) == 5
    assert all(record["target"] == "b" for record in wrong)
    assert [r["id"] for r in choose(records, "d/7, d/2", 0)] == ["d/2", "d/7"]


@pytest.mark.parametrize("spec", ["wrongs:3", "wrong:0", "wrong:x", "d/99", "right:"])
def test_a_choice_that_nothing_fits_is_refused(spec: str) -> None:
    with pytest.raises(UserError):
        choose([{"id": "d/1", "prediction": "a", "target": "b", "status": "ok"}], spec, 0)


def test_another_model_is_refused(tmp_path: Path) -> None:
    reader = MouthReader()
    with answering(reader, tmp_path / "run"):
        reader.weights = "eyes"
        with pytest.raises(UserError, match=r"mouth.* -> .*eyes"):
            explain(Explaining(tmp_path / "run", "all:2"))


def test_a_backbone_without_scores_is_refused(tmp_path: Path) -> None:
    class Talker(ScriptedBackbone):
        capabilities = frozenset({"generates"})

    with answering(Talker(), tmp_path / "run"), pytest.raises(UserError, match="cannot explain"):
        explain(Explaining(tmp_path / "run", "all:2"))


def test_every_place_is_covered_by_some_window() -> None:
    for windows in (Windows(), Windows(0.3, 0.1), Windows(1, 0)):
        drops = [1.0] * len(windows.boxes())
        assert windows.map(drops).min() == windows.map(drops).max() == 1


def test_regions_of_a_face_in_the_template_hold_their_landmarks() -> None:
    parts = masks(TEMPLATE, (112, 112))
    for point, region in zip(TEMPLATE, ("eyes", "eyes", "nose", "mouth", "mouth"), strict=True):
        column, row = (int(value / 112 * SIDE) for value in point)
        assert [name for name, mask in parts.items() if mask[row, column]] == [region]
    everywhere = np.ones((SIDE, SIDE))
    assert shares(everywhere, parts) == pytest.approx(areas(parts))
    assert shares(-everywhere, parts) is None
    assert points_at(everywhere, parts["brows"]) is False
    assert points_at(-everywhere, parts["nose"]) is None
    assert points_at(parts["nose"].astype(float), parts["nose"]) is True


def test_the_deletion_order_begins_where_the_map_is_highest() -> None:
    found = np.zeros((SIDE, SIDE))
    found[-1, -1] = 1
    assert order_of(found)[0] == 143
    assert area_under([1, 0.5, 0]) == 0.5


def test_a_picture_that_is_gone_is_listed(tmp_path: Path) -> None:
    class Gone(Faces):
        def samples(self, split: str) -> Sequence[Sample]:
            first, *others = super().samples(split)
            return [replace(first, image=_Lost(first.image)), *others]

    with answering(MouthReader(), tmp_path / "run"):
        pass
    with (
        registered("backbones", "planted", MouthReader()),
        registered("datasets", "testing-compound", Gone, card=CARDS["testing-compound"]),
    ):
        done = explain(Explaining(tmp_path / "run", "all:2"))
    assert len(done.samples) == 1
    assert list(done.left_out.values()) == ["image gone.png is missing"]


class _Lost:
    """A picture whose size is known and whose bytes are gone."""

    name = "gone.png"

    def __init__(self, there: ImageSource) -> None:
        self._size = there.size()

    def size(self) -> int:
        return self._size

    def read(self) -> bytes:
        raise FileNotFoundError


class Middle(Detector):
    """Says that the face is the middle of the picture, with the landmarks of the drawn ones."""

    def __init__(self, request: object) -> None:
        return

    def detect(self, frame: Any) -> list[Face]:
        height, width = frame.shape[:2]
        marks = tuple((x * width, y * height) for x, y in MOUTH)
        return [Face((width / 6, height / 6, width * 5 / 6, height * 5 / 6), 0.9, marks)]


def test_a_cropped_run_is_explained_in_the_crop(tmp_path: Path) -> None:
    with (
        registered("detectors", "middle", Middle),
        answering(MouthReader(), tmp_path / "run", decode="score", crop="middle"),
    ):
        done = explain(Explaining(tmp_path / "run", "all:2"))
    assert [note for note in done.notes if "score as recorded, to 0.0000 nats" in note]
    for sample in done.samples:
        assert sample.image.width == sample.image.height
        assert sample.landmarks is not None
        assert all(0 < x < sample.image.width and 0 < y < sample.image.height for x, y in sample.landmarks)


def test_the_middle_is_a_baseline_of_the_pointing_game(explained: Explanation) -> None:
    figures = {figure.name: figure for figure in explained.figures()}
    assert figures["pointing game"].centre == 0  # the middle of these faces is a nose
    assert figures["mouth"].centre is None
    assert '<th class="number">Middle %</th>' in page(explained)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_in_a_browser(browser_page: Any, explained: Explanation, tmp_path: Path, scheme: str) -> None:
    write(explained, tmp_path / "explain.html")
    opened = browser_page(tmp_path / "explain.html", color_scheme=scheme)
    assert opened.locator("img").evaluate_all("all => all.every(e => e.naturalWidth > 0 && e.alt)")
    opened.set_viewport_size({"width": 390, "height": 800})
    assert opened.evaluate("document.documentElement.scrollWidth") <= 390
