"""``classifier:``: files that are classifiers, their scores in a run, and files that are not."""

import json
import math
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from coabench_classifier.backbone import Classifier
from coabench_classifier.picture import IMAGENET, Input, pixels_of
from onnx import TensorProto
from PIL import Image, ImageDraw
from support.colour_net import FER2013, list_labels, weights, write_onnx, write_torchscript
from support.process import Run
from support.runs import records, untimed

from coabench import load
from coabench.backbone import BackboneRequest
from coabench.base.files import sha256_of
from coabench.dialogue import Question
from coabench.errors import JobError, UserError
from coabench.evaluation.job import evaluate
from coabench.evaluation.plan import Evaluation
from coabench.labels import Choices
from coabench.runs.run import read_manifest

SEVEN = Choices(("Surprise", "Fear", "Disgust", "Happiness", "Sadness", "Anger", "Neutral"))
IMAGE = Image.new("RGB", (100, 90), (250, 120, 10))


def run(faces: Path, model: Path, strategy: str, output: Path, half: str = "compound", **rest: Any) -> Any:
    rest = {"options": {"size": "32", "trust": "torchscript"} if model.suffix == ".pt" else {}, **rest}
    return evaluate(
        Evaluation(f"classifier:{model}", strategy, f"synthface-{half}", data_root=faces, output=output, **rest)
    )


def scores(model: Path, image: Image.Image = IMAGE, options: Choices = SEVEN, **given: Any) -> dict[str, float]:
    backbone = Classifier(BackboneRequest(str(model), options=Classifier.Options(**given)))
    (answer,) = backbone.look([backbone.prepare([image])]).ask([Question("?", options)], "score")
    assert answer is not None
    assert answer.scores is not None
    assert list(answer.scores) == list(options)
    assert answer.response == max(answer.scores, key=lambda option: answer.scores[option])
    return dict(answer.scores)


def by_hand(colour: tuple[float, ...], labels: tuple[str, ...] = FER2013) -> dict[str, float]:
    logits = np.asarray(colour) @ weights(len(labels), len(colour)).astype(float)
    names = ("Anger", "Disgust", "Fear", "Happiness", "Sadness", "Surprise", "Neutral", "Contempt")
    shares = logits - np.log(np.exp(logits).sum())
    return {name: float(share) for name, share in zip(names, shares, strict=False)}


# -- what comes out ---------------------------------------------------------------------------------------------------


def test_scores_are_the_log_probabilities_of_the_classes_by_any_of_their_names(tmp_path: Path) -> None:
    expected = by_hand((250 / 255, 120 / 255, 10 / 255))
    assert scores(write_onnx(tmp_path / "net.onnx")) == pytest.approx({o: expected[o] for o in SEVEN}, abs=1e-4)
    part = Choices(("Happiness", "Fear"))  # not made to sum to 1: what the other classes have is theirs
    assert scores(tmp_path / "net.onnx", options=part) == pytest.approx({o: expected[o] for o in part}, abs=1e-4)


def test_probabilities_are_taken_as_they_are(tmp_path: Path) -> None:
    logits, shares = write_onnx(tmp_path / "a.onnx"), write_onnx(tmp_path / "b.onnx", softmax=True)
    assert scores(shares, output="probabilities") == pytest.approx(scores(logits), abs=1e-4)


def test_onnx_and_torchscript_of_the_same_network_make_the_same_run(faces: Path, tmp_path: Path) -> None:
    run(faces, write_onnx(tmp_path / "net.onnx"), "top-2-pair", tmp_path / "onnx")
    run(faces, write_torchscript(tmp_path / "net.pt"), "top-2-pair", tmp_path / "torch")
    for one, other in zip(untimed(tmp_path / "onnx"), untimed(tmp_path / "torch"), strict=True):
        assert one["prediction"] == other["prediction"]
        assert one["turns"][0]["scores"] == pytest.approx(other["turns"][0]["scores"], abs=1e-4)
    told = [record["turns"][0]["scores"]["Fear"] for record in records(tmp_path / "onnx")]
    assert len(set(told)) == len(told)  # every picture is looked at


@pytest.mark.parametrize("strategy", ["top-2-pair", "top-2-pair:known", "pair-scores"])
def test_no_answer_depends_on_the_batch(strategy: str, faces: Path, tmp_path: Path) -> None:
    model = write_onnx(tmp_path / "net.onnx")
    done = [run(faces, model, strategy, tmp_path / str(size), batch_size=size) for size in (1, 5)]
    assert untimed(done[0].directory) == untimed(done[1].directory)
    assert done[0].manifest["identity"] == done[1].manifest["identity"]


def test_basic_labels_and_a_class_that_they_lack(faces: Path, tmp_path: Path) -> None:
    model = write_onnx(tmp_path / "net.onnx", labels=(*FER2013, "Contempt"))
    done = run(faces, model, "top-1", tmp_path / "run", "basic")
    assert done.metrics["invalid"] == 0
    (note,) = [note for note in done.manifest["notes"] if note.startswith("no answer of this data set")]
    assert "the classifier's Contempt;" in note
    assert note.endswith("lists it under labels: classes: as - {name: Contempt}")
    facts = done.manifest["identity"]["backbone"]["facts"]
    assert facts["classes"][-1] == "Contempt"
    assert len(facts["sha256"]) == 64
    assert facts["input"]["height"] == 32
    for record in records(done.directory):
        assert sum(map(math.exp, record["turns"][0]["scores"].values())) <= 1 + 1e-6


# -- what goes in -----------------------------------------------------------------------------------------------------


def shown(**rest: Any) -> np.ndarray:
    given = {"shape": ("n", 3, 4, 4), "size": None, "layout": None, "channels": None, "pixels": 1, "mean": "0"}
    given |= {"std": "1", **rest}
    given["shape"] = given["shape"] and tuple(s if isinstance(s, int) else None for s in given["shape"])
    return pixels_of(IMAGE, Input.of(**given))


def test_the_order_of_dimensions_and_channels_comes_from_the_file() -> None:
    assert shown()[0, :, 0, 0] == pytest.approx([250 / 255, 120 / 255, 10 / 255])
    assert shown(channels="bgr")[0, :, 0, 0] == pytest.approx([10 / 255, 120 / 255, 250 / 255])
    assert shown(shape=("n", 4, 6, 3)).shape == (1, 4, 6, 3)
    assert shown(shape=("n", 1, 4, 4)).shape == (1, 1, 4, 4)
    assert shown(shape=("n", 1, 4, 4))[0, 0, 0, 0] == pytest.approx(np.asarray(IMAGE.convert("L"))[0, 0] / 255)
    assert shown(shape=None, size=5).shape == (1, 3, 5, 5)  # torch's convention


def test_normalising_is_what_the_options_say() -> None:
    assert shown(pixels=255)[0, 0, 0, 0] == pytest.approx(250)
    halves = (np.array([250, 120, 10]) / 255 - 0.5) / 0.25
    assert shown(mean="0.5", std="0.25")[0, :, 0, 0] == pytest.approx(halves, abs=1e-6)
    assert shown(mean="0.1,0.2,0.3")[0, 2, 0, 0] == pytest.approx(10 / 255 - 0.3, abs=1e-6)
    red = (250 / 255 - IMAGENET["mean"][0]) / IMAGENET["std"][0]
    assert shown(mean="imagenet", std="imagenet")[0, 0, 0, 0] == pytest.approx(red)
    assert shown(mean="imagenet", std="imagenet", channels="bgr")[0, 2, 0, 0] == pytest.approx(red)


def ring(width: int, height: int) -> Image.Image:
    """Return a white disc of 40 pixels, in the middle of a grey picture."""
    picture = Image.new("RGB", (width, height), (90, 90, 90))
    x, y = (width - 40) / 2, (height - 40) / 2
    ImageDraw.Draw(picture).ellipse((x, y, x + 40, y + 40), fill="white")
    return picture


def extent(pixels: np.ndarray) -> tuple[int, int]:
    """Return width and height of what is white."""
    white = pixels[0, 0] > 0.7
    return int(white.any(0).sum()), int(white.any(1).sum())


@pytest.mark.parametrize(("width", "height"), [(120, 60), (60, 120)])
def test_padding_and_cropping_keep_a_round_face_round_which_squashing_does_not(width: int, height: int) -> None:
    of = Input.of((None, 3, 60, 60), None, None, None, 1, "0", "1")
    taken = {fit: pixels_of(ring(width, height), replace(of, fit=fit)) for fit in ("squash", "pad", "crop")}
    assert {pixels.shape for pixels in taken.values()} == {(1, 3, 60, 60)}
    wide, tall = extent(taken["squash"])
    assert max(wide, tall) / min(wide, tall) == pytest.approx(2, rel=0.1)
    for fit, side in (("pad", 20), ("crop", 40)):
        assert extent(taken[fit]) == (pytest.approx(side, abs=2), pytest.approx(side, abs=2))
    edges = np.stack([taken["pad"][0, :, 0, 30], taken["pad"][0, :, 30, 0]])
    assert sorted(edges[:, 0]) == pytest.approx([0, 90 / 255])  # black beside the picture


def test_square_images_are_taken_alike_and_an_input_may_be_no_square() -> None:
    of = Input.of((None, 3, 30, 60), None, None, None, 1, "0", "1")
    square = replace(of, height=30, width=30)
    same = [pixels_of(ring(60, 60), replace(square, fit=fit)) for fit in ("squash", "pad", "crop")]
    assert (same[0] == same[1]).all()
    assert (same[0] == same[2]).all()
    wide, tall = extent(pixels_of(ring(60, 60), replace(of, fit="pad")))
    assert wide == pytest.approx(tall, abs=2)
    assert (pixels_of(ring(60, 30), of) == pixels_of(ring(60, 30), replace(of, fit="crop"))).all()


def wide_faces(folder: Path) -> Path:
    for number, label in enumerate(["happy", "sad"]):
        (folder / label).mkdir(parents=True)
        Image.new("RGB", (90, 60), (200, 40 * number, 20)).save(folder / label / "1.png")
    return folder


def on_wide_faces(tmp_path: Path, **fit: str) -> Any:
    model, faces = write_onnx(tmp_path / "net.onnx"), tmp_path / "faces"
    return evaluate(Evaluation(f"classifier:{model}", "top-1", str(faces), output=tmp_path / "run", options=fit))


def test_a_run_says_once_that_images_were_squashed_and_with_another_fit_is_another_run(tmp_path: Path) -> None:
    wide_faces(tmp_path / "faces")
    done = on_wide_faces(tmp_path)
    notes = [note for note in read_manifest(done.directory)["notes"] if "squashed" in note]
    assert len(notes) == 1
    assert "--set fit=pad" in notes[0]
    assert "fit" not in done.manifest["identity"]["backbone"]["facts"]["input"]  # as before there was a choice
    with pytest.raises(UserError, match=r"input\.fit: null -> \"pad\""):
        on_wide_faces(tmp_path, fit="pad")


@pytest.mark.parametrize("fit", ["pad", "crop"])
def test_nothing_is_said_where_proportions_are_kept(fit: str, tmp_path: Path) -> None:
    wide_faces(tmp_path / "faces")
    done = on_wide_faces(tmp_path, fit=fit)
    assert not [note for note in done.manifest["notes"] if "squashed" in note]


def test_predict_says_that_a_picture_was_squashed(tmp_path: Path) -> None:
    model = load(f"classifier:{write_onnx(tmp_path / 'net.onnx')}", strategy="top-2-pair", faces="none")
    model.predict(IMAGE.crop((0, 0, 90, 90)))
    assert not [note for note in model.notes if "squashed" in note]
    model.predict([IMAGE, IMAGE])
    assert len([note for note in model.notes if "squashed" in note]) == 1


# -- what is refused --------------------------------------------------------------------------------------------------

Make = Callable[[Path], Path]


def edited(**changes: Any) -> Make:
    return lambda folder: write_onnx(folder / "net.onnx", **changes)


def labelled(*labels: str) -> Make:
    def make(folder: Path) -> Path:
        model = write_onnx(folder / "net.onnx")
        list_labels(model, labels)
        return model

    return make


def filled(name: str, content: bytes) -> Make:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        list_labels(folder / name)
        return folder / name

    return make


def state_dict(folder: Path) -> Path:
    import torch

    torch.save({"weights": torch.from_numpy(weights())}, folder / "net.pt")
    list_labels(folder / "net.pt")
    return folder / "net.pt"


def unlabelled(folder: Path) -> Path:
    model = write_onnx(folder / "net.onnx")
    model.with_suffix(".labels.txt").unlink()
    return model


def length_of(content: bytes, *, padded: bool = False) -> bytes:
    """Return a length as protobuf writes it; *padded*, as it may be written, too."""
    digits = [len(content) & 0x7F, len(content) >> 7]
    return bytes([digits[0] | 0x80, digits[1]]) if digits[1] or padded else bytes(digits[:1])


def field(number: int, content: bytes, **writing: bool) -> bytes:
    return bytes([number << 3 | 2]) + length_of(content, **writing) + content


def in_another_file(entry: bytes, *, marked: bool = True) -> Make:
    """Return what writes a network whose weights are in a file, named by an *entry* of the schema's ``external_data``.

    A message may be written in pieces: the weights follow the rest of the model.
    """

    def make(folder: Path) -> Path:
        path = write_onnx(folder / "net.onnx")
        model = onnx.load(path)
        (folder / "w.bin").write_bytes(model.graph.initializer.pop().raw_data)
        tensor = TensorProto(name="weights", dims=weights().shape, data_type=TensorProto.FLOAT).SerializeToString()
        tensor += field(13, entry) + (bytes([14 << 3, TensorProto.EXTERNAL]) if marked else b"")
        path.write_bytes(model.SerializeToString() + field(7, field(5, tensor)))
        return path

    return make


KEY, VALUE = field(1, b"location"), field(2, b"w.bin")


@pytest.mark.parametrize(
    "make",
    [
        in_another_file(KEY + VALUE),
        in_another_file(VALUE + KEY),
        in_another_file(field(1, b"location", padded=True) + VALUE),
        in_another_file(field(1, b"offset") + KEY + VALUE),
        in_another_file(KEY + VALUE, marked=False),
    ],
    ids=["as onnx writes it", "fields in another order", "a padded length", "a key written twice", "not marked"],
)
def test_weights_in_another_file_are_seen_however_they_are_written(make: Make, tmp_path: Path) -> None:
    path = make(tmp_path)
    with pytest.raises(UserError, match=r"weights in another file(?s:.*)w\.bin"):
        scores(path)


@pytest.mark.parametrize("where", ["constant", "function", "branch", "sparse", "training"])
def test_weights_in_another_file_are_seen_wherever_the_schema_has_tensors(where: str, tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "net.onnx")
    model = onnx.load(path)
    tensor = TensorProto(name="more", dims=(1,), data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="../w.bin")
    constant = onnx.helper.make_node("Constant", [], ["more"], value=tensor)
    if where == "constant":
        model.graph.node.append(constant)
    elif where == "function":
        model.functions.add(name="f", domain="here").node.append(constant)
    elif where == "branch":
        branch = onnx.helper.make_graph([constant], "branch", [], [])
        model.graph.node.append(onnx.helper.make_node("If", ["more"], ["o"], then_branch=branch, else_branch=branch))
    elif where == "sparse":
        model.graph.sparse_initializer.add().values.CopyFrom(tensor)
    else:
        model.training_info.add().initialization.initializer.append(tensor)
    path.write_bytes(model.SerializeToString())
    with pytest.raises(UserError, match=r"weights in another file(?s:.*)'\.\./w\.bin'"):
        scores(path)


def test_a_field_that_the_schema_does_not_have_is_no_hiding_place(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "net.onnx")
    path.write_bytes(path.read_bytes() + b"\xfa\x7f\x04what")  # field 2047
    with pytest.raises(UserError, match=r"has fields that onnx \S+ does not know"):
        scores(path)


@pytest.mark.parametrize(
    ("make", "options", "told"),
    [
        (edited(inputs=2), {}, r"other inputs(?s:.*)one input(?s:.*)also1"),
        (edited(kind=TensorProto.UINT8), {}, r"other inputs(?s:.*)tensor\(uint8\)"),
        (edited(shape=("n", 3)), {}, "other inputs(?s:.*)four dimensions"),
        (edited(shape=(4, 3, 32, 32)), {}, "only 4 images at a time"),
        (edited(outputs=2), {}, "has 2 outputs(?s:.*)out, more1"),
        (edited(save_as_external_data=True, size_threshold=0, location="w.bin"), {}, "weights in another file"),
        (edited(shape=("n", 3, "h", "w")), {}, "--set size=N"),
        (edited(), {"size": "48"}, "size=48 contradicts(?s:.*)32×32"),
        (edited(), {"channels": "gray"}, "channels=gray(?s:.*)3 channels"),
        (edited(), {"mean": "0.5,0.5"}, "mean=0.5,0.5 does not fit"),
        (edited(), {"std": "0"}, "above 0"),
        (edited(softmax=True), {}, "probabilities already(?s:.*)--set output=probabilities"),
        (edited(), {"output": "probabilities"}, "cannot be read as probabilities"),
        (edited(), {"labels": "nowhere.txt"}, "nowhere.txt cannot be read"),
        (labelled("Angry", "Happy"), {}, "output of the shape"),
        (labelled(*FER2013[:-1], "Joyful rage"), {}, "line 7: no emotion"),
        (labelled(*FER2013[:-1], "sadness"), {}, "line 7: there twice"),
        (unlabelled, {}, "net.labels.txt or labels.txt"),
        (filled("net.onnx", b"no network"), {}, "net.onnx cannot be opened"),
        (filled("net.pt", b"no network"), {}, "no TorchScript archive"),
        (filled("net.h5", b"no network"), {}, "net.h5 is no classifier(?s:.*).torchscript"),
        (state_dict, {}, "a pickle"),
        (state_dict, {"trust": "torchscript"}, "a pickle"),
        (lambda folder: folder / "gone.onnx", {}, "gone.onnx is no classifier(?s:.*)nothing there"),
    ],
)
def test_a_file_that_is_no_such_classifier(
    make: Make, options: dict[str, str], told: str, faces: Path, tmp_path: Path
) -> None:
    model = make(tmp_path)
    with pytest.raises(UserError, match=told):
        run(faces, model, "top-2-pair", tmp_path / "run", options=options)
    assert not (tmp_path / "run").exists()


def test_torchscript_of_another_size_is_tried_before_the_run(tmp_path: Path) -> None:
    model = write_torchscript(tmp_path / "net.pt")
    with pytest.raises(UserError, match="--set size=N"):
        scores(model, trust="torchscript")
    with pytest.raises(UserError, match="does not run"):
        scores(model, trust="torchscript", size=32, channels="gray")


def test_a_torchscript_program_is_loaded_when_the_user_trusts_it(
    coabench: Run, faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    model = write_torchscript(tmp_path / "net.pt")
    digest = sha256_of(model)
    words = ["evaluate", "--backbone", f"classifier:{model}", "--strategy", "top-2-pair", "--set", "size=32"]
    words += ["--dataset", "synthface-compound", "--data-root", faces, "--output", "run"]
    with monkeypatch.context() as patch:
        patch.setattr(torch.jit, "load", None)  # it would not even begin
        refused = coabench(*words)
    assert refused.returncode == 2
    assert "a TorchScript archive: a program" in refused.stderr
    assert digest in refused.stderr
    assert "--set trust=torchscript" in refused.stderr
    assert not (tmp_path / "run").exists()
    trusted = coabench(*words, "--set", "trust=torchscript")
    assert trusted.returncode == 0, trusted.stderr
    manifest = read_manifest(tmp_path / "run")
    assert manifest["sessions"][-1]["backbone"]["trusted"] == "torchscript"
    facts = manifest["identity"]["backbone"]["facts"]
    assert facts["sha256"] == digest
    assert "trust" not in json.dumps(facts)


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_the_package_is_missing(package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=rf"need {package},(?s:.*)pip install 'coabench\[classifier\]'"):
        scores(write_onnx(tmp_path / "net.onnx"))


@pytest.mark.parametrize(
    ("strategy", "half", "options", "told"),
    [
        ("direct", "compound", {"decode": "score"}, "Happily Surprised(?s:.*)--strategy top-2-pair"),
        ("chain-of-affect", "compound", {}, "expected: a backbone that scores|cannot answer the question 'primary'"),
        ("rank", "compound", {"decode": "score"}, "cannot answer the question 'rank'"),
        ("top-1", "compound", {}, "take --strategy top-2-pair"),
        ("top-2-pair", "compound", {"device": "cuda"}, "--device cuda"),
        ("top-2-pair", "compound", {"adapter": "."}, "--adapter"),
    ],
)
def test_what_a_classifier_cannot_do_is_refused_before_anything_is_written(
    strategy: str, half: str, options: dict[str, Any], told: str, faces: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=told):
        run(faces, write_onnx(tmp_path / "net.onnx"), strategy, tmp_path / "run", half, **options)
    assert not (tmp_path / "run").exists()


def test_a_classifier_without_one_of_the_emotions_cannot_be_measured_on_them(faces: Path, tmp_path: Path) -> None:
    words = r"Neutral, for which it has no class(?s:.*)line in \S*net\.labels\.txt to Neutral(?s:.*)- \{name: Neutral\}"
    with pytest.raises(UserError, match=words):
        run(faces, write_onnx(tmp_path / "net.onnx", labels=FER2013[:-1]), "top-2-pair", tmp_path / "run")


def test_numbers_that_are_none_end_the_job(tmp_path: Path) -> None:
    backbone = Classifier(BackboneRequest(str(write_onnx(tmp_path / "net.onnx"))))
    broken = np.full_like(backbone.prepare([IMAGE]), np.nan)
    with pytest.raises(JobError, match="NaN or infinity"):
        backbone.look([broken])
