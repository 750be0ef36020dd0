"""Other English names for the labels, from a closed table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from coabench.errors import UserError
from coabench_rewrites.options import Renaming

WORDS = {
    "a": {
        "Surprise": "Astonishment", "Fear": "Fright", "Disgust": "Revulsion", "Happiness": "Joy", "Sadness": "Sorrow",
        "Anger": "Rage", "Neutral": "Expressionless", "Contempt": "Scorn",
        "Happily": "Joyfully", "Sadly": "Sorrowfully", "Fearfully": "Frightenedly", "Angrily": "Furiously",
        "Disgustedly": "Revoltedly", "Surprised": "Astonished", "Fearful": "Frightened", "Disgusted": "Revolted",
        "Happy": "Joyful", "Sad": "Sorrowful", "Angry": "Furious",
    },
    "b": {
        "Surprise": "Amazement", "Fear": "Dread", "Disgust": "Aversion", "Happiness": "Gladness",
        "Sadness": "Unhappiness", "Anger": "Fury", "Neutral": "No emotion", "Contempt": "Disdain",
        "Happily": "Gladly", "Sadly": "Unhappily", "Fearfully": "Anxiously", "Angrily": "Irately",
        "Disgustedly": "Repulsedly", "Surprised": "Amazed", "Fearful": "Anxious", "Disgusted": "Repulsed",
        "Happy": "Glad", "Sad": "Unhappy", "Angry": "Irate",
    },
}  # fmt: skip
"""Table -> word -> synonym; our choice. Names of compound labels are made of their words."""


class Synonyms(Renaming):
    """Calls the labels by synonyms; an answer counts by them and by what the label is called otherwise."""

    @dataclass(frozen=True)
    class Options:
        """*table*: which synonyms, of two tables."""

        table: Literal["a", "b"] = "a"

    def name(self, label: str) -> str:
        words, table = label.split(), WORDS[self.options.table]
        if unknown := [word for word in words if word not in table]:
            raise UserError(
                f"--rewrite synonyms has no synonym of {label!r}",
                expected=f"labels made of {', '.join(table)}",
                found=", ".join(unknown),
                remedy="leave this rewrite out, or choose another --dataset",
            )
        return " ".join(table[word] for word in words)
