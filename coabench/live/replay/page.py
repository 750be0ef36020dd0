"""The page of a session: one file that asks nothing of any network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from coabench.base.files import sha256_of
from coabench.base.text import date
from coabench.live.overlay.colours import for_page
from coabench.live.replay.columns import columns
from coabench.live.replay.film import read_film
from coabench.live.replay.reader import SessionLog, read_log
from coabench.live.replay.thumbnails import read_thumbnails
from coabench.live.sources import Note
from coabench.render.page import render_page

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Replay:
    """What the user asked for.

    Attributes:
        log: of the session.
        page: the file that the page will be.
        film: its recording; None for none.
        begins: the second of the log at which the recording begins.
        crops: the folder of the crops that were kept; None for none.
    """

    log: Path
    page: Path
    film: Path | None = None
    begins: float = 0.0
    crops: Path | None = None


def replay(request: Replay, note: Note) -> str:
    """Return the page. The same files give the same bytes.

    Raises:
        UserError: a file is missing, damaged, or of another kind.
    """
    log = read_log(request.log)
    if log.torn:
        note(f"the last line of {request.log} is not whole and left out: the session was killed")
    film = None if request.film is None else dict(read_film(request.film, request.page, note))
    thumbnails = {} if request.crops is None else read_thumbnails(request.crops, log.answers, note)
    data = columns(log)
    order = sorted(range(len(log.answers)), key=lambda i: log.answers[i]["time"])
    data["thumbnails"] = {place: thumbnails[i] for place, i in enumerate(order) if i in thumbnails}
    data["id"] = sha256_of(request.log)[:16]
    data["name"] = request.log.stem
    data["colours"] = for_page()["faces"]
    data["film"] = film and {**film, "begins": request.begins, "drawn": _has_overlay(log, film["name"])}
    return render_page(
        HERE / "replay.html",
        styles=["replay.css"],
        scripts=["session.js", "differences.js", "timeline.js", "picture.js", "answers.js", "replay.js"],
        allow=_media(film),
        session=data,
        name=request.log.name,
        facts=_facts(log),
        labels=Counter(row["prediction"] or "no label" for row in log.answers).most_common(),
        torn=log.torn,
        film=film,
    )


def _media(film: Mapping[str, Any] | None) -> list[str]:
    """Return what the page's policy allows for the recording: what stands in the page, or files beside it."""
    if film is None or "pictures" in film:
        return []
    return ["media-src blob:" if "data" in film else "media-src 'self' file:"]


def _has_overlay(log: SessionLog, name: str) -> bool:
    """Whether a recording already shows boxes: the command says which option it was made by."""
    words = log.header.get("command")
    command = [str(word) for word in words] if isinstance(words, list) else []
    pairs = [*pairwise(command), *(word.partition("=")[::2] for word in command)]
    return any(option == "--record" and Path(value).name == name for option, value in pairs)


def _facts(log: SessionLog) -> list[tuple[str, str]]:
    """Return what answered, and about what."""
    header, identity = log.header, _mapping(log.header.get("identity"))
    beside = _mapping(header.get("beside"))
    facts = [("Source", header.get("source")), ("Started", date(str(header.get("started") or "")))]
    for name, each in ({"": identity} | dict(beside)).items():
        suffix = f" {name}" if name else " A" if beside else ""
        backbone, strategy = _mapping(_mapping(each).get("backbone")), _mapping(_mapping(each).get("strategy"))
        words = [backbone.get("name"), backbone.get("model"), backbone.get("adapter")]
        facts.append((f"Backbone{suffix}", " · ".join(str(word) for word in words if word)))
        facts.append((f"Strategy{suffix}", strategy.get("name")))
    facts.append(("Decoding", identity.get("decode")))
    facts.append(("Detector", _mapping(identity.get("detector")).get("name")))
    facts.append(("coabench", identity.get("coabench")))
    return [(name, str(value)) for name, value in facts if value]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
