"""The report, by way of its command, on runs written here. What a browser makes of it: test_report_page.py."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path
from shutil import make_archive
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from scipy.stats import binom
from support.page_texts import Texts
from support.process import Run
from support.report_run import BASIC, EVIL, NAMES, VISIBLE, direct, record, records, turn, write_run

import coabench
from coabench.cli.report import command
from coabench.errors import UserError
from coabench.render import page
from coabench.render.charts import Bar, Point, histogram, interval, reliability, scatter, shade
from coabench.render.page import embed, render_page
from coabench.reports.report import Report, report


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(a) for a in arguments])


def made(directory: Path, *arguments: object) -> str:
    file = directory.parent / "page.html"
    result = run(directory, "--output", file, *arguments)
    assert result.exit_code == 0, result.exception
    assert result.stdout == ""
    assert f"written to {file}" in result.stderr
    return file.read_text(encoding="utf-8")


def test_the_summary_says_what_ran_and_what_came_out(tmp_path: Path) -> None:
    text = Texts(made(write_run(tmp_path / "first-run", records()))).text
    for words in (
        "first-run", "tiny", "shipped/x (aaaaaaaaaaaa)", "chain-of-affect (bbbbbbbbbbbb)", "generate", "toy",
        "test (ffffffffffff)", "float32", "cpu", "2026-01-02 03:04 UTC", "coabench evaluate --seed 7",
        "UAR 70.00 % 95 % interval ", "Invalid 20.00 % 18 of 90", "12.5 images per second", "an unofficial copy",
        "Valence 0.25", "pairs['a', 'b']", "Averaged over the 3 classes", "guessing would give 33.3 %",
    ):  # fmt: skip
        assert words in text
    assert "must not be compared" not in text


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"status": "running", "samples": 200}, "Not finished. 90 of 200 samples"),
        ({"status": "failed", "reason": "out of memory\nexpected: more"}, "Failed: out of memory"),
        ({"limit": 90}, "Not comparable. At most the first 90 of the split's samples"),
        ({"samples": 91}, "Incomplete. 90 of 91"),
    ],
)
def test_what_is_not_comparable_says_so(tmp_path: Path, fields: dict[str, Any], words: str) -> None:
    text = Texts(made(write_run(tmp_path / "run", records(), **fields))).text
    assert words in text
    assert "must not be compared" in text


def test_classes_confusions_and_chain(tmp_path: Path) -> None:
    given = [*records(), record(90, NAMES[0], ("Happiness", "Fear"))]
    found = Texts(made(write_run(tmp_path / "run", given)))
    assert found.row("classes", NAMES[0])[:5] == [NAMES[0], "31", "21", "67.7", "[50.1, 81.4]"]
    assert found.row("confusions", NAMES[0]) == [NAMES[0], "31", "2168 %", "310 %", "", "723 %"]
    assert found.row("confusions", "Happiness") == ["Happiness", "28", "2486 %", "14 %", "311 %", "", "", "", ""]
    links = {attributes.get("href") for tag, attributes in found.elements if tag == "a"}
    assert {"#target=Happily+Surprised&prediction=Sadly+Angry", "#primary=Happiness&secondary=Fear"} <= links
    # Primary in pair: 63 right, 9 repeated, 3 Sadly Angry taken for Sadly Fearful, 1 Happiness + Fear; of 91.
    assert found.row("chain", "Primary in pair")[1:3] == ["83.5 %", "[74.6, 89.7]"]
    assert found.row("chain", "Repeated")[1] == "9"
    assert found.row("chain", "Unknown pair")[1] == "1"
    # The mean of 21 of 25, 21 of 27 and 21 of 24.
    assert found.row("chain", "Oracle primary")[1] == "83.1 %"


def test_thin_classes_are_marked(tmp_path: Path) -> None:
    thin = [r for r in records(120) if r["target"] != NAMES[2] or int(r["id"][-3:]) < 60]
    html = made(write_run(tmp_path / "run", thin))
    marked = re.findall(r"<tr><th scope=\"row\">([^<]+)</th><td[^>]*><span class=\"thin\">", html)
    assert marked == [NAMES[2]]


def test_without_scores_there_is_no_calibration(tmp_path: Path) -> None:
    text = Texts(made(write_run(tmp_path / "run", records()))).text
    assert "this run’s answers come without a probability" in text
    scored = Texts(made(write_run(tmp_path / "scored", records(sure=0.9)))).text
    assert "Expected calibration error" in scored


def test_calibration_counts_pairs_without_a_class_as_wrong(tmp_path: Path) -> None:
    """Both answers at 0.9: confidence 0.81; 8 of 10 right, so the error is 1 point. Ten hits with the chance 0.81 each
    are 1.0 off on average (SciPy's binomial distribution), 10 points."""
    good = [record(i, NAMES[0], ("Happiness", "Surprise"), 0.9) for i in range(8)]
    lost = [record(8 + i, NAMES[0], ("Happiness", "Neutral"), 0.9) for i in range(2)]
    text = Texts(made(write_run(tmp_path / "run", good + lost))).text
    by_chance = binom(10, 0.81).expect(lambda hits: abs(hits - 8.1)) / 10
    assert re.search(
        r"Expected calibration error 1\.0 points \[0\.0, \d\d\.\d\]: over 10 samples the mean confidence is 81\.0 % "
        rf"and 80\.0 % are right\. By chance alone a .* would show {100 * by_chance:.1f} points on average",
        text,
    )
    assert "these samples do not show that the confidences are wrong" in text
    assert "No Brier score and no negative log-likelihood" in text  # two questions: no probability of each label


def test_proper_scores_of_a_single_question(tmp_path: Path) -> None:
    """The true label has 0.7 in eight samples, 0.15 in two: Brier (8 · 0.135 + 2 · 1.235)/10, log loss by hand."""
    text = Texts(made(write_run(tmp_path / "run", [direct(i, 0.7, i < 8) for i in range(10)]))).text
    assert "Brier score 0.355 [" in text
    assert "negative log-likelihood 0.665 [" in text
    assert "guessing evenly among 3 labels has 0.667 and 1.099" in text


def test_a_true_label_of_probability_0_is_said_and_not_printed_as_a_number(tmp_path: Path) -> None:
    sure = direct(0, 0.7, False)
    sure["turns"][0]["scores"] = {NAMES[0]: -1e9, NAMES[1]: 0.0, NAMES[2]: -1e9}
    text = Texts(made(write_run(tmp_path / "run", [sure, *(direct(i, 0.7, True) for i in range(1, 10))]))).text
    assert "negative log-likelihood infinite, since the true label has the probability 0 in 1 of 10 samples" in text


def test_groups(tmp_path: Path) -> None:
    text = Texts(made(write_run(tmp_path / "run", records()))).text
    assert "Largest gap: " in text
    assert "annotator-perceived" in text
    assert "subject (who is shown), yaw (90 different values)" in text
    suppressed = Texts(made(write_run(tmp_path / "again", records()), "--min-group", 46)).text
    assert "fewer than two groups have 46 samples" in suppressed
    assert suppressed.count("suppressed") == 3  # two groups, and the note


def test_runs_without_turns_times_and_attributes(tmp_path: Path) -> None:
    """As `coabench score` writes them."""
    bare = [r | {"turns": [], "seconds": None, "attributes": {}} for r in records()]
    fields = {"images_per_second": None, "sessions": [{"device": None, "command": ["coabench", "score", "x.csv"]}]}
    text = Texts(made(write_run(tmp_path / "run", bare, **fields))).text
    for words in ("were not timed", "no attributes that make groups", "coabench score x.csv"):
        assert words in text
    assert "Primary in pair" not in text


def test_a_single_turn_and_basic_labels(tmp_path: Path) -> None:
    given = [
        {"id": f"{i}", "image": "", "image_sha256": None, "target": BASIC[i % 6], "prediction": BASIC[i % 5],
         "status": "ok", "reason": None, "turns": [turn("answer", BASIC[i % 5], BASIC, None)], "attributes": {}}
        for i in range(60)
    ]  # fmt: skip
    labels = {"space": "basic", "names": BASIC, "pairs": {}, "basic": BASIC, "neutral": "Neutral"}
    html = made(write_run(tmp_path / "run", given, labels=labels))
    assert 'id="chain"' not in html
    assert "Primary by secondary" not in html


def test_every_sample_is_in_the_page(tmp_path: Path) -> None:
    given = records(40, sure=0.9)
    data = Texts(made(write_run(tmp_path / "run", given))).data["samples-data"]
    strings = data["strings"]
    assert data["id"] == [r["id"] for r in given]
    assert [strings[t] for t in data["target"]] == [r["target"] for r in given]
    (run,) = data["runs"]
    assert run["asked"] == [len(r["turns"]) for r in given]
    turns = [t for r in given for t in r["turns"]]
    assert [strings[i] for i in run["turns"]["response"]] == [t["response"] for t in turns]
    for number, its in zip(run["turns"]["question"], turns, strict=True):
        assert [strings[i] for i in data["questions"][number]] == [its["name"], its["prompt"], *its["options"]]
    # Prompts stand once: seven questions (the primary one, the secondary one for each of five answers).
    assert len(data["questions"]) == 1 + len({t["label"] for t in turns if t["name"] == "primary"} - {None})
    assert run["turns"]["scores"][0] == [pytest.approx(v, abs=1e-4) for v in turns[0]["scores"].values()]


def test_all_that_comes_from_elsewhere_is_text(tmp_path: Path) -> None:
    given = records()
    given[27] = record(27, NAMES[0], (None, None))
    for r in given[:30]:
        for its in r["turns"]:
            its["response"] = its["prompt"] = EVIL
    for r in given:
        r["attributes"]["gender"] = EVIL
        r["attributes"][EVIL] = "x"
        if r["reason"]:
            r["reason"] = EVIL
    given[1]["id"] = EVIL
    manifest = {"notes": [EVIL], "reason": EVIL, "status": "failed", "split": EVIL, "name": EVIL}
    html = made(write_run(tmp_path / "run", given, **manifest))
    found = Texts(html)
    assert "\x1b" not in html
    assert "\u202e" not in html
    assert VISIBLE in found.text
    assert "<script>alert" not in html
    assert [a for _, a in found.elements if any(name.startswith("on") or name == "style" for name in a)] == []
    assert [tag for tag, _ in found.elements if tag in ("img", "iframe", "object", "form", "base")] == []
    assert EVIL in found.data["samples-data"]["strings"]  # for scripts it stays what it was


def test_lone_surrogates_do_no_harm(tmp_path: Path) -> None:
    given = records(20)
    given[0]["turns"][0]["response"] = "half \ud83d a pair"
    assert "half \\ud83d a pair" in made(write_run(tmp_path / "run", given))


def test_the_page_stands_alone(tmp_path: Path) -> None:
    html = made(write_run(tmp_path / "run", records(sure=0.9)))
    found = Texts(html)
    for tag, attributes in found.elements:
        assert tag not in ("iframe", "object", "embed", "base")
        for name in ("src", "href", "action", "srcset", "data"):
            value = attributes.get(name)
            assert value is None or value.startswith("#") or value == "data:,", (tag, value)
    assert "@import" not in html
    assert "url(" not in html
    policy = next(a["content"] for t, a in found.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    for source in re.findall(r"<(?:script|style)>(.*?)</(?:script|style)>", html, re.DOTALL):
        assert page._policy([source], []).split("'")[3] in policy


def test_same_bytes_for_the_same_run(tmp_path: Path) -> None:
    directory = write_run(tmp_path / "run", records(sure=0.9))
    assert made(directory) == made(directory)
    (directory / "metrics.json").unlink()
    again = made(directory)
    assert "there is no metrics.json" in again
    assert again == made(directory)


def test_metrics_of_another_log_are_not_shown(tmp_path: Path) -> None:
    directory = write_run(tmp_path / "run", records())
    path = directory / "metrics.json"
    path.write_text(path.read_text().replace('"log_sha256": "', '"log_sha256": "0').replace("0.7", "0.99"))
    text = Texts(made(directory)).text
    assert "does not belong" in text
    assert "70.00" in text


def test_the_page_is_named_after_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "runs" / "a.run", records())
    for argument in ("runs/a.run", "runs/a.run/"):
        assert run(argument).stderr == "written to a.run.html\n"
        (tmp_path / "a.run.html").unlink()
    assert sorted(p.name for p in (tmp_path / "runs" / "a.run").iterdir()) == [
        "metrics.json", "predictions.jsonl", "run.json",
    ]  # fmt: skip


def fails(*arguments: object) -> str:
    error = run(*arguments).exception
    assert isinstance(error, UserError), error
    return str(error)


def test_what_cannot_be_shown_says_why(tmp_path: Path) -> None:
    page_file = tmp_path / "page.html"
    assert "there is no folder" in fails(tmp_path / "nothing", "--output", page_file)
    (tmp_path / "empty").mkdir()
    assert "holds no run" in fails(tmp_path / "empty", "--output", page_file)
    assert "holds no records" in fails(write_run(tmp_path / "begun", []), "--output", page_file)
    newer = write_run(tmp_path / "newer", records(), schema=99)
    assert "newer coabench" in fails(newer, "--output", page_file)
    good = write_run(tmp_path / "good", records())
    assert "cannot be written" in fails(good, "--output", tmp_path / "no" / "folder.html")
    assert "cannot be written" in fails(good, "--output", tmp_path / "empty")
    assert "add --images" in fails(good, "--data-root", tmp_path)
    assert not page_file.exists()


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("run.json", "{"),
        ("run.json", '{"schema": 1, "status": "complete", "identity": {}, "labels": {}}'),
        ("run.json", '{"schema": 1, "status": "complete", "identity": {"dataset": []}, "labels": {"names": []}}'),
        ("predictions.jsonl", "no json\n"),
        (
            "predictions.jsonl",
            '{"id": 1, "target": "x", "prediction": null, "status": "ok", "reason": 1, "turns": []}\n',
        ),
        (
            "predictions.jsonl",
            '{"id": 1, "target": "x", "prediction": null, "status": "ok", "reason": 1, "turns": 3}\n',
        ),
    ],
)
def test_damage_is_the_users_to_know(tmp_path: Path, file: str, text: str) -> None:
    directory = write_run(tmp_path / "run", records())
    (directory / file).write_text(text)
    fails(directory, "--output", tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


# ---- images ----


@pytest.fixture
def evaluated(coabench: Run, tmp_path: Path) -> Path:
    result = coabench("evaluate", "--backbone", "scripted", "--dataset", "drawn", "--output", tmp_path / "drawn-run")
    assert result.returncode == 0, result.stderr
    return tmp_path / "drawn-run"


def test_images_are_shown_on_request_only(coabench: Run, evaluated: Path, tmp_path: Path) -> None:
    assert coabench("report", evaluated).returncode == 0
    plain = (tmp_path / "drawn-run.html").read_text()
    assert "data:image" not in plain
    assert "page holds images" not in plain

    log = evaluated / "predictions.jsonl"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    lines[3]["image_sha256"] = "0" * 64
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    result = coabench("report", evaluated, "--images")
    assert result.returncode == 0, result.stderr
    html = (tmp_path / "drawn-run.html").read_text()
    images = Texts(html).data["samples-data"]["images"]
    assert [image is None for image in images] == [i == 3 for i in range(24)]
    assert all(image.startswith("data:image/jpeg;base64,") for image in images if image)
    text = Texts(html).text
    assert "This page holds images of Drawn squares." in text
    assert "1 image was left out: not the image that the run saw." in text


def test_images_need_their_data_set(tmp_path: Path) -> None:
    unknown = write_run(tmp_path / "unknown", records())
    assert "pass --dataset as when" in fails(unknown, "--images", "--output", tmp_path / "x.html")
    rafdb = write_run(tmp_path / "rafdb", records(), name="raf-db-compound")
    assert "needs --data-root" in fails(rafdb, "--images", "--output", tmp_path / "x.html")
    assert not (tmp_path / "x.html").exists()


def test_a_face_stands_beside_the_picture_that_it_was_cut_out_of(coabench: Run, tmp_path: Path) -> None:
    scene = np.full((60, 120, 3), 20, np.uint8)
    scene[10:50, 60:100] = 220
    for label, picture in (("Anger", scene), ("Fear", np.full_like(scene, 20))):
        (tmp_path / "scenes" / label).mkdir(parents=True)
        Image.fromarray(picture).save(tmp_path / "scenes" / label / "one.png")
    evaluate = ("evaluate", "--backbone", "scripted", "--strategy", "direct", "--output", "run", "--overwrite")
    report = ("report", "run", "--images", "--dataset")

    def shown(*arguments: str) -> tuple[list[Image.Image | None], list[Image.Image | None]]:
        result = coabench(*report, *arguments)
        assert result.returncode == 0, result.stderr
        page = Texts((tmp_path / "run.html").read_text())
        assert "Beside each face stands the picture that it was cut out of" in page.text
        data = page.data["samples-data"]
        assert [data["strings"][n] for n in data["face"] if n >= 0] in ([], FACES)
        return [as_image(uri) for uri in data["originals"]], [as_image(uri) for uri in data["images"]]

    assert coabench(*evaluate, "--dataset", "scenes", "--crop", "brightest").returncode == 0
    originals, faces = shown("scenes")
    assert faces[1] is None  # nothing was shown of a picture without a face
    check_marked(originals[0])
    assert originals[1] is not None
    assert brightness(faces[0]) > 200

    make_archive(str(tmp_path / "packed"), "zip", tmp_path, "scenes")
    for data, folder in (("packed.zip", "unpacked"), ("scenes", "faces")):
        crop = ("datasets", "crop", data, "--output", folder, "--detector", "brightest", "--missing", "skip")
        assert coabench(*crop).returncode == 0
        assert coabench(*evaluate, "--dataset", f"{folder}/card.yaml", "--data-root", folder).returncode == 0
        (original,), (face,) = shown(f"{folder}/card.yaml", "--data-root", folder)
        check_marked(original)
        assert brightness(face) > 200
    (tmp_path / "scenes").rename(tmp_path / "elsewhere")
    (blank,), (face,) = shown("faces/card.yaml", "--data-root", "faces", "--image-side", "32")
    assert blank is not None
    assert face is not None
    assert max(blank.size) == max(face.size) == 32
    assert blank.getpixel((4, 4)) == pytest.approx((232, 232, 232), abs=6)
    assert blank.getpixel((21, 8)) == pytest.approx((232, 232, 232), abs=25)


FACES = ["40×40 at 60,10, score 0.5, 1 found", "none found"]


def as_image(uri: str | None) -> Image.Image | None:
    if uri is None:
        return None
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("RGB")


def brightness(image: Image.Image | None) -> float:
    assert image is not None
    return float(np.asarray(image).mean())


def check_marked(original: Image.Image | None) -> None:
    """The picture is dark, its face bright, and what is around the face is the mark."""
    assert original is not None
    assert original.size == (96, 48)
    red, _, blue = original.getpixel((48, 24))  # type: ignore[misc]
    assert red > 150
    assert blue < 120
    assert max(original.getpixel((4, 4))) < 50  # type: ignore[arg-type,type-var]
    assert min(original.getpixel((64, 24))) > 180  # type: ignore[arg-type,type-var]


def test_the_terms_of_the_data_are_told(tmp_path: Path) -> None:
    text = Texts(made(write_run(tmp_path / "run", records(), name="raf-db-compound"))).text
    assert "must not be copied, published or passed on" in text


# ---- the machinery ----


def test_embedded_data_cannot_end_its_element() -> None:
    data = {"a": "</script><!--<script>\u2028&\ud800", "b": [1.5, None]}
    element = embed("x", data)
    inside = element[element.index(">") + 1 : element.rindex("<")]
    assert not set("<>&\u2028") & set(inside)
    assert json.loads(inside) == data
    with pytest.raises(ValueError, match="JSON compliant"):
        embed("x", float("nan"))


def test_templates_are_sandboxed(tmp_path: Path) -> None:
    (tmp_path / "bad.html").write_text("{{ ''.__class__.__mro__ }}")
    with pytest.raises(Exception, match=r"unsafe|undefined"):
        render_page(tmp_path / "bad.html")


def test_charts_are_well_formed_and_the_same_again() -> None:
    from xml.etree import ElementTree

    points = [
        Point(EVIL, 0.1, 60, 55, 65, "a"),
        Point("b", 10, 50, None, None, "b"),
        Point("c", 0.1, 60.5, 55, 65, "a"),
    ]
    bars = [Bar(0.8, 0.9, 0.85, 0.7, 0.5, 0.8, 12)]
    charts = [
        scatter(points, x_title="s", y_title="%", about="cost", log_x=True),
        scatter(points[:1], x_title="s", y_title="%", about="one"),
        histogram([0.1] * 50 + [9.0], x_title="s", about="times", marks={"median": 0.1}),
        histogram([0.0], x_title="s", about="nothing"),
        reliability(bars, about="r"),
        interval(0.5, 0.4, 0.6, 0.45),
        interval(None, None, None),
    ]
    for chart in charts:
        ElementTree.fromstring(str(chart))
        assert "nan" not in chart
        assert "\x1b" not in chart
    assert charts[0] == scatter(points, x_title="s", y_title="%", about="cost", log_x=True)
    assert "and more: 1" in charts[2]
    with pytest.raises(ValueError, match="logarithmic"):
        scatter([Point("x", 0, 1)], x_title="", y_title="", about="", log_x=True)


def test_labels_of_points_do_not_lie_on_each_other() -> None:
    """Where there is no room a label is left out; its tooltip stays."""
    points = [Point(f"a rather long label {i}", i % 8, 50 + i / 4, 49 + i / 4, 51 + i / 4) for i in range(40)]
    chart = scatter(points, x_title="x", y_title="y", about="crowd")
    assert chart.count("<title>") == 40
    places = [
        (float(x), float(y), 6.5 * len(text))
        for x, y, text in re.findall(r'<text class="label" x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]+)', chart)
    ]
    assert 0 < len(places) < 40
    for i, (x, y, width) in enumerate(places):
        for x2, y2, width2 in places[i + 1 :]:
            assert abs(y - y2) >= 14 or x + width <= x2 or x2 + width2 <= x


def test_shades() -> None:
    assert [shade(p) for p in (0, 0.001, 0.05, 0.5, 1)] == ["s0", "s1", "s1", "s10", "s20"]


def test_the_wheel_has_the_pages_and_all_else_that_is_no_code(wheel: Path) -> None:
    package = Path(coabench.__file__).parent
    files = [
        path
        for path in package.rglob("*")
        if path.is_file() and path.suffix != ".py" and "__pycache__" not in path.parts
    ]
    assert {path.suffix for path in files} >= {".html", ".css", ".js", ".yaml", ".typed"}
    for file in files:
        assert (wheel / "coabench" / file.relative_to(package)).read_bytes() == file.read_bytes()


def test_as_a_function(tmp_path: Path) -> None:
    assert report(Report(write_run(tmp_path / "run", records()))).startswith("<!doctype html>")
