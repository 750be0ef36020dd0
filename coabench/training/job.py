"""The train job: a strategy's own questions, with their right answers, make an adapter."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coabench.backbone import Trainee
from coabench.base import environment
from coabench.base.files import write_json, write_text
from coabench.base.processes import World
from coabench.base.vocabulary import COMPLETE, FAILED, RUNNING
from coabench.errors import JobError, UserError
from coabench.recipe import Recipe
from coabench.runs.adapter import MANIFEST, TrainingManifest
from coabench.runs.folder import LOCK, JobFolder, now
from coabench.support.memory import explained_oom
from coabench.training.development import development_scores
from coabench.training.plan import Plan, Training, check, part_of, targets
from coabench.training.progress import TrainingProgress

if TYPE_CHECKING:
    from torch import nn

LOG, CHECKPOINTS, BOARD, PUBLISHED = "training.jsonl", "checkpoints", "tensorboard", "published"
WEIGHTS, CONFIG, OTHERS = "adapter_model.safetensors", "adapter_config.json", "non_lora_state_dict.bin"


@dataclass(frozen=True)
class Trained:
    """A finished training: where it is, and its manifest."""

    directory: Path
    manifest: Mapping[str, Any]

    def __repr__(self) -> str:
        """Return what became of it in a line; the manifest would fill a page."""
        uar = (self.manifest.get("dev") or {}).get("uar")
        chosen = "" if uar is None else f", step {self.manifest['selected_step']} selected with a dev UAR of {uar:.2%}"
        return f"<training {self.directory}: {self.manifest['steps']} steps{chosen}>"


class TrainingFolder(JobFolder):
    """The folder of an adapter in the making."""

    declared = TrainingManifest
    contents = (MANIFEST, LOG, CHECKPOINTS, BOARD, LOCK)

    def begin(self, overwrite: bool, session: Mapping[str, Any]) -> None:
        """Note that a process begins or goes on; delete what is to be overwritten."""
        if overwrite:
            for path in self.directory.iterdir():
                if path.name != LOCK:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
        self.manifest.update(status=RUNNING, reason=None)
        self.manifest["sessions"].append({"started": now(), **session})
        self.write(MANIFEST, self.manifest)

    def end(self, status: str, **facts: Any) -> None:
        """Note how it ended; a failed training keeps its checkpoints."""
        self.manifest.update(status=status, ended=now(), **facts)
        self.write(MANIFEST, self.manifest)


def train(request: Training, progress: TrainingProgress | None = None) -> Trained:
    """Train, or go on with the training that is in the output directory.

    Under torchrun every process calls this; the first one writes.

    Raises:
        UserError: bad input; nothing was written.
        JobError: the training could not be finished; the checkpoints so far are kept.
    """
    progress = progress or TrainingProgress()
    plan = check(request)
    directory = request.output or Path("adapters") / plan.name
    with ExitStack() as stack:
        folder = None
        if plan.world.first:
            folder = stack.enter_context(TrainingFolder(directory, plan.manifest, overwrite=request.overwrite))
            for note in folder.manifest["notes"]:
                progress.note(note)
        if plan.world.size > 1:  # the one process group of this training, with the Trainer's backend
            stack.callback(_leave_process_group)
            _arguments(request, plan, directory)
        manifest, complete = _agree((folder.manifest, folder.complete) if folder else None, plan.world)
        if not complete:
            try:
                _fit(request, plan, directory, folder, progress)
            except JobError as error:
                if folder:
                    folder.end(FAILED, reason=str(error))
                raise
        elif folder:
            progress.note(f"{directory} is already complete: nothing to train")
        if folder and request.published and not plan.recipe.full:
            export_published(plan, directory)
        return Trained(directory, folder.manifest if folder else manifest)


def _fit(
    request: Training, plan: Plan, directory: Path, folder: TrainingFolder | None, progress: TrainingProgress
) -> None:
    """Load, train, and write what came out; *folder* is None on all processes but the first."""
    from transformers import PrinterCallback, set_seed

    from coabench.training.trainer import FiniteGradients, Log, Patience, Pieces, TurnTrainer

    remedy = (
        f"pass --checkpointing, lower --micro-batch (now {plan.schedule.micro_batch}) or, with phi-3.5-vision, "
        "--set num_crops=N; the same command then goes on from the last checkpoint"
    )
    with (
        explained_oom("the device has too little memory for this training", remedy),
        progress.start(plan.schedule.steps),
    ):
        arguments = _arguments(request, plan, directory)
        if folder is not None:
            progress.note("loading the backbone")
            backbone = dict(plan.backbone.details())
            session = {"command": list(request.command), "processes": plan.world.size,
                       "micro_batch": plan.schedule.micro_batch, "device": backbone.get("device")}  # fmt: skip
            folder.begin(request.overwrite, {**session, "backbone": backbone, "environment": environment.describe()})
        plan.backbone.load()
        set_seed(request.seed)
        model = trainable(plan.trainee, plan.recipe)
        chosen = arguments.eval_strategy != "no"
        callbacks: list[Any] = [
            Log(directory / LOG, directory / BOARD, plan.recipe.batch_size / plan.turns, progress.log),
            FiniteGradients(),
        ]
        if plan.recipe.patience is not None and chosen:
            callbacks.append(Patience(plan.recipe.patience))
        pieces = Pieces(plan.items, plan.backbone, plan.trainee)
        trainer = TurnTrainer(
            pieces, plan.schedule, lambda: development_scores(plan), model=model, args=arguments, callbacks=callbacks
        )
        trainer.remove_callback(PrinterCallback)  # our log tells it
        checkpoint = _agree(last_checkpoint(directory / CHECKPOINTS) if folder is not None else None, plan.world)
        if checkpoint is not None:
            progress.note(f"resuming from {checkpoint}")
        trainer.train(resume_from_checkpoint=checkpoint)
        if folder is not None:
            best = max(_evaluations(trainer.state.log_history), key=lambda entry: entry["eval_uar"], default=None)
            _save(model, plan, directory)
            shutil.rmtree(directory / CHECKPOINTS, ignore_errors=True)
            folder.end(
                COMPLETE,
                selected_step=best["step"] if best else trainer.state.global_step,
                dev={k.removeprefix("eval_"): v for k, v in best.items() if k.startswith("eval_")} if best else None,
                trainable=sum(p.numel() for p in model.parameters() if p.requires_grad),
            )


def _evaluations(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [entry for entry in history if "eval_uar" in entry]


def trainable(trainee: Trainee, recipe: Recipe) -> nn.Module:
    """Return the module with what the recipe trains switched on: LoRA by PEFT, or every parameter in use."""
    module = trainee.module
    if recipe.full:
        chosen = recipe.targets or tuple(trainee.parts)
        for name, parameter in module.named_parameters():
            parameter.requires_grad_(part_of(name, trainee) in chosen)
        for name in trainee.unused:
            module.get_submodule(name).requires_grad_(False)
    else:
        from peft import LoraConfig, PeftModel

        config = LoraConfig(
            r=recipe.rank,
            lora_alpha=recipe.alpha,  # type: ignore[arg-type]  # PEFT divides it; it need not be whole
            lora_dropout=recipe.dropout,
            target_modules=targets(trainee, recipe),
        )
        module = PeftModel(module, config)
    if recipe.checkpointing:
        module.gradient_checkpointing_enable()  # type: ignore[operator]
    return module


def _arguments(request: Training, plan: Plan, directory: Path) -> Any:
    """Return transformers' TrainingArguments; `UserError` where they do not fit together."""
    import torch
    from transformers import TrainingArguments

    recipe, schedule = plan.recipe, plan.schedule
    on_cpu = torch.device(plan.device).type == "cpu"
    every = math.ceil(schedule.steps / recipe.evaluations)
    chosen = any(source.dev for source in plan.sources)
    fields: dict[str, Any] = {
        "output_dir": str(directory / CHECKPOINTS),
        "per_device_train_batch_size": schedule.micro_batch,
        "gradient_accumulation_steps": schedule.per_process(plan.world.size),
        "max_steps": schedule.steps,
        "learning_rate": recipe.learning_rate,
        "lr_scheduler_type": recipe.schedule,
        "warmup_steps": round(recipe.warmup * schedule.steps),
        "weight_decay": recipe.weight_decay,
        "seed": request.seed,
        "bf16": plan.dtype == "bfloat16",
        "fp16": plan.dtype == "float16",
        "use_cpu": on_cpu,
        "ddp_backend": "gloo" if on_cpu and plan.world.size > 1 else None,
        "eval_strategy": "steps" if chosen else "no",
        "eval_steps": every,
        "save_steps": every,
        "save_total_limit": 2,
        "load_best_model_at_end": chosen,
        "metric_for_best_model": "uar" if chosen else None,
        "greater_is_better": True,
        "logging_steps": max(1, schedule.steps // 100),
        "logging_nan_inf_filter": False,
        "report_to": "none",
        "disable_tqdm": True,
        "log_level": "error",
        "remove_unused_columns": False,
        "label_names": ["labels"],
        "dataloader_num_workers": 0 if on_cpu else 4,
        "ddp_find_unused_parameters": False,
        **plan.trainer,
    }
    try:
        arguments = TrainingArguments(**fields)
    except (ValueError, TypeError, ImportError, FileNotFoundError) as error:
        raise UserError(
            "transformers' TrainingArguments refuses these settings",
            found=str(error).splitlines()[0] if str(error) else type(error).__name__,
            remedy="correct --trainer, --schedule or --dtype",
        ) from None
    arguments._n_gpu = min(arguments.n_gpu, 1)  # one process drives one device; several are torchrun's business
    return arguments


def last_checkpoint(folder: Path) -> str | None:
    """Return the last checkpoint that was written to its end: the Trainer writes its state file last."""
    found = []
    for path in folder.glob("checkpoint-*"):
        try:
            state = json.loads((path / "trainer_state.json").read_text(encoding="utf-8"))
            found.append((int(state["global_step"]), str(path)))
        except (OSError, ValueError, KeyError):
            shutil.rmtree(path, ignore_errors=True)  # torn: its writer was killed
    return max(found)[1] if found else None


def _agree(value: Any, world: World) -> Any:
    """Return the first process's value on all of them; the Trainer's process group is there."""
    if world.size == 1:
        return value
    from torch import distributed

    values = [value]
    distributed.broadcast_object_list(values, src=0)
    return values[0]


def _leave_process_group() -> None:
    from torch import distributed

    if distributed.is_initialized():
        distributed.destroy_process_group()


def _save(model: nn.Module, plan: Plan, directory: Path) -> None:
    """Write the adapter as PEFT reads it, or the whole model as its backbone reads it."""
    if plan.recipe.full:
        plan.trainee.save(directory)
        return
    from peft import get_peft_model_state_dict
    from safetensors.torch import save_file

    weights = get_peft_model_state_dict(model, save_embedding_layers=False)
    config = model.peft_config["default"].to_dict()  # type: ignore[index,union-attr]
    plain = {k: sorted(v) if isinstance(v, set) else getattr(v, "value", v) for k, v in config.items()}
    plain |= {
        "inference_mode": True,
        "base_model_name_or_path": plan.identity.backbone.model,
        "target_modules": targets(plan.trainee, plan.recipe),  # in full: PEFT has cut them to what tells them apart
    }
    save_file({k: v.detach().cpu().contiguous() for k, v in weights.items()}, directory / WEIGHTS, {"format": "pt"})
    (directory / WEIGHTS).chmod(0o644)  # safetensors makes it readable by its owner alone
    write_json(directory / CONFIG, plain)


def export_published(plan: Plan, directory: Path) -> None:
    """Write the adapter once more in the layout of the published training script, to ``published/``.

    That is PEFT's, with the base's ``config.json`` and the tensors that were trained whole (none) beside it.
    """
    import torch

    folder = directory / PUBLISHED
    folder.mkdir(exist_ok=True)
    shutil.copyfile(directory / WEIGHTS, folder / WEIGHTS)
    config = json.loads((directory / CONFIG).read_text(encoding="utf-8"))
    write_json(folder / CONFIG, {**config, "task_type": "CAUSAL_LM"})
    torch.save({}, folder / OTHERS)
    for name, text in plan.trainee.extras().items():
        write_text(folder / name, text)
