"""Images recognised by what they hold: every file is read each time, and only what is new is decoded."""

import os
from pathlib import Path

import pytest
from PIL import Image

from coabench.dataset import ImageFile, Sample
from coabench.inference import contents as module
from coabench.inference.contents import contents


def test_a_file_that_changed_is_seen_and_one_that_did_not_is_decoded_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[str] = []
    decode = module.decode_picture
    monkeypatch.setattr(module, "_KNOWN", {})
    monkeypatch.setattr(
        module, "decode_picture", lambda source, data: decoded.append(source.name) or decode(source, data)
    )
    for name, colour in (("a", 10), ("b", 20), ("copy", 10)):
        Image.new("RGB", (8, 8), (colour, 0, 0)).save(tmp_path / f"{name}.bmp")
    (tmp_path / "torn.bmp").write_bytes(b"BM")
    samples = [Sample(name, ImageFile(tmp_path, f"{name}.bmp"), "Fear", "test") for name in ("a", "b", "torn", "gone")]
    first = contents(samples)
    assert set(first) == {"a", "b"}
    assert contents(samples) == first
    assert sorted(decoded) == ["a.bmp", "b.bmp", "torn.bmp", "torn.bmp"]
    assert contents([Sample("copy", ImageFile(tmp_path, "copy.bmp"), "Fear", "test")])["copy"] == first["a"]

    before = (tmp_path / "a.bmp").stat()
    Image.new("RGB", (8, 8), (11, 0, 0)).save(tmp_path / "a.bmp")
    os.utime(tmp_path / "a.bmp", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (tmp_path / "a.bmp").stat().st_size == before.st_size
    changed = contents(samples)
    assert changed["a"].sha256 != first["a"].sha256
    assert changed["a"].pixels != first["a"].pixels
    assert changed["b"] == first["b"]
