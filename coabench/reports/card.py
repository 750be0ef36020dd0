"""The card of a run's data set: its terms, which its pages quote, and where its images are."""

from __future__ import annotations

from coabench.errors import UserError
from coabench.registry.catalog import DatasetChoice, find_dataset
from coabench.registry.loader import get_plugins


def find_card(name: str, other: str | None, *, needed: bool) -> DatasetChoice | None:
    """Return the data set of a run; None where it is not known here and not needed.

    Args:
        name: as the run has it.
        other: ``NAME`` or ``CARD.yaml`` that the user gave in its place.
        needed: whether its images are asked for.

    Raises:
        UserError: it is needed, or was given, and is not there.
    """
    try:
        if other is None:
            get_plugins().datasets.find(name)  # a folder of that name here has nothing to do with the run
        return find_dataset(other or name)
    except UserError as error:
        if other is None and not needed:
            return None
        if other is None:
            raise UserError(
                f"the images of this run cannot be found: {error.problem}",
                expected=error.expected,
                remedy="pass --dataset as when the run was made, or leave out --images",
            ) from None
        raise
