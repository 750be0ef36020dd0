"""What a page says, for tests without a browser."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any


class Texts(HTMLParser):
    """The text of a page without its scripts and styles, white space folded; and what elements it has."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.data: dict[str, Any] = {}
        self._inside = ""
        self._id: str | None = None
        self.rows: list[tuple[str, list[str]]] = []
        self._section = ""
        self.feed(html)
        self.text = re.sub(r"\s+", " ", "".join(self.parts))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside, self._id = tag, dict(attrs).get("id")
        if tag == "section":
            self._section = self._id or ""
        elif tag == "tr":
            self.rows.append((self._section, []))
        elif tag in ("th", "td"):
            self.rows[-1][1].append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script" and self._id:
            self.data[self._id] = json.loads(data)
        elif self._inside not in ("script", "style"):
            self.parts.append(data)
            if self.rows and self.rows[-1][1]:
                self.rows[-1][1][-1] += data

    def row(self, section: str, heading: str) -> list[str]:
        """Return the texts of the first row in a section that begins with *heading*."""
        rows = [[" ".join(cell.split()) for cell in cells] for where, cells in self.rows if where == section]
        return next(cells for cells in rows if cells and cells[0] == heading)
