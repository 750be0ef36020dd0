"""Replies on disk, for those that are not in the run's log yet: a run that was killed sends nothing twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from coabench.base.jsonlines import encode, read_lines, write_whole
from coabench.base.schema import At, read_fields
from coabench.dialogue import Answer
from coabench.errors import JobError, SampleError, UserError
from coabench_openai.replies import Reply

FILE = "openai.jsonl"


def key_of(identity: Mapping[str, Any], body: Mapping[str, Any]) -> str:
    """Return the SHA-256 of everything that an answer rests on: model, server, options, chat, images."""
    text = json.dumps([identity, body], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


class ReplyCache:
    """Replies by key, in a file of a folder, one line each; without a folder, nothing is kept.

    The file is read when the first reply is looked up, and gets a line for each that comes: a kill loses none, a power
    cut may lose the last, which are then asked again. A torn line is not a reply.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._path = None if folder is None else folder / FILE
        self._replies: dict[str, Reply] | None = None

    def get(self, key: str) -> Reply | None:
        """Return the reply, if it is known.

        Raises:
            JobError: the file cannot be read.
        """
        return self._known().get(key)

    def _known(self) -> dict[str, Reply]:
        if self._replies is None:
            try:
                self._replies = {} if self._path is None else _read(self._path)
            except OSError as error:
                raise JobError(
                    f"{self._path} cannot be read",
                    found=error.strerror or str(error),
                    remedy="change the permissions, or remove it: what it holds is then asked again",
                ) from None
        return self._replies

    @property
    def fingerprints(self) -> list[str]:
        """What the server ran on when it gave the replies that are known, each once, the first first."""
        return list(dict.fromkeys(r.fingerprint for r in self._known().values() if r.fingerprint))

    def put(self, key: str, reply: Reply) -> None:
        """Keep a reply.

        Raises:
            JobError: the disk is full or gone.
        """
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab", buffering=0) as file:
                write_whole(file, b"\n" + encode(asdict(_Entry.of(key, reply))))  # a torn line before it ends here
        except OSError as error:
            raise JobError(
                f"{self._path} cannot be written",
                found=error.strerror or str(error),
                remedy="make room or change the permissions, then run the same command again",
            ) from None
        self._known()[key] = reply


@dataclass(frozen=True)
class _Entry:
    """A line of the file: an answer, or the error in its place."""

    key: str
    served: str | None = None
    error: str | None = None
    response: str | None = None
    scores: Mapping[str, float] | None = None
    tokens: tuple[int, int, int] = (0, 0, 0)
    fingerprint: str | None = None
    cut: bool = False

    @classmethod
    def of(cls, key: str, reply: Reply) -> Self:
        answer = reply.answer
        if isinstance(answer, SampleError):
            return cls(key, reply.served, answer.problem, fingerprint=reply.fingerprint, cut=reply.cut)
        tokens = answer.prompt_tokens, answer.cached_tokens, answer.new_tokens
        said = answer.response, answer.scores, tokens
        return cls(key, reply.served, None, *said, reply.fingerprint, reply.cut)

    @property
    def reply(self) -> Reply | None:
        """The reply; None where the line holds half of one."""
        if self.error is not None:
            return Reply(SampleError(self.error), self.served, fingerprint=self.fingerprint, cut=self.cut)
        if self.response is None or min(self.tokens) < 0:
            return None
        prompt, cached, new = self.tokens
        answer = Answer(self.response, self.scores, prompt_tokens=prompt, cached_tokens=cached, new_tokens=new)
        return Reply(answer, self.served, fingerprint=self.fingerprint, cut=self.cut)


def _read(path: Path) -> dict[str, Reply]:
    replies: dict[str, Reply] = {}
    for line in read_lines(path, skip_invalid=True):
        with suppress(UserError):  # damaged: it is asked again
            entry = read_fields(_Entry, line.data, At(path))
            if reply := entry.reply:
                replies[entry.key] = reply
    return replies
