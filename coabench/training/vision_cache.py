"""``--vision-cache``: what a frozen vision tower makes of images is kept on disk for epochs and trainings to come."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from coabench.backbone import Trainee
from coabench.base.cache import folder
from coabench.errors import UserError
from coabench.recipe import Recipe
from coabench.training.parts import Modules, trained_parts

if TYPE_CHECKING:
    from coabench.support.tensor_store import TensorStore

FOLDER = "vision"
"""In the folder of caches."""


def check_vision_cache(trainee: Trainee, recipe: Recipe, modules: Modules, gib: float, augments: bool) -> None:
    """Check that there is something that can be kept, and room for it.

    Raises:
        UserError: there is no room, no such part, it is trained, or it never sees the same pixels twice.
    """
    if not 0 < gib < inf:
        raise UserError(
            f"--vision-cache {gib:g} makes no sense", expected="GiB, more than 0", remedy="correct --vision-cache"
        )
    if trainee.sees is None:
        raise UserError(
            "--vision-cache: this backbone has no part whose output could be kept",
            expected="phi-3.5-vision or tiny",
            remedy="leave it out",
        )
    if trainee.sees in (trained := trained_parts(trainee, recipe, modules)):
        others = ",".join(part for part in trainee.parts if part != trainee.sees)
        raise UserError(
            "--vision-cache keeps what a frozen part makes of images, and here it learns",
            expected=f"{trainee.sees} not trained",
            found=f"trained: {', '.join(trained)}",
            remedy=f"pass --targets {others}, or leave --vision-cache out",
        )
    if augments:
        raise UserError(
            "--vision-cache has no use with --augment: no image is shown twice with the same pixels",
            remedy="leave out one of the two",
        )


def open_vision_cache(gib: float) -> TensorStore:
    """Return the store, of so many GiB at most."""
    from coabench.support.tensor_store import TensorStore

    return TensorStore(folder() / FOLDER, int(gib * 2**30))
