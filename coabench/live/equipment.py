"""What a live session works with: a detector in its process, a backbone and a strategy that fit each other."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from coabench.live.asker import Asker, Choice, open_asker
from coabench.live.detector_process import DetectorProcess
from coabench.live.probe import Settings
from coabench.live.sources import Note
from coabench.registry.detectors import AUTO, DetectorChoice, find_detector
from coabench.runs.identity import LiveIdentity


@dataclass(frozen=True)
class Equipment:
    """What looks and what answers, checked; the detector is ready, the asker not loaded yet.

    Attributes:
        identity: everything that can change an answer.
        about: the same for people, in a line.
    """

    asker: Asker
    detector: DetectorProcess
    identity: LiveIdentity
    about: str


def equip(choice: Choice, detector: str, weights: Path | None, settings: Settings, note: Note) -> Equipment:
    """Check the choice of a backbone, a strategy and a detector; make the detector ready.

    Raises:
        UserError: something is unknown, missing, or does not go together.
    """
    chosen = find_detector(detector, weights)
    asker = open_asker(choice, {"detector": chosen.options})
    for line in chosen.passed_over:
        note(f"passed over {line}")
    options, name = asker.options["detector"], chosen.registration.name
    note(f"detector: {name}" + (" (the best that is available here)" if detector == AUTO else ""))
    for line in asker.notes:
        note(line)
    identity = replace(asker.identity, detector=describe_detector(chosen, options), settings=asdict(settings))
    process = DetectorProcess(name, chosen.weights, options)
    answers = (identity.backbone.name, identity.backbone.adapter, asker.strategy.name, name)
    return Equipment(asker, process, identity, " · ".join(filter(None, answers)))


def describe_detector(chosen: DetectorChoice, options: Any) -> dict[str, Any]:
    """Return what of a detector can change which faces it finds, for an identity."""
    return {**chosen.identity(options), "weights": chosen.weights and chosen.weights.name}
