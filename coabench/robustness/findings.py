"""What a stress says, as tables for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from coabench.base.text import NOTHING, interval, number, p_equals, percent, plural, signed
from coabench.metrics.headline import UAR, Estimate
from coabench.render.tables import Column, Row, Section
from coabench.robustness.measures.severity import Curve
from coabench.robustness.summary import StressSummary, family_row, position_row


def sections(it: StressSummary) -> list[Section]:
    """Return the tables for people."""
    return [conditions_section(it), *filter(None, [families_section(it), alike_section(it), orders_section(it)])]


def conditions_section(it: StressSummary) -> Section:
    """Return what every condition changes."""
    columns = [
        Column("Condition", "condition"),
        Column("Family", "family", choices=True, wide=True),
        Column("Severity", "severity", "right"),
        Column("UAR", lambda row: UAR.cell(UAR.estimate(row)), value=UAR.key),
        Column("ΔUAR", _change, value="uar_change"),
        Column("Flips", lambda row: percent(row["flips"], 1), "right", value="flips"),
        Column("Harmed", lambda row: percent(row["harmed"], 1), "right", value="harmed"),
        Column("Helped", lambda row: percent(row["helped"], 1), "right", value="helped"),
        Column("Invalid", lambda row: percent(row["invalid"], 1), "right", value="invalid"),
    ]
    return Section(columns, it.rows(), "What each condition changes", list(_notes(it)))


def _notes(it: StressSummary) -> Iterator[str]:
    yield (
        f"Beside the clean run, with {UAR.cell(it.uar)} UAR, on the same {plural(len(it.predicted), 'sample')}. "
        "ΔUAR in points, with a paired 95 % interval. Of all samples, in %: Flips: an answer unlike the clean run's. "
        "Harmed: right there, wrong here. Helped: the reverse. Invalid: no label here."
    )
    if it.robustness.value is not None:
        yield (
            f"Relative robustness {share(it.robustness)} %: what is left of the gain over chance, the mean over "
            "families of the mean over their conditions."
        )
    if mirrored := it.mirrored:
        yield (f"Mirrored pictures get the same answer in {share(mirrored)} %: an expression has no left and right.")
    for each in it.left_out:
        yield f"Left out: {each.name}: {each.reason}"
    if it.missing:
        yield f"Not complete, and not counted: {', '.join(it.missing)}."


def families_section(it: StressSummary) -> Section | None:
    """Return how each family with severities wears the gain over chance; None where there is none."""
    if not it.curves:
        return None
    columns = [
        Column("Family", "family"),
        Column("Severities", "severities"),
        Column("Kept", lambda row: _share(row, "kept"), value="kept"),
        Column("Half lost at", _half, value="half"),
        Column("Worst label", "worst_label"),
    ]
    chance = percent(it.curves[0].chance, 1)
    notes = [
        f"Kept: of the gain over chance ({chance} % UAR), the mean over the severities, in %. Half lost at: the "
        "severity, interpolated, at which half of it is gone. Worst label: the one whose recall falls most, by so "
        "many points. 95 % intervals, by bootstrap."
    ]
    return Section(columns, [_family(it, each) for each in it.curves], "Families, the weakest first", notes)


def _family(it: StressSummary, family: Curve) -> dict[str, Any]:
    changes = it.changes[family.family]
    worst = min(range(len(changes)), key=lambda c: (changes[c] != changes[c], changes[c]))
    falls = f"{it.predicted.names[worst]} {signed(float(changes[worst]))}"
    return {**family_row(family), "severities": _levels(family), "worst_label": falls}


def alike_section(it: StressSummary) -> Section | None:
    """Return whether the conditions of each family are right equally often; None where no family has several."""
    if not it.alike:
        return None
    columns = [
        Column("Family", "family"),
        Column("Runs", "runs", "right"),
        Column("Q", lambda row: number(row["q"], 1), "right", value="q"),
        Column(
            "p",
            lambda row: NOTHING if row["p"] is None else p_equals(row["p"]).removeprefix("p ").removeprefix("= "),
            "right",
            value="p",
        ),
    ]
    notes = [
        "Cochran's Q: that the clean run and the conditions of a family are right equally often. The p-values are not "
        "corrected for the number of families."
    ]
    if it.predicted.clusters is not None:
        notes.append("None is given where persons are on several images: their samples are not independent.")
    return Section(columns, [vars(each) for each in it.alike], "Right equally often?", notes)


def orders_section(it: StressSummary) -> Section | None:
    """Return which positions are chosen, and the worst case; None where no order was changed."""
    if it.worst is None:
        return None
    rows = [{"question": of.question, **position_row(each)} for of in it.positions for each in of.positions]
    columns = [
        Column("Question", "question", choices=True),
        Column("Position", "position", "right"),
        Column("Chosen", lambda row: _share(row, "chosen"), value="chosen"),
        Column("By labels alone", lambda row: percent(row["expected"], 1), "right", value="expected"),
        Column("Excess", _excess, value="excess"),
    ]
    notes = [
        f"Right under all {it.worst.orders} orders of the options: {UAR.cell(it.worst.uar)} UAR, "
        f"{signed(it.worst.change)} points beside the clean run.",
        "Of the questions of each name, in %. By labels alone: what is expected where the answer ignores the "
        "position. Excess: chosen beyond that, in points, with a 95 % interval over samples or persons.",
    ]
    tested = [f"{each.question} {p_equals(each.p)}" for each in it.positions if each.p is not None]
    if tested:
        notes.append(f"That the answers do not depend on these orders, by exchanging them: {', '.join(tested)}.")
    return Section(columns, rows, "Order of the options", notes)


def share(it: Estimate) -> str:
    """Return a proportion with its interval, in percent without the sign."""
    value = percent(it.value, 1)
    return value if it.low is None else f"{value} {interval(percent(it.low, 1), percent(it.high, 1))}"


def _levels(family: Curve) -> str:
    return ", ".join(map(str, family.levels[1:]))


def _half(row: Row) -> str:
    if not row["gains"]:
        return NOTHING
    ends = [
        f"beyond {row['levels'][-1]}" if row[key] is None else f"{row[key]:.1f}" for key in ("half_low", "half_high")
    ]
    if row["half"] is None:
        return "not reached" if row["half_low"] is None else f"not reached [{ends[0]}, …]"
    return f"{row['half']:.1f} [{ends[0]}, {ends[1]}]"


def _share(row: Row, name: str) -> str:
    return share(Estimate(row[name], row[f"{name}_low"], row[f"{name}_high"]))


def _change(row: Row) -> str:
    return f"{signed(row['uar_change'])} [{signed(row['uar_change_low'])}, {signed(row['uar_change_high'])}]"


def _excess(row: Row) -> str:
    if row["excess_low"] is None:
        return signed(row["excess"])
    return f"{signed(row['excess'])} [{signed(row['excess_low'])}, {signed(row['excess_high'])}]"
