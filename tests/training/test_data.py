"""Training data: a strategy's own questions with right answers, and a development part that is not trained on."""

from collections import Counter
from pathlib import Path

import pytest

from coabench.dataset import ImageFile, Sample
from coabench.dialogue import Exemplar, Question, Task
from coabench.errors import UserError
from coabench.inference.engine import training_turns
from coabench.recipe import Recipe
from coabench.registry.catalog import find_dataset, open_strategy
from coabench.training.data import collect, development_part, draw_exemplars, open_source

BASIC, COMPOUND = find_dataset("raf-db-basic").card.space, find_dataset("raf-db-compound").card.space


def taught(strategy: str, space: object, target: str, **options: bool) -> list[tuple[str, str]]:
    turns = training_turns(open_strategy(strategy)[0], Task(space), target, **options)
    return [(turn.question.prompt, turn.answer.response) for turn in turns]


def test_chain_of_affect_teaches_the_published_composition() -> None:
    stage1 = (
        "Select an emotion label from the following options: 'Surprise', 'Fear', 'Disgust', 'Happiness', 'Sadness', "
        "'Anger', or 'Neutral'."
    )
    assert taught("chain-of-affect", BASIC, "Sadness") == [(stage1, "Sadness")]
    stage2 = (
        "The primary emotion conveyed by this image was {}. Please select the next most strongly felt emotion from the "
        "following options: {}."
    )
    assert taught("chain-of-affect", COMPOUND, "Happily Surprised") == [
        (stage2.format("Happiness", "Surprise, Fear, Disgust, Sadness, Anger, or Neutral"), "Surprise"),
        (stage2.format("Surprise", "Fear, Disgust, Happiness, Sadness, Anger, or Neutral"), "Happiness"),
    ]


def test_the_questions_with_two_right_answers_come_on_request() -> None:
    turns = taught("chain-of-affect", COMPOUND, "Sadly Angry", ambiguous=True)
    assert [answer for _, answer in turns] == ["Sadness", "Anger", "Anger", "Sadness"]
    assert turns[0][0] == turns[1][0]


@pytest.mark.parametrize(("space", "target"), [(BASIC, "Fear"), (COMPOUND, "Fearfully Angry")])
def test_direct_teaches_the_label(space: object, target: str) -> None:
    assert [answer for _, answer in taught("direct", space, target)] == [target]


def test_one_shot_shows_its_exemplar() -> None:
    strategy, _ = open_strategy("one-shot")
    turns = training_turns(strategy, Task(BASIC, (Exemplar("x/1", "Anger"),)), "Fear")
    (turn,) = turns
    assert [message.text for message in turn.question.context][1] == "Anger"
    assert turn.question.images == (1,)


def sample(number: int, target: str, subject: str | None = None) -> Sample:
    attributes = {"subject": subject} if subject else {}
    return Sample(f"set/{number}", ImageFile(Path(), f"{number}.png"), target, "train", attributes)


def test_the_development_part_takes_its_share_of_every_label_by_seed() -> None:
    samples = [sample(i, "Fear" if i % 4 else "Anger") for i in range(400)]
    part = development_part(samples, 0.1, 0)
    assert Counter(s.target for s in samples if s.id in part) == {"Fear": 30, "Anger": 10}
    assert part == development_part(samples[::-1], 0.1, 0)  # the order says nothing
    assert part != development_part(samples, 0.1, 1)
    assert development_part(samples, 0.0, 0) == frozenset()


def test_a_person_is_on_one_side_only() -> None:
    samples = [sample(i, "Fear" if i % 2 else "Anger", f"person{i // 5}") for i in range(200)]
    part = development_part(samples, 0.25, 0)
    sides = {s.attributes["subject"]: set() for s in samples}
    for s in samples:
        sides[s.attributes["subject"]].add(s.id in part)
    assert 0.2 < len(part) / 200 < 0.3
    assert all(len(side) == 1 for side in sides.values())


def test_no_person_of_the_shipped_set_is_in_both_parts() -> None:
    source = open_source(find_dataset("synthface-compound").open(None), 0.1, 0)
    subjects = [{s.attributes["subject"] for s in part} for part in (source.fit, source.dev)]
    assert subjects[0]
    assert subjects[1]
    assert not subjects[0] & subjects[1]


def test_exemplars_are_others_and_stay_the_same() -> None:
    samples = [sample(i, "Fear") for i in range(10)]
    for s in samples:
        chosen = [e.id for e in draw_exemplars(s, samples, 3, 0)]
        assert len(set(chosen)) == 3
        assert s.id not in chosen
        assert chosen == [e.id for e in draw_exemplars(s, samples, 3, 0)]


def test_a_label_without_a_right_answer_is_named(tmp_path: Path) -> None:
    file = tmp_path / "two.yaml"
    file.write_text(
        "name: two\nconclude: answer\n"
        "questions:\n  - {name: answer, prompt: 'Which?', options: [Happiness, Surprise]}\n"
    )
    source = open_source(find_dataset("synthface-basic").open(None), 0.1, 0)
    with pytest.raises(UserError, match=r"no right answer for some labels(.|\n)*Anger \(\d+ samples\)"):
        collect([open_strategy(str(file))[0]], [source], Recipe(), 0)


def test_a_strategy_may_say_itself_what_is_right() -> None:
    strategy, _ = open_strategy("direct")

    class Polite(type(strategy)):  # type: ignore[misc]
        def right_answers(self, question: Question, task: Task, target: str) -> tuple[str, ...]:
            return (f"{target}, please",)

    polite = Polite(**{name: getattr(strategy, name) for name in strategy.__dataclass_fields__})
    (turn,) = training_turns(polite, Task(BASIC), "Fear")
    assert turn.answer.response == "Fear, please"
