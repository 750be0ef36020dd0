"""A checkpoint folder: which tensors it holds, whether they are the right ones, and what tells it from another."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from coabench.base.reading import JSON, exists, read_bytes
from coabench.errors import UserError
from coabench.support.tensorfile import TensorFile, fingerprint
from coabench_phi35v.config import read_json

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
SHARED = "model.vision_embed_tokens.wte.weight"
"""A second name under which the published code knows the token embedding; accepted, and not needed."""

EMBEDDING = "model.embed_tokens.weight"
KINDS = {"BF16": "bfloat16", "F16": "float16", "F32": "float32"}
"""How safetensors names a precision -> how torch does."""
BESIDE = (".json", ".jinja", ".model", ".py", ".txt")
"""Endings of what belongs to a checkpoint beside its weights: configs, index, tokenizer, processor, the code."""
TERMS = ("LICENSE", "NOTICE")
HISTORY = ("training.json",)
"""The history of the base, which is not that of what was made from it."""

Shapes = Mapping[str, tuple[int, ...]]


class Checkpoint:
    """The weights in *folder*, in one safetensors file or several with an index.

    Args:
        folder: where they are.
        shapes: the name and shape of every parameter of the model.

    Raises:
        UserError: where there are no weights, a file cannot be read, or a tensor is missing, left over or of the
            wrong shape.
    """

    def __init__(self, folder: Path, shapes: Shapes) -> None:
        self.folder = folder
        self.files = [TensorFile(path) for path in _files(folder)]
        self._file = {name: file for file in self.files for name in file.entries}
        self._shapes = shapes
        held = {name: file.entries[name].shape for name, file in self._file.items() if name != SHARED}
        wrong = {name: f"{held[name]} for {shape}" for name, shape in shapes.items() if name in held
                 and held[name] != shape}  # fmt: skip
        for what, names in (
            ("lacks", [name for name in shapes if name not in held]),
            ("has, beside those of the model,", [name for name in held if name not in shapes]),
            ("has, of a shape that does not fit config.json,", [f"{name} {text}" for name, text in wrong.items()]),
        ):
            if names:
                raise UserError(
                    f"the checkpoint in {folder} {what} {counted(names)}",
                    expected=f"the {len(shapes)} tensors that its config.json describes",
                    remedy="use a complete, unmodified checkpoint; adapters go to --adapter",
                )

    def fingerprint(self) -> str:
        """Return a sha256, in hex, over config.json and what `TensorFile.fingerprint` reads of each file."""
        return fingerprint(self.files, read_bytes(self.folder / "config.json", JSON))

    def dtypes(self) -> dict[str, torch.dtype]:
        """Return the precision in which each tensor is stored."""
        return {name: getattr(torch, KINDS[self._file[name].entries[name].dtype]) for name in self._shapes}

    def stored(self, name: str) -> Tensor:
        """Read one tensor, as it is stored, on the CPU."""
        return self._file[name].read(name)

    def weights(
        self,
        device: torch.device,
        dtype: torch.dtype,
        adapt: Callable[[str, Tensor], Tensor],
        others: Mapping[str, torch.dtype] = {},
    ) -> Iterator[tuple[str, Tensor]]:
        """Yield all weights, one by one, through *adapt* (name, tensor on the device as stored) -> tensor.

        Args:
            device: where they come.
            dtype: their precision.
            adapt: what is done to each.
            others: those that get another precision.
        """
        for name in self._shapes:
            yield name, adapt(name, self.stored(name).to(device)).to(others.get(name, dtype)).contiguous()

    def write(self, folder: Path, state: Mapping[str, Tensor]) -> None:
        """Write other values of the same tensors, in the same files and precision, and what stands beside them.

        Args:
            state: the values, by the names of the model.
        """
        from safetensors.torch import save_file

        for file in self.files:
            written = folder / file.path.name
            values = {name: state[EMBEDDING if name == SHARED else name].detach() for name in file.entries}
            kinds = {name: getattr(torch, KINDS[file.entries[name].dtype]) for name in values}
            tensors = {name: value.to("cpu", kinds[name]).contiguous() for name, value in values.items()}
            if SHARED in tensors:  # safetensors writes no memory twice
                tensors[SHARED] = tensors[SHARED].clone()
            save_file(tensors, written, {"format": "pt"})
            written.chmod(0o644)  # safetensors makes it readable by its owner alone
        for path in sorted(self.folder.iterdir()):
            if path.name not in HISTORY and (path.suffix in BESIDE or path.name in TERMS) and path.is_file():
                shutil.copyfile(path, folder / path.name)


def counted(names: list[str]) -> str:
    """Return the first few names, and how many more there are."""
    shown = ", ".join(names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown


def _files(folder: Path) -> list[Path]:
    index = folder / INDEX
    if exists(folder / SINGLE):
        return [folder / SINGLE]
    if not exists(index):
        raise UserError(
            f"{folder} holds no weights",
            expected=f"{SINGLE}, or {INDEX} and the files it names",
            remedy="point to the folder of a complete checkpoint (safetensors), or give a hub id",
        )
    mapped = read_json(index).get("weight_map")
    if not isinstance(mapped, dict) or not mapped:
        raise UserError(f"{index} names no tensors", expected="a weight_map", remedy="fetch the file again")
    return [folder / name for name in sorted(set(mapped.values()))]
