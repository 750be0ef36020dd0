"""The built-in strategies, and strategies that users write as prompt files, driven by scripted answers."""

import json
import re
from pathlib import Path

import pytest

from coabench.base import shipped
from coabench.dataset import Card
from coabench.dialogue import Exemplar, Message, Prediction, Task
from coabench.errors import UserError
from coabench.registry.catalog import open_strategy
from coabench.strategy import Strategy
from coabench.testing import play

BASIC = Task(Card.read(shipped.path("datasets_registry", "raf-db-basic.yaml")).space)
COMPOUND = Task(Card.read(shipped.path("datasets_registry", "raf-db-compound.yaml")).space)
SEVEN = "'Surprise', 'Fear', 'Disgust', 'Happiness', 'Sadness', 'Anger'{} 'Neutral'."
STAGE_1 = "Select an emotion label from the following options: " + SEVEN


def strategy(spec: str) -> Strategy:
    return open_strategy(spec)[0]


def test_chain_of_affect_asks_the_training_texts() -> None:
    asked, prediction = play(strategy("chain-of-affect"), COMPOUND, "Happiness", "Surprise")
    assert [q.prompt for q in asked] == [
        STAGE_1.format(", or"),
        "The primary emotion conveyed by this image was Happiness. Please select the next most strongly felt emotion "
        "from the following options: Surprise, Fear, Disgust, Sadness, Anger, or Neutral.",
    ]
    assert "Happiness" not in asked[1].options
    assert all(q.context == () for q in asked)  # two separate chats
    assert prediction == Prediction("Happily Surprised")


def test_the_published_variant_asks_what_was_sent() -> None:
    asked, prediction = play(strategy("chain-of-affect:published"), COMPOUND, "Anger", "Disgust")
    assert asked[0].prompt == STAGE_1.format(" or")
    assert asked[1].prompt.endswith("options: Surprise, Fear, Disgust, Happiness, Sadness, or Neutral.")
    assert prediction == Prediction("Angrily Disgusted")
    asked, _ = play(strategy("chain-of-affect:published"), BASIC, "Anger")
    assert asked[0].prompt == STAGE_1.format(", or")  # the basic run kept the comma


def test_prompts_equal_those_of_the_reference_run(oracle: Path) -> None:
    published = strategy("chain-of-affect:published")
    for case in json.loads((oracle / "chain.json").read_text()).values():
        asked, _ = play(published, COMPOUND, case["step1"]["text_raw"], case["step2"]["text_raw"])
        assert [f"<|image_1|>\n{q.prompt}" for q in asked] == [case["step1"]["user"], case["step2"]["user"]]


def test_after_an_invalid_answer_corrected_stops_and_published_goes_on_with_the_raw_text() -> None:
    asked, prediction = play(strategy("chain-of-affect"), COMPOUND, "a nice face")
    assert prediction == Prediction.invalid("unparsed-primary")
    asked, prediction = play(strategy("chain-of-affect:published"), COMPOUND, " a nice face \n", "Fear")
    assert "was a nice face. Please" in asked[1].prompt
    assert asked[1].options == COMPOUND.basic  # all seven stay
    assert prediction == Prediction.invalid("unparsed-primary")


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        (("Fear", "Fear"), "repeated"),
        (("Fear", "Neutral"), "neutral-second"),
        (("Neutral", "Fear"), "neutral-first"),
        (("Fear", "Disgust"), "no-class"),
        (("Fear", "who knows"), "unparsed-secondary"),
    ],
)
@pytest.mark.parametrize("variant", ["corrected", "published"])
def test_pair_problems_have_reasons(variant: str, answers: tuple[str, str], reason: str) -> None:
    _, prediction = play(strategy(f"chain-of-affect:{variant}"), COMPOUND, *answers)
    assert prediction == Prediction.invalid(reason)


@pytest.mark.parametrize("name", ["chain-of-affect", "chain-of-affect:published", "direct"])
def test_basic_labels_take_one_question(name: str) -> None:
    asked, prediction = play(strategy(name), BASIC, "Sadness")
    assert asked[0].options == BASIC.labels
    assert prediction == Prediction("Sadness")


def test_direct_offers_all_eleven_compounds() -> None:
    asked, prediction = play(strategy("direct"), COMPOUND, "Sadly Angry")
    assert asked[0].options == COMPOUND.labels
    assert "'Angrily Disgusted', or 'Disgustedly Surprised'." in asked[0].prompt
    assert prediction == Prediction("Sadly Angry")


@pytest.mark.parametrize(("task", "label"), [(BASIC, "Fear"), (COMPOUND, "Sadly Fearful")])
def test_one_shot_shows_an_exemplar_with_its_answer_first(task: Task, label: str) -> None:
    shown = Task(task.space, (Exemplar("train/1", label),))
    asked, prediction = play(strategy("one-shot"), shown, label)
    prompt = asked[0].prompt
    assert asked[0].messages == (
        Message("user", prompt, (0,)),
        Message("assistant", label),
        Message("user", prompt, (1,)),
    )
    assert prediction == Prediction(label)


MULTI_TURN = """
name: look-then-name
chat: continued
exemplars: 0
questions:
  - name: mood
    options: [good, bad]
    prompt: "Is the mood {{ options | listed(' or ') }}?"
  - name: label
    options: labels
    prompt: "You said {{ mood }}. Which of {{ labels | length }} labels fits?"
conclude: label
"""


def test_a_user_writes_a_strategy_of_several_turns(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(MULTI_TURN)
    asked, prediction = play(strategy(str(path)), COMPOUND, "good", "Happily Surprised")
    assert asked[0].prompt == "Is the mood good or bad?"
    assert asked[1].messages == (
        Message("user", asked[0].prompt, (0,)),
        Message("assistant", "good"),
        Message("user", "You said good. Which of 11 labels fits?", ()),
    )
    assert prediction == Prediction("Happily Surprised")


def test_the_identity_changes_with_the_meaning_and_only_with_it(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(MULTI_TURN)
    before = strategy(str(path)).identity()
    path.write_text(MULTI_TURN + "description: better explained\n")
    assert strategy(str(path)).identity() == before
    path.write_text(MULTI_TURN.replace("Is the mood", "Would you say the mood is"))
    assert strategy(str(path)).identity() != before


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("questions:", "qestions:", "did you mean 'questions'"),
        ("chat: continued", "chat: open", "separate or continued"),
        ("conclude: label", "conclude: lable", "did you mean 'label'"),
        ("options: labels", "options: everything", "basic or labels"),
        ("name: label", "name: mood", "taken"),
        ("Is the mood {{", "Is the mood {%", "no template"),
        ("exemplars: 0", "exemplars: many", r"exemplars cannot be read(?s:.)*a whole number"),
        ("exemplars: 0", "exemplars: -1", "0 or more"),
        ("exemplars: 0", "parser: strict", r"unknown parser 'strict'(?s:.)*standard"),
        ("conclude: label", "conclude: []", "conclude cannot be read"),
        ("conclude: label", "schema: 3", "schema 3 is unknown"),
        ("name: label", "nam: label", r"questions\[1\]: unknown field 'nam'(?s:.)*did you mean 'name'"),
        ("name: label", "name: 3", r"questions\[1\].name cannot be read(?s:.)*put it in quotes"),
        ("    options: labels", "    without: [label]", r"questions\[1\].without: unknown earlier question 'label'"),
        ("chat: continued", "chat: [", "not valid YAML"),
    ],
)
def test_a_wrong_prompt_file_says_what_is_wrong(tmp_path: Path, old: str, new: str, told: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(MULTI_TURN.replace(old, new))
    with pytest.raises(UserError, match=told):
        strategy(str(path))


@pytest.mark.parametrize(
    "template",
    ["{{ nobody }}", "{{ options | listed(5) }}", "{{ compound | join }}", "{{ options[0] | join }}",
     "{{ labels | trim(3) }}", "{% for label in labels %}" + 5_000 * "longer " + "{% endfor %}"],
)  # fmt: skip
def test_a_template_that_fails_is_named_with_its_question(tmp_path: Path, template: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(MULTI_TURN.replace("Is the mood", template))
    with pytest.raises(UserError, match=r"mine\.yaml: the prompt of question '\w+' cannot be rendered"):
        play(strategy(str(path)), COMPOUND, "good", "Sadly Angry")


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ ''.__class__.__mro__ }}", "attributes"),
        ("{{ options.append(1) }}", "calls"),
        ("{{ 'a' * 10**10 }}", "arithmetic"),
        ("{{ 2 ** 2 ** 40 }}", "arithmetic"),
        ("{{ 1/0 }}", "arithmetic"),
        ("{% include 'x' %}", "includes"),
        ("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "loops but those over"),
        ("{% for a in labels %}{% for b in labels %}{% endfor %}{% endfor %}", "none within another"),
        ("{% set a = options %}", "assignments"),
        ("{% macro m() %}{{ m() }}{% endmacro %}", "macros"),
        ("{{ lipsum(n=999) }}", "calls"),
        ("{{ options | join(options | join(options | join)) }}", "filters in what a filter takes"),
        ("{{ options | map('upper') }}", "No filter named 'map'"),
        ("{{ '%9999999999d' % 1 }}", "arithmetic"),
        ("{{ '9' | format }}", "No filter named 'format'"),
    ],
)
def test_a_template_has_nothing_that_runs_long_or_reaches_further(tmp_path: Path, template: str, said: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(MULTI_TURN.replace("Is the mood", template))
    with pytest.raises(UserError, match=f"is no template(.|\n)*{re.escape(said)}"):
        strategy(str(path))


def test_what_templates_have(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    loop = "{% for label in basic[:2] %}{% endfor %}"
    text = (
        "{% for label in basic %}{% if not loop.last %}{{ label | lower }}{{ '; ' if loop.index < 6 else '.' }}"
        "{% endif %}{% endfor %} {{ labels | count }} {{ options[:-1] | join('/') }} {{ 'a' ~ compound }}"
    )
    path.write_text(MULTI_TURN.replace("Is the mood", text))
    asked, _ = play(strategy(str(path)), COMPOUND, "good", "Sadly Angry")
    assert asked[0].prompt.startswith("surprise; fear; disgust; happiness; sadness; anger. 11 ")
    assert "aTrue" in asked[0].prompt
    path.write_text(MULTI_TURN.replace("Is the mood", loop))
    with pytest.raises(UserError, match="loops but those"):
        strategy(str(path))


def test_a_response_is_data_in_the_next_template() -> None:
    asked, _ = play(strategy("chain-of-affect:published"), COMPOUND, "{{ options }}", "Fear")
    assert "was {{ options }}. Please" in asked[1].prompt


def test_unknown_names_are_met_with_the_closest() -> None:
    with pytest.raises(UserError, match="did you mean 'chain-of-affect'"):
        strategy("chain-of-afect")
    with pytest.raises(UserError, match="did you mean 'published'"):
        strategy("chain-of-affect:publishd")
    with pytest.raises(UserError, match="cannot be read"):
        strategy("nowhere.yaml")
