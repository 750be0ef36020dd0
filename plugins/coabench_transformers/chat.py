"""Chats and images become what the model takes, by the checkpoint's own processor and chat template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import torch
from torch import Tensor
from transformers import AutoProcessor

from coabench.dialogue import Message
from coabench.errors import UserError, first_line
from coabench.support.panics import panics_caught

if TYPE_CHECKING:
    from PIL.Image import Image

Inputs = dict[str, Tensor]
"""The model's keyword arguments; ``input_ids`` and ``attention_mask``, (rows, tokens), among them."""

_MARK = "\u2042marked\u2042"
_PACKAGES = ("torchvision", "num2words")
"""What ``coabench[vision]`` installs."""


class Refused(Exception):
    """The template or the processor takes no such chat or image; the message says why."""


class Chat:
    """A processor, and how its chat template writes a conversation.

    Args:
        processor: of transformers; its tokenizer is changed.
        place: where it comes from, for error messages: ``in FOLDER``.

    Attributes:
        end: the token that ends an answer: the one that the template writes after it, where that is a token of its
            own; else the tokenizer's end of sequence.

    Raises:
        UserError: it lacks a tokenizer or an image processor, or has no usable chat template.
    """

    def __init__(self, processor: Any, place: str) -> None:
        _check_parts(processor, place)
        self.processor = processor
        self.tokenizer = self.processor.tokenizer
        self._template = self.processor.chat_template or self.tokenizer.chat_template
        if not self._template:
            raise UserError(
                f"the processor {place} has no chat template",
                expected="chat_template.jinja, which says how a conversation is written for this model",
                remedy="use an instruction-tuned checkpoint, or add the template that its authors publish",
            )
        asked = Message("user", _MARK, (0,))
        try:
            self._asked = self._text([asked], answer=True)
            whole = self._text([asked, Message("assistant", _MARK)], answer=False)
        except Refused as error:
            raise _unfit(place, str(error)) from None
        before, _, after = whole.rpartition(_MARK)
        if _MARK not in before or "'type'" in whole:  # a template of texts alone writes the Python of a list
            raise _unfit(place, "one that writes no images, or not what is said")
        # Between "ASSISTANT:" and the answer may stand a space. Where the prompt for an answer is another text than
        # what stands before one (an empty thought, say), the model continues the prompt.
        self._lead = before.removeprefix(self._asked) if before.startswith(self._asked) else ""
        self.end = self._ending(after)
        if self.tokenizer.pad_token_id is None:
            self.tokenizer.pad_token = self.tokenizer.convert_ids_to_tokens(self.end)
        self.answer = lru_cache(maxsize=4096)(self._answer)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Return that of a checkpoint.

        Raises:
            UserError: it cannot be read, a package is missing that it needs, or it cannot be used.
        """
        return cls(_processor(folder), f"in {folder}")

    @property
    def pad(self) -> int:
        """The id of the padding token."""
        return int(self.tokenizer.pad_token_id)

    def shows_every_image(self, messages: Sequence[Message]) -> bool:
        """Whether the template writes a placeholder for every image; not every processor counts them.

        Raises:
            Refused: by the template.
        """
        whole = len(self._text(messages, answer=True))
        for position, message in enumerate(messages):
            for fewer in range(len(message.images)):
                less = [
                    *messages[:position],
                    replace(message, images=message.images[:fewer]),
                    *messages[position + 1 :],
                ]
                if len(self._text(less, answer=True)) >= whole:
                    return False
        return True

    def inputs(
        self, chats: Sequence[Sequence[Message]], images: Sequence[Sequence[Image]], side: Literal["left", "right"]
    ) -> Inputs:
        """Return the inputs of some chats, each ready for the assistant's answer.

        Args:
            chats: the messages of each, which show images by index.
            images: the images of each.
            side: where shorter chats are padded.

        Raises:
            Refused: by the template or the processor.
        """
        shown = [[own[i] for m in chat for i in m.images] for chat, own in zip(chats, images, strict=True)]
        texts = [self._text(chat, answer=True) for chat in chats]
        bos = self.tokenizer.bos_token
        self.tokenizer.padding_side = side
        try:
            made: Mapping[str, Any] = self.processor(
                text=texts,
                images=shown if any(shown) else None,
                padding=True,
                add_special_tokens=not (bos and texts[0].startswith(bos)),
                return_tensors="pt",
            )
        except Exception as error:  # hundreds of processors, each with errors of its own
            raise Refused(first_line(error)) from error
        return {name: value for name, value in made.items() if isinstance(value, Tensor)}

    def continued(self, inputs: Inputs, answers: Sequence[Sequence[int]]) -> tuple[Inputs, list[int]]:
        """Append tokens to every row of inputs that are padded on the right.

        Returns:
            the inputs, padded on the right again; and where each row's new tokens begin.
        """
        mask = inputs["attention_mask"]
        begins = mask.sum(dim=1).tolist()
        pairs = list(zip(begins, answers, strict=True))
        width = max(begin + len(answer) for begin, answer in pairs)
        longer = dict(inputs)
        for name, value in inputs.items():
            if name == "cross_attention_mask":  # (rows, tokens, images, tiles): what is said sees what was asked
                new = [row[begin - 1].expand(width - begin, -1, -1) for row, begin in zip(value, begins, strict=True)]
            elif value.shape != mask.shape:
                continue
            elif name == "input_ids":
                new = [torch.tensor([*a, *[self.pad] * (width - b - len(a))]) for b, a in pairs]
            elif name == "attention_mask":
                new = [torch.arange(width - b) < len(a) for b, a in pairs]
            else:  # the types of tokens: text
                new = [torch.zeros(width - begin) for begin in begins]
            longer[name] = torch.stack(
                [torch.cat([row[:begin], added.to(row)]) for row, begin, added in zip(value, begins, new, strict=True)]
            )
        return longer, begins

    # -- texts and tokens ---------------------------------------------------------------------------------------------

    def _text(self, messages: Sequence[Message], answer: bool) -> str:
        turns = [
            {"role": m.role, "content": [*({"type": "image"} for _ in m.images), {"type": "text", "text": m.text}]}
            for m in messages
        ]
        try:
            return str(
                self.processor.apply_chat_template(
                    turns, chat_template=self._template, tokenize=False, add_generation_prompt=answer
                )
            )
        except Exception as error:  # a template is a programme
            raise Refused(f"its chat template fails: {first_line(error)}") from error

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False)
        return ids

    def _answer(self, text: str) -> tuple[int, ...]:
        """Return the tokens that the model writes to answer *text*, the end token last.

        Tokens depend on what stands before them: ``"ASSISTANT:"`` is followed by the token ``"▁Fear"``, a new line by
        ``"Fear"``. So the answer is read off behind the template's own prompt. Where its first letters melt into the
        prompt's last token, which cannot be taken back, it is read off behind a character that melts with nothing.
        """
        said = self._lead + text
        for before in (self._asked, "\n", ":", ">"):
            prompt, whole = self._ids(before), self._ids(before + said)
            if whole[: len(prompt)] == prompt:
                return (*whole[len(prompt) :], self.end)
        return (*self._ids(said), self.end)

    def _ending(self, after: str) -> int:
        known = {token.content: number for number, token in self.tokenizer.added_tokens_decoder.items()}
        ending = max((token for token in known if token.strip() and after.startswith(token)), key=len, default=None)
        end = known[ending] if ending is not None else self.tokenizer.eos_token_id
        if end is None:
            raise UserError(
                f"nothing ends an answer of the model {self.tokenizer.name_or_path}",
                expected="an eos_token of the tokenizer, or a special token after an answer in the chat template",
                remedy="use the tokenizer files that its authors publish",
            )
        return int(end)


def _unfit(place: str, found: str) -> UserError:
    return UserError(
        f"the chat template {place} cannot be used",
        expected="a template that writes messages of images and text",
        found=found,
        remedy="use the template that the checkpoint's authors publish for transformers",
    )


def _processor(folder: Path) -> Any:
    try:
        with panics_caught():
            return AutoProcessor.from_pretrained(  # type: ignore[no-untyped-call]
                folder, trust_remote_code=False, local_files_only=True
            )
    except Exception as error:  # hundreds of processors, each with errors of its own
        needs_vision = any(name in str(error).lower() for name in _PACKAGES)  # an ImportError, or a ValueError
        if needs_vision or isinstance(error, ImportError):
            raise UserError(
                f"the processor in {folder} needs a package that is not installed",
                found=first_line(error),
                remedy="pip install 'coabench[vision]'" if needs_vision else "install the package that it names",
            ) from None
        raise UserError(
            f"the processor in {folder} cannot be read",
            expected="the processor and tokenizer files of the checkpoint, without code of their own",
            found=first_line(error),
            remedy="fetch the checkpoint again, or upgrade transformers",
        ) from None


def _check_parts(processor: Any, place: str) -> None:
    missing = [name for name in ("tokenizer", "image_processor") if getattr(processor, name, None) is None]
    if missing:
        raise UserError(
            f"the processor {place} has no {missing[-1].replace('_', ' ')}",
            expected="tokenizer files, and preprocessor_config.json or processor_config.json",
            found=type(processor).__name__,
            remedy="take the processor of the model, with all its files",
        )
