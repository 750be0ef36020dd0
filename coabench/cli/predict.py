"""``coabench predict``."""

from __future__ import annotations

import sys
from contextlib import ExitStack, redirect_stdout
from pathlib import Path
from typing import Any

import click

from coabench.base.text import safe
from coabench.cli.options import (
    FiniteRange,
    adapter_option,
    align_option,
    backbone_option,
    decode_once_option,
    device_option,
    dtype_option,
    load_option,
    parser_option,
    rewrite_option,
    seed_option,
    set_option,
    strategy_option,
)
from coabench.cli.versions import checks_versions
from coabench.registry.defaults import BATCH_SIZE, DATASET
from coabench.registry.options import parse_assignments

FACE_OPTIONS = ("faces", "detector", "weights", "margin", "align", "min_face")


@click.command("predict")
@click.argument("paths", metavar="PATH…|-", nargs=-1, required=True)
@backbone_option
@adapter_option
@strategy_option
@click.option("--labels", metavar="NAME|CARD.yaml", default=DATASET, show_default=True,
              help="The data set whose labels are asked about.")  # fmt: skip
@click.option("--exemplars-from", metavar="NAME|CARD.yaml", help="The data set that a strategy's exemplars come from.")
@click.option("--data-root", type=click.Path(path_type=Path), help="The folder or file that holds it.")
@click.option("--faces", default="all", show_default=True, metavar="all|largest|N|none",
              help="Which faces of a picture; none takes the picture as it is, as evaluate does.")  # fmt: skip
@click.option("--detector", default="auto", show_default=True, metavar="NAME", help="See `coabench list detectors`.")
@click.option("--detector-weights", "weights", type=click.Path(path_type=Path, dir_okay=False),
              help="The file of a detector that does not bring its own.")  # fmt: skip
@click.option("--margin", type=float, help="What a crop adds around the face, in parts of its longer side.")
@align_option
@click.option("--min-face", type=click.IntRange(min=1), help="Pixels; smaller faces are left out. 32 by default.")
@click.option("--every", type=FiniteRange(min=0), default=1.0, show_default=True, metavar="SECONDS",
              help="Of a film, a picture every so often; 0 for every frame.")  # fmt: skip
@click.option(
    "--batch-size", type=click.IntRange(min=1), default=BATCH_SIZE, show_default=True, help="Faces at a time."
)
@decode_once_option
@device_option
@dtype_option
@load_option
@seed_option
@set_option
@parser_option
@rewrite_option
@click.option("--allow-remote-backbone", "allow_remote", is_flag=True,
              help="Use a backbone that sends pictures to another machine.")  # fmt: skip
@click.option("--explain-text", "explain", is_flag=True, help="Print every question, answer and probability as well.")
@click.option("--format", "format", type=click.Choice(["table", "jsonl", "csv"]),
              help="table by default; to a file jsonl, or what its name ends in.")  # fmt: skip
@click.option("--output", type=click.Path(path_type=Path),
              help="A file or folder; the same command continues a .jsonl.")  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Delete the file that is there.")
@checks_versions
def command(
    paths: tuple[str, ...], assignments: tuple[str, ...], every: float, batch_size: int, explain: bool, **rest: Any
) -> None:
    """Say what expression the faces in pictures show: images, folders, patterns, films, or - for names on stdin.

    One line a face, as they come. Exit code 1 where a file could not be used, or nothing was answered; each such file
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
