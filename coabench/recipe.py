"""Training recipes: every setting that decides what comes out of `coabench train`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import inf
from typing import Any, Final, Literal, get_args

from coabench.errors import UserError, did_you_mean
from coabench.sampling import MOST

Load = Literal["8bit", "4bit"]
"""In how many bits the linear layers of a language model are kept; see `coabench.support.quantised`."""
LOADS: tuple[Load, ...] = get_args(Load)
INT8: Final = "int8"
"""The ``--dtype`` that multiplies integers, and the capability of backbones that can; see
`coabench.support.int8_dynamic`."""
Balance = Literal["none", "loss", "sample", "effective-number"]
BETA = 0.999
"""Of ``effective-number``: Cui et al. 2019 (arXiv 1901.05555) try 0.9, 0.99, 0.999 and 0.9999."""
Objective = Literal["supervised", "grpo"]
GrpoLoss = Literal["grpo", "dr-grpo"]
REWARDED = ("group", "kl", "grpo_loss", "reward_partial", "reward_invalid", "reward_length")
"""Settings of ``grpo`` alone."""
SUPERVISED = ("ambiguous", "balance", "balance_beta", "share")
"""Settings that ``grpo`` has no use for."""
LORA_ALONE = ("dora", "rslora", "lora_plus", "modules_to_save")
LATER = ("share", "load", "balance", "balance_beta", "part_lr", "objective", *LORA_ALONE)
"""Settings that 0.1.0 did not have: as by default they are left out of an identity."""


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Attributes:
        objective: ``supervised`` learns the right answers; ``grpo`` draws answers and learns from what they are
            rewarded with, see `coabench.training.reward`. An example then is an image with its dialogues, not a
            question.
        group: dialogues that are drawn about an image each time.
        kl: how strongly answers are held to those of the model that the training begins with; 0 for not.
        grpo_loss: ``grpo``, or ``dr-grpo``, which divides neither by the answers' length nor by the rewards' deviation.
        reward_partial, reward_invalid, reward_length: of a label with one right emotion of two, of no label, and what
            each token of an answer takes away; the right label has 1, another one 0.
        full: all parameters instead of a LoRA.
        rank, alpha, dropout: of the LoRA: its update is alpha / rank * B A.
        dora: learn the length of every column of a weight beside its direction (Liu et al. 2024, arXiv 2402.09353).
        rslora: an update of alpha / sqrt(rank) * B A (Kalajdzievski 2023, arXiv 2312.03732).
        lora_plus: the learning rate of the factors B of linear layers is so many times the learning rate of all else
            (LoRA+: Hayou et al. 2024, arXiv 2402.12354).
        targets: the parts of the model that are trained, see `coabench.backbone.Trainee`; empty for all.
        modules_to_save: parts or modules that are trained whole beside the LoRA, see `coabench.training.parts`.
        mirror: show every image mirrored in about half of the epochs: an emotion has no left and right.
        ambiguous: train on questions with several right answers too, once with each.
        balance: what makes up for answers that are rarer than others, of each question by itself; see
            `coabench.training.balance`.
        balance_beta: of ``effective-number``; None for `BETA`.
        epochs: how often every question is seen, on average.
        steps: optimizer steps; overrides *epochs*.
        batch_size: questions per optimizer step, over all processes.
        share: put the questions about an image into one step, where they share its row; the epochs are one stream, the
            loss is the mean over the tokens of a step. Without, every question is a record, as in the published
            script: each epoch shuffles the records and drops those that fill no batch, and the loss is the mean of the
            means of the micro-batches.
        learning_rate, schedule, warmup, weight_decay: of AdamW; *schedule* is a name of transformers' schedulers,
            *warmup* a fraction of the steps, rounded up.
        part_lr: part -> its learning rate, where that is another.
        checkpointing: compute activations again instead of keeping them.
        dtype: the precision of the arithmetic.
        load: the base in 8 or 4 bits, frozen, with a LoRA beside it (QLoRA); None for all of its precision.
        dev: the fraction of each train split that is kept for selection and early stopping.
        evaluations: how often the dev part is evaluated, evenly over the steps.
        patience: stop after so many evaluations without a better dev UAR; None for never.
    """

    objective: Objective = "supervised"
    group: int = 8
    kl: float = 0.04
    grpo_loss: GrpoLoss = "grpo"
    reward_partial: float = 0.3
    reward_invalid: float = -0.5
    reward_length: float = 0.0
    full: bool = False
    rank: int = 32
    alpha: float = 16.0
    dropout: float = 0.05
    dora: bool = False
    rslora: bool = False
    lora_plus: float = 1.0
    targets: tuple[str, ...] = ()
    modules_to_save: tuple[str, ...] = ()
    mirror: bool = False
    ambiguous: bool = False
    balance: Balance = "none"
    balance_beta: float | None = None
    epochs: float = 3.0
    steps: int | None = None
    batch_size: int = 32
    share: bool = True
    learning_rate: float = 2e-4
    part_lr: Mapping[str, float] = field(default_factory=dict)
    schedule: str = "cosine"
    warmup: float = 0.03
    weight_decay: float = 0.0
    checkpointing: bool = False
    dtype: str = "auto"
    load: Load | None = None
    dev: float = 0.1
    evaluations: int = 5
    patience: int | None = None

    def __post_init__(self) -> None:
        for name, fits, expected in (
            ("objective", self.objective in get_args(Objective), ", ".join(get_args(Objective))),
            ("group", 2 <= self.group <= MOST, f"2 to {MOST}"),
            ("kl", 0 <= self.kl < inf, "0 or more"),
            ("grpo_loss", self.grpo_loss in get_args(GrpoLoss), ", ".join(get_args(GrpoLoss))),
            ("reward_partial", 0 <= self.reward_partial <= 1, "0 to 1"),
            ("reward_invalid", -inf < self.reward_invalid <= 0, "0 or less"),
            ("reward_length", 0 <= self.reward_length < inf, "0 or more"),
            ("rank", self.rank >= 1, "1 or more"),
            ("alpha", self.alpha > 0, "more than 0"),
            ("dropout", 0 <= self.dropout < 1, "0 or more, less than 1"),
            ("lora_plus", 1 <= self.lora_plus < inf, "1 or more"),
            ("part_lr", all(0 < rate < inf for rate in self.part_lr.values()), "more than 0"),
            ("balance", self.balance in get_args(Balance), ", ".join(get_args(Balance))),
            ("balance_beta", self.balance_beta is None or 0 <= self.balance_beta < 1, "0 or more, less than 1"),
            ("epochs", self.epochs > 0, "more than 0"),
            ("steps", self.steps is None or self.steps >= 1, "1 or more"),
            ("batch_size", self.batch_size >= 1, "1 or more"),
            ("learning_rate", self.learning_rate > 0, "more than 0"),
            ("warmup", 0 <= self.warmup < 1, "0 or more, less than 1"),
            ("weight_decay", self.weight_decay >= 0, "0 or more"),
            ("dev", 0 <= self.dev < 1, "0 or more, less than 1"),
            ("evaluations", self.evaluations >= 1, "1 or more"),
            ("patience", self.patience is None or self.patience >= 1, "1 or more"),
        ):
            if not fits:
                option = option_of(name)
                raise UserError(
                    f"{option} {getattr(self, name)} makes no sense", expected=expected, remedy=f"correct {option}"
                )
        if self.dtype == INT8:
            raise UserError(
                f"--dtype {INT8} answers and does not learn: no gradient passes 8-bit arithmetic",
                expected="auto, float32, bfloat16 or float16",
                found=f"--dtype {INT8}",
                remedy="train with another --dtype, or with --load 8bit, and evaluate with --dtype int8",
            )
        if self.full and self.load:
            raise UserError(
                f"--load {self.load} is for adapters: weights in a few bits cannot be trained themselves",
                found="--full",
                remedy="leave out --load, or pass --lora",
            )
        if self.balance_beta is not None and self.balance != "effective-number":
            raise UserError(
                "--balance-beta is for --balance effective-number",
                found=f"--balance {self.balance}",
                remedy="leave out --balance-beta, or pass --balance effective-number",
            )
        self._check_objective()
        for name in LORA_ALONE if self.full else ():
            if getattr(self, name) != getattr(Recipe(), name):
                raise UserError(f"{option_of(name)} is for a LoRA", found="--full", remedy="leave out one of the two")

    def _check_objective(self) -> None:
        """Refuse (`UserError`) settings of the other objective."""
        others = SUPERVISED if self.rewards else REWARDED
        odd = next((name for name in others if getattr(self, name) != getattr(Recipe, name)), None)
        if odd is not None and (odd, self.balance) != ("balance", "sample"):
            option = option_of(odd)
            raise UserError(
                f"{option} is not for --objective {self.objective}",
                found=str(getattr(self, odd)),
                remedy=f"leave out {option}, or choose the other --objective",
            )

    @property
    def rewards(self) -> bool:
        """Whether drawn answers are rewarded."""
        return self.objective == "grpo"

    @property
    def beta(self) -> float:
        """The beta of ``effective-number``."""
        return BETA if self.balance_beta is None else self.balance_beta

    def identity(self, micro_batch: int) -> dict[str, Any]:
        """Return what distinguishes it from another recipe; *micro_batch* does where questions are not shared."""
        settings = asdict(self)
        for name in (*LATER, *(() if self.rewards else REWARDED)):
            if settings[name] == getattr(Recipe(), name):
                del settings[name]
        if self.balance == "effective-number":
            settings["balance_beta"] = self.beta
        return settings if self.share else {**settings, "micro_batch": micro_batch}


def option_of(setting: str) -> str:
    """Return the option of a field of `Recipe`."""
    return "--" + {"learning_rate": "lr"}.get(setting, setting).replace("_", "-")


@dataclass(frozen=True)
class Preset:
    """A recipe with a name, and the ``--set`` options that belong to it.

    Attributes:
        recipe: what differs from the defaults of `Recipe`.
        options: option -> value, as typed after ``--set``.
        trainer: field of transformers' TrainingArguments -> value, as typed after ``--trainer``.
        micro_batch: turns that go through the model at a time, where the user does not say.
        description: one line for people, with the source.
    """

    recipe: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)
    micro_batch: int | None = None
    description: str = ""
    trainer: Mapping[str, str] = field(default_factory=dict)


def make_recipe(presets: Mapping[str, Preset], name: str | None, settings: Mapping[str, Any]) -> tuple[Recipe, Preset]:
    """Return the recipe of a preset, changed by settings, and the preset.

    Where *name* is None it is that of the objective, if there is one of that name, else ``default``.

    Args:
        settings: field of `Recipe` -> value; None where it is left to the preset.

    Raises:
        UserError: there is no such preset, or a value makes no sense.
    """
    if name is not None and name not in presets:
        raise UserError(
            f"the backbone has no preset {name!r}",
            expected=", ".join(sorted(presets)) or "no preset: this backbone has none",
            remedy=f"{did_you_mean(name, list(presets))}correct --preset",
        )
    objective = str(settings.get("objective"))
    preset = presets.get(name or (objective if objective in presets else "default"), Preset())
    changes = {key: value for key, value in settings.items() if value is not None}
    if "epochs" in changes and "steps" not in changes:
        changes["steps"] = None  # the preset's steps give way
    return Recipe(**{**preset.recipe, **changes}), preset
