"""The question in another language, from a closed table of the texts that ship."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from coabench.base.yaml import read_yaml
from coabench.dialogue import Question
from coabench.errors import UserError
from coabench.labels import Choices
from coabench.rewrite import Rewrite, Rewritten
from coabench_rewrites.listing import Slot, in_texts, lists, mentions, replaced, with_quotes

FILE = Path(__file__).with_name("translations.yaml")
OPTIONS, LABEL = "{options}", "{label}"


class Language(Rewrite):
    """Asks in another language, and names the options in it, too, or keeps them.

    The translations are ours and were not reviewed by a native speaker. Answers in English count as well.
    """

    @dataclass(frozen=True)
    class Options:
        """*to*: German, French, Spanish, Japanese or Chinese; *options*: kept in English, or translated."""

        to: Literal["de", "fr", "es", "ja", "zh"] = "de"
        options: Literal["keep", "translate"] = "translate"

    def notes(self) -> Sequence[str]:
        name = translations()["languages"][self.options.to]["name"]
        return (f"the questions are in {name}: translations that no native speaker has reviewed",)

    def rewrite(self, question: Question) -> Rewritten:
        names = {label: self._name(label) for label in question.recognised} or self._listed_openly(question)
        made = in_texts(question, lambda text: self._text(text, names), lambda said: names.get(said, said))
        options, recognised = (
            Choices(names[label] for label in each) for each in (question.options, question.recognised)
        )
        marked = {form.format(new): new for new in recognised for form in ("{}。", "「{}」", "「{}」。")}
        return Rewritten(
            replace(made, options=options, recognised=recognised),
            {names[label]: label for label in question.recognised},
            marked,
        )

    def _listed_openly(self, question: Question) -> dict[str, str]:
        """Return the labels that an open question may list, which stay in English: the strategy reads the answer."""
        names = {label: label for label in translations()["labels"]}
        if self.options.options == "translate" and lists(question.prompt, [*names]):
            raise UserError(
                f"--rewrite language cannot translate the labels in the open question {question.name!r}",
                expected="options=keep: its strategy reads the labels of the answer itself, in English",
                remedy="write language:options=keep, or choose another --strategy",
            )
        return names

    def _name(self, label: str) -> str:
        labels = translations()["labels"]
        if self.options.options == "keep":
            return label
        if label not in labels:
            raise UserError(
                f"--rewrite language has no translation of the label {label!r}",
                expected=", ".join(labels),
                remedy="write options=keep, or leave this rewrite out",
            )
        return str(labels[label][self.options.to])

    def _text(self, text: str, names: Mapping[str, str]) -> str:
        """Return a text in the other language: its list of options, and the labels that it mentions, put in."""
        found = lists(text, [*names])
        listed = found[-1] if found else []
        alone = [slot for slot in mentions(text, [*names]) if slot not in listed]
        spans = [(slot.begin, slot.end, LABEL) for slot in alone]
        if listed:
            spans.append((with_quotes(text, listed[0])[0], with_quotes(text, listed[-1])[1], OPTIONS))
        frame = replaced(text, sorted(spans))
        known = {entry["text"]: entry for entry in translations()["texts"]}
        if frame not in known:
            raise UserError(
                "--rewrite language has no translation of this question",
                expected="a text of the strategies that ship; a rewrite of its words comes after this one",
                found=text[:300],
                remedy="leave this rewrite out, or choose another --strategy",
            )
        made = str(known[frame][self.options.to]).replace(OPTIONS, self._listed(text, listed, names))
        for slot in alone:
            made = made.replace(LABEL, names[slot.label], 1)
        return made

    def _listed(self, text: str, slots: list[Slot], names: Mapping[str, str]) -> str:
        """Return the options as a list, in the quotation marks that they have."""
        spans = [(slot, with_quotes(text, slot)) for slot in slots]
        written = [text[a : s.begin] + names[s.label] + text[s.end : b] for s, (a, b) in spans]
        if not written:
            return ""
        signs = translations()["languages"][self.options.to]
        last = signs["and" if " and " in text[slots[-2].end : slots[-1].begin] else "or"]
        return str(signs["comma"].join(written[:-1]) + last + written[-1])


@cache
def translations() -> Mapping[str, Any]:
    """Return the table: ``languages``, ``labels`` and ``texts``."""
    table: Mapping[str, Any] = read_yaml(FILE, "translations")
    return table
