"""Command lines of the benchmarks: what cannot be measured is refused in words, before anything is computed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from coabench.errors import CoabenchError, UserError


def parser_of(doc: str | None) -> argparse.ArgumentParser:
    """Return a parser that shows the docstring of a script as its help."""
    return argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add ``--json FILE``."""
    parser.add_argument("--json", type=new_file, metavar="FILE", help="also write the figures to this file")


def whole_number(least: int = 1, most: int | None = None) -> Callable[[str], int]:
    """Return what reads a whole number within bounds."""
    return _number(int, "whole number", least, most)


def any_number(least: float = 0.0, most: float | None = None) -> Callable[[str], float]:
    """Return what reads a number within bounds."""
    return _number(float, "number", least, most)


def _number(kind: Callable[[str], Any], name: str, least: float, most: float | None) -> Callable[[str], Any]:
    expected = f"a {name}, {least:g} or more" if most is None else f"a {name} from {least:g} to {most:g}"

    def read(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is no {name} (expected {expected})") from None
        if not least <= value <= (float("inf") if most is None else most):  # NaN, too
            raise argparse.ArgumentTypeError(f"{text} cannot be measured (expected {expected})")
        return value

    return read


def new_file(text: str) -> Path:
    """Read the path of a file to write: its folder is there, and it is no folder itself."""
    path = Path(text)
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"the folder {path.parent} does not exist")
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"{path} is a folder (expected a file to write)")
    return path


def existing_folder(text: str) -> Path:
    """Read the path of a folder that is there."""
    path = Path(text)
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {path}")
    return path


def usable_device(text: str) -> str:
    """Read a device that can be used here: ``cpu``, ``cuda``, ``cuda:1``."""
    from coabench.support.placement import device_of

    try:
        return str(device_of(text))
    except UserError as error:
        raise argparse.ArgumentTypeError(f"{error.problem} (expected {error.expected}): {error.found}") from None


def run_benchmark(main: Callable[[], None]) -> None:
    """Run a benchmark. A mistake of the user, and a package that is missing, end it in words (exit code 2 or 1)."""
    try:
        main()
    except CoabenchError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except ModuleNotFoundError as error:
        print(f"error: the package {error.name} is missing, which this benchmark needs", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
