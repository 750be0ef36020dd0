"""Secrets in what others sent: texts are cleared of them in every form, once they are decoded."""

from __future__ import annotations

import base64
import re
from html.entities import html5
from typing import Any

REDACTED = "[key]"
"""What is read where a secret stood."""
SHORTEST = 8
"""Characters of a secret worth hiding: servers that want any key at all get ``EMPTY``, ``none`` or ``ollama``."""
DEPTH = 64
"""How deep lists and objects of a value may lie in one another."""
_BETWEEN = r"(?:[\s\x00\xad\u200b-\u200d\u2060\ufeff\\]|(?<=\\)[nrt]){0,12}"
"""Between two characters: breaks of lines, written out or not, what is not seen, the backslashes of an escape."""
_PERCENT = "%(?:25){0,4}"
"""A percent sign, itself encoded or not. Every repetition is bounded, so that no text takes long."""
_ALIKE = {"+": "- \xa0", "/": "_"}
"""What else may be written: by the URL-safe alphabet of base64, and for a plus, which is a space in forms."""
_USER = re.compile(r"(?<=://)[^/\s?#]{0,500}@")
_QUERY = re.compile(r"(?P<address>://[^\s?\"'<>]{0,500}\?)(?P<query>[^\s\"'<>]+)")
_VALUE = re.compile(r"(^|&)([^&=]*=)?[^&]+")


def without_credentials(text: str) -> str:
    """Return a text whose addresses name neither user nor password, and no values of parameters after ``?``."""
    return _QUERY.sub(lambda found: found["address"] + _VALUE.sub(r"\1\2…", found["query"]), _USER.sub("…@", text))


class Redaction:
    """Clears texts, and values as JSON has them, of secrets; those of fewer than `SHORTEST` characters hide nothing.

    A secret is found as it is, with each of its characters escaped as in JSON, URLs or HTML, once or repeatedly, and
    broken into lines; and in hexadecimal digits and base64, also within a longer text that was so encoded. Case does
    not count.
    """

    def __init__(self, *secrets: str | None) -> None:
        kept = [secret.strip() for secret in secrets if secret and len(secret.strip()) >= SHORTEST]
        self._pattern = re.compile("|".join(map(_forms, kept)), re.IGNORECASE) if kept else None

    def __repr__(self) -> str:
        return "Redaction()"  # a compiled pattern shows the secret

    def text(self, text: str) -> str:
        """Return a text without the secrets."""
        return self._pattern.sub(REDACTED, text) if self._pattern else text

    def value(self, value: Any, depth: int = DEPTH) -> Any:
        """Return a decoded JSON value without the secrets: its texts, names and numbers.

        Raises:
            ValueError: lists and objects lie in one another more than *depth* deep.
        """
        if not depth:
            raise ValueError(f"lists or objects in one another, more than {DEPTH} deep")
        if isinstance(value, dict):
            return {self.text(name): self.value(each, depth - 1) for name, each in value.items()}
        if isinstance(value, list):
            return [self.value(each, depth - 1) for each in value]
        if isinstance(value, str):
            return self.text(value)
        shown = str(value)
        return value if (cleared := self.text(shown)) == shown else cleared


def _forms(secret: str) -> str:
    """Return the pattern of all forms of a secret. It first looks at one character, which makes it fast."""
    data = secret.encode("utf-8", "surrogateescape")
    texts = [secret, data.hex()]
    for offset in range(3):  # where the secret begins within the three bytes that make four characters
        encoded = base64.b64encode(bytes(offset) + data).decode()
        texts.append(encoded[-(-8 * offset // 6) : 8 * (offset + len(data)) // 6])
    begin = "".join({re.escape(c) for text in texts for c in text[0] + _ALIKE.get(text[0], "")})
    return f"(?=[{begin}ux%&])(?:{'|'.join(_BETWEEN.join(map(_character, text)) for text in texts)})"


def _character(character: str) -> str:
    """Return the pattern of a character; backslashes before it are not part of it."""
    forms = [r"\s", r"\+"] if character.isspace() else []
    for c in " \t\n\r\xa0" if character.isspace() else character + _ALIKE.get(character, ""):
        code = f"{ord(c):x}"
        encoded = "".join(f"{_PERCENT}{byte:02x}" for byte in c.encode("utf-8", "surrogateescape"))
        named = "".join(f"|{name[:-1]}" for name, text in html5.items() if text == c and name.endswith(";"))
        reference = f"&(?:amp;){{0,4}}(?:#0{{0,6}}{ord(c)}|#x0{{0,6}}{code}{named});"
        forms += [re.escape(c), f"[ux]0{{0,6}}{code}", encoded, reference]
    return f"(?:{'|'.join(forms)})"
