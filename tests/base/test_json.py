"""JSON is bounded in depth and numbers; what is wrong is a ValueError in words."""

import pytest

from coabench.base.json import DEPTH, FINITE, FOREIGN, parse_json


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * 100_000, "more than 64 deep"),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, "more than 64 deep"),
        ("[" * 200 + "]" * 200, "more than 64 deep"),
        ("1" * 5000, "a number of 5,000 digits"),
        ("1e999", "a number that is too large"),
        ("NaN", "NaN, which is no number"),
        ("-Infinity", "-Infinity, which is no number"),
        ('{"a": 1, "b": 2, "a": 3}', "the key 'a' twice"),
        ("{", "Expecting property name"),
        (b"\xff\xfe{", "utf-8"),
    ],
)
def test_what_is_refused(text: str | bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_json(text)


def test_depth_is_counted_not_brackets() -> None:
    wide = [[[index]] for index in range(1000)]
    assert parse_json(str(wide)) == wide
    deep = "[" * DEPTH + "]" * DEPTH
    assert str(parse_json(deep)) == deep


def test_what_other_programs_write_is_read() -> None:
    assert parse_json('{"loss": NaN, "limit": [0.0, Infinity]}', FOREIGN)["limit"] == [0, float("inf")]
    assert parse_json('{"a": 1, "a": 2}', FINITE) == {"a": 2}
