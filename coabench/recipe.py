"""Training recipes: every setting that decides what comes out of `coabench train`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import inf
from typing import Any, Literal, get_args

from coabench.errors import UserError
from coabench.sampling import MOST

Balance = Literal["none", "loss", "sample", "effective-number"]
BETA = 0.999
"""Of ``effective-number``: Cui et al. 2019 (arXiv 1901.05555) try 0.9, 0.99, 0.999 and 0.9999."""
Objective = Literal["supervised", "grpo"]
GrpoLoss = Literal["grpo", "dr-grpo"]
REWARDED = ("group", "kl", "grpo_loss", "reward_partial", "reward_invalid", "reward_length")
"""Settings of ``grpo`` alone."""
SUPERVISED = ("ambiguous", "balance", "balance_beta", "share")
"""Settings that ``grpo`` has no use for."""


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
        targets: the parts of the model that are trained, see `coabench.backbone.Trainee`; empty for all.
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
        checkpointing: compute activations again instead of keeping them.
        dtype: the precision of the arithmetic.
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
    targets: tuple[str, ...] = ()
    mirror: bool = False
    ambiguous: bool = False
    balance: Balance = "none"
    balance_beta: float | None = None
    epochs: float = 3.0
    steps: int | None = None
    batch_size: int = 32
    share: bool = True
    learning_rate: float = 2e-4
    schedule: str = "cosine"
    warmup: float = 0.03
    weight_decay: float = 0.0
    checkpointing: bool = False
    dtype: str = "auto"
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
                option = "--" + {"learning_rate": "lr"}.get(name, name).replace("_", "-")
                raise UserError(
                    f"{option} {getattr(self, name)} makes no sense", expected=expected, remedy=f"correct {option}"
                )
        if self.balance_beta is not None and self.balance != "effective-number":
            raise UserError(
                "--balance-beta is for --balance effective-number",
                found=f"--balance {self.balance}",
                remedy="leave out --balance-beta, or pass --balance effective-number",
            )
        self._check_objective()

    def _check_objective(self) -> None:
        """Refuse (`UserError`) settings of the other objective."""
        others = SUPERVISED if self.rewards else REWARDED
        odd = next((name for name in others if getattr(self, name) != getattr(Recipe, name)), None)
        if odd is not None and (odd, self.balance) != ("balance", "sample"):
            option = f"--{odd.replace('_', '-')}"
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
        if not self.rewards:  # all that there was before
            for name in ("objective", *REWARDED):
                del settings[name]
        share = settings.pop("share")  # which 0.1.0 always did
        balance, _ = settings.pop("balance"), settings.pop("balance_beta")  # which 0.1.0 did not
        if balance != "none":
            settings["balance"] = balance
        if balance == "effective-number":
            settings["balance_beta"] = self.beta
        return settings if share else {**settings, "share": share, "micro_batch": micro_batch}


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
            remedy="correct --preset",
        )
    objective = str(settings.get("objective"))
    preset = presets.get(name or (objective if objective in presets else "default"), Preset())
    changes = {key: value for key, value in settings.items() if value is not None}
    if "epochs" in changes and "steps" not in changes:
        changes["steps"] = None  # the preset's steps give way
    return Recipe(**{**preset.recipe, **changes}), preset
