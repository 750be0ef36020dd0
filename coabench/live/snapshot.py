"""What the live probe takes and gives: frames, answers about faces, and views of the present state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from coabench.base.vocabulary import INVALID
from coabench.detector import Box
from coabench.dialogue import Prediction, Turn
from coabench.live.agreement import NAMES, Agreement
from coabench.live.rates import Rates
from coabench.live.tracker import Track
from coabench.metrics import calibration

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image


@dataclass(frozen=True)
class Frame:
    """One picture of a source. *image* is not written to: faces are cut from it later.

    Attributes:
        image: RGB, uint8, (height, width, 3).
        time: seconds since the source began, growing.
        index: its number in the source, from 0.
        file: the name of the picture, below the folder that is the source; None for cameras and films.
        scene: frames of different scenes share no face: the pictures of a folder, the cameras of two viewers.
    """

    image: NDArray[np.uint8]
    time: float
    index: int
    file: str | None = None
    scene: int = 0


@dataclass(frozen=True)
class Look:
    """The faces that are seen in a frame, and the clean picture of each that a backbone is shown."""

    frame: Frame
    tracks: tuple[Track, ...]
    crops: tuple[Image, ...]


@dataclass(frozen=True)
class FaceAnswer:
    """A finished answer about one face in one frame.

    Attributes:
        frame: index of the frame; *time*: its time.
        track: the identity of the face; *box* (left, top, right, bottom) and *score* are the detector's.
        crop: the clean picture that was asked about.
        strategy: the name of the strategy that asked.
        seconds: from the crop to the prediction.
        detect, wait: before that, for finding the faces of the frame, and between its arrival and the crop otherwise.
        file: the picture that the frame is; None for cameras and films.
        smoothed: the label that most of its last answers give; None unless `Settings.smooth` asks for it.
        answerer: which of those that are asked side by side it is; see `coabench.live.agreement.NAMES`.
    """

    frame: int
    time: float
    track: int
    box: Box
    score: float
    crop: Image = field(repr=False, compare=False)
    strategy: str
    turns: tuple[Turn, ...]
    prediction: Prediction
    seconds: float
    file: str | None = None
    smoothed: str | None = None
    answerer: str = NAMES[0]
    detect: float = 0.0
    wait: float = 0.0

    @property
    def name(self) -> str:
        """What a picture of this crop is called; only answers about the same crop have the same name."""
        return f"frame{self.frame:06}.face{self.track}"

    @property
    def outcome(self) -> str:
        """The label, or in one word why there is none."""
        label, status, reason = self.prediction.label, self.prediction.status, self.prediction.reason
        return label or (reason if reason and status == INVALID else status)

    @property
    def confidence(self) -> float | None:
        """The confidence of the answer: its strategy's, or that of the scores of all turns; None without either."""
        details = self.prediction.details
        return details.get("confidence") if details else confidence(self.turns)


@dataclass(frozen=True)
class Opinion:
    """What one of those that are asked beside the first says about a face; the fields are those of `FaceView`.

    Attributes:
        name: see `coabench.live.agreement.NAMES`.
        differs: whether the label that is shown of it, smoothed or not, is another than that of the first one.
    """

    name: str
    turns: tuple[Turn, ...] = ()
    answer: FaceAnswer | None = None
    differs: bool = False


@dataclass(frozen=True)
class FaceView:
    """A face as it is now.

    Attributes:
        turns: what was asked and answered so far in the conversation that is under way, or else in the last one.
        asking: whether one is under way.
        answer: the last finished answer.
        smoothed: the label that most of its last answers gave; None unless `Settings.smooth` asks for it.
        age: seconds since the frame that the answer is about.
        stale: whether a newer answer should be there by now, or the face is no longer where it was.
        beside: what those say that are asked beside the first, whose the other fields are.
    """

    track: int
    box: Box
    score: float
    turns: tuple[Turn, ...] = ()
    asking: bool = False
    answer: FaceAnswer | None = None
    smoothed: str | None = None
    age: float | None = None
    stale: bool = False
    beside: tuple[Opinion, ...] = ()


@dataclass(frozen=True)
class Snapshot:
    """Everything there is to show, at one moment.

    Attributes:
        frame: the frame that the boxes belong to; None before the first detection.
        faces: in the order of their tracks.
        rates: those of the first answerer.
        beside: those of each further one, of its answers alone.
        agreements: of all pairs of answerers.
    """

    frame: Frame | None
    faces: tuple[FaceView, ...]
    rates: Rates
    beside: tuple[Rates, ...] = ()
    agreements: tuple[Agreement, ...] = ()


def confidence(turns: Sequence[Turn]) -> float | None:
    """Return the probability of what was answered; see `coabench.metrics.calibration.confidence`."""
    return calibration.confidence([{"label": turn.answer.label, "scores": turn.answer.scores} for turn in turns])
