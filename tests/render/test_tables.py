"""Tables for people and for programs."""

from __future__ import annotations

import csv
import json
from io import StringIO

import pytest

from coabench.base.text import number, percent
from coabench.render.tables import FORMATS, Column, Room, Section, render, render_sections

ROWS = [{"name": "a", "value": 1 / 3, "code": "007"}, {"name": "b", "value": None, "code": ""}]
COLUMNS = ["name", Column("%", lambda row: percent(row["value"]), "right"), "code"]


def test_people_see_rounded_numbers() -> None:
    text = render(COLUMNS, ROWS, "table")
    assert "33.33" in text
    assert "33.333" not in text
    assert "007" in text
    assert text.splitlines()[-1].split() == ["b", "–", "–"]


def test_programs_get_every_digit() -> None:
    assert json.loads(render(COLUMNS, ROWS, "json")) == ROWS
    read = list(csv.DictReader(StringIO(render(COLUMNS, ROWS, "csv"))))
    assert float(read[0]["value"]) == 1 / 3
    assert read[1] == {"name": "b", "value": "", "code": ""}


@pytest.mark.parametrize("format", FORMATS)
def test_no_rows(format: str) -> None:
    text = render(["name"], [], format)
    assert "name" in text or format in ("csv", "json")
    assert format in ("latex", "html") or text.count("\n") <= 3


@pytest.mark.parametrize("format", FORMATS)
def test_control_characters_reach_no_terminal(format: str) -> None:
    evil = "\x1b[31mred\x1b[0m\x07\r\x9b\u202edesrever\nnext"
    section = Section([Column("x"), Column(evil, "x")], [{"x": evil}], title=evil, notes=[evil])
    text = render_sections([section], format)
    assert not set(text) & set("\x1b\x07\r\x9b\u202e")
    assert "red" in text
    assert "\nnext" not in text


def unescaped(text: str, character: str) -> int:
    """How often a character stands without a backslash in front."""
    plain = text.replace("\\\\", "")
    return plain.count(character) - plain.count("\\" + character)


def test_markdown_is_escaped() -> None:
    text = render(["x", "y"], [{"x": "a|b", "y": "<script>alert(1)</script> `c` [l](u) *b* \\|"}], "markdown")
    header, rule, row = text.splitlines()
    assert unescaped(header, "|") == unescaped(rule, "|") == unescaped(row, "|") == 3
    assert "<" not in text
    assert "&lt;script&gt;" in text
    assert all(unescaped(row, c) == 0 for c in "`[]*")


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "＝1"])
def test_csv_holds_no_formula(cell: str) -> None:
    read = list(csv.reader(StringIO(render(["x"], [{"x": cell}], "csv"))))[1][0]
    assert read[0] in "'\\"  # a quote, or an escaped control character


def test_csv_leaves_numbers_and_plain_text_alone() -> None:
    assert render(["x", "y"], [{"x": -1.5, "y": 'a-b, "c"'}], "csv") == 'x,y\n-1.5,"a-b, ""c"""\n'


def lines(columns: list[str | Column], rows: list[dict[str, object]], width: int) -> list[str]:
    """Return the rows of a table that has *width* characters, and its notes."""
    return render(columns, rows, "table", Room(width)).splitlines()[2:]


def test_without_room_a_row_is_a_line() -> None:
    columns = [Column("x", width=10), Column("y", wide=True)]
    shown = render(columns, [{"x": "a b " * 50, "y": "c"}], "table").splitlines()
    assert len(shown) == 3
    assert shown[2].endswith("b   c")


def test_cells_wrap_at_blanks_and_long_words_still_fit() -> None:
    assert lines([Column("x", width=10)], [{"x": "chain-of affect " + "y" * 25}], 10) == [
        "chain-of", "affect yyy", "y" * 10, "y" * 10, "yy",
    ]  # fmt: skip
    assert lines([Column("x")], [{"x": "backbone:the-model"}], 12) == ["backbone:", "the-model"]


@pytest.mark.parametrize("width", range(20, 60))
def test_numbers_and_dates_are_never_broken(width: int) -> None:
    values = ["1,234,567.89", "[56.5,\xa065.3]", "2026-11-29 08:15 UTC", "12:34:56", "a/2026-11-29", "run-12345678"]
    rows: list[dict[str, object]] = [{"t": "some words here", "x": " ".join(values), "n": "98.76"}]
    text = "\n".join(lines(["t", Column("n", align="right"), "x"], rows, width))
    shown = text.replace("\n", " ")
    if "Left out" not in text:
        whole = ["1,234,567.89", "65.3]", "2026-11-29\xa008:15\xa0UTC", "12:34:56", "2026-11-29 ", "12345678", "98.76"]
        assert [value for value in whole if value not in shown + " "] == []


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_a_table_fits(width: int) -> None:
    columns = [
        Column("Rank"), Column("Run", wide=True), Column("Model", width=24), Column("UAR", kept=True),
        Column("Others", align="right"), Column("img/s", align="right"), Column("Ref", kept=True),
    ]  # fmt: skip
    row = {"Rank": "1", "Run": "results/a-long-name/of-a-run", "Model": "some-model of a long name, generate",
           "UAR": "60.87 [56.5,\xa065.3]", "Others": "12.34", "img/s": "1,234.5", "Ref": "[1]"}  # fmt: skip
    text = render(columns, [row] * 3, "table", Room(width, "See csv."))
    assert max(map(len, text.splitlines())) <= width
    titles = text.splitlines()[0].split()
    assert {"Rank", "UAR", "Ref"} <= {*titles}  # what the table is about stays
    left_out = [column.title for column in columns if column.title not in titles]
    assert ("Left out, for want of width: " + ", ".join(left_out) in " ".join(text.split())) == bool(left_out)
    assert ("See csv." in text) == bool(left_out)
    assert bool(left_out) == (width < 120)


def test_letters_of_two_characters_count_as_two() -> None:
    rows: list[dict[str, object]] = [{"x": "快乐" * 4, "y": "ab"}, {"x": "a", "y": "cd"}]
    first, second = lines(["x", "y"], rows, 40)
    assert first.index("ab") + 8 == second.index("cd")


def test_sections_have_titles_and_notes_for_people_only() -> None:
    sections = [Section(["a"], [{"a": 1}], "One", ["first"]), Section(["a"], [{"a": 2}], "Two")]
    assert render_sections(sections, "table") == "One\n\na\n-\n1\n\nfirst\n\nTwo\n\na\n-\n2\n"
    assert "## One" in render_sections(sections, "markdown")
    assert render_sections(sections, "csv") == "a\n1\n2\n"


def test_nan_is_no_json() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        render(["a"], [{"a": float("nan")}], "json")


def test_number() -> None:
    assert (number(None), number(1.005, 1), percent(0.60871), percent(0.5, 0)) == ("–", "1.0", "60.87", "50")


def test_wide_columns_stand_only_where_there_is_room() -> None:
    columns = ["a", Column("b", wide=True)]
    shown = {
        format: ">b<" in text or " b" in text.splitlines()[0]
        for format in FORMATS
        for text in [render(columns, [{"a": 1, "b": 2}], format)]
    }
    assert [format for format, there in shown.items() if there] == ["table", "markdown", "html"]
    assert lines(["a", Column("b", wide=True)], [{"a": "x" * 8, "b": "y" * 8}], 17)[0] == "x" * 8


def test_latex_is_a_booktabs_table() -> None:
    text = render(
        [Column("a_b", "x", width=12), Column("n", align="right")], [{"x": "60.87 [56.5,\xa065.3]", "n": 3}], "latex"
    )
    assert r"\begin{tabular}{lr}" in text
    assert r"a\_b & n \\" in text
    assert r"60.87 \\ {[}56.5,~65.3{]}" in text
    assert all(rule in text for rule in (r"\toprule", r"\midrule", r"\bottomrule"))


def test_html_sorts_by_the_number_behind_a_cell() -> None:
    column = Column("%", lambda row: percent(row["value"]), "right", value="value")
    page = render(["name", column], ROWS, "html")
    assert f'data-value="{1 / 3}">33.33<' in page
    assert 'data-value="">–<' in page
    assert "data-value" not in page.split(">a<")[0].split("<tbody>")[1]
