"""From ``--detector`` to the detector: the named one, or the best that works here."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from coabench.base.environment import installed
from coabench.base.files import sha256_of
from coabench.base.names import require_utf8
from coabench.base.reading import open_file
from coabench.base.signals import is_interrupt
from coabench.detector import Detector, DetectorRequest, Unavailable
from coabench.errors import UserError, with_type
from coabench.registry.catalog import origin
from coabench.registry.loader import get_plugins
from coabench.registry.registrations import Registration

AUTO = "auto"
"""The name that leaves the choice of the detector to `find_detector`."""


@dataclass(frozen=True)
class DetectorChoice:
    """A detector as chosen on the command line.

    Attributes:
        registration: what it was registered as.
        weights: the file of its weights, which is there; None where it needs none.
        passed_over: better ones that ``auto`` could not take, each with the reason, in a line.
    """

    registration: Registration
    weights: Path | None = None
    passed_over: tuple[str, ...] = ()

    @property
    def options(self) -> type:
        """The dataclass of what ``--set`` may change."""
        options: type = getattr(self.registration.load(), "Options", Detector.Options)
        return options

    def open(self, options: Any = None) -> Detector:
        """Make the detector ready; `UserError` where a package or its weights cannot be used."""
        made = self.options() if options is None else options
        detector: Detector = self.registration.open(DetectorRequest(self.weights, made))
        return detector

    def identity(self, options: Any = None) -> dict[str, Any]:
        """Return what of it can change which faces it finds, JSON-serialisable."""
        libraries = installed(*self.registration.details.get("libraries", ()))
        return {
            "name": self.registration.name,
            **origin(self.registration),
            "options": asdict(self.options() if options is None else options),
            **({"libraries": libraries} if libraries else {}),
            **({"weights_sha256": sha256_of(self.weights)} if self.weights else {}),
        }


def find_detector(
    spec: str, weights: Path | None = None, *, weights_option: str = "--detector-weights "
) -> DetectorChoice:
    """Return the detector *spec*, or for ``auto`` the best that works here and takes such weights.

    Args:
        weights_option: how the user names the weights, for error messages.

    Raises:
        UserError: no such detector, one that is not available here, or weights that are missing or do not fit.
    """
    if spec == AUTO:
        return _best_detector(weights, weights_option)
    registration = get_plugins().detectors.find(spec)
    suffixes = tuple(registration.details.get("weights", ()))
    if weights is None and suffixes:
        raise UserError(
            f"detector {spec!r} needs its weights, which do not come with it",
            expected=f"{weights_option}FILE{' or FILE'.join(suffixes)}",
            remedy=f"add {weights_option}FILE, or take the detector auto, which needs none",
        )
    if weights is not None and weights.suffix.lower() not in suffixes:
        raise UserError(
            f"detector {spec!r} cannot take {weights_option}{weights}",
            expected=f"a {' or '.join(suffixes)} file" if suffixes else "no weights: it brings its own",
            remedy="choose another detector or other weights; `coabench list detectors` shows what there is",
        )
    if problem := unavailable(registration):
        raise UserError(f"detector {spec!r} is not available here", found=problem.reason, remedy=problem.remedy)
    _check_weights(weights, weights_option)
    return DetectorChoice(registration, weights)


def unavailable(registration: Registration) -> Unavailable | None:
    """Return why a detector cannot be used here, according to the check that it registered; None where it can.

    The detector itself is not imported.
    """
    check = registration.details.get("available")
    if check is None:
        return None
    try:
        problem: Unavailable | None = replace(registration, target=check).load()()
    except BaseException as error:
        if is_interrupt(error):
            raise
        return Unavailable(f"its check failed ({with_type(error)})", f"report it to {registration.plugin!r}")
    return problem


def _best_detector(weights: Path | None, weights_option: str) -> DetectorChoice:
    suffix = weights.suffix.lower() if weights else None
    fitting = [
        registration
        for registration in get_plugins().detectors.values()
        if "rank" in registration.details and suffix in (registration.details.get("weights") or (None,))
    ]
    passed_over: list[str] = []
    for registration in sorted(fitting, key=lambda registration: (-registration.details["rank"], registration.name)):
        problem = unavailable(registration)
        if problem is None:
            _check_weights(weights, weights_option)
            return DetectorChoice(registration, weights, tuple(passed_over))
        passed_over.append(f"{registration.name}: {problem}")
    raise UserError(
        f"no detector takes {suffix or 'such'} weights" if weights and not fitting else "no detector is available here",
        found="; ".join(passed_over) or None,
        remedy="install one of them; `coabench list detectors` shows what there is",
    )


def _check_weights(weights: Path | None, option: str) -> None:
    if weights is None:
        return
    require_utf8(weights, option.strip(" ="))
    try:
        with open_file(weights) as file:
            empty = not file.read(1)
    except OSError as error:
        raise UserError(
            f"{option}{weights} cannot be read",
            found=error.strerror or str(error),
            remedy="correct the path",
        ) from error
    if empty:
        raise UserError(f"{option}{weights} is empty", remedy="get the file anew")
