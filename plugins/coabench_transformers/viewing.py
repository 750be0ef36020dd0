"""Questions about a batch of samples: generated in one call, or scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import torch

from coabench.backbone import Answers, Questions, Viewing
from coabench.base.resources import out_of_memory
from coabench.dialogue import Answer, Message, Question
from coabench.errors import SampleError
from coabench.support.linear import fast_linear
from coabench.support.memory import explained_oom
from coabench_transformers.beginnings import Beginnings, Kept, Texts
from coabench_transformers.chat import Chat, Inputs, Refused
from coabench_transformers.continuing import Evidence, generated, scored
from coabench_transformers.image_calls import FEATURES, PIXELS, ImageCalls
from coabench_transformers.shared import EXEMPLARS, Continued, Sharing
from coabench_transformers.whole import Whole

if TYPE_CHECKING:
    from PIL.Image import Image

Mode = Literal["generate", "sample", "score"]
Asked = Mapping[int, Question]
"""The question of each row that has one."""
TOO_LITTLE_MEMORY = ("the device has too little memory for this batch", "lower --batch-size")


class TransformersViewing(Viewing):
    """A batch of samples, one row each; the images go through the model when the first question comes.

    Args:
        sharing: of the model; what is found out about it is kept there.
        shared: what was computed for earlier viewings of the same model, and is kept for later ones.
    """

    def __init__(
        self,
        model: Any,
        chat: Chat,
        samples: Sequence[Sequence[Image]],
        sharing: Sharing,
        shared: Kept | None = None,
    ) -> None:
        self._model, self._chat, self._samples, self._sharing = model, chat, samples, sharing
        self._whole = Whole(model, chat)
        kept = shared or Kept()
        self._images = ImageCalls(samples, kept.images)
        self._beginnings = Beginnings(model, sharing, samples, self._of_chats, self._images, kept)
        self.restart()

    def restart(self) -> None:
        """Forget the questions, and keep what the model made of everything up to the last image of each row."""
        self._new = {*range(len(self._samples))}

    def generate(self, questions: Questions) -> Answers:
        """Decode greedily.

        Raises:
            JobError: memory does not suffice, or the model computes something that is no number.
        """
        return self._answers(questions, "generate")

    def sample(self, questions: Questions) -> Answers:
        """Draw every token as the question's draw says.

        Raises:
            JobError: as `generate` does.
        """
        return self._answers(questions, "sample")

    def score(self, questions: Questions) -> Answers:
        """Score the options of each question.

        Raises:
            JobError: as `generate` does.
        """
        return self._answers(questions, "score")

    def _answers(self, questions: Questions, mode: Mode) -> Answers:
        asked = {row: question for row, question in enumerate(questions) if question is not None}
        answers: dict[int, Answer | SampleError] = {}
        with (
            explained_oom(*TOO_LITTLE_MEMORY),
            torch.inference_mode(),
            fast_linear(self._model.device, self._model.dtype),
            self._images.remembered(getattr(self._model, "model", self._model), FEATURES),
            self._images.remembered(self._chat.processor.image_processor, PIXELS),
        ):
            # Processors want all rows or none to show images, and some the same number of them.
            for number in sorted({_shown(question) for question in asked.values()}):
                answers |= self._computed({row: q for row, q in asked.items() if _shown(q) == number}, mode)
        self._new -= {*asked}
        return [answers.get(row) for row in range(len(questions))]

    def _computed(self, asked: Asked, mode: Mode) -> Mapping[int, Answer | SampleError]:
        """Return the answers of some rows, row by row where their images cannot be processed together."""
        try:
            inputs = self._inputs(asked, "right")  # nothing may stand where rows grow
        except Refused as error:
            if len(asked) == 1:
                return dict.fromkeys(asked, SampleError(f"the model's processor refuses it: {error}"))
            alone = [self._computed({row: question}, mode) for row, question in asked.items()]
            return {row: answer for part in alone for row, answer in part.items()}
        answers = self._continued(asked, inputs, mode)
        return self._of_whole_prompts(asked, inputs, mode) if answers is None else answers

    def _inputs(self, asked: Asked, side: Literal["left", "right"]) -> Inputs:
        return self._of_chats({row: question.messages for row, question in asked.items()}, side)

    def _of_chats(self, chats: Mapping[int, Sequence[Message]], side: Literal["left", "right"] = "right") -> Inputs:
        made = self._chat.inputs(list(chats.values()), [self._samples[row] for row in chats], side)
        kind, device = self._model.dtype, self._model.device
        return {n: value.to(device, kind if value.is_floating_point() else None) for n, value in made.items()}

    def _of_whole_prompts(self, asked: Asked, inputs: Inputs, mode: Mode) -> dict[int, Answer]:
        questions = list(asked.values())
        if mode == "score":
            return dict(zip(asked, self._whole.score(inputs, questions), strict=True))
        padded = self._inputs(asked, "left")
        return dict(zip(asked, self._whole.generate(padded, questions, drawn=mode == "sample"), strict=True))

    # -- prompts that begin alike -------------------------------------------------------------------------------------

    def _continued(self, asked: Asked, inputs: Inputs, mode: Mode) -> dict[int, Answer] | None:
        """Return the answers of prompts that continue what the images began, or None where that cannot be done."""
        said = max(len(self._chat.answer(o)) for q in asked.values() for o in q.options) if mode == "score" else 0
        longest = inputs["input_ids"].shape[1] + (said or self._model.generation_config.max_new_tokens)
        if not self._sharing.fits(mode, inputs, longest):
            return None
        agrees = self._sharing.agrees
        exemplars = any(message.images for question in asked.values() for message in question.context)
        apart = exemplars and self._sharing.lets_exemplars_go_alone(inputs)
        checked = {mode, EXEMPLARS} if apart else {mode}
        known = checked <= agrees.keys()
        try:
            answers, evidence = self._answered(asked, inputs, mode, apart)
        except Exception as error:  # hundreds of models, each with errors of its own
            self._beginnings.forget()
            if known or isinstance(error, torch.OutOfMemoryError) or out_of_memory(error):
                raise
            same = False
        else:
            same = known or self._agree(inputs, [evidence[row] for row in asked])
        if same:
            agrees |= dict.fromkeys(checked, True)
            self._beginnings.keep()
            return answers
        self._beginnings.forget()
        agrees[EXEMPLARS if apart else mode] = False
        return self._continued(asked, inputs, mode) if apart else None

    def _answered(
        self, asked: Asked, inputs: Inputs, mode: Mode, apart: bool
    ) -> tuple[dict[int, Answer], dict[int, Evidence]]:
        texts = Texts.read(list(asked), inputs)
        answers: dict[int, Answer] = {}
        evidence: dict[int, Evidence] = {}
        for begun, rows in self._beginnings.of(asked, inputs, texts, apart):
            held = begun.length
            continued = Continued(self._model, self._sharing, begun.of(rows), len(rows), held)
            chunks, questions = [texts.prompts[row][held:] for row in rows], [asked[row] for row in rows]
            if mode == "score":
                found = scored(self._chat, continued, chunks, questions)
            else:
                found = generated(self._model, self._chat, continued, chunks, questions, mode == "sample")
            for row, (answer, own) in zip(rows, found, strict=True):
                kept = held if self._beginnings.had(row, begun) and row not in self._new else 0
                answers[row] = replace(answer, prompt_tokens=len(texts.prompts[row]), cached_tokens=kept)
                evidence[row] = own
        return answers, evidence

    def _agree(self, inputs: Inputs, evidence: Sequence[Evidence]) -> bool:
        """Whether whole prompts lead to the same, but for rounding: to half of the digits of the precision."""
        whole = self._whole.log_probabilities(inputs, [own.tokens for own in evidence])
        tolerance = torch.finfo(self._model.dtype).eps ** 0.5
        return all(
            abs(one - own.log_probability) <= tolerance * max(1.0, abs(one))
            for one, own in zip(whole, evidence, strict=True)
        )


def _shown(question: Question) -> int:
    return sum(len(message.images) for message in question.messages)
