"""Where a model runs: device and precision."""

from __future__ import annotations

import torch

from coabench.base.environment import cpu_fields
from coabench.errors import UserError, first_line

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def device_of(name: str) -> torch.device:
    """Return the device: ``auto`` is CUDA where there is one, else the CPU. `UserError` for one that is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as e:
        raise UserError(
            f"the device {name} cannot be used",
            expected="auto, cpu, cuda or cuda:N",
            found=first_line(e),
            remedy="use --device auto",
        ) from e
    return device


def dtype_of(name: str, device: torch.device) -> torch.dtype:
    """Return the precision. ``auto`` is bfloat16 where the hardware multiplies it natively, else float32."""
    if name in DTYPES:
        return DTYPES[name]
    if name != "auto":
        raise UserError(f"unknown dtype {name}", expected=", ".join(["auto", *DTYPES]), remedy="use --dtype auto")
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        # Measured on an AMD EPYC with avx512_bf16 and without AMX: the whole of two scored questions took 0.84 s an
        # image in bfloat16 and 1.33 s in float32 (benchmarks/README.md). A CPU with neither emulates it.
        native = device.type == "cpu" and not cpu_flags().isdisjoint({"amx_bf16", "avx512_bf16"})
    return torch.bfloat16 if native else torch.float32


def device_name(device: torch.device) -> str:
    """Return what a manifest calls a device: ``cpu``, or ``cuda:0 (NVIDIA H100)``."""
    return f"{device} ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else str(device)


def dtype_name(dtype: torch.dtype) -> str:
    """Return what a manifest calls a precision: ``bfloat16``."""
    return str(dtype).removeprefix("torch.")


def cpu_flags() -> frozenset[str]:
    """Return the CPU's features as Linux names them; empty where that is not known."""
    return frozenset(flag for line in cpu_fields("flags") for flag in line.split())


def cpu_vendor() -> str:
    """Return who made the CPU, as Linux names it (``AuthenticAMD``, ``GenuineIntel``); empty where it does not."""
    return next(iter(cpu_fields("vendor_id")), "")
