"""The train job: a strategy's own questions, with their right answers, make an adapter."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coabench.base import environment
from coabench.base.names import require_utf8
from coabench.base.processes import Meeting, lost_process_named
from coabench.base.vocabulary import COMPLETE, STOPPED
from coabench.inference.contents import contents
from coabench.registry.blame import contained
from coabench.runs.observers import failure_reported, notify
from coabench.runs.training_log import LOG
from coabench.support.memory import explained_oom
from coabench.support.quantised import import_bitsandbytes
from coabench.training.faces import find_faces
from coabench.training.files import BOARD, CHECKPOINTS, TrainingFolder, export_published, save_trained
from coabench.training.parts import count_by_rate
from coabench.training.plan import Plan, Training, check
from coabench.training.progress import TrainingProgress
from coabench.training.result import FinishedTraining
from coabench.training.seen import Seen
from coabench.training.trainable import sizes, trainable
from coabench.training.vision_cache import open_vision_cache

if TYPE_CHECKING:
    from coabench.training.halving import Halving

CONTINUES = (
    "coabench 0.1.0 began this training, and it ends as it began: the steps of warm-up are rounded to the nearest, the"
    " optimizer is not that of today's preset, and a loss that was averaged by micro-batch still is; --overwrite begins"
    " again"
)


@contained()
def train(request: Training, progress: TrainingProgress | None = None) -> FinishedTraining:
    """Train, or resume the training in the output directory.

    Under torchrun every process calls this; the first one writes.

    Raises:
        UserError: bad input; nothing was written.
        JobError: the training could not be finished; the checkpoints so far are kept.
    """
    progress = progress or TrainingProgress()
    plan = check(request)
    directory = require_utf8(plan.directory, "--output")
    with ExitStack() as stack:
        folder = None
        if plan.world.first:
            opened = TrainingFolder(directory, plan.manifest, overwrite=request.overwrite)
            folder = stack.enter_context(failure_reported(opened, progress.note))
            if plan.continues and CONTINUES not in folder.manifest["notes"]:
                folder.manifest["notes"].append(CONTINUES)
            for note in folder.manifest["notes"]:
                progress.note(note)
        stack.enter_context(process_group(plan))
        manifest, complete = Meeting(plan.world).agree(folder and [folder.manifest, folder.complete])
        if not complete:
            with contained():
                _fit(request, plan, directory, folder, progress)
        elif folder:
            progress.note(f"{directory} is already complete: nothing to train")
        if folder and request.published and not plan.recipe.full:
            export_published(plan, directory)
        return FinishedTraining(directory, folder.manifest if folder else manifest)


def _fit(
    request: Training, plan: Plan, directory: Path, folder: TrainingFolder | None, progress: TrainingProgress
) -> None:
    """Load, train, and write what came out; *folder* is None on all processes but the first."""
    from transformers import set_seed

    from coabench.training.reward_trainer import RewardTrainer
    from coabench.training.trainer import Log, TurnTrainer, make_arguments, make_trainer

    remedy = (
        f"pass --checkpointing, lower --micro-batch (now {plan.schedule.micro_batch}) or, with phi-3.5-vision, "
        "--set num_crops=N; the same command then resumes from the last checkpoint"
    )
    with (
        explained_oom("the device has too little memory for this training", remedy),
        progress.start(plan.schedule.steps),
    ):
        arguments = make_arguments(plan, directory / CHECKPOINTS)
        if plan.crop is not None:
            progress.note("finding the face in every image, once")
            find_faces(plan, plan.crop)
        if folder is not None:
            progress.note("reading every image once, to record what is learnt from")
            folder.begin(request.overwrite, _session(request, plan), contents(plan.samples), plan.earlier)
            notify(progress.note, "coabench_training_started", training=folder, step=folder.last_step())
            progress.note("loading the backbone")
        plan.backbone.load()
        set_seed(request.seed)
        model = trainable(plan.trainee, plan.recipe)
        if plan.start is not None:
            plan.start.load(model)
        kept = None if request.vision_cache is None else open_vision_cache(request.vision_cache)
        if kept is not None:
            plan.trainee.keep(kept)
        learning = count_by_rate(plan.trainee, plan.recipe, sizes(model))
        seen = Seen(plan.items, plan.schedule).until
        epochs_per_step = plan.recipe.batch_size / plan.turns
        log = Log(directory / LOG, directory / BOARD, epochs_per_step, _reporting(folder, progress), seen)
        trainer = make_trainer(RewardTrainer if plan.recipe.rewards else TurnTrainer, plan, model, arguments, log)
        halving = _halving(request, plan)
        if halving is not None:
            trainer.add_callback(halving)
        checkpoint = Meeting(plan.world).agree(folder and folder.last_checkpoint())
        if checkpoint is not None:
            progress.note(f"resuming from {checkpoint}")
            if folder is not None:
                _note_processes(folder.manifest, progress)
        with lost_process_named():
            trainer.train(resume_from_checkpoint=checkpoint)
            weights = trainer.whole_weights()
        if kept is not None and kept.looked:
            progress.note(f"the vision tower was spared {kept.found:,} of {kept.looked:,} images (--vision-cache)")
        if folder is not None and halving is not None and halving.stopped:  # its checkpoints stay: it can be resumed
            folder.end(STOPPED, halving.reason, stopped_early=halving.stopped)
            notify(
                progress.note,
                "coabench_training_failed",
                training=folder,
                error=f"stopped by a sweep: {halving.reason}",
            )
        elif folder is not None:
            save_trained(model, plan, directory, weights)
            shutil.rmtree(directory / CHECKPOINTS, ignore_errors=True)
            _complete(folder, *trainer.selected(), learning, progress)


def _complete(
    folder: TrainingFolder,
    step: int,
    best: Mapping[str, Any] | None,
    learning: Sequence[Mapping[str, Any]],
    progress: TrainingProgress,
) -> None:
    """Record and report that a training is complete.

    Args:
        step: that was selected.
        best: its log entry with dev scores.
        learning: the parameters that were trained, by learning rate.
    """
    dev = {k.removeprefix("eval_"): v for k, v in best.items() if k.startswith("eval_")} if best else None
    trainable = sum(row["parameters"] for row in learning)
    results: dict[str, Any] = {"selected_step": step, "dev": dev, "trainable": trainable}
    folder.end(COMPLETE, **results, learning=learning)
    notify(progress.note, "coabench_training_finished", training=folder, results=results)


def _halving(request: Training, plan: Plan) -> Halving | None:
    """Return what ends the training where it does worse than its rivals; None where nothing does."""
    if request.asha is None:
        return None
    from coabench.training.halving import Halving

    return Halving(request.asha, request.asha.rungs(plan.recipe.evaluations), request.rivals)


def _note_processes(manifest: dict[str, Any], progress: TrainingProgress) -> None:
    """Say and record that a training is resumed with another number of processes than it had."""
    before, *now = (session.get("processes", 1) for session in manifest["sessions"][-2:])
    if now and now != [before]:
        note = (
            f"a training of {before} processes is resumed with {now[0]}: its batches are the same, the random numbers "
            "of dropout are others"
        )
        manifest["notes"].append(note)
        progress.note(note)


def _reporting(folder: TrainingFolder | None, progress: TrainingProgress) -> Callable[[Mapping[str, Any]], None]:
    """Return what is called with each line of the log, for the user and for observers."""

    def report(line: Mapping[str, Any]) -> None:
        progress.log(line)
        logs = {name: value for name, value in line.items() if name not in ("step", "steps", "left")}
        notify(progress.note, "coabench_training_step", training=folder, step=line["step"], logs=logs)

    return report


def _session(request: Training, plan: Plan) -> dict[str, Any]:
    """Return what the manifest records of this process."""
    backbone = dict(plan.backbone.details())
    return {
        "command": list(request.command),
        "preset": request.preset,
        "processes": plan.world.size,
        "micro_batch": plan.schedule.micro_batch,
        **({} if request.vision_cache is None else {"vision_cache_gib": request.vision_cache}),
        "device": backbone.get("device"),
        "backbone": backbone,
        "environment": environment.describe(),
    }


@contextmanager
def process_group(plan: Plan) -> Iterator[None]:
    """Join the processes, with the Trainer's backend, until the end of the outermost of these contexts."""
    import_bitsandbytes()  # before the Trainer does
    if plan.world.size == 1:
        yield
        return
    from torch import distributed

    from coabench.training.trainer import make_arguments

    outermost = not distributed.is_initialized()
    try:
        make_arguments(plan, plan.directory / CHECKPOINTS)
        yield
    finally:
        if outermost and distributed.is_initialized():
            distributed.destroy_process_group()
