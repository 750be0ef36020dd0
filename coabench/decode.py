"""The decode modes: the ways in which an answer is obtained, each declared once.

To add one, name it in `Decode`, describe it in `MODES`, and give `coabench.backbone.Viewing` a method of that name. The
engine, the check of capabilities, ``--decode`` and the conformance suite follow the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from coabench.errors import UserError, did_you_mean

Decode = Literal["generate", "score", "sample"]
"""A mode by name, as typed on the command line and written into manifests."""

Demand = Literal["generate", "score"]
"""What a question may insist on, whatever the user chooses: an answer in words (generated or sampled), or scores."""


@dataclass(frozen=True)
class Mode:
    """A decode mode.

    Attributes:
        name: the method of `Viewing` that answers in this mode is called so, too.
        needs: the capability that a backbone must declare for it.
        scored: whether an answer has a score for each option of its question, the best of which is the label; an open
            question cannot be asked so. Otherwise the parser reads the response.
        voted: whether answers are drawn at random: the strategy then asks several times, and its conclusions are voted
            (`coabench.inference.self_consistency`). `Question.draw` says how to draw.
    """

    name: Decode
    needs: str
    scored: bool = False
    voted: bool = False


GENERATE = Mode("generate", "generates")
"""Free greedy generation, which any question can be answered by; open ones are where the chosen mode needs options."""

SCORE = Mode("score", "scores", scored=True)
"""The options of the question are scored."""

SAMPLE = Mode("sample", "samples", voted=True)
"""Free generation with every token drawn at random."""

MODES: Mapping[str, Mode] = {mode.name: mode for mode in (GENERATE, SCORE, SAMPLE)}

DECODES = tuple(mode.name for mode in MODES.values())

DEMANDS = get_args(Demand)

ONCE = tuple(mode.name for mode in MODES.values() if not mode.voted)
"""The modes that answer a question once: what a live picture is asked in."""

SCORED = tuple(mode.name for mode in MODES.values() if mode.scored)

EXTERNAL = "external"
"""What a manifest names instead of a mode where the predictions come from a file."""


def mode_of(name: str) -> Mode:
    """Return the mode of that name; `UserError` where there is none."""
    if name not in MODES:
        hint = did_you_mean(str(name), DECODES)
        raise UserError(
            f"there is no decode mode {name!r}", expected=" or ".join(DECODES), remedy=f"{hint}correct --decode"
        )
    return MODES[name]
