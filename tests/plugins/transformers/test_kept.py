"""What is kept from one batch to the next, images seen before and exemplars of prompts; answers stay equal."""

from __future__ import annotations

import gc
import weakref
from functools import wraps

import pytest
import torch
from coabench_transformers.beginnings import Kept
from coabench_transformers.viewing import TransformersViewing
from support.tiny_vlms import LABELS, PROMPTS

from coabench.dialogue import Message, Question
from coabench.labels import Choices
from coabench.support.shared_cache import LruCache
from coabench.testing.pictures import draw_face

pytestmark = pytest.mark.slow

BASIC = Choices(LABELS)
FIRST = Question(PROMPTS[0], BASIC)
SHOWN = Question(
    PROMPTS[0], BASIC, images=(1,), context=(Message("user", PROMPTS[0], (0,)), Message("assistant", "Fear"))
)
FACES = [draw_face(label, person) for person, label in enumerate(LABELS)]
EXEMPLAR = draw_face("Fear", 9)


def forgetful(backbone, samples):
    """Look at samples without anything that is kept, and with nothing that is kept."""
    return TransformersViewing(backbone._model, backbone.chat, samples, backbone._sharing)


@pytest.fixture
def seen(monkeypatch):
    """How many pictures each pass of a backbone's vision tower was of."""

    def count(backbone):
        base, passes = backbone._model.model, []
        tower = getattr(base, "vision_tower", None) or base.vision_model
        forward = tower.forward

        @wraps(forward)
        def counting(*arguments, **named):
            made = forward(*arguments, **named)
            passes.append(len(made.last_hidden_state))
            return made

        monkeypatch.setattr(tower, "forward", counting)
        return passes

    return count


def check_same(ones, others):
    for one, other in zip(ones, others, strict=True):
        assert (one.response, one.prompt_tokens, one.new_tokens, one.cached_tokens) == (
            other.response, other.prompt_tokens, other.new_tokens, other.cached_tokens
        )  # fmt: skip
        assert all(abs(one.scores[o] - other.scores[o]) < 1e-4 for o in one.scores or {})


@pytest.mark.parametrize(("name", "window"), [("llava", None), ("idefics3", None), ("gemma3", 512)])
def test_images_seen_before_are_not_looked_at_again(fresh, seen, name, window):
    """In other batches, beside new ones, for other questions and ways to answer."""
    backbone = fresh(name, window=window)
    passes = seen(backbone)
    backbone.look([(face,) for face in FACES[:2]]).ask([FIRST] * 2, "score")
    for faces, decode, new in (
        ((FACES[1], FACES[2], FACES[0]), "score", True),
        ((FACES[2], FACES[1]), "generate", None),  # the first answers are compared with those of whole prompts
        ((FACES[0].copy(), FACES[2]), "generate", False),
    ):
        passes.clear()
        said = backbone.look([(face,) for face in faces]).ask([FIRST] * len(faces), decode)
        assert new is None or bool(passes) == new
        check_same(said, forgetful(backbone, [(face,) for face in faces]).ask([FIRST] * len(faces), decode))
    assert backbone._sharing.agrees == {"score": True, "generate": True}


def test_vision_features_are_kept_where_prompts_cannot_be_continued(fresh, seen):
    backbone = fresh("gemma3")  # its window is shorter than a prompt
    samples = [(face,) for face in FACES[:2]]
    said = backbone.look(samples).ask([FIRST] * 2, "score")
    passes = seen(backbone)
    check_same(backbone.look(samples).ask([FIRST] * 2, "score"), said)
    assert not passes
    assert backbone.look(samples[::-1]).ask([FIRST] * 2)
    assert passes


@pytest.mark.parametrize("name", ["llava", "idefics3"])
def test_exemplars_are_computed_once_for_all_samples(fresh, seen, name):
    backbone = fresh(name)
    passes, batches = seen(backbone), [[(EXEMPLAR, face) for face in part] for part in (FACES[:2], FACES[2:5])]
    backbone._sharing.agrees |= {"score": True, "exemplars": True}  # as the comparison finds, which looks again
    numbers = []
    for batch in batches:
        passes.clear()
        said = backbone.look(batch).ask([SHOWN] * len(batch), "score")
        numbers.append(sum(passes))
        backbone._sharing.agrees["exemplars"] = False
        check_same(said, forgetful(backbone, batch).ask([SHOWN] * len(batch), "score"))
        del backbone._sharing.agrees["exemplars"]
        check_same(said, forgetful(backbone, batch).ask([SHOWN] * len(batch), "score"))
        assert backbone._sharing.agrees["exemplars"]
    assert numbers[0] == numbers[1] > 0  # the exemplar and two faces; three faces


def test_tokens_of_an_image_that_see_each_other_stay_together(fresh, seen):
    backbone = fresh("gemma3", window=512)
    batch = [(EXEMPLAR, face) for face in FACES[:2]]
    said = backbone.look(batch).ask([SHOWN] * 2, "score")
    assert backbone._sharing.agrees == {"score": True}
    passes = seen(backbone)
    check_same(backbone.look(batch[::-1]).ask([SHOWN] * 2, "score"), said[::-1])
    assert not passes


def test_exemplars_of_another_sample_are_others(fresh):
    backbone = fresh("llava")
    for exemplar in (EXEMPLAR, FACES[3]):
        batch = [(exemplar, FACES[0])]
        said = backbone.look(batch).ask([SHOWN], "score")
        backbone._sharing.agrees["exemplars"] = False
        check_same(said, forgetful(backbone, batch).ask([SHOWN], "score"))
        del backbone._sharing.agrees["exemplars"]


def test_a_model_whose_exemplars_cannot_go_alone_keeps_nothing_of_it(fresh, monkeypatch):
    """Positions given with images make this one compute something else."""
    backbone = fresh("llava")
    batch = [(EXEMPLAR, face) for face in FACES[:2]]
    backbone._sharing.agrees["exemplars"] = False
    right = forgetful(backbone, batch).ask([SHOWN] * 2, "score")
    del backbone._sharing.agrees["exemplars"]
    forward = backbone._model.forward

    @wraps(forward)
    def differing(*arguments, **named):
        if "pixel_values" in named and "position_ids" in named:
            named["position_ids"] = named["position_ids"] + 40
        return forward(*arguments, **named)

    monkeypatch.setattr(backbone._model, "forward", differing)
    for _ in range(2):
        check_same(backbone.look(batch).ask([SHOWN] * 2, "score"), right)
    assert backbone._sharing.agrees == {"score": True, "exemplars": False}


def test_pixels_are_made_once_for_a_viewing(fresh, monkeypatch):
    backbone = fresh("llava")
    kind, made = type(backbone.chat.processor.image_processor), []
    preprocess = kind.preprocess
    monkeypatch.setattr(kind, "preprocess", lambda *a, **k: made.append(1) or preprocess(*a, **k))
    viewing = backbone.look([(FACES[0],), (FACES[1],)])
    for mode in ("score", "generate"):
        viewing.ask([FIRST] * 2, mode)
    assert len(made) == 1
    assert "preprocess" not in vars(backbone.chat.processor.image_processor)


def test_what_is_kept_has_a_bound_and_ends_with_the_run(fresh, seen):
    backbone = fresh("llava")
    backbone.look([(FACES[0],)]).ask([FIRST], "score")
    (prefix,) = (value for value, _ in backbone._shared.prefixes._held.values())
    backbone._shared = Kept(LruCache(0), LruCache(2 * prefix.bytes))
    passes = seen(backbone)
    for face in (*FACES[:3], FACES[2], FACES[0]):
        backbone.look([(face,)]).ask([FIRST], "score")
    assert sum(passes) == 4  # the third drops the first
    kept = [weakref.ref(layer[0]) for value, _ in backbone._shared.prefixes._held.values() for layer in value.layers]
    assert all(tensor() is not None for tensor in kept)
    backbone.close()
    del prefix
    gc.collect()
    assert all(tensor() is None for tensor in kept)


def test_nothing_is_kept_of_weights_that_training_changes(folders):
    from coabench_transformers.backbone import TransformersVision

    from coabench.backbone import BackboneRequest

    backbone = TransformersVision(BackboneRequest(str(folders("llava")), None, "cpu", "float32"))
    trainee = backbone.trainee(None)
    backbone.load()
    (before,) = backbone.look([(FACES[0],)]).ask([FIRST], "score")
    with torch.no_grad():
        for parameter in trainee.module.parameters():
            parameter.mul_(1.01)
    (after,) = backbone.look([(FACES[0],)]).ask([FIRST], "score")
    assert before.scores != after.scores
