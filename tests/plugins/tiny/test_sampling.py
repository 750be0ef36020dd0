"""Sampled answers of the embedded model against a plain loop over its logits."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from coabench_phi35v.model import Phi3VForCausalLM
from coabench_phi35v.prompt import Control, chat
from coabench_tiny.backbone import Tiny
from support.drawn_by_hand import token_by_hand

from coabench.backbone import BackboneRequest
from coabench.dialogue import Question
from coabench.labels import Choices
from coabench.sampling import Draw
from coabench.testing.pictures import draw_face

BASIC = Choices(("Surprise", "Fear", "Disgust", "Happiness", "Sadness", "Anger", "Neutral"))
ASKED = Question("Which emotion does this face show?", BASIC)
LONG = Question(f"Look at brows, eyes and mouth. {ASKED.prompt}", BASIC)


@pytest.fixture(scope="module")
def tiny() -> Tiny:
    backbone = Tiny(BackboneRequest(device="cpu"))
    backbone.load()
    return backbone


def next_logits(model: Phi3VForCausalLM, ids: list[int], pictures: list) -> list[float]:
    """What is predicted after a whole sequence, nothing cached."""
    with torch.inference_mode():
        images = dict(enumerate(model.model.vision_embed_tokens(pictures)))
        causal = torch.ones(len(ids), len(ids), dtype=torch.bool).tril()[None, None]
        states = model.model(model.embed([ids], [images]), torch.arange(len(ids))[None], [False], causal)
        return model.lm_head(states[0, -1]).tolist()


def test_every_token_is_the_one_under_its_number(tiny: Tiny) -> None:
    faces = [tiny.prepare([draw_face(label, 1)]) for label in ("Anger", "Happiness", "Fear", "Anger")]
    questions = [replace(LONG if i % 2 else ASKED, draw=Draw(1.6, 0.97, seed=i)) for i in range(4)]
    viewing = tiny.look(faces)
    viewing.ask([ASKED] * 4)  # what was asked before changes nothing
    answers = viewing.ask(questions, "sample")
    stops = {tiny.tokenizer.control(control) for control in (Control.END, Control.ENDOFTEXT)}
    for face, question, answer in zip(faces, questions, answers, strict=True):
        ids = list(tiny.tokenizer.encode(chat(question.messages), [face[0].tokens]))
        said: list[int] = []
        while len(said) < tiny.options.max_new_tokens and not stops.intersection(said):
            logits = next_logits(tiny.model, [*ids, *said], list(face))
            said.append(token_by_hand(logits, question.draw, len(said)))
        assert answer.response == tiny.tokenizer.decode(said)
        assert answer.new_tokens == len(said)
        [alone] = tiny.look([face]).ask([question], "sample")
        assert alone.response == answer.response


def test_draws_about_one_face_differ(tiny: Tiny) -> None:
    faces = [tiny.prepare([draw_face("Anger", 1)])] * 4
    answers = tiny.look(faces).ask([replace(ASKED, draw=Draw(1.6, 1.0, seed)) for seed in range(4)], "sample")
    assert len({answer.response for answer in answers}) > 1


def test_cold_draws_are_greedy(tiny: Tiny) -> None:
    faces = [tiny.prepare([draw_face(label, 1)]) for label in BASIC]
    cold = [replace(ASKED, draw=Draw(1e-9, 1.0, seed)) for seed in range(7)]
    greedy, drawn = tiny.look(faces).ask(cold), tiny.look(faces).ask(cold, "sample")
    assert [answer.response for answer in drawn] == [answer.response for answer in greedy]
