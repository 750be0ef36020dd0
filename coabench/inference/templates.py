"""The templates of prompt files: a part of Jinja in which nothing runs long or grows large, whoever wrote the file.

What a template is made of is checked before it is compiled. There are no calls, no assignments, no macros, no includes
and no arithmetic; loops go over the options, and not in one another; what a filter takes beside its list is plain. So a
prompt is never much longer than its file and the options, and no clock has to watch it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from coabench.labels import Choices

if TYPE_CHECKING:
    from jinja2 import Template, nodes

LISTS = ("options", "basic", "labels")
"""What a loop may go over."""
LOOP = ("index", "index0", "first", "last", "length")
"""What a loop says of its turn: ``loop.first``."""
LONGEST = 100_000
"""Characters of a prompt, at most."""

_NODES = (
    *("Template", "Output", "TemplateData", "Name", "Const", "List", "Tuple", "Concat", "Getitem", "Slice", "Neg"),
    *("If", "CondExpr", "Compare", "Operand", "And", "Or", "Not", "Test", "Keyword"),
)
"""Jinja's nodes that a template may have anywhere; `_check` looks at loops, filters and attributes."""
_WORDS = {
    **{"Call": "calls", "Getattr": "attributes, but for those of loop", "Macro": "macros", "CallBlock": "macros"},
    **{"Assign": "assignments", "AssignBlock": "assignments", "Include": "includes", "Import": "imports"},
    **{"FromImport": "imports", "Extends": "inheritance", "Block": "blocks", "FilterBlock": "filter blocks"},
    **dict.fromkeys(("Add", "Sub", "Mul", "Div", "FloorDiv", "Mod", "Pow"), "arithmetic"),
}


def listed(options: Sequence[str], last: str = ", or ", quote: str = "") -> str:
    """The filter of the same name: ``{{ options | listed(" or ", quote="'") }}`` gives ``'a', 'b' or 'c'``."""
    _needs(options, "listed", last, quote)
    quoted = [f"{quote}{option}{quote}" for option in options]
    return last.join([", ".join(quoted[:-1]), quoted[-1]]) if len(quoted) > 1 else "".join(quoted)


def _join(options: Sequence[str], between: str = "") -> str:
    _needs(options, "join", between)
    return between.join(map(str, options))


def _needs(options: object, name: str, *texts: object) -> None:
    from jinja2 import TemplateRuntimeError

    if not isinstance(options, Choices | tuple | list):
        raise TemplateRuntimeError(f"'{name}' takes a list, such as options, not {options!r:.60}")
    for text in texts:
        if not isinstance(text, str):
            raise TemplateRuntimeError(f"what '{name}' puts between options is a text, not {text!r:.60}")


_FILTERS: Mapping[str, Callable[..., Any]] = {"listed": listed, "join": _join}
_OF_JINJA = ("capitalize", "count", "default", "first", "last", "length", "lower", "title", "trim", "upper")


@cache
def template(text: str) -> Template:
    """Return a prompt as a template; `jinja2.TemplateSyntaxError` where it is none that prompts may have."""
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
    environment.filters = {**{name: environment.filters[name] for name in _OF_JINJA}, **_FILTERS}
    environment.globals.clear()
    _check(environment.parse(text))
    return environment.from_string(text)


def render(text: str, values: Mapping[str, Any]) -> str:
    """Return the prompt.

    Raises:
        Exception: of any kind, where the template does not fit what it is given, or the prompt gets too long.
    """
    pieces, length = [], 0
    for piece in template(text).generate(values):
        pieces.append(piece)
        length += len(piece)
        if length > LONGEST:
            raise ValueError(f"the prompt has more than {LONGEST:,} characters")
    return "".join(pieces)


def _check(node: nodes.Node, within: str = "") -> None:
    """Refuse what prompts may not have; *within* is ``For`` in a loop, ``Filter`` in what a filter takes."""
    from jinja2 import TemplateSyntaxError, nodes

    kind = type(node).__name__
    problem = ""
    if isinstance(node, nodes.For):
        over_options = isinstance(node.iter, nodes.Name) and node.iter.name in LISTS
        if within or node.recursive or not over_options:
            problem = f"loops but those over {', '.join(LISTS)}, and none within another"
        within = "For"
    elif isinstance(node, nodes.Filter):
        if within == "Filter":
            problem = "filters in what a filter takes"
        if node.node is not None:
            _check(node.node, "For" if within == "For" else "")
        for each in (*node.args, *node.kwargs, *filter(None, (node.dyn_args, node.dyn_kwargs))):
            _check(each, "Filter")
    elif isinstance(node, nodes.Getattr):
        if not isinstance(node.node, nodes.Name) or node.node.name != "loop" or node.attr not in LOOP:
            problem = _WORDS[kind]
    elif kind not in _NODES:
        problem = _WORDS.get(kind, f"'{kind.lower()}'")
    if problem:
        raise TemplateSyntaxError(f"prompts have no {problem}", node.lineno)
    if not isinstance(node, nodes.Filter):
        for child in node.iter_child_nodes():
            _check(child, within)
