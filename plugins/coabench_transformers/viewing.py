"""Questions about a batch of samples: generated in one call, or scored option by option."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor
from transformers import LogitsProcessor

from coabench.backbone import Answers, Questions, Viewing
from coabench.dialogue import Answer, Question
from coabench.errors import SampleError
from coabench.support.linear import fast_linear
from coabench.support.memory import explained_oom
from coabench.support.numerics import not_a_number
from coabench.support.sampling import draw_tokens
from coabench_transformers.chat import Chat, Inputs, Refused
from coabench_transformers.image_features import ImageFeatures

if TYPE_CHECKING:
    from PIL.Image import Image

Side = Literal["left", "right"]
Compute = Callable[[Inputs, Sequence[Question]], list[Answer]]
TOO_LITTLE_MEMORY = ("the device has too little memory for this batch", "lower --batch-size")


class TransformersViewing(Viewing):
    """A batch of samples, one row each; the images go through the vision tower when the first question comes."""

    def __init__(self, model: Any, chat: Chat, samples: Sequence[Sequence[Image]]) -> None:
        self._model, self._chat, self._samples = model, chat, samples
        self._features = ImageFeatures()

    def generate(self, questions: Questions) -> Answers:
        """Decode greedily.

        Raises:
            JobError: memory does not suffice, or the model computes something that is no number.
        """
        return self._answers(questions, "left", lambda inputs, _: self._generate(inputs, []))

    def sample(self, questions: Questions) -> Answers:
        """Draw every token as the question's draw says.

        Raises:
            JobError: as `generate` does.
        """
        return self._answers(questions, "left", lambda inputs, asked: self._generate(inputs, [_Drawn(asked)]))

    def score(self, questions: Questions) -> Answers:
        """Score the options of each question, one after the other.

        Raises:
            JobError: as `generate` does.
        """
        return self._answers(questions, "right", self._score)  # nothing may stand where rows grow

    def _answers(self, questions: Questions, side: Side, compute: Compute) -> Answers:
        """Answer the questions by *compute*, whose inputs are padded on one side."""
        asked = {row: question for row, question in enumerate(questions) if question is not None}
        answers: dict[int, Answer | SampleError] = {}
        with (
            explained_oom(*TOO_LITTLE_MEMORY),
            torch.inference_mode(),
            fast_linear(self._model.device, self._model.dtype),
            self._features.reused_by(self._model),
        ):
            # Processors want all rows or none to show images, and some the same number of them.
            for number in sorted({_shown(question) for question in asked.values()}):
                part = {row: q for row, q in asked.items() if _shown(q) == number}
                answers |= self._computed(part, side, compute)
        return [answers.get(row) for row in range(len(questions))]

    def _computed(self, asked: Mapping[int, Question], side: Side, compute: Compute) -> dict[int, Answer | SampleError]:
        """Return the answers of some rows, row by row where their images cannot be processed together."""
        try:
            made = self._chat.inputs(
                [question.messages for question in asked.values()], [self._samples[row] for row in asked], side
            )
        except Refused as error:
            if len(asked) == 1:
                return dict.fromkeys(asked, SampleError(f"the model's processor refuses it: {error}"))
            alone = [self._computed({row: question}, side, compute) for row, question in asked.items()]
            return {row: answer for part in alone for row, answer in part.items()}
        kind, device = self._model.dtype, self._model.device
        inputs = {n: value.to(device, kind if value.is_floating_point() else None) for n, value in made.items()}
        return dict(zip(asked, compute(inputs, list(asked.values())), strict=True))

    def _generate(self, inputs: Inputs, processors: Sequence[LogitsProcessor]) -> list[Answer]:
        width = inputs["input_ids"].shape[1]
        numbers = _Numbers()
        written = self._model.generate(**inputs, logits_processor=[numbers, *processors])
        if bool(numbers.lost):
            raise not_a_number()
        ends = set(self._model.generation_config.eos_token_id)
        lengths = inputs["attention_mask"].sum(dim=1).tolist()
        answers = []
        for ids, length in zip(written[:, width:].tolist(), lengths, strict=True):
            new = next((i + 1 for i, token in enumerate(ids) if token in ends), len(ids))
            text = self._chat.tokenizer.decode(ids[:new], skip_special_tokens=True)
            answers.append(Answer(text, prompt_tokens=length, new_tokens=new))
        return answers

    def _score(self, inputs: Inputs, questions: Sequence[Question]) -> list[Answer]:
        """Score option after option; the rows of one pass are padded on the right, where nothing sees it."""
        scores: list[dict[str, float]] = [{} for _ in questions]
        for number in range(max(len(question.options) for question in questions)):
            # Where a question has fewer options, its first is computed again: the batch keeps its rows.
            options = [q.options[number] if number < len(q.options) else q.options[0] for q in questions]
            texts = [self._chat.answer(option) for option in options]
            for row, (option, value) in enumerate(zip(options, self._log_probabilities(inputs, texts), strict=True)):
                scores[row].setdefault(option, value)
        lengths = inputs["attention_mask"].sum(dim=1).tolist()
        return [
            Answer(max(own, key=own.__getitem__), own, prompt_tokens=length)
            for own, length in zip(scores, lengths, strict=True)
        ]

    def _log_probabilities(self, inputs: Inputs, texts: Sequence[Sequence[int]]) -> list[float]:
        """Return the natural-log probability of a text after each row."""
        longer, begins = self._chat.continued(inputs, texts)
        first = min(begins) - 1  # before it no logits are read; those of a long prompt take gigabytes
        keep = {"logits_to_keep": longer["input_ids"].shape[1] - first} if _keeps(self._model) else {}
        logits = self._model(**longer, use_cache=False, **keep).logits
        offset = first if keep else 0
        sums = []
        for row, (begin, text) in enumerate(zip(begins, texts, strict=True)):
            start = begin - 1 - offset
            steps = logits[row, start : start + len(text)].float().log_softmax(dim=-1)
            values = steps.gather(-1, torch.tensor(text, device=steps.device)[:, None])[:, 0].tolist()
            sums.append(math.fsum(values))
        if any(math.isnan(value) for value in sums):
            raise not_a_number()
        return sums


class _Numbers(LogitsProcessor):
    """Notes whether logits were lost to NaN or infinity; a device is not waited for."""

    lost: Tensor | bool = False

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        self.lost = self.lost | ~scores.max(dim=-1).values.isfinite().all()
        return scores


class _Drawn(LogitsProcessor):
    """Draws the next token of each row itself and leaves it alone possible, so that greedy decoding takes it.

    ``do_sample`` would draw from one generator for all rows: answers would depend on the batch.
    """

    def __init__(self, questions: Sequence[Question]) -> None:
        self._draws, self._step = [question.draw for question in questions], 0

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        tokens = draw_tokens(scores, self._draws, self._step)
        self._step += 1
        return torch.full_like(scores, -math.inf).scatter(-1, tokens[:, None], 0.0)


def _shown(question: Question) -> int:
    return sum(len(message.images) for message in question.messages)


def _keeps(model: Any) -> bool:
    return "logits_to_keep" in inspect.signature(model.forward).parameters
