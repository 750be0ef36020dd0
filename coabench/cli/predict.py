"""``coabench predict``."""

from __future__ import annotations

import sys
from contextlib import ExitStack, redirect_stdout
from pathlib import Path
from typing import Any

import click

from coabench.base.text import safe
from coabench.cli import completing
from coabench.cli.command import FACES, OUTPUT, QUESTIONS, RUNNING, Command, grouped
from coabench.cli.options import (
    FiniteRange,
    adapter_option,
    align_option,
    allow_remote_option,
    backbone_option,
    data_root_option,
    decode_once_option,
    detector_option,
    device_option,
    dtype_option,
    exemplars_from_option,
    labels_option,
    load_option,
    margin_option,
    overwrite_option,
    parser_option,
    rewrite_option,
    seed_option,
    set_option,
    strategy_option,
    weights_option,
)
from coabench.cli.versions import checks_versions
from coabench.registry.defaults import BATCH_SIZE
from coabench.registry.options import parse_assignments
from coabench.support.crop_settings import MIN_FACE

FACE_OPTIONS = ("faces", "detector", "weights", "margin", "align", "min_face")


@click.command("predict", cls=Command, examples=(
    ("a photograph", "coabench predict photo.jpg"),
    ("every picture in a folder, a row each face, for a spreadsheet",
     "coabench predict holiday/ --format csv --output faces.csv"),
))  # fmt: skip
@click.argument("paths", metavar="PATH…|-", nargs=-1, required=True)
@backbone_option
@adapter_option
@device_option
@dtype_option
@load_option
@set_option
@allow_remote_option
@strategy_option
@labels_option
@exemplars_from_option
@grouped(QUESTIONS, data_root_option)
@rewrite_option
@decode_once_option
@parser_option
@seed_option
@grouped(
    FACES,
    click.option("--faces", default="all", show_default=True, metavar="all|largest|N|none",
                 help="Which faces of a picture; none takes the picture as it is, as evaluate does.",
                 shell_complete=completing.words("all", "largest", "none")),
    click.option("--every", type=FiniteRange(min=0), default=1.0, show_default=True, metavar="SECONDS",
                 help="Of a video, one frame in so many seconds; 0 for every frame."),
)  # fmt: skip
@detector_option
@weights_option
@margin_option
@align_option
@grouped(
    FACES,
    click.option("--min-face", metavar="PIXELS", type=click.IntRange(min=1),
                 help=f"Smaller faces, in width or height, are left out; {MIN_FACE} by default."),
)  # fmt: skip
@grouped(
    RUNNING,
    click.option("--batch-size", metavar="N", type=click.IntRange(min=1), default=BATCH_SIZE, show_default=True,
                 help="Faces at a time."),
)  # fmt: skip
@grouped(
    OUTPUT,
    click.option("--explain-text", "explain", is_flag=True,
                 help="Print every question, answer and probability as well."),
    click.option("--format", "format", type=click.Choice(["table", "jsonl", "csv"]),
                 help="How to write; table by default, to a file jsonl, or what its name ends in."),
    click.option("--output", metavar="FILE|DIR", type=click.Path(path_type=Path),
                 help="A file or folder, the terminal by default; the same command continues a .jsonl."),
)  # fmt: skip
@overwrite_option
@checks_versions
def command(
    paths: tuple[str, ...], assignments: tuple[str, ...], every: float, batch_size: int, explain: bool, **rest: Any
) -> None:
    """Predict the expression of every face in images, folders, patterns, videos, or - for names on stdin.

    Prints one line for each face. Exit code 1 where a file could not be used, or nothing was answered; each such file
    is named.
    """
    from coabench.cli.prediction_output import Form, Tally
    from coabench.live.asker import Choice
    from coabench.prediction.faces import FaceChoice
    from coabench.prediction.pictures import STDIN, gathered, listed
    from coabench.prediction.predictor import open_predictor

    faces = FaceChoice(**{name: value for name in FACE_OPTIONS if (value := rest.pop(name)) is not None})
    format, output, overwrite = (rest.pop(name) for name in ("format", "output", "overwrite"))
    choice = Choice(options=parse_assignments(assignments), **rest)
    form = Form.of(format, output, overwrite, explain)
    files = listed([word for word in paths if word != STDIN], _note)
    with ExitStack() as stack:
        stack.enter_context(redirect_stdout(sys.stderr))  # stdout is for data, whatever plugins print
        predictor = open_predictor(choice, faces)
        writer = stack.enter_context(form.open(predictor.identity_with(every), files))
        for line in predictor.notes:
            _note(line)
        _note("loading the model")
        shown = len(predictor.notes)
        predictor.load()
        for line in predictor.notes[shown:]:
            _note(line)
        shown = len(predictor.notes)
        tally = Tally(dict(writer.recorded.failed), len(writer.recorded.pictures))
        words = sys.stdin if STDIN in paths else ()
        for said in predictor.predict(gathered(files, words, every, _note, writer.recorded.pictures), batch_size):
            writer.write(said)
            tally.add(said)
        for line in predictor.notes[shown:]:
            _note(line)
    raise SystemExit(tally.finish(form.path))


def _note(text: str) -> None:
    click.echo(safe(text), err=True)
