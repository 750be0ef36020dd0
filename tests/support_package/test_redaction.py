"""Secrets in every form in which a text may hold them."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from coabench.support.redaction import DEPTH, Redaction, without_credentials

KEY = "sk-pro/j+0123=?456&789"
REDACTION = Redaction(KEY)


def mixed(text: str) -> str:
    """Percent-encode every other character, in lower case."""
    return "".join(c if i % 2 else f"%{ord(c):02x}" for i, c in enumerate(text))


FORMS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "bearer": lambda key: f"Bearer {key}",
    "upper case": str.upper,
    "JSON": json.dumps,
    "JSON, slashes escaped": lambda key: json.dumps(key).replace("/", "\\/"),
    "JSON, all escaped": lambda key: "".join(f"\\u{ord(c):04X}" for c in key),
    "JSON in JSON in JSON": lambda key: json.dumps(json.dumps(json.dumps(key).replace("+", "\\u002b"))),
    "percent": quote,
    "percent, slashes too": lambda key: quote(key, safe="").lower(),
    "percent, all": lambda key: "".join(f"%{ord(c):02X}" for c in key),
    "percent, some": mixed,
    "form, decoded": lambda key: key.replace("+", " "),
    "form, decoded, on a page": lambda key: key.replace("+", "&nbsp;"),
    "percent twice": lambda key: quote_plus(quote_plus(key)),
    "HTML": html.escape,
    "HTML, numbers": lambda key: "".join(f"&#{ord(c)};" for c in key),
    "HTML, names": lambda key: key.replace("/", "&sol;").replace("+", "&plus;"),
    "Python": lambda key: "".join(f"\\x{ord(c):02x}" for c in key),
    "lines": lambda key: "\r\n  ".join(key),
    "lines, written out": lambda key: "\\n".join(key),
    "nothing between": lambda key: "\u200b".join(key),
    "UTF-16": lambda key: key.encode("utf-16-le").decode("latin-1"),
    "hexadecimal": lambda key: key.encode().hex(),
    **{f"base64 after {n}": lambda key, n=n: base64.b64encode(b"user:"[:n] + key.encode()).decode() for n in range(6)},
    "base64, safe": lambda key: base64.urlsafe_b64encode(f"a{key}".encode()).decode().rstrip("="),
    "base64, in lines": lambda key: base64.encodebytes(f"Bearer {key} and more, for two lines".encode() * 2).decode(),
    "base64, percent": lambda key: quote(base64.b64encode(f"a{key}".encode()).decode(), safe=""),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_secret_is_found_in_every_form(form: str) -> None:
    cleared = REDACTION.text(f"before {FORMS[form](KEY)} after")
    assert "[key]" in cleared
    assert cleared.startswith("before ")
    assert cleared.endswith(" after")
    around = 150 if "in lines" in form else 50
    assert len(cleared) < around


def test_a_space_may_be_written_as_any_other() -> None:
    redaction = Redaction("correct horse battery")
    for space in (" ", "\u00a0", "\n", "+", "%20", "%C2%A0", "\\u00a0", "&nbsp;"):
        assert redaction.text(f"<correct{space}horse{space}battery>") == "<[key]>"


def test_what_is_no_secret_stays() -> None:
    text = "A happy face: 100% sure, sk-pro/j and \\u002b, aGVsbG8gd29ybGQ="
    assert REDACTION.text(text) == text
    assert Redaction("EMPTY", None, "", "ollama").text("EMPTY ollama") == "EMPTY ollama"
    assert repr(REDACTION) == "Redaction()"


def test_values_are_cleared_everywhere() -> None:
    value = {KEY: [KEY, {"a": f"x{KEY}"}], "n": 1, "none": None, "yes": True, "f": 0.5}
    assert REDACTION.value(value) == {"[key]": ["[key]", {"a": "x[key]"}], "n": 1, "none": None, "yes": True, "f": 0.5}
    assert Redaction("1234567890").value([1234567890, 12]) == ["[key]", 12]


def test_values_of_any_depth_end_in_words() -> None:
    deep: list[object] = []
    for _ in range(10 * DEPTH):
        deep = [deep]
    with pytest.raises(ValueError, match="deep"):
        REDACTION.value(deep)


@pytest.mark.parametrize(
    "part", ["\\", "%25", "%", "&amp;", " ", "s", "s\\", "sk-pro/", "://", "?", "c2stcHJv", "u0", "&#0"]
)
def test_no_text_takes_long(part: str) -> None:
    """Were a pattern's time quadratic, this would take hours."""
    text = part * (2**20 // len(part))
    assert REDACTION.text(text) == text
    without_credentials(text[: 2**16])
    without_credentials(f"http://h/?{text}")


def test_addresses_keep_neither_user_nor_parameters() -> None:
    text = "403 for https://me:pa@ss@host/v1?api-key=1&x=2 and http://host/ or?"
    assert without_credentials(text) == "403 for https://…@host/v1?api-key=…&x=… and http://host/ or?"
