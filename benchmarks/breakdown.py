"""Where the time of looking and asking goes: modules by the clock, kinds of operations by torch's profiler."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from inference import Bench, floor, ported
from PIL.Image import Image
from subject import clock, projector_operations, vision_operations

from coabench.support.shared_cache import SharedCache

KINDS = {
    "linear": ("addmm", "::mm", "linear", "gemm", "cutlass", "convolution"),
    "attention": ("attention", "bmm", "softmax", "fmha", "baddbmm"),
    "norms": ("norm",),
    "casts and copies": ("copy", "_to_copy", "cat", "clone", "fill", "memcpy", "memset"),
}
"""What the profiler's names hold, by kind; the first that fits."""


def breakdown(bench: Bench, images: Sequence[Image], speed: float) -> Mapping[str, Any]:
    """Return ms an image: of vision tower and projector, decoder, and the rest; and of kinds of operations.

    Args:
        images: one batch, its options scored.
        speed: operations a second of a large matrix product, for the floor of each part.
    """
    kept = SharedCache.on(torch.device(bench.device))

    def once() -> None:
        ported("chain", bench, len(images), "score", kept, images)

    once()  # to warm up
    found = _by_module(bench, once, len(images))
    own, sizes = bench.picture(images[0]), bench.model.sizes
    vision = vision_operations(sizes, len(own.distinct)) + projector_operations(bench.model.sizes, own.tokens)
    found |= {"floor_vision_ms": 1000 * vision / speed,
              "floor_decoder_ms": 1000 * (floor("chain", bench) - vision) / speed}  # fmt: skip
    return {**found, **_by_kind(bench.device, once, len(images))}


def _by_module(bench: Bench, once: Any, images: int) -> dict[str, float]:
    """Clock the vision tower with the projector, and the decoder, waiting for the device before and after each."""
    seconds = {"vision": 0.0, "decoder": 0.0}
    begun: list[float] = []
    hooks = []
    for name, module in (("vision", bench.model.model.vision_embed_tokens), ("decoder", bench.model.model)):

        def end(*_: Any, name: str = name) -> None:
            seconds[name] += clock(bench.device) - begun.pop()

        hooks.append(module.register_forward_pre_hook(lambda *_: begun.append(clock(bench.device))))
        hooks.append(module.register_forward_hook(end))
    begin = clock(bench.device)
    once()
    whole = clock(bench.device) - begin
    for hook in hooks:
        hook.remove()
    rest = whole - sum(seconds.values())
    return {f"{name}_ms": 1000 * each / images for name, each in {**seconds, "rest": rest}.items()}


def _by_kind(device: str, once: Any, images: int) -> dict[str, float]:
    """Return ms an image of each kind of operation: of the device's kernels, or of the CPU's operations."""
    activity = torch.profiler.ProfilerActivity
    on = [activity.CPU] if device == "cpu" else [activity.CPU, activity.CUDA]
    with torch.profiler.profile(activities=on) as profile:
        once()
        clock(device)
    sums = dict.fromkeys([*KINDS, "other operations"], 0.0)
    # The device's time is counted with the operation that launched a kernel; a kernel's own event repeats it.
    for event in (each for each in profile.key_averages() if each.device_type == torch.autograd.DeviceType.CPU):
        name = event.key.lower()
        kind = next((kind for kind, parts in KINDS.items() if any(part in name for part in parts)), "other operations")
        sums[kind] += event.self_cpu_time_total if device == "cpu" else event.self_device_time_total
    return {f"{name.replace(' ', '_')}_ms": value / 1000 / images for name, value in sums.items()}
