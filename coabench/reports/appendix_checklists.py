"""Two checklists, answered from what the runs record: NeurIPS' paper checklist, ACL's responsible NLP checklist.

The words of the items are ours, and short; their numbers are those of the lists as of 2025
(https://neurips.cc/public/guides/PaperChecklist, https://aclrollingreview.org/responsibleNLPresearch).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from coabench.base.text import plural
from coabench.dataset import Card
from coabench.metrics.headline import FIGURES
from coabench.registry.loader import get_plugins
from coabench.reports.appendix_facts import COMPUTE, MODEL, QUESTIONS, SOFTWARE, Source, alike
from coabench.reports.appendix_runs import Evaluation
from coabench.reports.appendix_trainings import Trained
from coabench.reports.card import find_card

AUTHORS = "For the authors to answer."


@dataclass(frozen=True)
class Recorded:
    """What the checklists are answered from."""

    runs: Sequence[Evaluation]
    trainings: Sequence[Trained]
    unknown: Sequence[Evaluation]
    """Runs whose weights were trained, and whose training is not at hand."""

    @property
    def sources(self) -> Sequence[Source]:
        return [*self.runs, *self.trainings]

    @cached_property
    def cards(self) -> Sequence[Card]:
        """The cards of the data sets, those that fit the label space of the runs alone."""
        found = {}
        for run in self.runs:
            dataset = run.identity.dataset
            choice = find_card(dataset.name, None, needed=False)
            if choice is not None and choice.card.space.digest == dataset.labels:
                found[dataset.name] = choice.card
        names = [data.dataset for training in self.trainings for data in training.identity.data]
        for name in names:
            if name not in found and name in get_plugins().datasets and (choice := find_card(name, None, needed=False)):
                found[name] = choice.card
        return list(found.values())

    def lacking(self, *groups: str) -> str:
        """Return which facts of some groups are not recorded, in sentences; nothing where all are."""
        return "".join(
            f" Not recorded of {', '.join(names)}: {facts}."
            for facts, names in alike((it.name, _lacking(it, groups)) for it in self.sources).items()
            if facts
        )

    def known(self, group: str) -> str:
        """Return which facts of a group all runs have, or all trainings where there is no run."""
        sources: Sequence[Source] = self.runs or self.trainings
        names = [name for name in sources[0].groups[group] if all(it.groups[group].get(name) for it in sources)]
        return f"{', '.join(names) or 'nothing'} of the {'runs' if self.runs else 'trainings'} (under {group})"


def _lacking(source: Source, groups: Sequence[str]) -> str:
    names = [name for group in groups for name, value in source.groups.get(group, {}).items() if value is None]
    return ", ".join([*names, *([] if source.commands else ["commands"])] if SOFTWARE in groups else names)


def neurips(recorded: Recorded) -> list[tuple[str, str]]:
    """Return the items of NeurIPS' list, with their answers."""
    return _answered(recorded, [
        ("1 Claims", None),
        ("2 Limitations", None),
        ("3 Theory, assumptions and proofs", None),
        ("4 Experimental results can be reproduced", _reproducible),
        ("5 Open access to data and code", None),
        ("6 Settings and details of experiments", _settings),
        ("7 Statistical significance", _significance),
        ("8 Compute resources", _compute),
        ("9 Code of ethics", None),
        ("10 Broader impacts", None),
        ("11 Safeguards", None),
        ("12 Licences of existing assets", _licences),
        ("13 New assets", None),
        ("14 Crowdsourcing and human subjects", None),
        ("15 Approvals by review boards", None),
        ("16 Declaration of the use of LLMs", None),
    ])  # fmt: skip


def acl(recorded: Recorded) -> list[tuple[str, str]]:
    """Return the items of ACL's list, with their answers."""
    return _answered(recorded, [
        ("A1 Limitations", None),
        ("A2 Potential risks", None),
        ("B1 Creators of artifacts are cited", _creators),
        ("B2 Licences and terms of artifacts", _licences),
        ("B3 Use is consistent with what they are intended for", None),
        ("B4 Data that name or depict persons", None),
        ("B5 Documentation of artifacts", None),
        ("B6 Numbers of examples and splits", _splits),
        ("C1 Parameters, computational budget, infrastructure", _budget),
        ("C2 Experimental set-up and hyperparameters", _settings),
        ("C3 Descriptive statistics", _statistics),
        ("C4 Packages and their settings", _packages),
        ("D1–D5 Human annotators", None),
        ("E1 AI assistants in research or writing", None),
    ])  # fmt: skip


Answerer = Callable[[Recorded], str]


def _answered(recorded: Recorded, items: Iterable[tuple[str, Answerer | None]]) -> list[tuple[str, str]]:
    return [(item, AUTHORS if answer is None else answer(recorded)) for item, answer in items]


def _verdict(text: str, *lacking: str) -> str:
    """Return an answer: yes, or in part where something is lacking."""
    missing = "".join(lacking)
    return f"{'In part' if missing else 'Yes'}: {text}.{missing}"


def _reproducible(recorded: Recorded) -> str:
    text = "versions, hashes of weights, data and questions, the questions themselves, decoding, seeds and commands "
    return _verdict(f"{text}stand above", recorded.lacking(SOFTWARE, MODEL, QUESTIONS), _untold(recorded))


def _settings(recorded: Recorded) -> str:
    text = "splits, samples, exclusions, questions and decoding stand above"
    if recorded.trainings:
        text += ", so do data, recipe and selection of what was trained"
    searched = " How hyperparameters were searched is for the authors to say." if recorded.trainings else ""
    return _verdict(text, recorded.lacking(QUESTIONS), _untold(recorded)) + searched


def _untold(recorded: Recorded) -> str:
    names = ", ".join(run.name for run in recorded.unknown)
    return f" The training of the weights is not among these files: {names}." if names else ""


def _significance(recorded: Recorded) -> str:
    if not recorded.runs:
        return AUTHORS
    titles = {figure.name: figure.title for figure in FIGURES}
    without = [titles.get(name, name) for run in recorded.runs for name in run.metrics["no_interval"]]
    lacking = f" Some have none, of {', '.join(dict.fromkeys(without))}, for the reasons said there." if without else ""
    text = "figures have 95 % intervals over the samples, computed as said under Figures"
    return _verdict(text, lacking) + _seeds(recorded)


def _seeds(recorded: Recorded) -> str:
    """Say over how many runs of one recipe, that differ in their seed alone, something can be averaged."""
    recipes: dict[str, list[str]] = {}
    for run in recorded.runs:
        recipes.setdefault(run.identity.recipe(run.manifest.get("training")), []).append(run.name)
    several = [names for names in recipes.values() if len(names) > 1]
    if not several:
        return " Every figure is of a single run: the intervals hold no variation of seeds."
    groups = "; ".join(", ".join(names) for names in several)
    return f" Runs that differ in their seed alone: {groups}."


def _compute(recorded: Recorded) -> str:
    return (
        _verdict(recorded.known(COMPUTE), recorded.lacking(COMPUTE))
        + " What preliminary experiments took is for the authors to say."
    )


def _licences(recorded: Recorded) -> str:
    terms = _by_text((card.name, card.terms) for card in recorded.cards)
    if not terms:
        return f"Not recorded. {AUTHORS}"
    return f"In part, as the cards of the data sets say: {terms} Licences of models and adapters are not recorded."


def _creators(recorded: Recorded) -> str:
    cited = _by_text((card.name, card.citation) for card in recorded.cards)
    if not cited:
        return f"Not recorded. {AUTHORS}"
    return f"In part, as the cards of the data sets say: {cited} Models are for the authors to cite."


def _by_text(pairs: Iterable[tuple[str, str]]) -> str:
    """Return what cards say, each text once, behind the names of the data sets."""
    texts = alike((name, " ".join(text.split())) for name, text in pairs if text)
    return " ".join(f"{', '.join(names)}: {text}" for text, names in texts.items())


def _splits(recorded: Recorded) -> str:
    parts = [
        f"{run.identity.dataset.samples:,} samples of {run.identity.dataset.name}, {run.identity.dataset.split}"
        for run in recorded.runs
    ]
    parts += [
        f"{data.fit:,} and {data.dev or 0:,} samples of {data.dataset}, {data.split}, to learn from and to select by"
        for training in recorded.trainings
        for data in training.identity.data
        if data.fit is not None
    ]
    return _verdict("; ".join(dict.fromkeys(parts)), _untold(recorded))


def _budget(recorded: Recorded) -> str:
    counts = [(training.name, training.manifest.get("trainable")) for training in recorded.trainings]
    trained = ", ".join(f"{count:,} in {name}" for name, count in counts if count)
    text = recorded.known(COMPUTE)
    text += f"; trained parameters: {trained}" if trained else ""
    return f"In part: {text}. The number of all parameters is not recorded.{recorded.lacking(COMPUTE)}"


def _statistics(recorded: Recorded) -> str:
    if not recorded.runs:
        return AUTHORS
    number = plural(len(recorded.runs), "run")
    return f"Yes: the figures of {number} with their intervals, none averaged.{_seeds(recorded)}"


def _packages(recorded: Recorded) -> str:
    text = "the versions of all packages stand above, and what figures are computed by in coabench's documentation"
    return _verdict(text, recorded.lacking(SOFTWARE))
