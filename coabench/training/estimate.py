"""What a training would do, without doing it: examples, tokens, parameters, memory."""

from __future__ import annotations

import statistics
from typing import Any

from coabench.errors import SampleError
from coabench.training.data import count_turns
from coabench.training.parts import fully_trained, targets
from coabench.training.plan import Plan

PROBED = 64
"""Samples whose tokens are counted."""


def describe_plan(plan: Plan) -> list[tuple[str, str]]:
    """Return (name, text) rows; reads some images, loads no weights."""
    recipe, schedule = plan.recipe, plan.schedule
    what = "images" if recipe.rewards else "questions"
    rows = [("examples", f"{plan.turns:,} {what}" + ("" if recipe.rewards else f" about {len(plan.items):,} images"))]
    if recipe.rewards:
        drawn = f"{recipe.group} about each, drawn when its step comes; the memory for that is not estimated"
        rows.append(("dialogues", drawn))
    rows += [("", f"{count:,} {name}") for name, count in count_turns(plan.items).items()]
    for kind, answers in (plan.balance.to_json() if plan.balance else {}).items():
        shown = ", ".join(f"{answer} {own['count']:,} × {own['weight']:.2f}" for answer, own in answers.items())
        rows.append(("balance", f"{kind}: {shown}"))
    rows += [("begins with", str(plan.start.folder))] if plan.start else []
    rows += [("augmentation", spec) for spec in plan.augmentation.specs] if plan.augmentation else []
    rows += [("development part", ", ".join(f"{len(s.dev):,} of {s.dataset.card.name}" for s in plan.sources))]
    rows += [
        ("held out", f"fold {s.fold.identity}: {len(s.fold.samples):,} of {s.dataset.card.name}")
        for s in plan.sources
        if s.fold
    ]
    rows += _shown(plan)
    epochs = schedule.steps * recipe.batch_size / plan.turns
    rows.append(("steps", f"{schedule.steps:,} of {recipe.batch_size} {what}, {epochs:.2f} epochs"))
    rows.append(("micro-batch", f"{schedule.micro_batch} {what}, {schedule.per_process(plan.world.size)} a step on "
                 f"each of {plan.world.size} processes"))  # fmt: skip
    trainee = plan.trainee
    examples = _probe(plan, trainee)
    tokens = [example.tokens for example in examples]
    rows.append(("tokens", f"{min(tokens):,} to {max(tokens):,} an image with its questions, median "
                 f"{statistics.median(tokens):,.0f} ({len(tokens)} looked at)"))  # fmt: skip
    every = sum(p.numel() for p in trainee.module.parameters())
    trained = _trained(plan, trainee)
    rows.append(("parameters", f"{trained:,} trained of {every:,} ({trained / every:.2%})"))
    width = 2 if plan.dtype in ("bfloat16", "float16") else 4
    most = max(trainee.activations(example, width, recipe.checkpointing) for example in examples)
    weights = every * (4 if recipe.full else width) + (0 if recipe.full else trained * 4)
    states = trained * 12  # gradient and Adam's two moments, float32
    total = weights + states + most * schedule.micro_batch
    rows.append(("memory, estimated", f"{_gib(total)} a process: weights {_gib(weights)}, gradients and optimizer "
                 f"{_gib(states)}, activations {_gib(most * schedule.micro_batch)}"))  # fmt: skip
    return rows


def _shown(plan: Plan) -> list[tuple[str, str]]:
    """Return one example of every kind of question."""
    rows, seen = [], set()
    for item in plan.items:
        for turn in item.turns:
            kind = (item.strategy.name, turn.question.name, item.space.name)
            if kind not in seen:
                seen.add(kind)
                rows += [("question", turn.question.prompt), ("answer", f"{turn.answer.response}   ({item.sample.id})")]
    return rows


def _probe(plan: Plan, trainee: Any) -> list[Any]:
    """Encode samples from all over the data."""
    examples = []
    for item in plan.items[:: max(1, len(plan.items) // PROBED)]:
        try:
            examples.append(trainee.encode(plan.backbone.prepare(item.images()), item.turns))
        except SampleError:
            continue  # training names it; here it only makes no estimate
    return examples


def _trained(plan: Plan, trainee: Any) -> int:
    module = trainee.module
    if plan.recipe.full:
        trained = fully_trained(trainee, plan.recipe)
        return int(sum(p.numel() for name, p in module.named_parameters() if name in trained))
    shapes = [module.get_submodule(name).weight.shape for name in targets(trainee, plan.recipe)]
    return int(sum(plan.recipe.rank * (out + into) for out, into in shapes))


def _gib(size: float) -> str:
    return f"{size / 2**30:.2f} GiB" if size >= 2**28 else f"{size / 2**20:.0f} MiB"
