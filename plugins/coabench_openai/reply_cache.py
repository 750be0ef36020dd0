"""Replies on disk, for those that are not in the run's log yet: a run that was killed sends nothing twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from coabench.base.jsonlines import encode, read_lines, write_whole
from coabench.dialogue import Answer
from coabench.errors import JobError, SampleError
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
        """Return the reply, if it is known."""
        if self._path is None:
            return None
        if self._replies is None:
            self._replies = _read(self._path)
        return self._replies.get(key)

    def put(self, key: str, reply: Reply) -> None:
        """Keep a reply that is not known yet.

        Raises:
            JobError: the disk is full or gone.
        """
        if self._path is None or self.get(key) is not None:
            return
        assert self._replies is not None
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab", buffering=0) as file:
                write_whole(file, b"\n" + encode(_described(key, reply)))  # a torn line before it ends here
        except OSError as error:
            raise JobError(
                f"{self._path} cannot be written",
                found=error.strerror or str(error),
                remedy="make room or change the permissions, then run the same command again",
            ) from None
        self._replies[key] = reply


def _described(key: str, reply: Reply) -> dict[str, Any]:
    answer = reply.answer
    if isinstance(answer, SampleError):
        entry: dict[str, Any] = {"error": answer.problem}
    else:
        entry = {
            "response": answer.response,
            "scores": None if answer.scores is None else dict(answer.scores),
            "tokens": [answer.prompt_tokens, answer.cached_tokens, answer.new_tokens],
        }
    return {"key": key, "served": reply.served, **entry}


def _read(path: Path) -> dict[str, Reply]:
    replies: dict[str, Reply] = {}
    for line in read_lines(path, skip_invalid=True):
        with suppress(ValueError, KeyError, TypeError):  # damaged: it is asked again
            replies[line.data["key"]] = Reply(_answer(line.data), line.data["served"])
    return replies


def _answer(entry: Mapping[str, Any]) -> Answer | SampleError:
    if "error" in entry:
        return SampleError(entry["error"])
    prompt, cached, new = entry["tokens"]
    return Answer(entry["response"], entry["scores"], prompt_tokens=prompt, cached_tokens=cached, new_tokens=new)
