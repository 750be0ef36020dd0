"""Reading a prompt file: what its type hints leave open is checked here."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from coabench.base.schema import At, read_file, read_versioned
from coabench.base.yaml import parse_yaml
from coabench.decode import SCORED
from coabench.inference.parsing import PARSERS
from coabench.inference.promptfile import PromptStrategy, QuestionSpec
from coabench.inference.templates import template

SCHEMA = 1
PROMPT_TEXT = "the text of the strategy"
"""What error messages call a prompt file's text that is in no file."""
UNNAMED = "prompt-text"
"""The name of a strategy whose text has none."""


def read_prompt_file(path: Path, parsers: Collection[str] = tuple(PARSERS)) -> PromptStrategy:
    """Read a strategy from a prompt file.

    Args:
        parsers: the names of those that there are.

    Raises:
        UserError: the file cannot be read, a field is missing, unknown or of the wrong kind, or a template is none.
    """
    strategy = read_file(PromptStrategy, path, "prompt file", schema=SCHEMA, path=path)
    return _checked(replace(strategy, name=strategy.name or path.stem), At(path, "correct the prompt file"), parsers)


def read_prompt_text(text: str, parsers: Collection[str] = tuple(PARSERS)) -> PromptStrategy:
    """Return the strategy that the text of a prompt file describes; `UserError` as `read_prompt_file` raises it."""
    at = At(PROMPT_TEXT, f"correct {PROMPT_TEXT}")
    strategy = read_versioned(PromptStrategy, parse_yaml(text, PROMPT_TEXT, at.remedy), at, schema=SCHEMA, path=None)
    return _checked(replace(strategy, name=strategy.name or UNNAMED), at, parsers)


def _checked(strategy: PromptStrategy, at: At, parsers: Collection[str]) -> PromptStrategy:
    names = [question.name for question in strategy.questions]
    if not names:
        raise at.wrong("there are no questions", "a list under 'questions', each with name and prompt")
    strategy = replace(strategy, conclude=strategy.conclude or (names[-1],))
    for i, question in enumerate(strategy.questions):
        _check_question(question, names[:i], at.field("questions").item(i))
    for name in strategy.conclude:
        if name not in names:
            raise at.field("conclude").unknown(name, sorted(names), "question")
    for question in strategy.questions:
        if question.options == "none" and (question.name in strategy.conclude or question.decode in SCORED):
            raise at.wrong(
                f"the question {question.name!r} has no options",
                "options where a question is scored or makes the conclusion",
                remedy="give it options, or leave it out of 'conclude'",
            )
    if len(strategy.conclude) > 2:
        raise at.wrong(f"'conclude' names {len(strategy.conclude)} questions", "one, or two that make a pair")
    if strategy.parser not in parsers:
        raise at.field("parser").unknown(strategy.parser, list(parsers), "parser")
    return strategy


def _check_question(question: QuestionSpec, earlier: list[str], at: At) -> None:
    from jinja2 import TemplateSyntaxError

    if not question.name.isidentifier() or not question.prompt:
        raise at.wrong("a question lacks its name or prompt", "name: a_word, prompt: a text")
    if question.name in (*earlier, "options", "basic", "labels", "compound"):
        raise at.wrong(f"the question name {question.name!r} is taken", "a name of its own per question")
    for name in question.without:
        if name not in earlier:
            raise at.field("without").unknown(name, sorted(earlier), "earlier question")
    try:
        template(question.prompt)
    except TemplateSyntaxError as error:
        found = f"line {error.lineno}: {error.message}"
        raise at.wrong(
            f"the prompt of {question.name!r} is no template",
            "texts, {{ values }}, filters, conditions, and loops over options",
            found=found,
        ) from None
