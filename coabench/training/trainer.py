"""transformers' Trainer on a trainee: our schedule of turns, dev UAR through the engine, one log, no silent NaN."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from tensorboardX import SummaryWriter
from torch.utils.data import DataLoader, Dataset
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from coabench.backbone import Backbone, Trainee
from coabench.base.files import write_text
from coabench.base.jsonlines import LineWriter, encode, read_lines
from coabench.errors import JobError, SampleError
from coabench.training.data import Item
from coabench.training.schedule import Piece, Schedule

Evaluate = Callable[[], Mapping[str, float]]
"""Evaluates the model as it is on the dev part; the same answer on every process."""


class Pieces(Dataset[Any]):
    """Encodes pieces of the schedule: the turns of one sample that stand in the same micro-batch."""

    def __init__(self, items: Sequence[Item], backbone: Backbone[Any], trainee: Trainee) -> None:
        self._items = items
        self._backbone = backbone
        self._trainee = trainee

    def __getitem__(self, piece: Piece) -> Any:
        """Return the example, or the error that stands in its way: raised in a worker, it would lose its words."""
        position, turns, mirrored = piece
        item = self._items[position]
        try:
            prepared = self._backbone.prepare(item.images(mirrored))
        except SampleError as error:
            return JobError(
                f"{item.sample.id} cannot be trained on: {error.problem}",
                remedy="run `coabench datasets verify`; repair the image or take it out of the data set",
            )
        return self._trainee.encode(prepared, [item.turns[turn] for turn in turns])

    def collate(self, examples: Sequence[Any]) -> dict[str, Any]:
        """Return the module's arguments, or ``error``."""
        for example in examples:
            if isinstance(example, JobError):
                return {"error": example, "labels": torch.empty(0, dtype=torch.long)}
        return self._trainee.collate(examples)


class Share:
    """The micro-batches of one process, as a batch sampler."""

    def __init__(self, schedule: Schedule, rank: int, world: int) -> None:
        self._schedule, self._rank, self._world = schedule, rank, world

    def __len__(self) -> int:
        return self._schedule.steps * self._schedule.per_process(self._world)

    def __iter__(self) -> Iterator[list[Piece]]:
        return self._schedule.micro_batches(self._rank, self._world)


class TurnTrainer(Trainer):
    """Trainer with our schedule and our evaluation.

    To the Trainer the whole run is one epoch, so that going on after *n* steps means leaving out *n* steps of the
    schedule, whatever an epoch is.
    """

    def __init__(self, pieces: Pieces, schedule: Schedule, evaluate: Evaluate, **arguments: Any) -> None:
        self._schedule = schedule
        self._pieces = pieces
        self._dev = evaluate
        super().__init__(train_dataset=pieces, data_collator=pieces.collate, eval_dataset=pieces, **arguments)

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Return this process's share; it is dealt out by the schedule, not by accelerate."""
        args = self.args
        workers = args.dataloader_num_workers
        return DataLoader(
            self._pieces,
            batch_sampler=Share(self._schedule, args.process_index, args.world_size),
            collate_fn=self.data_collator,
            num_workers=workers,
            prefetch_factor=args.dataloader_prefetch_factor if workers else None,
        )

    def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> torch.Tensor:
        """Train on a micro-batch; a loss that is no number ends the run before it reaches the weights."""
        if "error" in inputs:
            raise inputs["error"]
        loss: torch.Tensor = super().training_step(model, inputs, num_items_in_batch)
        if not bool(torch.isfinite(loss)):
            raise not_a_number(f"the loss is {float(loss)}", self.state.global_step + 1)
        return loss

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Return dev scores under ``eval_`` names, and log them."""
        model: Any = self.model
        training = model.training
        model.eval()
        metrics = {f"eval_{name}": value for name, value in self._dev().items()}
        model.train(training)
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics


class Log(TrainerCallback):
    """Writes ``training.jsonl``, one line per log entry, and TensorBoard's files, and tells the user."""

    def __init__(
        self, path: Path, board: Path, epochs_per_step: float, tell: Callable[[Mapping[str, Any]], None]
    ) -> None:
        self._path = path
        self._folder = board
        self._epochs_per_step = epochs_per_step
        self._tell = tell
        self._first, self._since = 0, time.monotonic()
        self._board: SummaryWriter | None = None

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Drop lines that a killed process wrote after the checkpoint we go on from."""
        self._first, self._since = state.global_step, time.monotonic()
        if state.is_world_process_zero:
            kept = [line.data for line in read_lines(self._path) if line.data["step"] <= state.global_step]
            write_text(self._path, b"".join(map(encode, kept)).decode())
            self._board = SummaryWriter(str(self._folder), purge_step=state.global_step + 1)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """See to it that the last step is evaluated: it may be the best."""
        if state.global_step >= state.max_steps and args.eval_strategy != "no":
            control.should_evaluate = True

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Close TensorBoard's file."""
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
        if not state.is_world_process_zero or not logs or "train_runtime" in logs:
            return
        line: dict[str, Any] = {"step": state.global_step, "epoch": round(state.global_step * self._epochs_per_step, 4)}
        line |= {
            name.removeprefix("eval_"): value
            for name, value in logs.items()
            if isinstance(value, int | float) and math.isfinite(value) and name != "epoch"
        }
        done, seconds = state.global_step - self._first, time.monotonic() - self._since
        line["seconds"] = round(seconds, 1)
        with LineWriter(self._path) as log:
            log.append([line])
        if self._board is not None:
            for name, value in line.items():
                if name not in ("step", "seconds"):
                    self._board.add_scalar(name.replace(" ", "/"), value, state.global_step)
        left = (state.max_steps - state.global_step) * seconds / done if done else None
        self._tell({**line, "steps": state.max_steps, "left": left})


class FiniteGradients(TrainerCallback):
    """Ends the run before a gradient that is no number reaches the weights."""

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: Any = None, **_: Any
    ) -> None:
        """Look at the norm over all gradients; float16 is left to its loss scaler, which skips such steps."""
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        if not args.fp16 and not bool(torch.nn.utils.get_total_norm(gradients).isfinite()):
            raise not_a_number("the gradient is no number", state.global_step + 1)


def not_a_number(problem: str, step: int) -> JobError:
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
        """Count over the log, which is part of every checkpoint: going on after a kill changes nothing."""
        scores = [entry["eval_uar"] for entry in state.log_history if "eval_uar" in entry]
        best = scores.index(max(scores))
        if len(scores) - 1 - best >= self._patience:
            control.should_training_stop = True
