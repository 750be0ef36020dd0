"""``coabench replay-live``."""

from __future__ import annotations

from pathlib import Path

import click

from coabench.base.text import safe
from coabench.cli.command import OUTPUT, Command, grouped
from coabench.cli.kept import OutputFile
from coabench.cli.options import FiniteRange
from coabench.cli.output import write
from coabench.errors import UserError

FILE = click.Path(path_type=Path)


@click.command("replay-live", cls=Command, examples=(
    ("who was answered what, and when", "coabench replay-live log.jsonl"),
    ("the same beside the recording", "coabench replay-live log.jsonl film.webm --output session.html"),
))  # fmt: skip
@click.argument("log", type=FILE)
@click.argument("video", type=FILE, required=False)
@grouped(
    "Source",
    click.option("--crops", metavar="DIR", type=FILE,
                 help="The folder of `webcam --crops`: shows the faces, small; none by default."),
    click.option("--video-begins", "begins", metavar="SECONDS", type=FiniteRange(min=0), default=0.0, show_default=True,
                 help="Second of the log at which the recording begins; later than 0 for one by the key r."),
)  # fmt: skip
@grouped(
    OUTPUT, click.option("--output", metavar="FILE", type=OutputFile(), help="The page; LOG.html here by default.")
)
def command(log: Path, video: Path | None, output: Path | None, crops: Path | None, begins: float) -> None:
    """Show a live session as one self-contained HTML page: what was answered about whom, and when.

    LOG is what `coabench webcam --log` wrote, VIDEO its recording (--record or --record-clean). The page has a scrub
    bar, a lane for each face with its labels and the answer to every question over time, markers, and answers as CSV.
    It needs no network. A recording that browsers play (.webm, H.264) stands in the page up to 48 MiB, and beside it
    above; of others the page shows pictures.
    """
    from coabench.live.replay import Replay, replay

    if video is None and begins:
        raise UserError("--video-begins says when the recording begins", remedy="name the recording, or leave it out")
    page = output or Path(f"{log.name.removesuffix('.jsonl')}.html")

    def note(text: str) -> None:
        click.echo(safe(text), err=True)

    write(replay(Replay(log, page, video, begins, crops), note), page)
