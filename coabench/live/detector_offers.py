"""The detectors that a live session may change to while it runs: those that work on this machine as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coabench.live.detector_process import DetectorProcess
from coabench.registry.detectors import DetectorChoice, find_detector, unavailable
from coabench.registry.loader import get_plugins

TRIAL = (120, 160, 3)
"""Height, width and colours of the empty picture that a detector is tried on: some load their weights only then."""


@dataclass(frozen=True)
class DetectorOffer:
    """A detector by its name, with its weights, and its options where they are not the defaults."""

    name: str
    weights: Path | None = None
    options: Any = None

    def open(self) -> tuple[DetectorProcess, Mapping[str, Any]]:
        """Make it ready in its process and try it; return it, and what of it can change which faces it finds.

        Raises:
            CoabenchError: it cannot be used.
        """
        import numpy as np

        chosen = find_detector(self.name, self.weights)
        options = chosen.options() if self.options is None else self.options
        process = DetectorProcess(self.name, self.weights, options)
        try:
            process.detect(np.zeros(TRIAL, np.uint8))
            return process, describe_detector(chosen, options)
        except BaseException:
            process.close()
            raise


def offer_detectors(chosen: DetectorChoice, options: Any) -> Mapping[str, DetectorOffer]:
    """Return what may find the faces: the one that was *chosen*, and all that work here and need no weights.

    No detector is imported for it.
    """
    name = chosen.registration.name
    usable = {
        each.name: DetectorOffer(each.name)
        for each in get_plugins().detectors.values()
        if not each.details.get("weights") and unavailable(each) is None
    }
    return dict(sorted({**usable, name: DetectorOffer(name, chosen.weights, options)}.items()))


def describe_detector(chosen: DetectorChoice, options: Any) -> dict[str, Any]:
    """Return what of a detector can change which faces it finds, for an identity."""
    return {**chosen.identity(options), "weights": chosen.weights and chosen.weights.name}
