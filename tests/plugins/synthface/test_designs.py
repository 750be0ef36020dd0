"""Designs: what is matched differs in one thing alone, and what ships is what the code draws."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
from click.testing import CliRunner
from coabench_synthface.command import DESIGNS, command
from coabench_synthface.designs import LEVELS, Stimulus, attributes, draft, pair, stimuli
from coabench_synthface.expression import COMPOUND
from coabench_synthface.shipped import DESIGNS as FILES
from coabench_synthface.shipped import SEED, SUBSETS_OF, shipped_set
from coabench_synthface.verify import verify

from coabench.errors import UserError
from coabench.labels import LabelSpace
from coabench.registry.catalog import find_dataset

CHANGED = {
    "intensity": {"expression.action_units"},
    "yaw": {"scene.yaw", "scene.gaze"},
    "light_direction": {"scene.light"},
    "light_strength": {"scene.key", "scene.ambient"},
    "resolution": set[str](),  # the finished picture is made smaller
    "skin": {"person.melanin"},
    "age": {"person.age", "person.targets", "person.roughness"},
    "sex": {"person.gender", "person.targets"},
    "hair": {"person.hair"},
    "share": {"expression.action_units"},
}


def parts(stimulus: Stimulus) -> dict[str, Any]:
    """Return everything that is drawn for a stimulus, the state of its noise included."""
    drawn = draft(SEED, stimulus)
    flat = {f"{part}.{key}": value for part in ("person", "expression", "scene")
            for key, value in asdict(getattr(drawn, part)).items()}  # fmt: skip
    return {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in flat.items()} | {
        "noise": drawn.rng.bit_generator.state
    }


@pytest.mark.parametrize("design", DESIGNS)
def test_matched_pictures_differ_in_what_is_varied_alone(design: str) -> None:
    for varied, levels in LEVELS[design].items():
        base = Stimulus(design, "compound", "Sadly Angry", 1, varied, levels[0])
        drawn = [parts(replace(base, level=level)) for level in levels]
        differing = {key for other in drawn[1:] for key in other if other[key] != drawn[0][key]}
        assert differing == CHANGED[varied]
        assert len({replace(base, level=level).id for level in levels}) == len(levels)
        assert {replace(base, level=level).matched for level in levels} == {base.matched}


def test_ids_are_unique_and_persons_of_identity_independent() -> None:
    for design, subsets in SUBSETS_OF.items():
        ids = [key.id for subset in subsets for key in stimuli(design, subset, 2)]
        assert len(set(ids)) == len(ids)
    subjects = {key.subject for key in stimuli("identity", "compound", 2)}
    assert len(subjects) == 2 * len(COMPOUND)
    assert len({key.subject for key in stimuli("pose", "compound", 2)}) == 2


def test_at_intensity_0_every_expression_is_the_same_neutral_face() -> None:
    faces = [parts(Stimulus("intensity", "compound", label, 0, "intensity", 0.0)) for label in COMPOUND]
    assert all(face["expression.action_units"] == {} for face in faces)
    assert all(face | {"expression.label": ""} == faces[0] | {"expression.label": ""} for face in faces)


def test_pairs_of_blends_are_those_of_the_card() -> None:
    space: LabelSpace = find_dataset("synthface-blends").card.space
    assert {name: frozenset(pair(name)) for name in COMPOUND} == {
        name: frozenset(space.pair_of(name) or ()) for name in COMPOUND
    }


@pytest.mark.parametrize("design", DESIGNS)
def test_what_ships_is_whole_and_what_the_code_draws(design: str) -> None:
    folder = shipped_set(design)
    for subset in SUBSETS_OF[design]:
        name = f"synthface-{design}" + ("-basic" if subset == "basic" else "")
        dataset = find_dataset(name).open(None)
        assert {check.level for check in verify(dataset.card, folder, subset)} == {"ok"}
        keys = list(stimuli(design, subset, folder.description["persons"]))
        samples = dataset.samples("test")
        assert [s.id for s in samples] == [f"{name}/{key.id}" for key in keys]
        for sample, key in list(zip(samples, keys, strict=True))[::50]:
            assert sample.attributes == attributes(key, draft(SEED, key))
            assert sample.landmarks is not None
    assert "says nothing about accuracy on people" in " ".join(dataset.card.description.split())


def test_what_ships_is_small() -> None:
    assert sum(file.stat().st_size for file in FILES.iterdir()) < 6_000_000


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--persons", "3"], "--persons means nothing without --design"),
        (["--design", "pose", "--per-class-train", "3"], "--per-class-train means nothing with --design"),
        (["--design", "pose", "--set", "yaw=3"], "--set means nothing with --design"),
        (["--design", "resolution", "--size", "64"], "the sizes of the design resolution are its levels"),
        (["--design", "pose", "--subset", "basic"], "there is no basic half of the design pose"),
    ],
)
def test_options_that_do_not_fit_are_refused(words: list[str], said: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(command, ["make", str(tmp_path / "set"), *words])
    assert isinstance(result.exception, UserError)
    assert result.exception.problem == said
    assert not (tmp_path / "set").exists()


@pytest.mark.usefixtures("no_renderer")
def test_a_set_of_another_design_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from coabench_synthface import make_design

    monkeypatch.setattr(make_design, "versions", lambda: {"anny": "0"})
    monkeypatch.setattr(make_design, "run_over", lambda work, keys, workers: iter(()))
    make_design.make_design(tmp_path / "set", "pose", subsets=["compound"], seed=1, persons=1)
    with pytest.raises(UserError, match="is not what synthface-light describes") as error:
        find_dataset("synthface-light").open(tmp_path / "set")
    assert error.value.found == "design pose"
    with pytest.raises(UserError, match="is not what synthface-compound describes"):
        find_dataset("synthface-compound").open(tmp_path / "set")


@pytest.mark.slow
@pytest.mark.usefixtures("assets")
def test_a_picture_rendered_anew_is_the_one_that_ships(tmp_path: Path) -> None:
    from coabench_synthface.make_design import make_one

    (tmp_path / "images" / "test").mkdir(parents=True)
    for design in ("identity", "resolution"):
        folder = shipped_set(design)
        line = folder.samples[1]
        key = list(stimuli(design, "compound", 1))[1]
        made = make_one(tmp_path, SEED, folder.description["size"], key)
        assert made["landmarks"] == line["landmarks"]
        assert made["id"] == line["id"]
        drawn = (tmp_path / made["file"]).read_bytes()
        (tmp_path / made["file"]).unlink()
        assert make_one(tmp_path, SEED, folder.description["size"], key) == made
        assert (tmp_path / made["file"]).read_bytes() == drawn


@pytest.mark.usefixtures("no_renderer")
def test_a_design_is_rebuilt_to_the_same_bytes(tmp_path: Path) -> None:
    """All but what is drawn: names, order, attributes, times and compression of the archive."""
    for name in ("one.zip", "two.zip"):
        result = CliRunner().invoke(command, ["rebuild", "--design", "resolution", str(tmp_path / name)])
        assert result.exception is None, result.output
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    with ZipFile(tmp_path / "one.zip") as made, ZipFile(FILES / "resolution.zip") as ships:
        assert made.namelist() == ships.namelist()
