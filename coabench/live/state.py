"""What a live probe knows: the faces it saw last, what is remembered of each, and what was counted.

Nothing here waits or locks: whoever shares it between threads guards it.
"""

from __future__ import annotations

from collections.abc import Sequence

from coabench.dialogue import Turn
from coabench.live.agreement import AgreementTally
from coabench.live.finder import Seen
from coabench.live.memory import Memory
from coabench.live.rates import Tally
from coabench.live.schedule import due_faces
from coabench.live.settings import Settings
from coabench.live.snapshot import FaceAnswer, FaceView, Frame, Snapshot
from coabench.live.tracker import Track
from coabench.live.views import view_face


class State:
    """What is known of faces that so many answerers are asked about.

    Attributes:
        newest: the frame that came last.
        seen: the one whose faces were found last.
        tally: of the frames, and of the answers of the first answerer.
    """

    def __init__(self, answerers: int) -> None:
        self.newest: Frame | None = None
        self.seen: Seen | None = None
        self.tally = Tally()
        self._beside = [Tally() for _ in range(answerers - 1)]
        self._answerers = answerers
        self._agreement = AgreementTally(answerers)
        self._memory: dict[int, Memory] = {}

    def came(self, frame: Frame) -> None:
        """A frame came."""
        self.newest = frame
        self.tally.frames += 1

    def store(self, seen: Seen) -> None:
        """The faces of a frame were found."""
        self.seen = seen
        self.tally.detected(seen.frame.time, seen.visible, seen.detect)
        for gone in set(self._memory) - seen.known:
            del self._memory[gone]

    def merge(self, track: int, into: int) -> None:
        """A face is an earlier one, with what is remembered and shown of it."""
        if track in self._memory:
            self._memory[into] = self._memory.pop(track)
        if self.seen is not None:
            self.seen = self.seen.merged(track, into)

    def forget(self) -> None:
        """Forget all answers, and count agreement anew: others are asked from now on."""
        self._agreement = AgreementTally(self._answerers)
        self._memory.clear()

    def due(self, settings: Settings) -> tuple[Seen, list[Track]] | None:
        """Return the frame looked at last and the faces in it that are due, and note that they are asked about."""
        seen = self.seen
        if seen is None:
            return None
        for track in seen.tracks:
            self._memory.setdefault(track.id, Memory.blank(self._answerers))
        due = due_faces(seen, self._memory, settings)
        for track in due:
            self._memory[track.id].ask(seen.frame.time)
        return (seen, due) if due else None

    def said(self, answerer: int, track: int, turn: Turn) -> None:
        """An answerer has answered a question of the conversation that is under way."""
        memory = self._memory.get(track)
        if memory is not None:
            memory.said[answerer].turns += (turn,)

    def count(self, look: Sequence[FaceAnswer]) -> None:
        """Count the answers of all answerers about a crop."""
        for tally, answer in zip((self.tally, *self._beside), look, strict=True):
            tally.answered(answer.outcome, answer.seconds, answer.wait)

    def remember(self, look: Sequence[FaceAnswer], smooth: int) -> Sequence[FaceAnswer]:
        """Keep the answers about a crop as the last about its face; return them with what the last ones vote for."""
        self._agreement.answered([answer.prediction.label for answer in look])
        memory = self._memory.get(look[0].track)
        if memory is None:
            return look
        memory.asking = False
        return [said.keep(answer, smooth) for said, answer in zip(memory.said, look, strict=True)]

    def snapshot(self, now: float | None, settings: Settings) -> Snapshot:
        """Return all there is to show at a time of the source; see `coabench.live.probe.Probe.snapshot`."""
        if now is None:
            now = self.newest.time if self.newest else 0.0
        seen = self.seen
        faces = [] if seen is None else [self._view(track, seen, now, settings) for track in seen.tracks]
        beside = tuple(tally.rates() for tally in self._beside)
        agreements = self._agreement.agreements()
        return Snapshot(seen.frame if seen else None, tuple(faces), self.tally.rates(), beside, agreements)

    def _view(self, track: Track, seen: Seen, now: float, settings: Settings) -> FaceView:
        memory = self._memory.get(track.id) or Memory.blank(self._answerers)
        return view_face(track, memory, seen, now, settings, self.tally.interval)
