"""What the images began is continued by every question wherever it can be, with the answers of whole prompts."""

from __future__ import annotations

import copy
import math
from functools import wraps
from types import SimpleNamespace

import pytest
import torch
from coabench_transformers.shared import Sharing
from coabench_transformers.whole import Whole
from support.tiny_vlms import LABELS, PROMPTS

from coabench.dialogue import Message, Question
from coabench.labels import Choices
from coabench.testing.pictures import draw_face

pytestmark = pytest.mark.slow

FIRST = Question(PROMPTS[0], Choices(LABELS))
SECOND = Question("Which of these mixtures fits best?", Choices(("Happily Surprised", "Sadly Angry", "Fear", "Sadly")))
FACES = [draw_face("Anger", 1), draw_face("Happiness", 2), draw_face("Fear", 3)]


@pytest.fixture
def passes(monkeypatch):
    """How many tokens a row went through a backbone's model with each of its passes."""

    def count(backbone):
        counted, forward = [], backbone._model.forward

        @wraps(forward)
        def counting(*arguments, **named):
            counted.append(named["input_ids"].shape[1])
            return forward(*arguments, **named)

        monkeypatch.setattr(backbone._model, "forward", counting)
        return counted

    return count


def look(backbone):
    return backbone.look([backbone.prepare([face]) for face in FACES])


def whole(backbone, questions, decode):
    """Return the answers of whole prompts, each row alone."""
    made, computed = [], Whole(backbone._model, backbone.chat)
    for face, question in zip(FACES, questions, strict=True):
        inputs = backbone.chat.inputs([question.messages], [[face]], "right")
        inputs = {n: v.to(backbone._model.dtype) if v.is_floating_point() else v for n, v in inputs.items()}
        with torch.inference_mode():
            made += (computed.score if decode == "score" else computed.generate)(inputs, [question])
    return made


def check_same(ones, others, tolerance=1e-4):
    for one, other in zip(ones, others, strict=True):
        assert one.response == other.response
        assert one.prompt_tokens == other.prompt_tokens
        assert one.new_tokens == other.new_tokens
        assert (one.scores or {}).keys() == (other.scores or {}).keys()
        assert all(abs(one.scores[o] - other.scores[o]) < tolerance for o in one.scores or {})


@pytest.mark.parametrize("decode", ["generate", "score"])
@pytest.mark.parametrize(("name", "window"), [("llava", None), ("idefics3", None), ("gemma3", 512)])
def test_continued_prompts_have_the_answers_of_whole_ones(fresh, name, window, decode):
    """Question after question, with rows that ask something else, or nothing."""
    backbone = fresh(name, window=window)
    viewing = look(backbone)
    rounds = [[FIRST] * 3, [SECOND] * 3, [SECOND, FIRST, SECOND], [FIRST] * 3]
    for number, questions in enumerate(rounds):
        answers = viewing.ask(questions, decode)
        check_same(answers, whole(backbone, questions, decode))
        assert [answer.cached_tokens > 0 for answer in answers] == [number > 0] * 3
    part = viewing.ask([None, SECOND, None], decode)
    assert part[0] is part[2] is None
    check_same(part[1:2], whole(backbone, [SECOND] * 3, decode)[1:2])
    assert backbone._sharing.agrees == {decode: True}


def test_options_cost_one_pass_and_later_questions_their_own_tokens(fresh, passes):
    backbone = fresh("llava")
    look(backbone).ask([FIRST] * 3, "score")
    backbone.close()  # forgets the images
    viewing, counted = look(backbone), passes(backbone)
    (first, *_) = viewing.ask([FIRST] * 3, "score")
    assert len(counted) == 2  # up to the image, and behind it
    (second, *_) = viewing.ask([SECOND] * 3, "score")
    assert len(counted) == 3
    assert second.cached_tokens == counted[0] > first.cached_tokens == 0
    assert second.cached_tokens + counted[2] < second.prompt_tokens + sum(map(len, SECOND.options))
    viewing.restart()
    assert viewing.ask([SECOND] * 3, "score")[0].cached_tokens == 0
    assert len(counted) == 4


def test_exemplars_and_questions_without_images_are_continued_too(fresh):
    backbone = fresh("llava")
    example = (Message("user", FIRST.prompt, (0,)), Message("assistant", "Fear"))
    shown = Question(FIRST.prompt, FIRST.options, images=(1,), context=example)
    blind = Question("Which emotion comes first to mind?", FIRST.options, images=())
    viewing = backbone.look([FACES[:2], FACES[:2]])
    for questions in ([shown, shown], [blind, blind], [shown, blind]):
        for question, answer in zip(questions, viewing.ask(questions, "score"), strict=True):
            (alone,) = backbone.look([FACES[:2]]).ask([question], "score")
            check_same([answer], [alone])
            inputs = backbone.chat.inputs([question.messages], [FACES[:2]], "right")
            with torch.inference_mode():
                check_same([answer], Whole(backbone._model, backbone.chat).score(inputs, [question]))
    assert backbone._sharing.agrees == {"score": True, "exemplars": True}


def test_another_image_in_the_same_place_is_another_beginning(fresh):
    """The tokens of two pictures are the same; what they show is not."""
    backbone = fresh("llava")
    viewing = backbone.look([FACES[:2]])
    for shown in (0, 1, 0):
        (answer,) = viewing.ask([Question(FIRST.prompt, FIRST.options, images=(shown,))], "score")
        (alone,) = backbone.look([FACES[shown : shown + 1]]).ask([FIRST], "score")
        check_same([answer], [alone])
        assert answer.cached_tokens == 0


def test_half_precision_is_continued(fresh):
    backbone = fresh("llava", "bfloat16")
    answers = look(backbone).ask([FIRST] * 3, "score")
    assert backbone._sharing.agrees == {"score": True}
    for one, other in zip(answers, whole(backbone, [FIRST] * 3, "score"), strict=True):
        assert all(abs(one.scores[o] - other.scores[o]) < 0.1 * max(1.0, -other.scores[o]) for o in FIRST.options)


@pytest.mark.parametrize("decode", ["generate", "score"])
def test_a_window_that_prompts_outgrow_is_not_continued(fresh, decode):
    backbone = fresh("gemma3")
    viewing = look(backbone)
    for questions in ([FIRST] * 3, [SECOND] * 3):
        answers = viewing.ask(questions, decode)
        check_same(answers, whole(backbone, questions, decode))
        assert {answer.cached_tokens for answer in answers} == {0}


@pytest.mark.parametrize("fault", ["other numbers", "no numbers", "an error"])
@pytest.mark.parametrize("decode", ["generate", "score"])
def test_a_model_that_answers_otherwise_when_continued_is_asked_whole_prompts(fresh, monkeypatch, fault, decode):
    """Such as one whose prompts are seen as a whole by every token of theirs."""
    backbone = fresh("llava")
    forward = backbone._model.forward

    @wraps(forward)
    def differing(*arguments, **named):
        outputs = forward(*arguments, **named)
        mask = named.get("attention_mask")
        if mask is not None and mask.ndim == 4:
            if fault == "an error":
                raise ValueError("masks have two dimensions")
            outputs["logits"] = (
                outputs.logits.roll(1, dims=-1) if fault == "other numbers" else outputs.logits * math.nan
            )
        return outputs

    monkeypatch.setattr(backbone._model, "forward", differing)
    answers = look(backbone).ask([FIRST] * 3, decode)
    check_same(answers, whole(backbone, [FIRST] * 3, decode))
    assert backbone._sharing.agrees == {decode: False}
    check_same(look(backbone).ask([SECOND] * 3, decode), whole(backbone, [SECOND] * 3, decode))


@pytest.mark.parametrize(
    "change",
    [
        {"layer_types": ["linear_attention", "full_attention"]},  # states that cannot be taken back
        {"rope_parameters": {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0}},  # keys depend on the length
    ],
)
def test_what_cannot_be_continued_is_known_before_it_is_tried(fresh, change):
    model = fresh("llava")._model
    assert Sharing(model).possible
    config = copy.deepcopy(model.config)
    for name, value in change.items():
        setattr(config.text_config, name, value)
    assert not Sharing(SimpleNamespace(config=config, forward=model.forward)).possible
