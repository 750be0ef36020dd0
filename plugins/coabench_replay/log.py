"""A run's log, by sample and question."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from coabench.base.jsonlines import read_line
from coabench.base.reading import exists, is_folder, open_file, what_is_at
from coabench.base.text import plural
from coabench.base.vocabulary import COMPLETE, ERROR
from coabench.decode import Mode
from coabench.dialogue import Answer, Question
from coabench.errors import JobError, UserError
from coabench.runs.log import read_log
from coabench.runs.run import LOG, MANIFEST, read_manifest


class Key(NamedTuple):
    """What must be the same for a recorded answer to be the answer: the prompt, and for scores the options, too."""

    prompt: str
    scored: tuple[str, ...] | None

    @classmethod
    def of(cls, question: Question, mode: Mode) -> Self:
        return cls(question.prompt, tuple(question.options) if mode.scored else None)

    def __str__(self) -> str:
        how = "to be answered freely" if self.scored is None else f"to score {', '.join(self.scored)}"
        return f"{self.prompt!r}, {how}"


@dataclass(frozen=True)
class Recorded:
    """What a log holds of a sample.

    Attributes:
        answers: to each question, in the order in which it was asked; more than one where it came up again.
        error: why the sample could not be asked about (any further), if so.
    """

    id: str
    answers: Mapping[Key, Sequence[Answer]]
    error: str | None


class Index:
    """Where in a log the record of each sample stands: 16 bytes a record, whatever its id.

    Ids are known by their 64-bit hash; what is read there says whether it is the sample that was meant. Of a sample
    that stands twice in a log the last record counts.
    """

    def __init__(self, ids: array[int], starts: array[int], first: str) -> None:
        hashes = np.array(ids, dtype=np.int64)
        order = np.argsort(hashes, kind="stable")
        self._hashes, self._starts = hashes[order], np.array(starts, dtype=np.int64)[order]
        self.first = first

    def __len__(self) -> int:
        return len(self._starts)

    def starts(self, id: str) -> Iterator[int]:
        """Yield where the record of a sample may begin, in bytes, the last one first."""
        low, high = (int(np.searchsorted(self._hashes, hash(id), side=side)) for side in ("left", "right"))
        return (int(start) for start in self._starts[low:high][::-1])


@dataclass(frozen=True)
class Log:
    """A log whose every line was read and checked once; its records are read again when they are asked for.

    Attributes:
        sha256: of the file.
        index: where the records are.
        questions: the hash of every question that was asked of some sample.
        example: one of them.
        identity: from the run's manifest; None where none lies beside the log.
        complete: whether the manifest calls the run complete.
    """

    directory: Path
    sha256: str
    index: Index
    questions: frozenset[int]
    example: Key
    identity: Mapping[str, Any] | None
    complete: bool

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the log of a run directory, or the log itself.

        Raises:
            UserError: there is none, it is damaged, nothing was asked in it, or its answers were sampled.
        """
        directory = path.parent if path.name == LOG else path
        if not exists(directory / LOG):
            raise UserError(
                f"there is no log at {path}",
                expected=f"the directory of a run, or its {LOG}",
                found="a folder without one" if is_folder(path) else what_is_at(path),
                remedy="correct --backbone replay:RUN",
            )
        digest, ids, starts, first = hashlib.sha256(), array("q"), array("q"), ""
        questions: set[int] = set()
        example: Key | None = None
        for line in read_log(directory / LOG, digest):
            recorded = _recorded(line.data, directory)
            first = first or recorded.id
            ids.append(hash(recorded.id))
            starts.append(line.offset)
            for key in recorded.answers:
                questions.add(hash(key))
                example = example or key
        if example is None:
            raise UserError(
                f"the log in {directory} holds no answers",
                expected="the log of a run that asked a model",
                found="predictions alone, which came from a file" if ids else "no record",
                remedy="choose another run",
            )
        manifest = read_manifest(directory) if exists(directory / MANIFEST) else None
        complete = manifest is not None and manifest["status"] == COMPLETE
        identity = manifest and manifest["identity"]
        index = Index(ids, starts, first)
        return cls(directory, digest.hexdigest(), index, frozenset(questions), example, identity, complete)

    def asked(self, question: Key) -> bool:
        """Whether a question was asked of some sample."""
        return hash(question) in self.questions

    def find(self, id: str) -> Recorded | None:
        """Return what was recorded of a sample, None where it is not in the log. May be called in any thread.

        Raises:
            JobError: the log is not what it was.
        """
        try:
            for start in self.index.starts(id):
                with open_file(self.directory / LOG) as file:
                    record = read_line(file, start)
                if str(record["id"]) == id:
                    return _recorded(record, self.directory)
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise JobError(
                f"the log in {self.directory} was changed while it was replayed",
                found=f"{type(error).__name__}: {error}",
                remedy="restore it and run the same command again",
            ) from None
        return None

    def origin(self) -> Mapping[str, Any] | None:
        """Return what was asked about which images, for the identity of a replay; None without a manifest."""
        if self.identity is None:
            return None
        parts = {part: self.identity.get(part) or {} for part in ("backbone", "strategy", "dataset")}
        return {
            **{part: parts[part].get("name") for part in parts},
            **{part: parts["dataset"].get(part) for part in ("split", "fingerprint")},
            "decode": self.identity.get("decode"),
        }

    def way(self) -> str:
        """Return how the log was made, or else a question that was asked in it, for error messages."""
        origin = self.origin()
        if origin is None:
            return f"a question that was asked, such as {self.example}"
        return f"the questions of --strategy {origin['strategy']} with --decode {origin['decode']}"

    def notes(self) -> list[str]:
        """Return what the user should know of the log."""
        origin = self.origin()
        if origin is None:
            return [f"there is no {MANIFEST} beside the log: what it was recorded from is not known"]
        images = f"{origin['dataset']}, split {origin['split']}, fingerprint {str(origin['fingerprint'])[:12]}"
        notes = [f"recorded from {images}: samples are found by their ids, images are not compared"]
        return notes if self.complete else [*notes, f"that run is not complete: {plural(len(self.index), 'sample')}"]


def _recorded(record: Mapping[str, Any], directory: Path) -> Recorded:
    if record.get("paths"):
        raise UserError(
            f"the run in {directory} was sampled and cannot be replayed",
            expected="a run whose every question was asked once",
            found=f"{len(record['paths'])} dialogues about {record['id']}",
            remedy="evaluate the backbone itself again: the same seed draws the same",
        )
    error = str(record["reason"]) if record["status"] == ERROR else None
    for turn in record["turns"]:
        scores = turn.get("scores")
        if scores is not None and [*scores] != turn["options"]:
            raise UserError(
                f"{directory / LOG}: the turns of {record['id']} cannot be replayed",
                expected="a score for each option, in their order",
                found=f"scores for {', '.join(scores) or 'nothing'}, of the options {', '.join(turn['options'])}",
                remedy="the log was edited or damaged: restore it",
            )
    return Recorded(str(record["id"]), _by_question(record["turns"]), error)


def _by_question(turns: Iterable[Mapping[str, Any]]) -> dict[Key, list[Answer]]:
    answers: dict[Key, list[Answer]] = {}
    for turn in turns:
        scores = turn.get("scores")
        key = Key(str(turn["prompt"]), None if scores is None else tuple(map(str, turn["options"])))
        answers.setdefault(key, []).append(
            Answer(
                str(turn["response"]),
                None if scores is None else {str(option): float(score) for option, score in scores.items()},
                prompt_tokens=turn.get("prompt_tokens") or 0,
                cached_tokens=turn.get("cached_tokens") or 0,
                new_tokens=turn.get("new_tokens") or 0,
            )
        )
    return answers
