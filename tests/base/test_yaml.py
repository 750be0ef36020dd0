"""YAML is bounded in depth and size, and never says something else than what people read."""

from pathlib import Path

import pytest

from coabench.base.yaml import read_yaml
from coabench.errors import UserError

BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join([f'*{chr(97 + i)}'] * 10)}]\n" for i in range(8)
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: " + "[" * 100_000, "line 1: (.* more than 32 deep|exceeded maximum nesting depth)"),
        ("a: " + "{a: " * 100_000, "more than 32 deep"),
        ("- " * 10_000, "more than 32 deep"),
        (BOMB, "line 6: more than 200,000 values, aliases counted as what they stand for"),
        ("a: &a [*a]", "line 1: \\*a stands in itself"),
        ("\n".join(["a0: &a0 [x]", *(f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 50))]), "more than 32 deep"),
        ("a: *nothing", "line 1: found undefined alias"),
        ("a: 1\nb: 2\na: 3", "line 3: the key 'a' twice"),
        ("a: 010", "line 1: 010 is no decimal number to YAML; in quotes it is a text"),
        ("a: 1:30", "1:30 is no decimal number to YAML"),
        ("a: 2024-13-45", "month must be in 1..12"),
        ("a: 0000-01-01", "year 0 is out of range"),
        ("a: " + "1" * 5000, "Exceeds the limit"),
        ("a: !!int x", "invalid literal"),
        ("a: !!timestamp x", "is not valid YAML"),
        ("a: !!python/object/apply:os.system [ls]", "could not determine a constructor"),
        ("a: \0", "is not valid YAML"),
        ("", "holds no fields"),
        ("- a", "holds no fields"),
    ],
)
def test_what_is_refused_in_words(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(UserError, match=words):
        read_yaml(tmp_path / "x.yaml", "card")


def test_what_is_no_utf_8_or_too_large(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes("a: ü".encode("utf-16"))
    with pytest.raises(UserError, match="no UTF-8 text"):
        read_yaml(tmp_path / "x.yaml", "card")
    (tmp_path / "x.yaml").write_text("#" * 5_000_000)
    with pytest.raises(UserError, match="a file of 5,000,000 bytes; at most"):
        read_yaml(tmp_path / "x.yaml", "card")


def test_anchors_and_merge_keys_are_read(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("a: &a {x: 1}\nb: {<<: *a, y: 0x10}\nc: ['010', 1:30 h, 0]\n")
    assert read_yaml(tmp_path / "x.yaml", "card") == {
        "a": {"x": 1},
        "b": {"x": 1, "y": 16},
        "c": ["010", "1:30 h", 0],
    }
