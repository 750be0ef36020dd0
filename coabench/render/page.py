"""Pages: one HTML file each, readable offline, that asks nothing of any network.

How a page is made:

- A template extends ``base.html``, sets ``kicker`` (what the page is about, in a word), ``heading`` and ``links``
  (anchor and title of each section, an empty anchor for one that is not there; may be left out), and fills the block
  ``main``; one with another head fills ``title`` and ``header``.
- ``render_page(folder / "board.html", runs=…)`` renders it with the given data; ``scripts=["board.js"]`` and
  ``styles=["board.css"]`` add files that lie beside the template to ``page.js`` and ``page.css``, which every page has.
- Everything a template prints is escaped for HTML, and its control and format characters are made visible
  (`coabench.base.text.safe`); only `markupsafe.Markup`, such as `coabench.render.charts` returns, is taken as it is.
  Filters beside Jinja's own: ``percent`` and ``number`` of `coabench.base.text`, and ``thousands``.
- ``{{ embed("name", data) }}`` leaves data for a script, which reads it with ``coabench.data("name")``.
- Scripts and styles are inlined and allowed by their hash, nothing else is: no ``style=""`` or ``onclick=""`` in a
  template; set classes. For a shade of the heat scale, ``class="heat {{ proportion | shade }}"``.
- ``<table data-sortable>`` is sorted by its headings: by the number in ``data-value`` of a cell where there is one
  (empty: no value, always last), else by its text. ``<th data-sort="off">`` is left out, and a ``<tfoot>`` stays.
- ``<table data-filterable>`` gets a box for a text to look for, and a list of choices for every ``<th data-choices>``.
  With ``data-address="NAME"`` the fragment of the page's address holds how it is sorted and filtered.
- A wide table stands in ``<div class="scroll" tabindex="0" role="region" aria-label="…">``; cells of numbers have
  ``class="number"``, cells with a `coabench.render.charts.interval` ``class="plot"``.
- What only works with scripts has ``class="needs-script"``, what stands in for it ``class="without-script"``, and what
  is of no use on paper ``class="no-print"``.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from coabench.base.text import NOTHING, number, percent, safe
from coabench.base.version import __version__
from coabench.render.charts import shade

HEAD = '<header class="page">'
"""Where the head of a page begins."""
HERE = Path(__file__).parent
"""Where the files are that every page has."""


def render_page(
    template: Path,
    *,
    styles: Sequence[str] = (),
    scripts: Sequence[str] = (),
    allow: Sequence[str] = (),
    **data: Any,
) -> str:
    """Return a page as one self-contained HTML text. The same data give the same bytes.

    Args:
        template: its file.
        styles: further style files beside it, after ``page.css``.
        scripts: further script files beside it, run after ``page.js`` and before the page's body is read.
        allow: further directives of the page's policy, for one that is served: ``connect-src 'self'``.
        data: what the template shows.
    """
    style_sources, script_sources = (
        [path.read_text(encoding="utf-8") for path in (*map(HERE.joinpath, common), *map(template.with_name, further))]
        for common, further in ((["page.css"], styles), (["page.js", "tables.js"], scripts))
    )
    return render_template(
        template,
        **data,
        embed=embed,
        version=__version__,
        styles=[Markup(source) for source in style_sources],
        scripts=[Markup(source) for source in script_sources],
        policy="; ".join([_policy(style_sources, script_sources), *allow]),
    )


def render_template(template: Path, **data: Any) -> str:
    """Return what a template makes of the data, every text in it escaped: a part of a page."""
    return _environment(template.parent).get_template(template.name).render(**data)


@cache  # an environment compiles a template once
def _environment(folder: Path) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader([folder, HERE]),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "number": number, "thousands": thousands, "shade": shade}
    return environment


def with_way_back(page: str, address: str, title: str, note: str | None = None) -> str:
    """Return a page of `render_page` with a link above its head, to the page that it belongs to.

    The link leads back to how that page was sorted and filtered when the reader left it.

    Args:
        note: what the reader must know of this page, below the link.
    """
    link = Markup('<nav class="up no-print" aria-label="Back"><a href="{}">← {}</a></nav>\n').format(address, title)
    if note is not None:
        link += Markup('<div class="banner" role="note"><p>{}</p></div>\n').format(note)
    before, head, after = page.partition(HEAD)
    return f"{before}{link}{head}{after}"


def is_page(content: bytes) -> bool:
    """Whether a file is a page that coabench has made."""
    return b'<meta name="generator" content="coabench ' in content[:4096]


def embed(name: str, data: Any) -> Markup:
    """Return *data* as a JSON element that no text in it can end or leave.

    Raises:
        ValueError: a number is NaN or infinite, which JSON does not know.
    """
    # Non-ASCII text is escaped as well: so neither a line separator nor a lone surrogate can do harm.
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup('<script type="application/json" id="{}">{}</script>').format(name, Markup(text))


def thousands(value: int | None) -> str:
    """Return a whole number for people: 12,345; a dash for None."""
    return NOTHING if value is None else f"{value:,}"


def _visible(value: Any) -> Any:
    return safe(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _policy(styles: Sequence[str], scripts: Sequence[str]) -> str:
    """Return the Content-Security-Policy that allows what is inlined here, and images within the page."""

    def hashes(texts: Sequence[str]) -> str:
        return " ".join(f"'sha256-{b64encode(hashlib.sha256(t.encode()).digest()).decode()}'" for t in texts)

    return "; ".join(
        [
            "default-src 'none'",
            f"style-src {hashes(styles)}",
            f"script-src {hashes(scripts)}",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
