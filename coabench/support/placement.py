"""Where a model runs: device and precision."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch

from coabench.errors import UserError

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def device_of(given: str) -> torch.device:
    """Return the device: ``auto`` is CUDA where there is one, else the CPU. `UserError` for one that is not there."""
    if given == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(given)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as e:
        raise UserError(
            f"the device {given} cannot be used",
            expected="auto, cpu, cuda or cuda:N",
            found=str(e).splitlines()[0],
            remedy="use --device auto",
        ) from e
    return device


def dtype_of(given: str, device: torch.device) -> torch.dtype:
    """Return the precision. ``auto`` is bfloat16 where the hardware multiplies it natively, else float32."""
    if given in DTYPES:
        return DTYPES[given]
    if given != "auto":
        raise UserError(f"unknown dtype {given}", expected=", ".join(["auto", *DTYPES]), remedy="use --dtype auto")
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        # Measured on an AMD EPYC with avx512_bf16 and without AMX: the whole of two scored questions took 0.84 s an
        # image in bfloat16 and 1.33 s in float32 (benchmarks/README.md). A CPU with neither emulates it.
        native = device.type == "cpu" and not cpu_flags().isdisjoint({"amx_bf16", "avx512_bf16"})
    return torch.bfloat16 if native else torch.float32


def cpu_flags() -> frozenset[str]:
    """Return the CPU's features as Linux names them; empty where that cannot be told."""
    return frozenset(flag for line in _told("flags") for flag in line.split())


def cpu_vendor() -> str:
    """Return who made the CPU, as Linux names it (``AuthenticAMD``, ``GenuineIntel``); empty where it cannot tell."""
    return next(iter(_told("vendor_id")), "")


@cache
def _told(field: str) -> tuple[str, ...]:
    """Return what Linux says of every processor in a field."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ()
    pairs = [line.partition(":") for line in lines]
    return tuple(value.strip() for name, _, value in pairs if name.strip() == field)
