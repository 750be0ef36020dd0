"""Logits and what leads to them, against the published code in float32 and eager attention."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from coabench_phi35v.model import Rotary
from coabench_phi35v.prompt import Control, ImageAt
from support.golden import S1, TOLERANCE, ids_of

pytestmark = pytest.mark.slow

S1B = S1.replace("', or", "' or")
S2 = (
    "The primary emotion conveyed by this image was Sadness. Please select the next most strongly felt emotion from "
    "the following options: Surprise, Fear, Disgust, Happiness, Anger, or Neutral."
)


def close(own, golden, tolerance=TOLERANCE):
    assert np.abs(np.asarray(own) - np.asarray(golden)).max() <= tolerance


def close_top(logits, golden):
    """Compare with a golden record's top 20."""
    close(logits[golden["top_ids"]], golden["top_vals"])


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("num_crops", [1, 4, 16])
@pytest.mark.parametrize("which", ["base", "lora_random"])
def test_logits(oracle, loaded, last_logits, which, num_crops, attention):
    backbone = loaded(which, attention=attention)
    records, arrays = oracle.json("logits"), oracle.arrays("logits")
    cases = [key for key in records if key.startswith(which) and key.endswith(f"|nc{num_crops}")]
    if attention == "eager":  # the rest in the faster one
        cases = cases[:2]
    assert cases
    for key in cases:
        picture = oracle.picture(key.split("|")[1], num_crops)
        logits = last_logits(backbone, [ids_of(backbone, S1, [picture])], [[picture]])[0].numpy()
        close_top(logits, records[key])
        whole = f"{key}|logits" in arrays
        close(logits if whole else logits[::16], arrays[f"{key}|logits" if whole else f"{key}|logits16"])
        sums = logits.astype(np.float64)
        assert abs(sums.sum() - records[key]["sum"]) < len(logits) * TOLERANCE / 10
        assert abs((sums**2).sum() / records[key]["sumsq"] - 1) < 1e-4


@pytest.mark.parametrize("size", ["100x100", "48x64", "1000x200"])
def test_every_stage(oracle, loaded, size):
    """Vision features, projected tokens, and the state after every decoder layer."""
    backbone, golden = loaded(), oracle.arrays("logits")
    key, picture = f"base|{size}|nc4", oracle.picture(size, 4)
    model, states = backbone.model, []
    ids = ids_of(backbone, S1, [picture])
    hooks = [layer.register_forward_hook(lambda *a: states.append(a[-1][0, -1])) for layer in model.model.layers]
    with torch.inference_mode():
        features = model.model.vision_embed_tokens.img_processor(picture.crops)
        tokens = model.model.vision_embed_tokens([picture])[0]
        embedded = model.embed([ids], [{0: tokens}])
        causal = torch.ones(len(ids), len(ids), dtype=torch.bool).tril()[None, None]
        final = model.model(embedded, torch.arange(len(ids))[None], [False], causal)[0, -1]
    for hook in hooks:
        hook.remove()
    close(features[:, ::64, ::8], golden[f"{key}|clip_feat_s"])
    close(tokens[::37, ::4], golden[f"{key}|proj_s"])
    close(torch.stack([embedded[0, -1], *states[:-1], final]), golden[f"{key}|hidden_last"])


def test_rope_attention_factor_and_regimes(oracle, loaded):
    rope = loaded().model.sizes.rope
    rotary = Rotary(rope, 16)
    assert rotary.attention_factor == pytest.approx(oracle.json("long")["attention_factor"], abs=1e-9)
    positions = torch.tensor([[0, 5, 4000]])
    short, long = (rotary(positions, [flag], torch.float32)[0] for flag in (False, True))
    assert not torch.allclose(short[0, 2], long[0, 2])
    mixed = rotary(positions.expand(2, -1), [True, False], torch.float32)[0]
    assert torch.equal(mixed, torch.cat([long, short]))


def test_left_padded_batch(oracle, loaded, last_logits):
    backbone = loaded("lora_random")
    pictures = [[oracle.picture(size, 4)] for size in ("100x100", "48x64", "640x480")]
    rows = [ids_of(backbone, text, own) for text, own in zip((S1, S2, S1B), pictures, strict=True)]
    assert list(map(len, rows)) == oracle.json("batch")["left"]["lengths"]
    logits = last_logits(backbone, rows, pictures)
    close(logits[:, ::16], oracle.arrays("batch")["left|last16"])
    close(logits[:, ::16], oracle.arrays("batch")["right|last16"])
    for row, own, batched in zip(rows, pictures, logits, strict=True):
        close(last_logits(backbone, [row], [own])[0], batched)


def test_two_images(oracle, loaded, last_logits):
    backbone = loaded("lora_random")
    pictures = [oracle.picture(size, 4) for size in ("100x100", "48x64")]
    ids = ids_of(backbone, "Compare.", pictures)
    logits = last_logits(backbone, [ids], [pictures])[0].numpy()
    golden = oracle.json("batch")["two_images_fwd"]
    assert len(ids) == golden["input_len"]
    close_top(logits, golden)
    close(logits[::16], oracle.arrays("batch")["two_images|logits16"])


def long_case(oracle, backbone, name):
    """Return ids and pictures of a golden case around the switch of the rope factors."""
    if name == "two_images_nc16":
        pictures = [oracle.picture(size, 16) for size in ("100x100", "640x480")]
        return ids_of(backbone, "Compare.", pictures), pictures
    pictures = [oracle.picture("100x100", 1)]
    parts = [Control.USER, "\n", ImageAt(0), "\nAnswer.", Control.END, "\n", Control.ASSISTANT, "\n"]
    base = backbone.tokenizer.encode(parts, [pictures[0].tokens])
    filling = [(1000 + 7 * i) % 30000 + 100 for i in range(int(name[3:]) - len(base))]
    return base[:-3] + filling + base[-3:], pictures


@pytest.mark.parametrize("name", ["two_images_nc16", "len4094", "len4096", "len4097"])
def test_long(oracle, loaded, last_logits, name):
    backbone, golden = loaded(), oracle.json("long")[name]
    ids, pictures = long_case(oracle, backbone, name)
    assert len(ids) == golden["input_len"]
    # Greedy continuation, every step a whole pass: past 4096 tokens that is what the published cache amounts to.
    written = []
    for step, (token, margin) in enumerate(zip(golden["greedy"], golden["greedy_margins_teacher_forced"], strict=True)):
        logits = last_logits(backbone, [ids + written], [pictures])[0].numpy()
        if step == 0:
            close_top(logits, golden)
            close(logits[::16], oracle.arrays("long")[f"{name}|logits16"])
        if margin > 10 * TOLERANCE:
            assert logits.argmax() == token
        written.append(token)
        if step == 4:
            break


def test_rows_choose_their_rope_factors_alone(oracle, loaded, last_logits):
    backbone = loaded()
    cases = [long_case(oracle, backbone, name) for name in ("len4096", "len4097")]
    together = last_logits(backbone, [ids for ids, _ in cases], [own for _, own in cases])
    for name, logits in zip(("len4096", "len4097"), together.numpy(), strict=True):
        close(logits[::16], oracle.arrays("long")[f"{name}|logits16"])


@pytest.mark.parametrize(("dtype", "tolerance"), [("float16", 0.1), ("bfloat16", 0.6)])
def test_half_precision_stays_near(oracle, loaded, last_logits, dtype, tolerance):
    picture = oracle.picture("100x100", 4)
    backbone = oracle.backbone(oracle.adapter, dtype=dtype)
    assert backbone.identity()["dtype"] == dtype
    ids = ids_of(backbone, S1, [picture])
    half = last_logits(backbone, [ids], [[picture]])[0]
    full = last_logits(loaded("lora_random"), [ids], [[picture]])[0]
    close(half, full, tolerance)
    assert half.argmax() == full.argmax()
