"""Answers of tiny models against a plain loop: tokens at the boundary, batches, several images, features kept."""

from __future__ import annotations

import math
import shutil
from dataclasses import replace

import pytest
import torch
from coabench_transformers.backbone import TransformersVision
from coabench_transformers.chat import Chat
from PIL import Image
from support.drawn_by_hand import token_by_hand
from support.tiny_vlms import LABELS, PROMPTS

from coabench.backbone import BackboneRequest
from coabench.dialogue import Message, Question
from coabench.errors import JobError, SampleError, UserError
from coabench.labels import Choices
from coabench.sampling import Draw
from coabench.testing.pictures import draw_face

pytestmark = pytest.mark.slow

BASIC = Choices(LABELS)
COMPOUND = Choices(("Happily Surprised", "Sadly Angry", "Fear"))
FIRST = Question(PROMPTS[0], BASIC)
LONG = Question(f"{PROMPTS[1]} Take your time, and look at the brows, the eyes and the mouth before you answer.", BASIC)
MIXED = Question("Which of these mixtures fits best?", COMPOUND)
FACES = [draw_face("Anger", 1), draw_face("Happiness", 2), Image.new("RGB", (90, 30), (20, 90, 200))]

# What the templates write before an answer, the text of an answer, and the token that ends it: known by heart here.
WRITTEN = {
    "llava": ("USER: <image>\n{} ASSISTANT:", " {}", "</s>"),
    "idefics3": ("<|begin_of_text|>User:<image>{}<end_of_utterance>\nAssistant:", " {}", "<end_of_utterance>"),
    "gemma3": (
        "<bos><start_of_turn>user\n<start_of_image>{}<end_of_turn>\n<start_of_turn>model\n", "{}", "<end_of_turn>"),
}  # fmt: skip


@pytest.fixture(params=list(WRITTEN))
def written(request, opened):
    """A backbone, and a plain function: an image, a prompt, an answer (a text, ended; or tokens so far) -> the ids of
    the whole conversation, and the logits after each of them."""
    backbone = opened(request.param)
    before, answer, end = WRITTEN[request.param]
    processor, model = backbone.chat.processor, backbone._model

    def run(image, prompt, said):
        whole = before.format(prompt) + (answer.format(said) + end if isinstance(said, str) else "")
        bos = not whole.startswith(processor.tokenizer.bos_token)
        inputs = processor(text=[whole], images=[[image]], add_special_tokens=bos, return_tensors="pt")
        if not isinstance(said, str):
            more = torch.tensor([processor.tokenizer.convert_tokens_to_ids(said)], dtype=torch.long).reshape(1, -1)
            inputs["input_ids"] = torch.cat([inputs["input_ids"], more], dim=1)
            inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
            if "token_type_ids" in inputs:
                inputs["token_type_ids"] = torch.cat([inputs["token_type_ids"], torch.zeros_like(more)], dim=1)
        with torch.inference_mode():
            return inputs["input_ids"][0].tolist(), model(**inputs).logits[0].double()

    return backbone, run


def look(backbone: TransformersVision, *images: Image.Image):
    return backbone.look([backbone.prepare([image]) for image in images])


def same(one, other):
    assert one.response == other.response
    assert one.prompt_tokens == other.prompt_tokens
    if one.scores:
        assert list(one.scores) == list(other.scores)
        assert max(abs(one.scores[o] - other.scores[o]) for o in one.scores) < 1e-4


# -- scores ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("question", [FIRST, MIXED], ids=["one token", "several tokens"])
def test_scores_are_those_of_a_plain_loop_over_the_whole_text(written, question):
    """The tokens of an answer are those that the tokenizer makes of the whole conversation, the end token counted."""
    backbone, run = written
    (answer,) = look(backbone, FACES[0]).ask([question], "score")
    for option in question.options:
        ids, logits = run(FACES[0], question.prompt, option)
        first = answer.prompt_tokens
        tail = backbone.chat.tokenizer.decode(ids[first:], skip_special_tokens=True).strip()
        assert tail == option
        plain = sum(float(logits[at - 1].log_softmax(-1)[ids[at]]) for at in range(first, len(ids)))
        assert math.isclose(answer.scores[option], plain, abs_tol=1e-4), option
    assert answer.response == max(answer.scores, key=answer.scores.get)


def test_what_is_generated_is_what_scores_best(written):
    """Generating and scoring speak of the same tokens: the label that a fitted model writes is its best option."""
    backbone, _ = written
    faces = [draw_face(label, person) for label in LABELS for person in (0, 3)]
    viewing = look(backbone, *faces)
    said = viewing.ask([FIRST] * len(faces))
    scored = viewing.ask([FIRST] * len(faces), "score")
    labels = [(s.response.strip(), b.response) for s, b in zip(said, scored, strict=True)]
    labels = [(label, best) for label, best in labels if label in LABELS]
    assert all(label == best for label, best in labels), labels
    assert len(labels) >= (0 if backbone.checkpoint.config.model_type == "gemma3" else 7)


def test_greedy_decoding_is_a_plain_loop(written):
    """Token after token over the whole sequence, nothing cached, until the end token of the template."""
    backbone, run = written
    viewing = look(backbone, *FACES)
    for image, answer in zip(FACES, viewing.ask([LONG] * 3), strict=True):
        said, end = [], WRITTEN[backbone.checkpoint.config.model_type][2]
        while len(said) < 6 and end not in said:
            tokens, logits = run(image, LONG.prompt, said)
            said.append(backbone.chat.tokenizer.convert_ids_to_tokens(int(logits[-1].argmax())))
        assert answer.new_tokens == len(said)
        assert answer.response == backbone.chat.tokenizer.decode(
            tokens[answer.prompt_tokens :] + backbone.chat.tokenizer.convert_tokens_to_ids(said[-1:]),
            skip_special_tokens=True,
        )


def test_sampling_is_a_plain_loop_with_a_number_for_each_step(written):
    """Token after token over the whole sequence; batches and neighbours change nothing."""
    backbone, run = written
    end = WRITTEN[backbone.checkpoint.config.model_type][2]
    draws = [Draw(2.0, 0.9, seed) for seed in (11, 12, 13)]
    questions = [replace(LONG, draw=draw) for draw in draws]
    answers = look(backbone, *FACES).ask(questions, "sample")
    for image, question, answer in zip(FACES, questions, answers, strict=True):
        said = []
        while len(said) < 6 and end not in said:
            tokens, logits = run(image, LONG.prompt, said)
            token = token_by_hand(logits[-1].tolist(), question.draw, len(said))
            said.append(backbone.chat.tokenizer.convert_ids_to_tokens(token))
        assert answer.new_tokens == len(said)
        ids = tokens[answer.prompt_tokens :] + backbone.chat.tokenizer.convert_tokens_to_ids(said[-1:])
        assert answer.response == backbone.chat.tokenizer.decode(ids, skip_special_tokens=True)
        [alone] = look(backbone, image).ask([question], "sample")
        same(alone, answer)
    assert len({answer.response for answer in look(backbone, *FACES[:1] * 3).ask(questions, "sample")}) > 1
    cold = [replace(LONG, draw=Draw(1e-9, 1.0, seed)) for seed in range(3)]
    for one, other in zip(look(backbone, *FACES).ask(cold, "sample"), look(backbone, *FACES).ask(cold), strict=True):
        same(one, other)


def test_the_tiny_llava_knows_faces(opened):
    """The answer depends on the image, and ends by itself."""
    faces = [draw_face(label, 2) for label in LABELS]
    answers = look(opened("llava"), *faces).ask([FIRST] * 7)
    assert sum(answer.response == label for answer, label in zip(answers, LABELS, strict=True)) >= 5
    assert max(answer.new_tokens for answer in answers) <= 3


def test_the_beginning_of_sequence_stands_once(backbone):
    """Whether the template writes it (Idefics 3, Gemma 3) or the tokenizer adds it (LLaVA)."""
    for side in ("left", "right"):
        ids = backbone.chat.inputs([FIRST.messages], [FACES[:1]], side)["input_ids"][0].tolist()
        assert ids.count(backbone.chat.tokenizer.bos_token_id) == 1
        assert ids[0] == backbone.chat.tokenizer.bos_token_id


def test_a_question_without_options_cannot_be_scored(opened):
    with pytest.raises(UserError, match="cannot be scored"):
        look(opened("llava"), FACES[0]).ask([Question("What?", Choices())], "score")


# -- batches -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("decode", ["generate", "score"])
def test_a_batch_of_unequal_lengths_changes_no_answer(backbone, decode):
    example = (Message("user", FIRST.prompt, (0,)), Message("assistant", "Fear"))
    shown = Question(FIRST.prompt, BASIC, images=(1,), context=example)
    blind = Question("Which emotion comes first to mind?", BASIC, images=())
    samples = [[FACES[0]], [FACES[1]], [FACES[2]], [FACES[0], FACES[1]], [FACES[2]], [FACES[0]]]
    questions = [FIRST, LONG, MIXED, shown, blind, None]
    together = backbone.look(samples).ask(questions, decode)
    assert together[5] is None
    assert len({answer.prompt_tokens for answer in together[:5]}) == 5
    for sample, question, answer in zip(samples[:5], questions[:5], together[:5], strict=True):
        (alone,) = backbone.look([sample]).ask([question], decode)
        same(answer, alone)


def test_exemplars_come_in_their_order(backbone):
    """Which image is which matters: swapped images make other scores."""
    example = (Message("user", FIRST.prompt, (0,)), Message("assistant", "Fear"))
    shown = Question(FIRST.prompt, BASIC, images=(1,), context=example)
    (one,) = backbone.look([[FACES[0], FACES[1]]]).ask([shown], "score")
    (other,) = backbone.look([[FACES[1], FACES[0]]]).ask([shown], "score")
    assert any(abs(one.scores[o] - other.scores[o]) > 1e-4 for o in BASIC)


def test_attention_implementations_agree(opened):
    (one,) = look(opened("llava"), FACES[0]).ask([FIRST], "score")
    (other,) = look(opened("llava", attention="eager"), FACES[0]).ask([FIRST], "score")
    same(one, other)


# -- looking once ------------------------------------------------------------------------------------------------------


@pytest.fixture
def towers(backbone, monkeypatch):
    """How many pictures each forward pass of the vision tower was of."""
    for decode in ("generate", "score"):  # the first answers of a model are compared with those of whole prompts
        look(backbone, *FACES).ask([FIRST] * 3, decode)
    monkeypatch.setattr(backbone, "_shared", None)  # what one viewing keeps is looked at here
    base, passes = backbone._model.model, []
    tower = getattr(base, "vision_tower", None) or base.vision_model
    handle = tower.register_forward_hook(lambda *call: passes.append(len(call[2].last_hidden_state)))
    yield passes
    handle.remove()


@pytest.mark.parametrize("decode", ["generate", "score"])
def test_the_vision_tower_runs_once_for_many_questions(backbone, towers, decode):
    viewing = look(backbone, *FACES)
    fresh = [[a.response, a.scores] for a in look(backbone, *FACES).ask([LONG] * 3, decode)]
    pictures = sum(towers)
    viewing.ask([FIRST] * 3, decode)
    assert sum(towers) == 2 * pictures
    again = viewing.ask([LONG] * 3, decode)
    viewing.ask([FIRST, LONG, MIXED], decode)
    assert sum(towers) == 2 * pictures
    assert [[a.response, a.scores] for a in again] == fresh  # to the last bit


def test_generating_and_scoring_share_what_was_seen(backbone, towers):
    viewing = look(backbone, *FACES)
    viewing.ask([FIRST] * 3)
    pictures = sum(towers)
    viewing.ask([FIRST] * 3, "score")
    assert sum(towers) == pictures


def test_other_images_are_looked_at(backbone, towers):
    """Between the questions other samples are asked about, and fewer rows, and other images of the same sample."""
    viewing, other = look(backbone, *FACES), look(backbone, *FACES[::-1])
    first = viewing.ask([FIRST] * 3, "score")
    pictures = sum(towers)
    turned = other.ask([FIRST] * 3, "score")
    assert sum(towers) == 2 * pictures
    part = viewing.ask([None, FIRST, None], "score")
    assert [answer.scores for answer in viewing.ask([FIRST] * 3, "score")] == [answer.scores for answer in first]
    assert sum(towers) <= 3 * pictures  # where nothing is kept, fewer rows are looked at again
    for one, two in ((first[0], turned[2]), (first[2], turned[0]), (first[1], part[1])):
        same(one, two)
    assert abs(first[0].scores["Fear"] - first[1].scores["Fear"]) > 1e-6


def test_nothing_stays_behind_on_the_model(backbone):
    look(backbone, FACES[0]).ask([FIRST])
    assert "get_image_features" not in vars(backbone._model.model)


# -- what goes wrong ---------------------------------------------------------------------------------------------------


def test_an_image_that_the_processor_refuses_costs_one_sample(opened, monkeypatch):
    backbone = opened("llava")
    processor = type(backbone.chat.processor)
    process = processor.__call__

    def picky(self, images=None, **others):
        if images and any(image.size == (90, 30) for shown in images for image in shown):
            raise ValueError("aspect ratio must be smaller than 2")
        return process(self, images=images, **others)

    (alone,) = look(backbone, FACES[1]).ask([FIRST], "score")
    monkeypatch.setattr(processor, "__call__", picky)
    one, refused, two = look(backbone, FACES[0], FACES[2], FACES[1]).ask([FIRST] * 3, "score")
    assert isinstance(refused, SampleError)
    assert "aspect ratio must be smaller than 2" in str(refused)
    assert one.scores
    same(two, alone)


@pytest.mark.parametrize("decode", ["generate", "score"])
def test_what_is_no_number_ends_the_job(folders, decode):
    broken = TransformersVision(BackboneRequest(str(folders("llava")), None, "cpu", "float32"))
    broken.load()
    with torch.no_grad():
        broken._model.model.language_model.norm.weight.fill_(float("nan"))
    with pytest.raises(JobError, match="NaN"):
        look(broken, FACES[0]).ask([FIRST], decode)


# -- tokens at the boundary --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prompt", "before", "first"),
    [
        ("ASSISTANT:", "ASSISTANT: ", "▁"),  # the space comes with the word
        ("ASSISTANT: ", "ASSISTANT: ", "H"),  # it stands in the prompt already
        ("[/INST]\n", "[/INST]\n", "H"),
        ("<think></think>", "ASSISTANT: ", "H"),  # the prompt is not what stands before an earlier answer
    ],
)
def test_an_answer_is_the_tokens_that_follow_the_prompt(folders, tmp_path, prompt, before, first):
    """With Llama's tokenizer, where a word has one token with a space before it and another one without."""
    folder = shutil.copytree(folders("llava"), tmp_path / "model")
    template = (
        "{% for m in messages %}{% if m['role'] == 'user' %}U: {% else %}" + before + "{% endif %}"
        "{% for p in m['content'] %}{{ '<image>' if p['type'] == 'image' else p['text'] }}{% endfor %} {% endfor %}"
        "{% if add_generation_prompt %}{{ " + repr(prompt) + " }}{% endif %}"
    )
    (folder / "chat_template.jinja").write_text(template)
    chat = Chat.read(folder)
    ids = list(chat.answer("Happiness"))
    assert chat.tokenizer.decode(ids[:-1]).strip() == "Happiness"
    assert chat.tokenizer.convert_ids_to_tokens(ids[0])[0] == first
    assert ids[-1] == chat.tokenizer.eos_token_id
