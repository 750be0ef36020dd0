"""Parts of a live probe for tests that need to hold them still: a backbone with a gate, a detector of fixed faces."""

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from coabench.backbone import Backbone, Viewing
from coabench.decode import Decode
from coabench.detector import Detector, Face
from coabench.dialogue import Answer, Question
from coabench.errors import SampleError
from coabench.inference.exemplars import ExemplarPool
from coabench.live.asker import Asker, Choice
from coabench.live.snapshot import Frame
from coabench.registry.catalog import find_dataset, open_strategy
from coabench.runs.identity import BackboneIdentity, LiveIdentity, StrategyIdentity


class Gated(Backbone[Any]):
    """Answers with the option that the crop's brightness points at; a closed gate holds it, before every round."""

    def __init__(self) -> None:
        self.gate = threading.Semaphore(0)
        self.free = False
        self.seen: list[list[int]] = []
        """The brightness of each crop, batch by batch."""
        self.error: BaseException | None = None

    def identity(self) -> Mapping[str, Any]:
        return {}

    def prepare(self, images: Sequence[Any], sample: str | None = None) -> Any:
        value = int(np.asarray(images[-1])[0, 0, 0])
        if value == 13:
            raise SampleError("the number 13 brings bad luck")
        return value

    def look(self, batch: Sequence[Any]) -> Viewing:
        self.seen.append(list(batch))
        return Gazing(self, batch)


class Gazing(Viewing):
    def __init__(self, backbone: Gated, batch: Sequence[int]) -> None:
        self.backbone, self.batch = backbone, batch

    def ask(self, questions: Sequence[Question | None], decode: Decode = "generate") -> list[Answer | None]:
        if not self.backbone.free:
            self.backbone.gate.acquire()
        if self.backbone.error is not None:
            raise self.backbone.error
        return [q and Answer(q.options[v % len(q.options)]) for q, v in zip(questions, self.batch, strict=True)]


class FixedFaces(Detector):
    """Finds the same faces in every frame."""

    def __init__(self, *boxes: tuple[int, int, int, int]) -> None:
        self.boxes = boxes or ((10, 10, 60, 60),)

    def close(self) -> None:
        return

    def detect(self, frame: Any) -> list[Face]:
        return [Face(box, 0.9) for box in self.boxes]


def asker(backbone: Backbone[Any], strategy: str = "chain-of-affect") -> Asker:
    """Return an asker about the eleven compound emotions, loaded."""
    opened, _ = open_strategy(strategy)
    space = find_dataset("synthface-compound").card.space
    parts = {"backbone": BackboneIdentity(name="gated"), "strategy": StrategyIdentity(name=strategy)}
    identity = LiveIdentity(**parts, decode="generate", labels={}, exemplars=())
    return Asker(Choice(), backbone, opened, space, ExemplarPool((), 0, 0), identity, {})


def frame(index: int, value: int | None = None, size: tuple[int, int] = (96, 128), rate: float = 10.0) -> Frame:
    """Return a grey frame that says its index by its brightness."""
    shade = index % 256 if value is None else value
    return Frame(np.full((*size, 3), shade, np.uint8), index / rate, index)
