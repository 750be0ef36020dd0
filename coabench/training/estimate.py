"""What a training would do, without doing it: examples, tokens, parameters, memory."""

from __future__ import annotations

import statistics
from typing import Any

from coabench.base.text import plural
from coabench.errors import SampleError
from coabench.training.data import Item, count_turns
from coabench.training.parts import count_by_rate
from coabench.training.plan import Plan
from coabench.training.trainable import trained_sizes

PROBED = 64
"""Samples whose tokens are counted."""


def describe_plan(plan: Plan) -> list[tuple[str, str]]:
    """Return (name, text) rows; reads some images, loads no weights."""
    recipe, schedule = plan.recipe, plan.schedule
    what = "image" if recipe.rewards else "question"
    about = "" if recipe.rewards else f" about {plural(len(plan.items), 'image')}"
    rows = [("examples", plural(plan.turns, what) + about)]
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
    rows.append(("steps", f"{schedule.steps:,} of {plural(recipe.batch_size, what)}, {epochs:.2f} epochs"))
    at_a_time, a_step = plural(schedule.micro_batch, what), schedule.per_process(plan.world.size)
    rows.append(("micro-batch", f"{at_a_time}, {a_step} a step on each of {plan.world.size} processes"))
    trainee = plan.trainee
    examples = [example for _, example in _probe(plan, trainee)]
    tokens = [example.tokens for example in examples]
    rows.append(("tokens", f"{min(tokens):,} to {max(tokens):,} an image with its questions, median "
                 f"{statistics.median(tokens):,.0f} ({len(tokens)} looked at)"))  # fmt: skip
    every = sum(p.numel() for p in trainee.module.parameters())
    learning = count_by_rate(trainee, recipe, trained_sizes(trainee, recipe))
    trained = sum(row["parameters"] for row in learning)
    rows.append(("parameters", f"{trained:,} trained of {every:,} ({trained / every:.2%})"))
    rows += [("learning rate", f"{row['learning_rate']:g} for {row['parameters']:,} parameters of {row['part']} "
              f"({row['trained']})") for row in learning]  # fmt: skip
    width = 2 if plan.dtype in ("bfloat16", "float16") else 4
    most = max(trainee.activations(example, width, recipe.checkpointing) for example in examples)
    quantised = _quantised(plan, trainee)
    weights = (every - quantised) * (4 if recipe.full else width) + (0 if recipe.full else trained * 4)
    weights += quantised * int(recipe.load.removesuffix("bit")) // 8 if recipe.load else 0
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


def tokens_of_a_step(plan: Plan) -> float | None:
    """Return the mean tokens of a step, images included; None where no rows are shared, or no image can be read."""
    probed = _probe(plan, plan.trainee) if plan.recipe.share else []
    turns = sum(len(item.turns) for item, _ in probed)
    return plan.recipe.batch_size * sum(example.tokens for _, example in probed) / turns if turns else None


def _probe(plan: Plan, trainee: Any) -> list[tuple[Item, Any]]:
    """Return samples from all over the data, each with what is encoded of it."""
    examples = []
    for item in plan.items[:: max(1, len(plan.items) // PROBED)]:
        try:
            examples.append((item, trainee.encode(plan.backbone.prepare(item.images()), item.turns)))
        except SampleError:
            continue  # training names it; here it only makes no estimate
    return examples


def _quantised(plan: Plan, trainee: Any) -> int:
    """Return how many parameters ``--load`` concerns: those of the linear layers of the language model."""
    names = trainee.groups.get("language", ()) if plan.recipe.load else ()
    return int(sum(trainee.module.get_submodule(name).weight.numel() for name in names))


def _gib(size: float) -> str:
    return f"{size / 2**30:.2f} GiB" if size >= 2**28 else f"{size / 2**20:.0f} MiB"
