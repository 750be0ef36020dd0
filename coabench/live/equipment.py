"""What a live session works with: a detector in its process, a backbone and a strategy that fit each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from coabench.live.asker import Asker, Choice, open_asker
from coabench.live.beside import open_beside, open_offers, summarise
from coabench.live.detector_offers import DetectorOffer, describe_detector, offer_detectors
from coabench.live.detector_process import DetectorProcess
from coabench.live.settings import Settings
from coabench.live.sources import Note
from coabench.live.together import load_askers
from coabench.registry.detectors import AUTO, find_detector
from coabench.runs.identity import LiveIdentity


@dataclass(frozen=True)
class Equipment:
    """What looks and what answers, checked; the detector is ready, the askers not loaded yet.

    Attributes:
        askers: the first, and those that answer beside it.
        identities: of each, everything that can change an answer.
        about: the same for people, in a line.
        offers: name -> in what an asker differs from the first one that the page may ask in its place.
        detectors: name -> what the page may find faces with.
    """

    askers: tuple[Asker, ...]
    detector: DetectorProcess
    identities: tuple[LiveIdentity, ...]
    about: str
    offers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    detectors: Mapping[str, DetectorOffer] = field(default_factory=dict)

    def load(self, note: Note) -> None:
        """Bring in the weights, and note what is known only then. May raise `UserError`."""
        known = [list(asker.notes) for asker in self.askers]
        load_askers(self.askers)
        for line in dict.fromkeys(
            line for asker, said in zip(self.askers, known, strict=True) for line in asker.notes if line not in said
        ):
            note(line)


def equip(
    choice: Choice,
    detector: str,
    weights: Path | None,
    settings: Settings,
    note: Note,
    beside: Sequence[str] = (),
    offers: Sequence[str] = (),
) -> Equipment:
    """Check the choice of a backbone, a strategy and a detector; make the detector ready.

    Args:
        beside: what answers beside that choice; see `coabench.live.beside.parse_answerer`.
        offers: what may answer in its place, spelt alike.

    Raises:
        UserError: something is unknown, missing, or does not go together.
    """
    chosen = find_detector(detector, weights)
    asker = open_asker(choice, {"detector": chosen.options})
    for line in chosen.passed_over:
        note(f"passed over {line}")
    options, name = asker.options["detector"], chosen.registration.name
    note(f"detector: {name}" + (" (the best that is available here)" if detector == AUTO else ""))
    askers = (asker, *open_beside(asker, beside))
    offered = open_offers(asker, offers)
    for line in dict.fromkeys(line for each in askers for line in each.notes):
        note(line)
    found_by, cut = describe_detector(chosen, options), asdict(settings)
    identities = tuple(replace(each.identity, detector=found_by, settings=cut) for each in askers)
    process = DetectorProcess(name, chosen.weights, options)
    about = f"{_about(askers)} · {name}"
    return Equipment(askers, process, identities, about, offered, offer_detectors(chosen, options))


def _about(askers: Sequence[Asker]) -> str:
    if len(askers) == 1:
        backbone = askers[0].identity.backbone
        return " · ".join(filter(None, (backbone.name, backbone.adapter, askers[0].strategy.name)))
    return " · ".join(f"{name} {said}" for name, said in summarise(askers).items())
