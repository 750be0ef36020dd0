"""The layouts of the data sets of the literature, with drawn faces: what their files look like, and none of their data.

Each function writes a layout below a folder and returns what is in it: split -> [(id, label, subject)], sorted by id.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from functools import cache
from io import BytesIO
from pathlib import Path

from coabench.testing import draw_face

Expected = dict[str, list[tuple[str, str, str | None]]]
BASIC = ("Anger", "Disgust", "Fear", "Happiness", "Neutral", "Sadness", "Surprise")


@cache
def face(emotion: str, person: int = 0, kind: str = "PNG") -> bytes:
    """Return an encoded drawing, 16 pixels square."""
    file = BytesIO()
    draw_face(emotion, person, size=16).save(file, kind)
    return file.getvalue()


def put(path: Path, emotion: str = "Neutral", person: int = 0) -> None:
    """Write a drawing, in the format that its ending says."""
    kinds = {".png": "PNG", ".jpg": "JPEG", ".tiff": "TIFF"}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(face(emotion, person, kinds[path.suffix.lower()]))


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def write_csv(path: Path, rows: Iterable[Iterable[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)


def pixels(emotion: str, person: int) -> str:
    """Return a drawing as FER2013 writes one: 48×48 grey values, separated by spaces."""
    return " ".join(map(str, draw_face(emotion, person, size=48).convert("L").tobytes()))


def fer2013(root: Path) -> Expected:
    codes = ("Anger", "Disgust", "Fear", "Happiness", "Sadness", "Surprise", "Neutral")
    rows: list[list[object]] = [["emotion", "pixels", "Usage"]]
    expected: Expected = {}
    for usage, split in (("Training", "train"), ("PublicTest", "val"), ("PrivateTest", "test")):
        for code, label in enumerate(codes):
            rows.append([code, pixels(label, len(rows)), usage])
            expected.setdefault(split, []).append((f"fer2013/{len(rows) - 1:06}", label, None))
    write_csv(root / "fer2013.csv", rows)
    return expected


def ferplus(root: Path) -> Expected:
    votes = (  # what ten annotators said, and the majority by the authors' rule
        ((9, 0, 0, 1, 0, 0, 0, 0, 0, 0), "Neutral"),
        ((0, 10, 0, 0, 0, 0, 0, 0, 0, 0), "Happiness"),
        ((0, 0, 5, 1, 1, 1, 1, 1, 0, 0), "Surprise"),  # half of all, but most of what is left without single votes
        ((0, 0, 0, 0, 5, 5, 0, 0, 0, 0), None),
        ((5, 0, 0, 3, 2, 0, 0, 0, 0, 0), None),  # half is not more than half
        ((0, 0, 0, 0, 0, 0, 0, 8, 2, 0), "Contempt"),
        ((1, 0, 0, 0, 0, 0, 0, 0, 9, 0), None),
    )
    emotions = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
    rows: list[list[object]] = [["Usage", "Image name", *emotions, "unknown", "NF"]]
    expected: Expected = {}
    folders = {"Training": ("train", "FER2013Train"), "PublicTest": ("val", "FER2013Valid")}
    folders["PrivateTest"] = ("test", "FER2013Test")
    for usage, (split, folder) in folders.items():
        for counts, label in votes:
            name = f"fer{len(rows):07}"
            rows.append([usage, f"{name}.png", *counts])
            put(root / "data" / folder / f"{name}.png", label or "Neutral", len(rows))
            if label:
                expected.setdefault(split, []).append((f"data/{folder}/{name}", label, None))
        rows.append([usage, "", *[0] * 9, 10])  # no face: the file gives no image
    write_csv(root / "fer2013new.csv", rows)
    return expected


AFFECTNET = ("Neutral", "Happiness", "Sadness", "Surprise", "Fear", "Disgust", "Anger", "Contempt")


def affectnet(root: Path) -> Expected:
    import numpy as np

    expected: Expected = {}
    for split in ("val", "train"):
        for code, label in enumerate(AFFECTNET):
            put(root / f"{split}_set" / "images" / f"{code}.jpg", label, code)
            annotations = root / f"{split}_set" / "annotations"
            annotations.mkdir(parents=True, exist_ok=True)
            np.save(annotations / f"{code}_exp.npy", np.array(str(code)))
            np.save(annotations / f"{code}_val.npy", np.array("0.5"))
            expected.setdefault(split, []).append((f"{split}_set/images/{code}", label, None))
    return expected


def affectnet_csv(root: Path) -> Expected:
    expected: Expected = {}
    for split, table in (("val", "validation"), ("train", "training")):
        rows: list[list[object]] = [["subDirectory_filePath", "face_x", "facial_landmarks", "expression", "valence"]]
        for code, label in enumerate((*AFFECTNET, None, None, None)):
            path = f"{code}/{split}{code}.jpg"
            put(root / "Manually_Annotated_Images" / path, label or "Neutral", code)
            rows.append([path, 10, "1.0;2.0", code, -2])
            if label:
                expected.setdefault(split, []).append((f"Manually_Annotated_Images/{path[:-4]}", label, None))
        write_csv(root / f"{table}.csv", rows)
    return expected


def raf_ce(root: Path) -> Expected:
    labels = (
        "Happily Surprised", "Happily Disgusted", "Sadly Fearful", "Sadly Angry", "Sadly Surprised", "Sadly Disgusted",
        "Fearfully Angry", "Fearfully Surprised", "Fearfully Disgusted", "Angrily Surprised", "Angrily Disgusted",
        "Disgustedly Surprised", "Happily Fearful", "Happily Sad",
    )  # fmt: skip
    emotions, partitions, expected = [], [], Expected()
    for split, partition in (("train", 0), ("test", 1), ("val", 2)):
        for code, label in enumerate(labels):
            name = f"{len(emotions) + 1:04}"
            put(root / "aligned" / f"{name}_aligned.jpg", "Fear", code)
            emotions.append(f"{name}.jpg {code}\n")
            partitions.append(f"{name}.jpg {partition}\n")
            expected.setdefault(split, []).append((f"aligned/{name}_aligned", label, None))
    write(root / "RAFCE_emolabel.txt", "".join(emotions))
    write(root / "RAFCE_partition.txt", "".join(reversed(partitions)))
    return expected


def _folders(root: Path, folders: dict[str, str], suffix: str) -> Expected:
    names = {"Anger": "Angry", "Happiness": "Happy", "Sadness": "Sad"}
    expected: Expected = {}
    for split, folder in folders.items():
        for i, label in enumerate(BASIC):
            path = f"{folder}/{names.get(label, label)}/{i:04}"
            put(root / f"{path}.{suffix}", label, i)
            expected.setdefault(split, []).append((path, label, None))
    return expected


def sfew(root: Path) -> Expected:
    return _folders(root, {"val": "Val/Val_Aligned_Faces_new", "train": "Train/Train_Aligned_Faces"}, "png")


def caer_s(root: Path) -> Expected:
    return _folders(root, {"test": "test", "train": "train"}, "png")


def ck_plus(root: Path) -> Expected:
    labels = ("Anger", "Contempt", "Disgust", "Fear", "Happiness", "Sadness", "Surprise")
    expected: Expected = {"all": []}
    for person in ("S005", "S010"):
        for code, label in enumerate(labels, start=1):
            folder, frames = f"{person}/{code:03}", [f"{person}_{code:03}_{n:08}" for n in (1, 2)]
            for frame in frames:
                put(root / "cohn-kanade-images" / folder / f"{frame}.png", label, code)
            write(root / "Emotion" / folder / f"{frames[-1]}_emotion.txt", f"   {code}.0000000e+00\n")
            expected["all"].append((f"cohn-kanade-images/{folder}/{frames[-1]}", label, person))
        put(root / "cohn-kanade-images" / person / "099" / f"{person}_099_00000001.png")
        (root / "Emotion" / person / "099").mkdir()  # a sequence without an emotion has an empty folder
    return expected


def jaffe(root: Path) -> Expected:
    codes = {"AN": "Anger", "DI": "Disgust", "FE": "Fear", "HA": "Happiness", "NE": "Neutral", "SA": "Sadness"}
    codes["SU"] = "Surprise"
    expected: Expected = {"all": []}
    for person in ("KA", "YM"):
        for number, (code, label) in enumerate(codes.items()):
            name = f"{person}.{code}1.{number + 26}"
            put(root / "jaffe" / f"{name}.tiff", label, number)
            expected["all"].append((f"jaffe/{name}", label, person))
    return expected


def kdef(root: Path) -> Expected:
    codes = {"AF": "Fear", "AN": "Anger", "DI": "Disgust", "HA": "Happiness", "NE": "Neutral", "SA": "Sadness"}
    codes["SU"] = "Surprise"
    expected: Expected = {"all": []}
    for session in "AB":
        for person in ("F01", "M01"):
            for code, label in codes.items():
                for angle in ("S", "FL"):
                    path = f"KDEF/{session}{person}/{session}{person}{code}{angle}"
                    put(root / f"{path}.JPG", label, 1)
                    if angle == "S":
                        expected["all"].append((path, label, person))
    return expected


def c_expr_db(root: Path) -> Expected:
    labels = (
        "Fearfully Surprised", "Happily Surprised", "Sadly Surprised", "Disgustedly Surprised", "Angrily Surprised",
        "Sadly Fearful", "Sadly Angry",
    )  # fmt: skip
    lines, expected = [], Expected(test=[])
    for video in ("10-60-1280x720", "2_right"):
        for code, label in enumerate(labels):
            frame = f"{video}/{code + 1:05}"
            put(root / "cropped_aligned" / f"{frame}.jpg", "Surprise", code)
            lines.append(f"{frame}.jpg,{code}\n")
            expected["test"].append((f"cropped_aligned/{frame}", label, video))
    write(root / "labels.csv", "".join(lines))
    return expected


TREES: dict[str, Callable[[Path], Expected]] = {
    "affectnet": affectnet,
    "affectnet-csv": affectnet_csv,
    "c-expr-db": c_expr_db,
    "caer-s": caer_s,
    "ck-plus": ck_plus,
    "fer2013": fer2013,
    "ferplus": ferplus,
    "jaffe": jaffe,
    "kdef": kdef,
    "raf-ce": raf_ce,
    "sfew": sfew,
}
"""Card -> what writes its layout."""
