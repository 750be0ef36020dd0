"""How predictions are printed or written: a table for people, JSON lines, CSV."""

from __future__ import annotations

import csv
import io
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TextIO, cast

import click

from coabench.base.files import Closing
from coabench.base.jsonlines import encode
from coabench.base.locking import locked_beside
from coabench.base.reading import exists, is_folder, require_replaceable, why
from coabench.base.text import NOTHING, plural, safe
from coabench.base.vocabulary import ERROR
from coabench.cli.kept import check_output
from coabench.cli.output import terminal_width
from coabench.errors import JobError, UserError
from coabench.prediction.answer import NO_FACE, FacePrediction, explained
from coabench.prediction.output import PredictionFile, Recorded
from coabench.prediction.pictures import FILMS
from coabench.render.tables import csv_cell

Format = Literal["table", "jsonl", "csv"]
WIDEST = 40
"""Characters of a file's name in the table, which are its last ones."""
TIME_WIDTH, FACE_WIDTH, LABEL_WIDTH = 9, 27, 22
INDENT = 4
"""Characters before what did not fit into a narrow terminal."""
REMEDY = "if a picture is a face already, add --faces none; else try another --detector or a smaller --min-face"


class Writer(Closing, ABC):
    """Takes what is said about each picture, as it comes.

    Attributes:
        out: what it prints to: stdout, also while what plugins print there goes elsewhere.
    """

    recorded = Recorded()
    out: TextIO | None = None

    @abstractmethod
    def write(self, said: Sequence[FacePrediction]) -> None:
        """Write what is said about a picture."""

    def close(self) -> None:
        return


class Lines(Writer):
    """JSON lines on stdout."""

    def write(self, said: Sequence[FacePrediction]) -> None:
        for each in said:
            click.echo(encode(each.to_json()).decode(), self.out, nl=False)


class Table(Writer):
    """A line a face on stdout, for people."""

    def __init__(self, files: Sequence[Path], explain: bool) -> None:
        widths = (len(safe(file)) + TIME_WIDTH * (file.suffix.lower() in FILMS) for file in files)
        self._room = terminal_width()
        self._width = min(max(widths, default=WIDEST), WIDEST)
        self._explain, self._headed = explain, False

    def write(self, said: Sequence[FacePrediction]) -> None:
        if not self._headed:  # only now, below what is noted while the model loads
            self._print("file", "face", "expression", "answers")
            self._headed = True
        for each in said:
            self._print(_place(each), _face(each), each.label or NOTHING, each.words)
            for line in explained(each) if self._explain else ():
                click.echo(safe(line), self.out)

    def _print(self, file: str, face: str, label: str, answers: str) -> None:
        name = safe(file)
        name = name if len(name) <= self._width else "…" + name[1 - self._width :]
        cells = [(name, self._width), (safe(face), FACE_WIDTH), (safe(label), LABEL_WIDTH), (safe(answers), 0)]
        lines, end = [""], 0
        for cell, width in cells:  # what has no room left continues below
            if lines[-1] and self._room is not None and end + len(cell) > self._room:
                lines.append("")
                end = INDENT
            lines[-1] = f"{lines[-1]:<{end}}{cell}" if lines[-1] or end else cell
            end = max(end + width, len(lines[-1])) + 2
        click.echo("\n".join(map(str.rstrip, lines)), self.out)


def _place(prediction: FacePrediction) -> str:
    time = prediction.picture.time
    return str(prediction.picture.file) + ("" if time is None else f" {time:.1f} s")


def _face(prediction: FacePrediction) -> str:
    if prediction.status in (ERROR, NO_FACE):
        return NOTHING
    if prediction.box is None:
        return "whole picture"
    left, top, right, bottom = prediction.box
    return f"{prediction.face} of {prediction.faces}: {right - left}×{bottom - top} at {left},{top}"


class Csv(Writer):
    """CSV, on stdout or in a new file."""

    def __init__(self, path: Path | None, overwrite: bool) -> None:
        self._path = path
        self._file: TextIO | None = None
        if path is not None:
            if exists(path) and not overwrite:
                raise UserError(
                    f"{path} is there already, and CSV is not continued",
                    remedy="choose another --output, write .jsonl, which is continued, or add --overwrite",
                )
            try:
                require_replaceable(path)
                self._lock = locked_beside(path)
                self._file = path.open("w", encoding="utf-8", errors="backslashreplace", newline="")
            except OSError as error:
                raise UserError(
                    f"--output {path} cannot be written", found=why(error), remedy="choose another"
                ) from None
        self._headed = False

    def write(self, said: Sequence[FacePrediction]) -> None:
        text = io.StringIO()
        rows = [_csv_row(each) for each in said]
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        if not self._headed:
            writer.writeheader()
            self._headed = True
        writer.writerows({key: csv_cell(value) for key, value in row.items()} for row in rows)
        if self._file is None:
            click.echo(text.getvalue(), self.out, nl=False)
            return
        try:
            self._file.write(text.getvalue())
            self._file.flush()
        except OSError as error:
            raise JobError(f"{self._path} cannot be written", found=why(error), remedy="make room") from None

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._lock.release()


def _csv_row(prediction: FacePrediction) -> dict[str, Any]:
    record: Mapping[str, Any] = prediction.to_json()
    box = record["box"] or ["", "", "", ""]
    names = ("file", "frame", "time", "image_sha256", "face", "faces")
    rest = ("score", "prediction", "status", "reason", "confidence", "seconds")
    return {
        **{name: record[name] for name in names},
        **dict(zip(("left", "top", "right", "bottom"), box, strict=True)),
        **{name: record[name] for name in rest},
        "answers": prediction.words if prediction.answers else "",  # why there are none is the reason
    }


class Kept(Writer):
    """JSON lines in a file, which is continued."""

    def __init__(self, path: Path, identity: Mapping[str, Any], overwrite: bool) -> None:
        self._file = PredictionFile(path, identity, overwrite)
        self.recorded = self._file.recorded

    def write(self, said: Sequence[FacePrediction]) -> None:
        self._file.append([each.to_json() for each in said])

    def close(self) -> None:
        self._file.close()


@dataclass(frozen=True)
class Form:
    """How predictions are written, as ``--format``, ``--output`` and ``--explain-text`` say."""

    format: Format
    path: Path | None
    overwrite: bool
    explain: bool
    out: TextIO

    @classmethod
    def of(cls, format: str | None, output: Path | None, overwrite: bool, explain: bool) -> Form:
        """Return it checked; `UserError` where the options do not go together."""
        ending = output.suffix.lower().removeprefix(".") if output else ""
        chosen = format or (ending if ending == "csv" else "jsonl" if output else "table")
        if output and chosen == "table":
            raise UserError("--format table is for the terminal", remedy="add --format jsonl or csv, or drop --output")
        if output and (is_folder(output) or not ending):
            output = output / f"predictions.{chosen}"
        elif output and ending != chosen:
            raise UserError(
                f"--output {output} does not fit --format {chosen}",
                expected=f"a name that ends in .{chosen}, or a folder",
                remedy="correct one of them",
            )
        if output:
            check_output(output)
        if explain and chosen != "table":
            raise UserError(
                f"--explain-text is for --format table: {chosen} holds every answer and probability",
                remedy="leave it out",
            )
        return cls(cast("Format", chosen), output, overwrite, explain, sys.stdout)

    def open(self, identity: Mapping[str, Any], files: Sequence[Path]) -> Writer:
        """Return the writer; `UserError` where the file cannot be written or continued."""
        writer: Writer
        if self.format == "csv":
            writer = Csv(self.path, self.overwrite)
        elif self.path is not None:
            writer = Kept(self.path, identity, self.overwrite)
        else:
            writer = Lines() if self.format == "jsonl" else Table(files, self.explain)
        writer.out = self.out
        return writer


@dataclass
class Tally:
    """Counts what was said, and names what failed.

    Attributes:
        failed: file -> why it could not be used.
        before: pictures that were recorded earlier.
    """

    failed: dict[str, str] = field(default_factory=dict)
    before: int = 0
    pictures: int = 0
    faces: int = 0
    faceless: int = 0

    def add(self, said: Sequence[FacePrediction]) -> None:
        """Count what is said about a picture."""
        self.pictures += 1
        for each in said:
            if each.status == ERROR:
                self.failed[str(each.picture.file)] = str(each.reason)
            self.faceless += each.status == NO_FACE
            self.faces += each.face > 0

    def finish(self, output: Path | None) -> int:
        """Say what came out, on stderr; return the exit code."""
        said = f"{plural(self.faces, 'face')} in {plural(self.pictures, 'picture')}"
        click.echo(said + (f", {self.before:,} more from earlier" if self.before else ""), err=True)
        if self.faceless:
            click.echo(f"no face found in {plural(self.faceless, 'picture')}: {REMEDY}", err=True)
        for file, reason in self.failed.items():
            click.echo(f"failed: {safe(file)}: {safe(reason)}", err=True)
        if output is not None:
            click.echo(f"written to {safe(output)}", err=True)
        return 1 if self.failed or not (self.faces or self.before) else 0
