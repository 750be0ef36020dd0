"""transformers' Trainer on a trainee: our schedule of turns, dev UAR through the engine, one log, no silent NaN."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from tensorboardX import SummaryWriter
from torch import nn
from torch.utils.data import DataLoader, Dataset
from transformers import (
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from coabench.base.files import write_text
from coabench.base.jsonlines import LineWriter, encode, read_lines
from coabench.errors import JobError, SampleError, UserError, first_line
from coabench.support.linear import fast_linear
from coabench.training.data import Item
from coabench.training.development import Development, development_scores
from coabench.training.optimizer import check_groups, group_by_rate
from coabench.training.parts import has_rates, rate_of
from coabench.training.plan import Plan
from coabench.training.schedule import Piece, Schedule


def make_arguments(plan: Plan, checkpoints: Path) -> TrainingArguments:
    """Return transformers' TrainingArguments; `UserError` where they do not fit together."""
    recipe, schedule = plan.recipe, plan.schedule
    on_cpu = torch.device(plan.device).type == "cpu"
    every = math.ceil(schedule.steps / recipe.evaluations)
    selects = any(source.dev for source in plan.sources)
    fields: dict[str, Any] = {
        "output_dir": str(checkpoints),
        "per_device_train_batch_size": schedule.micro_batch,
        "gradient_accumulation_steps": schedule.per_process(plan.world.size),
        "max_steps": schedule.steps,
        "learning_rate": recipe.learning_rate,
        "lr_scheduler_type": recipe.schedule,
        "warmup_steps": plan.warmup,
        "weight_decay": recipe.weight_decay,
        "seed": schedule.seed,
        "bf16": plan.dtype == "bfloat16",
        "fp16": plan.dtype == "float16",
        "use_cpu": on_cpu,
        "ddp_backend": "gloo" if on_cpu and plan.world.size > 1 else None,
        "eval_strategy": "steps" if selects else "no",
        "eval_steps": every,
        "save_steps": every,
        "save_total_limit": 2,
        "load_best_model_at_end": selects,
        "metric_for_best_model": "uar" if selects else None,
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
        kind, settings = Trainer.get_optimizer_cls_and_kwargs(arguments, plan.trainee.module)  # type: ignore[arg-type]
    except (ValueError, TypeError, ImportError, FileNotFoundError) as error:
        raise UserError(
            "transformers' TrainingArguments refuses these settings",
            found=first_line(error),
            remedy="correct --trainer, --schedule or --dtype",
        ) from None
    if has_rates(recipe):
        check_groups(kind, settings, recipe.learning_rate)
    wanted = {"bfloat16": "bf16", "float16": "fp16"}.get(plan.dtype, "no")
    if arguments.mixed_precision != wanted:
        raise UserError(
            "`accelerate launch --mixed_precision` and --dtype contradict each other",
            expected=wanted,
            found=arguments.mixed_precision,
            remedy="set the precision with --dtype alone",
        )
    arguments._n_gpu = min(arguments.n_gpu, 1)  # one process drives one device; several are torchrun's business
    return arguments


def make_trainer(
    kind: type[TurnTrainer], plan: Plan, model: nn.Module, arguments: TrainingArguments, log: Log
) -> TurnTrainer:
    """Return the Trainer of a plan; the backbone is loaded."""
    callbacks: list[TrainerCallback] = [log, FiniteGradients()]
    if plan.recipe.patience is not None and arguments.eval_strategy != "no":
        callbacks.append(Patience(plan.recipe.patience))
    trainer = kind(plan, model=model, args=arguments, callbacks=callbacks)
    trainer.remove_callback(PrinterCallback)  # our log has it
    return trainer


class Pieces(Dataset[Any]):
    """Encodes pieces of the schedule: the turns of one sample in the same micro-batch."""

    def __init__(self, plan: Plan) -> None:
        self._items = plan.items
        self._backbone = plan.backbone
        self._trainee = plan.trainee
        self._balance = plan.balance
        self._augmentation = plan.augmentation

    def __getitem__(self, piece: Piece) -> Any:
        """Return the example, or the error that prevents it: raised in a worker, it would lose its text."""
        position, turns, look = piece
        item = self._items[position]
        try:
            prepared = self._backbone.prepare(item.images(look, self._augmentation))
        except SampleError as error:
            return JobError(
                f"{item.sample.id} cannot be trained on: {error.problem}",
                remedy="run `coabench datasets verify`; repair the image or take it out of the data set",
            )
        except JobError as error:
            return error
        return self._example(item, prepared, turns)

    def _example(self, item: Item, prepared: Any, turns: Sequence[int]) -> Any:
        """Return what `collate` takes."""
        asked = [item.turns[turn] for turn in turns]
        if self._balance is not None:
            asked = [replace(turn, weight=self._balance.loss_weight(item, turn)) for turn in asked]
        return self._trainee.encode(prepared, asked)

    def collate(self, examples: Sequence[Any]) -> dict[str, Any]:
        """Return the module's arguments, or ``error``."""
        for example in examples:
            if isinstance(example, JobError):
                return {"error": example, "labels": torch.empty(0, dtype=torch.long)}
        return self._trainee.collate(examples)


class ScheduleSampler:
    """The micro-batches of one process, as a batch sampler."""

    def __init__(self, schedule: Schedule, rank: int, world: int) -> None:
        self._schedule, self._rank, self._world = schedule, rank, world

    def __len__(self) -> int:
        return self._schedule.steps * self._schedule.per_process(self._world)

    def __iter__(self) -> Iterator[list[Piece]]:
        return self._schedule.micro_batches(self._rank, self._world)


class TurnTrainer(Trainer):
    """Trainer with our schedule and our evaluation.

    To the Trainer the whole run is one epoch, so that resuming after *n* steps means skipping *n* steps of the
    schedule, whatever an epoch is.
    """

    examples: type[Pieces] = Pieces

    def __init__(self, plan: Plan, **arguments: Any) -> None:
        self._plan, self._schedule = plan, plan.schedule
        self._pieces = pieces = self.examples(plan)
        self._rates: dict[nn.Parameter, float] = {}  # of every parameter; empty where all learn alike
        if has_rates(plan.recipe):
            named = arguments["model"].named_parameters()
            self._rates = {p: rate_of(name, plan.trainee, plan.recipe) for name, p in named}
        super().__init__(train_dataset=pieces, data_collator=pieces.collate, eval_dataset=pieces, **arguments)

    def create_optimizer(self, *arguments: Any) -> torch.optim.Optimizer:
        """Return transformers' optimizer, its parameters grouped by their learning rates."""
        there = self.optimizer is not None
        optimizer: torch.optim.Optimizer = super().create_optimizer(*arguments)
        if self._rates and not there:
            group_by_rate(optimizer, self._rates, self.args.learning_rate)
        return optimizer

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Return this process's share; the schedule divides the turns, not accelerate."""
        args = self.args
        workers = args.dataloader_num_workers
        return DataLoader(
            self._pieces,
            batch_sampler=ScheduleSampler(self._schedule, args.process_index, args.world_size),
            collate_fn=self.data_collator,
            num_workers=workers,
            prefetch_factor=args.dataloader_prefetch_factor if workers else None,
        )

    def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> torch.Tensor:
        """Train on a micro-batch; a loss that is no number ends the run before it reaches the weights."""
        if "error" in inputs:
            raise inputs["error"]
        items = None if self._plan.averages else num_items_in_batch
        with fast_linear(self.args.device, torch.float32):
            loss: torch.Tensor = super().training_step(model, inputs, items)
        if not bool(torch.isfinite(loss)):
            raise _diverged(f"the loss is {float(loss)}", self.state.global_step + 1)
        return loss

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Return dev scores under ``eval_`` names, and log them."""
        model: Any = self.model
        training = model.training
        model.eval()
        plan = self._plan
        dev = Development(plan.sources, plan.strategies, plan.backbone, plan.world, plan.schedule.seed)
        metrics = {f"eval_{name}": value for name, value in development_scores(dev).items()}
        model.train(training)
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def whole_weights(self) -> dict[str, torch.Tensor] | None:
        """Return the weights of the whole model on the first process where they are sharded, else None.

        Every process calls this: each sends its part.
        """
        if not (self.is_fsdp_enabled or self.is_deepspeed_enabled):
            return None
        weights: dict[str, torch.Tensor] = self.accelerator.get_state_dict(self.model_wrapped)
        return weights

    def selected(self) -> tuple[int, dict[str, Any] | None]:
        """Return the step whose weights the model has at the end of the training, and its log entry with dev scores."""
        best = self.state.best_model_checkpoint  # what the Trainer has restored
        step = int(Path(best).name.rpartition("-")[2]) if best else self.state.global_step
        return step, next((entry for entry in evaluations(self.state) if entry["step"] == step), None)


def evaluations(state: TrainerState) -> list[dict[str, Any]]:
    """Return the log entries of evaluations that the result may be selected by: those before the first step are not."""
    return [entry for entry in state.log_history if "eval_uar" in entry and entry["step"]]


class Log(TrainerCallback):
    """Writes ``training.jsonl``, one line per log entry, and TensorBoard's files, and reports each line."""

    def __init__(
        self,
        path: Path,
        board: Path,
        epochs_per_step: float,
        report: Callable[[Mapping[str, Any]], None],
        seen: Callable[[int], Mapping[str, Any]],
    ) -> None:
        """Begin a log.

        Args:
            seen: returns the examples by answer in the steps up to one; see `coabench.training.seen`.
        """
        self._path = path
        self._folder = board
        self._epochs_per_step = epochs_per_step
        self._report = report
        self._seen = seen
        self._first, self._since, self._before = 0, time.monotonic(), 0.0
        self._board: SummaryWriter | None = None
        self._lines: LineWriter | None = None

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Drop lines that a killed process wrote after the checkpoint that is resumed."""
        self._first, self._since = state.global_step, time.monotonic()
        if state.is_world_process_zero:
            kept = [line.data for line in read_lines(self._path) if line.data["step"] <= state.global_step]
            self._before = max((line.get("seconds", 0.0) for line in kept), default=0.0)
            write_text(self._path, b"".join(map(encode, kept)).decode())
            self._lines = LineWriter(self._path)
            self._board = SummaryWriter(str(self._folder), purge_step=state.global_step + 1)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Have the last step evaluated: it may be the best. End the training where its folder is gone.

        The Trainer would make a new one, for half of the checkpoints.
        """
        if self._lines is not None:
            with self._explained():
                self._lines.check_there()
        if state.global_step >= state.max_steps and args.eval_strategy != "no":
            control.should_evaluate = True

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Close the files."""
        if self._lines is not None:
            self._lines.close()
        if self._board is not None:
            self._board.close()

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """Append a line."""
        if self._lines is None or not logs or "train_runtime" in logs:
            return
        line: dict[str, Any] = {"step": state.global_step, "epoch": round(state.global_step * self._epochs_per_step, 4)}
        line |= {
            name.removeprefix("eval_"): value
            for name, value in logs.items()
            if isinstance(value, int | float) and math.isfinite(value) and name != "epoch"
        }
        done, seconds = state.global_step - self._first, time.monotonic() - self._since
        line["seconds"] = round(self._before + seconds, 1)
        with self._explained():
            self._lines.append([{**line, "seen": self._seen(state.global_step)}])
        if self._board is not None:
            for name, value in line.items():
                if name not in ("step", "seconds"):
                    self._board.add_scalar(name.replace(" ", "/"), value, state.global_step)
        left = (state.max_steps - state.global_step) * seconds / done if done else None
        self._report({**line, "steps": state.max_steps, "left": left})

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise JobError(
                f"the training log {self._path} cannot be written",
                found=error.strerror or str(error),
                remedy="make room, or put the folder back; the same command continues with what is there",
            ) from None


class FiniteGradients(TrainerCallback):
    """Ends the run before a gradient that is no number reaches the weights."""

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: Any = None, **_: Any
    ) -> None:
        """Check the norm over all gradients; float16 is left to its loss scaler, which skips such steps."""
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        if not args.fp16 and not bool(torch.nn.utils.get_total_norm(gradients).isfinite()):
            raise _diverged("the gradient is no number", state.global_step + 1)


def _diverged(problem: str, step: int) -> JobError:
    """Return the error that ends a run that diverged."""
    return JobError(
        f"{problem} at step {step}",
        expected="finite numbers",
        remedy="lower --lr, raise --warmup, or use --dtype bfloat16 or float32; the checkpoints so far are kept",
    )


class Patience(TrainerCallback):
    """Stops after so many evaluations in a row without a better dev UAR."""

    def __init__(self, patience: int) -> None:
        self._patience = patience

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Count over the log, which is part of every checkpoint: resuming changes nothing."""
        scores = [entry["eval_uar"] for entry in evaluations(state)]
        if scores and len(scores) - 1 - scores.index(max(scores)) >= self._patience:
            control.should_training_stop = True
