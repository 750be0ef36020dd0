"""The images that a training learnt from: `coabench.runs.learnt`."""

from __future__ import annotations

from hashlib import sha256

from coabench.inference.contents import Content
from coabench.runs.learnt import LearntImages


def content(picture: str) -> Content:
    return Content(sha256(picture.encode()).hexdigest(), sha256(f"pixels of {picture}".encode()).hexdigest(), True)


def test_manifests_keep_half_of_each_hash_and_those_of_0_1_0_are_read_alike() -> None:
    image = content("a")
    new = LearntImages.of({"mine/a": image}).to_json()
    assert new["hashes"] == {"mine/a": f"{image.sha256[:32]} {image.pixels[:32]}"}
    old = {**new, "hashes": {"mine/a": f"{image.sha256} {image.pixels}"}}
    assert LearntImages.read(old, "training.json") == LearntImages.read(new, "training.json")


def test_an_image_is_known_by_its_bytes_and_by_its_pixels() -> None:
    learnt = LearntImages.of({"mine/a": content("a")})
    stored_anew = Content("0" * 64, content("a").pixels, True)
    assert learnt.among({"x": content("a"), "y": stored_anew, "z": content("b")}) == {"x": "mine/a", "y": "mine/a"}
    assert learnt.changed_since({"mine/a": stored_anew}) == ["mine/a"]
    assert learnt.changed_since({"mine/a": content("a")}) == []
