"""The appendix of a paper: what it takes to repeat runs, from their own files.

What all runs share stands once; in what they differ stands in a table below it. Nothing is guessed: what the files do
not record is said to be not recorded.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from coabench.base.reading import is_folder
from coabench.base.text import plural
from coabench.errors import UserError
from coabench.metrics.headline import FIGURES, Headline
from coabench.render.document import Block, Facts, Grid, Heading, Quote, Table, Text
from coabench.render.tables import Column, Section
from coabench.reports.appendix_checklists import Recorded, acl, neurips
from coabench.reports.appendix_facts import Source, alike, hours
from coabench.reports.appendix_runs import TEXTS, Evaluation, read_evaluation, weights_of
from coabench.reports.appendix_trainings import read_training
from coabench.reports.training_page import is_training
from coabench.runs.metrics import further_figures

NOT_RECORDED = "not recorded"
SHOWN = 3
"""Texts of a question that are quoted, the most frequent ones."""


def appendix(folders: Sequence[Path]) -> list[Block]:
    """Return the appendix of runs and trainings.

    Args:
        folders: theirs. The trainings of the runs' weights come in by themselves, if they are where a run found them.

    Raises:
        UserError: a folder holds neither, is named twice, or what it holds is unfinished or damaged.
    """
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise UserError("a run is named twice", found=", ".join(map(str, folders)), remedy="name each once")
    for folder in folders:
        if not is_folder(folder):
            raise UserError(
                f"there is no folder {folder}",
                expected="the directory of a run, a training or a stress",
                remedy="correct the path",
            )
    names = _names(folders)
    trainings = [read_training(folder, names[folder]) for folder in folders if is_training(folder)]
    runs = [read_evaluation(folder, names[folder]) for folder in folders if not is_training(folder)]
    unknown: list[Evaluation] = []
    for run in runs:
        summary = run.manifest.get("training")
        if run.identity.backbone.adapter is None and not summary:
            continue
        if any(training.made(summary) for training in trainings):
            continue
        found = [read_training(each, f"adapter {each.resolve().name}") for each in weights_of(run) if is_training(each)]
        made = [training for training in found if training.made(summary)]
        trainings += made
        unknown += [] if made else [run]
    return list(_blocks(Recorded(runs, trainings, unknown)))


def _names(folders: Sequence[Path]) -> dict[Path, str]:
    """Return what each folder is called: its name, or the path where several have that name."""
    counts = Counter(folder.resolve().name for folder in folders)
    return {folder: folder.resolve().name if counts[folder.resolve().name] == 1 else str(folder) for folder in folders}


def _blocks(recorded: Recorded) -> Iterator[Block]:
    runs, trainings = recorded.runs, recorded.trainings
    yield Heading("Reproducibility", 1)
    kinds = [f"{plural(len(group), kind)} ({', '.join(it.name for it in group)})" for group, kind in
             ((runs, "run"), (trainings, "training")) if group]  # fmt: skip
    yield Text(
        f"What {' and '.join(kinds)} record of themselves, put together by coabench. Hashes are SHA-256. "
        f"What the files do not say is {NOT_RECORDED}."
    )
    seconds = [it for run in runs if (it := run.manifest.get("seconds")) is not None]
    if len(runs) == len(seconds) > 1:
        yield Text(f"Together the runs took {hours(sum(seconds))} of device time.")
    yield from _facts("", runs)
    if runs:
        yield from _questions(runs)
        yield from _figures(runs)
    yield from _facts("Training", trainings)
    yield from _commands([*runs, *trainings])
    yield from _notes([*runs, *trainings])
    yield Heading("NeurIPS paper checklist")
    yield Text("As far as the runs support an answer.")
    yield Facts(neurips(recorded))
    yield Heading("ACL responsible NLP checklist")
    yield Text("As far as the runs support an answer.")
    yield Facts(acl(recorded))


def _facts(title: str, sources: Sequence[Source]) -> Iterator[Block]:
    """Yield group after group what all share, and a table of the rest."""
    for group in dict.fromkeys(group for source in sources for group in source.groups):
        yield Heading(f"{title}: {group.lower()}" if title else group)
        found = {source.name: source.groups[group] for source in sources}
        names = dict.fromkeys(name for facts in found.values() for name in facts)
        shared: list[tuple[str, str]] = []
        rows: list[tuple[str, str, str]] = []
        for name in names:
            values: dict[str, list[str]] = {}
            for source, facts in found.items():
                if name in facts:
                    values.setdefault(facts[name] or NOT_RECORDED, []).append(source)
            if list(values.values()) == [list(found)]:
                shared.append((name, next(iter(values))))
            else:
                titles = [name, *[""] * len(values)]
                rows += [
                    (title, value, ", ".join(of)) for title, (value, of) in zip(titles, values.items(), strict=False)
                ]
        yield from [Facts(shared)] if shared else []
        yield from [Grid(("What differs", "Value", "Of"), rows, (0.22, 0.46, 0.22))] if rows else []


def _questions(runs: Sequence[Evaluation]) -> Iterator[Block]:
    """Yield the questions, as they were asked, of all runs that asked alike."""
    alike: dict[str, list[Evaluation]] = {}
    for run in runs:
        asked = [run.identity.strategy.to_json(), list(map(dict, run.identity.rewrites or ()))]
        alike.setdefault(json.dumps(asked, sort_keys=True), []).append(run)
    yield Heading("Questions, as asked")
    for group in alike.values():
        texts: dict[str, Counter[str]] = {}
        for run in group:
            for name, counts in run.asked.items():
                texts.setdefault(name, Counter()).update(counts)
        yield Heading(f"{group[0].identity.strategy.name}: {', '.join(run.name for run in group)}", 3)
        if not texts:
            yield Text(f"The questions are {NOT_RECORDED}.")
        for name, counts in texts.items():
            yield Text(f"{name}, {_how_many(counts)}:")
            for text, _ in counts.most_common(SHOWN):
                yield Quote(text)


def _how_many(counts: Counter[str]) -> str:
    if len(counts) == 1:
        return "always the same text"
    many = f"{len(counts):,} texts" if len(counts) < TEXTS else f"{TEXTS:,} texts or more"
    return many + (f", the {SHOWN} most frequent" if len(counts) > SHOWN else "")


def _figures(runs: Sequence[Evaluation]) -> Iterator[Block]:
    figures: dict[str, Headline] = {figure.name: figure for figure in FIGURES}
    for run in runs:
        figures |= {figure.name: figure for figure in further_figures(run.metrics)}
    rows: list[dict[str, Any]] = [
        {
            "run": run.name,
            "samples": run.metrics["samples"],
            **{name: figure.cell(figure.read(run.metrics)) for name, figure in figures.items()},
            "invalid": run.metrics["invalid"],
            "errors": run.metrics["errors"],
        }
        for run in runs
    ]
    columns = [
        Column("Run", "run"),
        Column("Samples", "samples", "right"),
        *(Column(figure.heading, name, "right", wide=figure.wide) for name, figure in figures.items()),
        Column("Invalid", "invalid", "right"),
        Column("Errors", "errors", "right"),
    ]
    yield Heading("Figures")
    yield Table(Section(columns, rows, "Figures of the runs, with 95 % intervals", list(_about(runs))))


def _about(runs: Sequence[Evaluation]) -> Iterator[str]:
    yield "Answers without a label (invalid) and samples that could not be asked about (errors) count as wrong."
    for note, names in alike((run.name, _intervals(run.metrics)) for run in runs).items():
        yield note if len(names) == len(runs) else f"{', '.join(names)}: {note}"
    titles = {figure.name: figure.title for figure in FIGURES}
    reasons_of = alike(
        (run.name, f"no interval of {titles.get(figure, figure)}: {reason}")
        for run in runs
        for figure, reason in run.metrics["no_interval"].items()
    )
    for reason, names in reasons_of.items():
        yield f"{', '.join(names)}: {reason}"
    for run in runs:
        if run.metrics["reasons"]:
            reasons = ", ".join(f"{reason} {count:,}" for reason, count in run.metrics["reasons"].items())
            yield f"{run.name}, why answers are invalid: {reasons}"


def _intervals(metrics: Mapping[str, Any]) -> str:
    """Say how the intervals of a run were computed; see docs/explanation/statistics.md."""
    bootstrap = metrics["bootstrap"]
    text = (
        f"{100 * metrics['level']:.0f} % intervals: of UAR and chance-adjusted UAR by inversion of a score test of the "
        "mean recall; of WAR by Wilson's score interval; of κ by Wilson's at the variance of the delta method; of "
        f"macro-F1 by a percentile bootstrap within classes, {bootstrap['replicates']:,} replicates, seed "
        f"{bootstrap['seed']}"
    )
    if bootstrap["subjects"] is None:
        return f"{text}; samples count as independent"
    persons = f"{bootstrap['subjects']:,} persons"
    return f"{text}; over {persons}, with the variance of a jackknife over persons and Student's t"


def _commands(sources: Sequence[Source]) -> Iterator[Block]:
    yield Heading("Commands")
    lines: dict[str, list[str]] = {}
    for source in sources:
        lines.setdefault("\n".join(source.commands) or NOT_RECORDED, []).append(source.name)
    for line, names in lines.items():
        yield Text(f"{', '.join(names)}:" if line != NOT_RECORDED else f"{', '.join(names)}: {line}.")
        yield from [] if line == NOT_RECORDED else [Quote(line)]


def _notes(sources: Sequence[Source]) -> Iterator[Block]:
    notes = alike((source.name, note) for source in sources for note in source.notes)
    if notes:
        yield Heading("Notes of the runs")
        yield Grid(("Of", "Note"), [(", ".join(names), note) for note, names in notes.items()], (0.3, 0.6))
