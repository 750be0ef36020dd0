"""Where a model comes from and where it runs: folder or hub id, device, precision."""

from __future__ import annotations

import re
from pathlib import Path

import torch

from coabench.errors import UserError

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
HUB_FILES = ("*.json", "*.safetensors", "non_lora_state_dict.bin")


def folder_of(given: str, what: str) -> Path:
    """Return the folder that the user means; a hub id (``owner/name``) is fetched, or found in the hub's cache.

    Args:
        given: a folder, or a hub id.
        what: ``model`` or ``adapter``, for error messages.

    Raises:
        UserError: where it is neither, or cannot be fetched.
    """
    path = Path(given).expanduser()
    if path.is_dir():
        return path
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*/[\w.-]+", given) or path.exists():
        raise UserError(
            f"the {what} {given} is no folder",
            expected="a folder that exists, or a hub id of the form owner/name",
            remedy="check the path for typing errors",
        )
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(given, allow_patterns=list(HUB_FILES)))
    except (OSError, HfHubHTTPError, HFValidationError, LocalEntryNotFoundError) as e:
        raise UserError(
            f"the {what} {given} is no folder, and could not be fetched from the hub",
            found=str(e).splitlines()[0] if str(e) else type(e).__name__,
            remedy="check the spelling and the network; for a private repository log in with `hf auth login`",
        ) from e


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
        # Measured on an AMD EPYC with avx512_bf16 and without AMX: the whole of two scored questions took 1.77 s an
        # image in bfloat16 and 3.31 s in float32 (benchmarks/README.md). A CPU with neither emulates it.
        native = device.type == "cpu" and not cpu_flags().isdisjoint({"amx_bf16", "avx512_bf16"})
    return torch.bfloat16 if native else torch.float32


def cpu_flags() -> frozenset[str]:
    """Return the CPU's features as Linux names them; empty where that cannot be told."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return frozenset()
    return frozenset(
        flag for line in text.splitlines() if line.startswith("flags") for flag in line.split(":")[1].split()
    )
