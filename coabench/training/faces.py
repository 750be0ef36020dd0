"""Where the faces are in the images that are learnt from: found once, before the training begins."""

from __future__ import annotations

from coabench.base.processes import Meeting
from coabench.cropping.step import FaceCrop, Located
from coabench.errors import UserError
from coabench.training.plan import Plan

EXAMPLES = 3
"""How many ids an error shows."""


def find_faces(plan: Plan, crop: FaceCrop) -> None:
    """Have the crop of a plan know the face in every image, so that no step and no worker looks for it again.

    Every process looks at its share of the images.

    Raises:
        UserError: some have none, and are not to be taken whole; nothing was written.
    """
    own = crop.locate(plan.samples[plan.world.rank :: plan.world.size])
    parts = Meeting(plan.world).gather({id: located.to_json() for id, located in own.items()})
    located = {id: Located.read(data) for part in parts for id, data in part.items()}
    lacking = [sample.id for sample in plan.samples if (at := located.get(sample.id)) and at.face is None]
    if lacking and crop.options.missing == "error":
        raise UserError(
            f"--crop {crop.spec} finds no face in {len(lacking):,} of {len(plan.samples):,} images",
            found=", ".join(lacking[:EXAMPLES]) + (" …" if len(lacking) > EXAMPLES else ""),
            remedy="choose another detector, add missing=whole to --crop, or take them out of the data set "
            "(`coabench datasets crop --missing skip` does)",
        )
    crop.remember(located)
