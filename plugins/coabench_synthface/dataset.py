"""The data sets: the basic and the compound half of a set of synthetic faces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from coabench.base.schema import At, read_fields
from coabench.dataset import Card, Check, Dataset, Sample
from coabench.detector import Landmarks
from coabench.errors import UserError, did_you_mean
from coabench.support.archives import ARCHIVES, open_tree
from coabench_synthface.folder import HOW_TO_MAKE, SetFolder
from coabench_synthface.landmarks import shipped_landmarks
from coabench_synthface.shipped import shipped_set


@dataclass(frozen=True)
class _Described:
    """The options of a card: which half of a set it describes, and of which design; None for faces of all kinds."""

    subset: Literal["basic", "compound"]
    design: str | None = None


class SynthFace(Dataset):
    """Reads the set that comes with coabench or, below the data root, one made by ``coabench synthface make``.

    The card's option ``subset`` says which half.

    Raises:
        UserError: there is no complete set there, or none of this half.
    """

    needs_root = False
    root_files = ARCHIVES

    def __init__(self, card: Card, root: Path | None, options: Dataset.Options) -> None:
        self.card = card
        at = At(card.path or card.name, "correct the card", "options")
        described = read_fields(_Described, card.options, at, others=True)
        self.subset, self.design = described.subset, described.design
        self.ships = root is None and self.design is None
        self.folder = shipped_set(self.design) if root is None else SetFolder(open_tree(root))
        if self.folder.description.get("design") != self.design:
            wanted = "" if self.design is None else f" --design {self.design}"
            raise UserError(
                f"the set in {self.folder.files.root} is not what {card.name} describes",
                expected=f"a set made with `coabench synthface make{wanted} DIR`",
                found=f"design {self.folder.description.get('design') or 'none'}",
                remedy="choose the data set of that design, or another folder",
            )
        if not self.folder.description["counts"].get(self.subset):
            raise UserError(
                f"the set in {self.folder.files.root} has no {self.subset} pictures",
                expected=f"a set made with --subset both or {self.subset}",
                remedy=HOW_TO_MAKE,
            )

    def samples(self, split: str) -> Sequence[Sample]:
        """Return the samples of a split, in the order in which they were made.

        Raises:
            UserError: the split is not on the card or not in this set, or a line of the list cannot be trusted.
        """
        present = self.folder.description["counts"][self.subset]
        if split not in self.card.splits or split not in present:
            raise UserError(
                f"this set has no {split!r} split of {self.card.name}",
                expected=", ".join(present),
                found=split,
                remedy=f"{did_you_mean(split, list(present))}choose one of these with --split",
            )
        shipped = shipped_landmarks() if self.ships else None
        mine = [
            (line, shipped[place] if shipped else _landmarks(line))
            for place, line in self.folder.half(self.subset, split)
        ]
        for line, _ in mine:
            if line["target"] not in self.card.space.names:
                raise UserError(
                    f"{line['id']} has a label that is not on the card",
                    expected=", ".join(self.card.space.names),
                    found=line["target"],
                    remedy="make the set anew",
                )
        return [
            Sample(
                id=f"{self.card.name}/{line['id']}",
                image=self.folder.files.file(line["file"]),
                target=line["target"],
                split=split,
                attributes=line["attributes"],
                landmarks=points,
            )
            for line, points in mine
        ]

    def action_units(self, label: str) -> Sequence[int]:
        from coabench_synthface.expression import RECIPES

        return tuple(RECIPES[label].always) if label in RECIPES else ()

    def notes(self) -> Sequence[str]:
        return ("synthetic faces: a number on them says nothing about accuracy on people",)

    def verify(self) -> list[Check]:
        """Check every picture of this half against ``samples.jsonl``, and that against ``set.json`` and the card."""
        from coabench_synthface.verify import verify

        return verify(self.card, self.folder, self.subset)


def _landmarks(line: Mapping[str, Any]) -> Landmarks | None:
    """Return those of a line of the list; None in a set of coabench 0.1.0, which wrote none."""
    points = line.get("landmarks")
    if points is None:
        return None
    one, two, three, four, five = ((float(x), float(y)) for x, y in points)
    return one, two, three, four, five
