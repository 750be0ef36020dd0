"""The folder of an adapter in training: its manifest, checkpoints, and the files that come out."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coabench.base.files import write_json
from coabench.base.json import FOREIGN, read_json
from coabench.base.text import plural
from coabench.errors import UserError
from coabench.inference.contents import Content
from coabench.runs.adapter import MANIFEST, TrainingManifest
from coabench.runs.folder import LOCK, JobFolder
from coabench.runs.learnt import LearntImages
from coabench.runs.training_log import LOG
from coabench.training.plan import Plan

if TYPE_CHECKING:
    from torch import nn

CHECKPOINTS, BOARD, PUBLISHED = "checkpoints", "tensorboard", "published"
WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"


class TrainingFolder(JobFolder):
    """The folder of an adapter in training."""

    declared = TrainingManifest
    contents = (MANIFEST, LOG, CHECKPOINTS, BOARD, LOCK)

    def begin(
        self,
        overwrite: bool,
        session: Mapping[str, Any],
        images: Mapping[str, Content],
        earlier: Sequence[LearntImages | None] = (),
    ) -> None:
        """Record that a process starts or resumes; delete what is to be overwritten, and torn checkpoints.

        Args:
            images: what is learnt from.
            earlier: what the adapter that it begins with learnt from; None for what is not known.

        Raises:
            UserError: the images are not those that the training began with; nothing was written.
        """
        if "learnt" in self.manifest:
            self._check_same(images)
        if overwrite:
            for path in self.directory.iterdir():
                if path.name != LOCK:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
        whole = dict(self._checkpoints())
        for path in (self.directory / CHECKPOINTS).glob("checkpoint-*"):
            if path not in whole:  # its writer was killed
                shutil.rmtree(path, ignore_errors=True)
        if earlier:
            self.manifest.setdefault("learnt_earlier", [each and each.to_json() for each in earlier])
        self.manifest.pop("stopped_early", None)
        self.manifest.setdefault("learnt", LearntImages.of(images).to_json())
        self._begin(session)

    def _check_same(self, images: Mapping[str, Content]) -> None:
        then = LearntImages.read(self.manifest["learnt"], self.directory / MANIFEST)
        if changed := then.changed_since(images):
            raise UserError(
                f"{plural(len(changed), 'image')} changed since the training in {self.directory} began",
                found=", ".join(changed[:5]) + (" …" if len(changed) > 5 else ""),
                remedy="restore them, choose another --output, or pass --overwrite to begin again",
            )

    def write(self, name: str, data: Mapping[str, Any]) -> None:
        """See `coabench.runs.folder.JobFolder.write`; what is learnt from fills many lines and comes last."""
        learnt = {key: data[key] for key in ("learnt_earlier", "learnt") if key in data}
        super().write(name, {**{key: value for key, value in data.items() if key not in learnt}, **learnt})

    def last_checkpoint(self) -> str | None:
        """Return the last checkpoint that was written to its end."""
        last = self._last()
        return str(last[0]) if last else None

    def last_step(self) -> int:
        """Return the step of that checkpoint; 0 without one."""
        last = self._last()
        return last[1] if last else 0

    def _last(self) -> tuple[Path, int] | None:
        return max(self._checkpoints(), key=lambda checkpoint: checkpoint[1], default=None)

    def _checkpoints(self) -> Iterator[tuple[Path, int]]:
        """Yield the whole checkpoints, each with its step: the Trainer writes its state file last."""
        for path in (self.directory / CHECKPOINTS).glob("checkpoint-*"):
            try:
                state = read_json(path / "trainer_state.json", FOREIGN)
                yield path, int(state["global_step"])
            except (OSError, ValueError, LookupError, TypeError, OverflowError):
                continue


def save_trained(model: nn.Module, plan: Plan, directory: Path, weights: Mapping[str, Any] | None = None) -> None:
    """Write the adapter as PEFT reads it, or the whole model as its backbone reads it.

    Args:
        weights: of the whole model, where each process has a part of it; None: those of *model*.
    """
    if plan.recipe.full:
        plan.trainee.save(directory)
        return
    from peft import get_peft_model_state_dict
    from safetensors.torch import save_file

    weights = get_peft_model_state_dict(model, state_dict=weights, save_embedding_layers=False)
    config = model.peft_config["default"].to_dict()  # type: ignore[index,union-attr]
    plain = {k: sorted(v) if isinstance(v, set) else getattr(v, "value", v) for k, v in config.items()}
    plain |= {
        "inference_mode": True,
        "base_model_name_or_path": plan.identity.backbone.model,
        "target_modules": list(plan.modules.lora),  # in full: PEFT has shortened them to what is distinct
    }
    save_file({k: v.detach().cpu().contiguous() for k, v in weights.items()}, directory / WEIGHTS, {"format": "pt"})
    (directory / WEIGHTS).chmod(0o644)  # safetensors makes it readable by its owner alone
    write_json(directory / CONFIG, plain)


def export_published(plan: Plan, directory: Path) -> None:
    """Write the adapter once more in the layout of the published training script, to ``published/``.

    That is PEFT 0.10's, with the base's ``config.json`` and the tensors that were trained whole (none) beside it.
    """
    from coabench.support.published import published_config, write_beside
    from coabench.support.tensorfile import TensorFile

    folder = directory / PUBLISHED
    folder.mkdir(exist_ok=True)
    shutil.copyfile(directory / WEIGHTS, folder / WEIGHTS)
    tensors = TensorFile(directory / WEIGHTS).entries
    write_beside(folder, published_config(read_json(directory / CONFIG), tensors, directory), {}, plan.trainee.extras())
