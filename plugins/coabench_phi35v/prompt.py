"""Chat messages -> token ids, as the published processor writes them.

The published processor renders the whole chat into one string, splits it at ``<|image_k|>`` and tokenises every chunk
with a beginning-of-sequence token of its own. Here the chat stays a list of pieces (control tokens, plain text, images)
and only plain text goes through the tokenizer, one that knows no special tokens. The ids are the same, and text that a
user or a model supplies can never become a control token or an image: an ``<|end|>`` in it is seven characters.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from tokenizers import Tokenizer

from coabench.base.json import FOREIGN, read_json
from coabench.dialogue import Message
from coabench.errors import UserError, first_line
from coabench.support.panics import panics_caught


class Control(Enum):
    """The control tokens that a chat is made of."""

    BEGIN = "<s>"
    USER = "<|user|>"
    ASSISTANT = "<|assistant|>"
    END = "<|end|>"
    ENDOFTEXT = "<|endoftext|>"


@dataclass(frozen=True)
class ImageAt:
    """An image in a chat: *index* among the sample's images."""

    index: int


Piece = Control | ImageAt | str


def chat(messages: Iterable[Message]) -> list[Piece]:
    """Return the pieces of a chat that the assistant is to continue.

    Each image stands before its message's text, on a line of its own (``<|image_k|>\\n`` in the published rendering;
    the k are no tokens, so images need not be numbered here).
    """
    pieces: list[Piece] = []
    for message in messages:
        pieces += [Control.USER if message.role == "user" else Control.ASSISTANT, "\n"]
        for index in message.images:
            pieces += [ImageAt(index), "\n"]
        pieces += [message.text, Control.END, "\n"]
    return [*pieces, Control.ASSISTANT, "\n"]


class ChatTokenizer:
    """The tokenizer of a checkpoint.

    Args:
        path: its ``tokenizer.json``.

    Raises:
        UserError: where the file is missing or lacks a control token.
    """

    def __init__(self, path: Path) -> None:
        try:
            # What belongs to single calls is not the file's to say, and may panic when text comes.
            described = read_json(path, FOREIGN) | dict.fromkeys(("truncation", "padding", "post_processor"))
            with panics_caught():
                self._full = Tokenizer.from_str(json.dumps(described))
                # No added tokens: nothing in a text is special.
                self._plain = Tokenizer.from_str(json.dumps(described | {"added_tokens": []}))
        except Exception as e:  # the tokenizers library raises plain Exception for a malformed file
            raise UserError(
                f"{path} cannot be used",
                expected="the tokenizer.json of a Phi-3.5-vision checkpoint",
                found=first_line(e),
                remedy="fetch the checkpoint's tokenizer.json again",
            ) from e
        self._controls: dict[Control, int] = {}
        for control in Control:
            token = self._full.token_to_id(control.value)
            if token is None:
                raise UserError(f"{path} knows no {control.value}", remedy="use the checkpoint's own tokenizer.json")
            self._controls[control] = token

    def control(self, control: Control) -> int:
        """Return the id of a control token."""
        return self._controls[control]

    def text(self, text: str) -> list[int]:
        """Return the ids of plain text; nothing in it is special."""
        return list(self._plain.encode(text, add_special_tokens=False).ids) if text else []

    def encode(self, pieces: Sequence[Piece], image_tokens: Sequence[int]) -> list[int]:
        """Return the ids of a chat.

        Args:
            pieces: see `chat`.
            image_tokens: how many tokens each of the sample's images takes.

        Returns:
            Image *i* stands as ``-1 - i``, repeated as often as it has tokens. A chat starts with a beginning-of-
            sequence token, and another one follows every image.
        """
        ids = [self.control(Control.BEGIN)]
        text = ""
        strip = False
        for piece in [*pieces, None]:
            if isinstance(piece, str):
                text += piece
                continue
            ids += self.text(text.lstrip() if strip else text)
            text = ""
            # <|assistant|> swallows the white space after it, the newline of the chat template included.
            strip = piece is Control.ASSISTANT
            if isinstance(piece, Control):
                ids.append(self.control(piece))
            elif isinstance(piece, ImageAt):
                ids += [-1 - piece.index] * image_tokens[piece.index] + [self.control(Control.BEGIN)]
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of generated ids, control tokens left out, white space kept."""
        return str(self._full.decode(list(ids), skip_special_tokens=True))
