"""An adapter in another layout: PEFT's, that of the published training script, or merged into a whole checkpoint."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from coabench.adapters.base import Base
from coabench.adapters.history import joined
from coabench.base.files import write_json
from coabench.base.reading import exists
from coabench.errors import JobError, UserError
from coabench.runs.adapter import MANIFEST, TrainingRecord
from coabench.support.adapter_folder import CONFIG, WEIGHTS, AdapterFolder
from coabench.support.published import OTHERS, published_config, write_beside
from coabench.support.tensorfile import TorchFile

if TYPE_CHECKING:
    from torch import Tensor

Layout = Literal["published", "peft", "merged"]


def export(adapter: Path, layout: Layout, output: Path, backbone: str | None = None) -> list[str]:
    """Write an adapter in another layout, with the record of its training, into a new folder; return notes.

    Args:
        backbone: of its base, ``NAME[:MODEL]``; None for what its training names. A layout of PEFT needs none.

    Raises:
        UserError: the adapter cannot be written so; nothing was written.
        JobError: the folder cannot be written to its end; nothing is left of it.
    """
    training = TrainingRecord.read(adapter)
    if layout == "merged":
        return _merged(adapter, training, output, backbone)
    files = AdapterFolder.read(adapter)
    config = files.config or {}
    others = dict(TorchFile(adapter / OTHERS).entries) if exists(adapter / OTHERS) else {}
    if layout == "published":
        config, extras = published_config(config, files.tensors.entries, adapter), _extras(adapter, training, backbone)
    elif others:
        raise UserError(
            f"the adapter in {adapter} has tensors that were trained whole, which PEFT does not read",
            found=f"{len(others)} in {OTHERS}",
            remedy="export it as published or as merged",
        )
    with new_folder(output) as folder:
        write_weights({name: files.tensors.read(name) for name in files.tensors.entries}, folder)
        if layout == "published":
            write_beside(folder, config, others, extras)
        else:
            write_json(folder / CONFIG, config)
        if exists(adapter / MANIFEST):
            shutil.copyfile(adapter / MANIFEST, folder / MANIFEST)
    return []


def _extras(adapter: Path, training: TrainingRecord, backbone: str | None) -> Mapping[str, str]:
    base = Base.open(adapter, training, backbone)
    if not (extras := base.trainee.extras()):
        raise UserError(
            f"{type(base.backbone).__name__} has no published layout",
            expected="an adapter of phi-3.5-vision",
            remedy="export it as peft or as merged",
        )
    return extras


def _merged(adapter: Path, training: TrainingRecord, output: Path, backbone: str | None) -> list[str]:
    base = Base.open(adapter, training, backbone)
    manifest = joined([training, TrainingRecord.read(base.model)])
    with new_folder(output) as folder:
        base.backbone.load()
        base.trainee.save(folder)
        if manifest is not None:
            write_json(folder / MANIFEST, manifest)
    return [*base.backbone.details().get("notes", ()), *_quantised(training)]


def _quantised(training: TrainingRecord) -> Iterator[str]:
    """Yield that the adapter has learnt beside other weights than it is merged into."""
    if load := training.facts.get("load"):
        yield (
            f"the adapter was trained beside weights in {load.get('bits')} bits and is merged into those of full"
            " precision: answers may differ from those of its training"
        )


def write_weights(tensors: Mapping[str, Tensor], folder: Path) -> None:
    """Write the tensors of an adapter as PEFT reads them."""
    from safetensors.torch import save_file

    save_file({name: value.contiguous() for name, value in tensors.items()}, folder / WEIGHTS, {"format": "pt"})
    (folder / WEIGHTS).chmod(0o644)  # safetensors makes it readable by its owner alone


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yield a folder that becomes *path* once all is written; nothing is left where that fails."""
    if exists(path):
        raise UserError(f"{path} is there already", expected="a new folder", remedy="choose another --output")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".", suffix=".tmp", dir=path.parent) as beside:
            written = Path(beside) / "written"
            written.mkdir()
            yield written
            written.rename(path)
    except OSError as error:
        raise JobError(
            f"{path} cannot be written",
            found=error.strerror or str(error),
            remedy="make room, or choose another --output",
        ) from None
