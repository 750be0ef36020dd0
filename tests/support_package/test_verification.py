"""What is missing from a split, in a line; lines for a card."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from coabench.dataset import Card, ImageFile, Sample
from coabench.support import verification
from coabench.support.verification import missing, unread, values_to_paste
from coabench.testing.spaces import CARDS

CARD = replace(Card.read(CARDS["testing-basic"]), counts={}, counts_verified=())


def samples(root: Path, **files: bytes | None) -> list[Sample]:
    """Return a sample for each label of the card, with the content of its file, *usual* where none is named."""
    made = []
    for label in CARD.space.names:
        content = files.get(label, b"usual")
        name = f"{label}.heic" if content == b"heic" else f"{label}.jpg"
        if content is not None:
            (root / name).write_bytes(content)
        made.append(Sample(f"x/{label}", ImageFile(root, name), label, "test"))
    return made


def test_nothing_is_said_where_nothing_is_missing(tmp_path: Path) -> None:
    assert missing(CARD, "test", samples(tmp_path)) == ""


def test_everything_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "reads_heic", lambda: False)
    made = samples(tmp_path, Fear=None, Anger=b"", Sadness=b"heic")
    card = replace(CARD, counts={"test": dict.fromkeys(CARD.space.names, 2)}, counts_verified=("test",))
    line = missing(card, "test", [sample for sample in made if sample.target != "Disgust"])
    assert line == (
        "in split 'test', as `coabench datasets verify` says: no sample of Disgust; "
        "no image that can be read of Fear, Sadness, Anger; 1 of 6 image files missing; 1 image file empty; "
        "1 image in HEIC (pip install 'coabench[heic]', or convert them to JPEG); 6 images, the card says 14"
    )
    monkeypatch.setattr(verification, "reads_heic", lambda: True)
    assert "HEIC" not in missing(card, "test", made)


def test_files_that_are_not_read_are_counted_by_ending() -> None:
    assert unread([]) == ""
    assert unread(["a/x.MP4", "y.mp4", "z"]) == "files beside the images that are not read: 2 .mp4, 1 without ending"


@pytest.mark.parametrize("value", ["3", "03", "n/a", "no", "#", "a: b", "'", '"', "ärgerlich", "😀", "1e3", "~"])
def test_pasted_lines_are_the_values(value: str) -> None:
    (_, _, line) = lines = values_to_paste({value: ["somewhere"]}, CARD.space)
    assert line.endswith("# 1, first somewhere")
    ((key, label),) = yaml.safe_load("\n".join(lines))["options"]["values"].items()
    assert (str(key), isinstance(key, str | int)) == (value, True)
    assert label == "LABEL" or label in CARD.space.names
