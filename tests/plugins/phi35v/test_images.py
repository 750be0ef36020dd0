"""Crops and token counts, bit for bit those of the published processor."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch
from coabench_phi35v.images import picture
from PIL import Image

from coabench.errors import SampleError

SIZES = [
    "100x100",
    "224x224",
    "64x48",
    "48x64",
    "300x500",
    "640x480",
    "1x1",
    "1000x200",
    "200x1000",
    "336x336",
    "337x335",
]


@pytest.mark.parametrize("num_crops", [1, 4, 16])
@pytest.mark.parametrize("size", SIZES)
def test_crops_are_bit_identical(oracle, size, num_crops):
    golden = oracle.json("processor")[f"{size}|nc{num_crops}"]
    own = oracle.picture(size, num_crops)
    assert own.tokens == golden["num_img_tokens"]
    assert [own.rows * 336, own.columns * 336] == golden["image_sizes"][0]
    assert len(own.crops) == golden["n_real_crops"]
    padded = torch.zeros(num_crops + 1, 3, 336, 336)  # the published processor adds empty crops
    padded[: len(own.crops)] = own.crops
    assert hashlib.sha256(padded.numpy().tobytes()).hexdigest() == golden["pixel_values_sha256"]
    sample = oracle.arrays("processor")[f"{size}|nc{num_crops}|pv_sample"]
    assert np.array_equal(own.crops[:, :, 7::48, 5::48].numpy(), sample)


@pytest.mark.parametrize("num_crops", [1, 4])
@pytest.mark.parametrize("size", [(2000, 1), (4000, 2), (1, 2000)])
def test_a_line_is_no_image(size, num_crops):
    with pytest.raises(SampleError, match=r"too long and thin"):
        picture(Image.new("RGB", size), num_crops)


def test_every_mode_becomes_rgb(oracle):
    grey = oracle.image("100x100").convert("L")
    assert torch.equal(picture(grey, 1).crops, picture(grey.convert("RGB"), 1).crops)


def test_equal_images_have_equal_digests(oracle):
    one, same, other = (oracle.picture(name, 1) for name in ("100x100", "100x100", "64x48"))
    assert one.digest == same.digest != other.digest
