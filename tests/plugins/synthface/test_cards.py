"""The cards say what RAF-DB's say, and the generator knows every label."""

from typing import Any

import pytest
from coabench_synthface.expression import FACE_UNITS, RECIPES
from coabench_synthface.samples import SUBSETS

from coabench.base import shipped
from coabench.dataset import Card


@pytest.mark.parametrize("subset", ["basic", "compound"])
def test_labels_are_those_of_raf_db(subset: str) -> None:
    ours = Card.read(shipped.path("datasets_registry", f"synthface-{subset}.yaml"))
    theirs = Card.read(shipped.path("datasets_registry", f"raf-db-{subset}.yaml"))
    assert ours.space.labels == theirs.space.labels
    assert (ours.space.basic, ours.space.neutral) == (theirs.space.basic, theirs.space.neutral)
    assert ours.space.name != theirs.space.name  # never ranked side by side
    assert ours.space.names == SUBSETS[subset]
    assert "says nothing about accuracy on people" in " ".join(ours.description.split())


def test_every_label_has_a_recipe_of_its_own() -> None:
    labels = [label for labels in SUBSETS.values() for label in labels]
    assert set(RECIPES) == set(labels)
    shown = {frozenset(recipe.always) for recipe in RECIPES.values()}
    assert len(shown) == len(labels)
    for recipe in RECIPES.values():
        assert {*recipe.always, *recipe.sometimes} <= set(FACE_UNITS)
        assert not set(recipe.always) & set(recipe.sometimes)


def test_the_plugin_registers_whatever_of_it_was_imported_before() -> None:
    """A module of the package must not take the name of something that its hooks use."""
    import coabench_synthface
    import coabench_synthface.shipped

    registered: dict[str, dict[str, Any]] = {}
    coabench_synthface.coabench_register_datasets(lambda name, target, **details: registered.update({name: details}))
    assert all(details["card"].is_file() for details in registered.values())
    designs = ["intensity", "intensity-basic", "pose", "light", "resolution", "identity", "blends"]
    assert sorted(registered) == sorted(f"synthface-{name}" for name in ("basic", "compound", *designs))
