"""What is drawn depends on the seed and the key of a picture, and on nothing else."""

import numpy as np
import pytest
from coabench_synthface.difficulty import Difficulty
from coabench_synthface.expression import RECIPES, draw_expression
from coabench_synthface.person import draw_person
from coabench_synthface.samples import SUBSETS, PictureKey, attributes, draft, generator

from coabench.errors import UserError

KNOBS = Difficulty()


def drawn(seed: int, key: PictureKey) -> dict[str, object]:
    return attributes(key, draft(seed, key, KNOBS))


def test_the_same_seed_draws_the_same() -> None:
    key = PictureKey("compound", "test", 5)
    assert drawn(1, key) == drawn(1, key)
    assert drawn(1, key) != drawn(2, key)
    assert drawn(1, key) != drawn(1, PictureKey("compound", "train", 5))


def test_a_picture_does_not_depend_on_the_one_before() -> None:
    keys = [PictureKey("basic", "train", i) for i in range(6)]
    forwards = [drawn(1, key) for key in keys]
    backwards = [drawn(1, key) for key in reversed(keys)]
    assert forwards == backwards[::-1]


def test_labels_take_turns() -> None:
    labels = [PictureKey("compound", "test", i).label for i in range(22)]
    assert labels == [*SUBSETS["compound"]] * 2


@pytest.mark.parametrize("label", RECIPES)
def test_action_units_are_those_of_the_recipe(label: str) -> None:
    recipe = RECIPES[label]
    for k in range(20):
        expression = draw_expression(label, KNOBS, generator(k, label))
        units = set(expression.action_units)
        assert set(recipe.always) <= units <= {*recipe.always, *recipe.sometimes}
        assert not units & set(expression.spurious)
        assert all(0 < amount <= 1 for amount in expression.action_units.values())
        assert all(0 <= amount <= KNOBS.spurious for amount in expression.spurious.values())


def test_one_person_keeps_their_face() -> None:
    one, same, other = (draft(1, PictureKey("basic", "train", i, per_person=2), KNOBS) for i in range(3))
    assert one.person.targets == same.person.targets != other.person.targets
    assert one.scene.yaw != same.scene.yaw


def test_persons_are_blends() -> None:
    for k in range(50):
        person = draw_person(np.random.default_rng(k))
        assert sum(person.ethnicity.values()) == pytest.approx(1, abs=0.002)
        assert 18 <= person.age <= 75
        assert all(weight >= 0 for weight in person.targets.values())


@pytest.mark.parametrize("knobs", [{"weakest": 0.9, "strongest": 0.3}, {"yaw": -1.0}, {"quality_high": 101}])
def test_impossible_knobs_are_refused(knobs: dict[str, float]) -> None:
    with pytest.raises(UserError, match="knob"):
        Difficulty(**knobs)  # type: ignore[arg-type]
