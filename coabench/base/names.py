"""Names of files as text, whatever bytes they hold and whatever the locale.

A name is bytes; as text it is these read as UTF-8, each byte that is no UTF-8 as a lone surrogate (PEP 383, Python's
own rule, so that the text opens the file again). A lone surrogate is no character: in the files of the bench, and on
streams that cannot show it, stands its escape, ``\\udce9`` for the byte E9. JSON reads that back as what it was.
"""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

from coabench.errors import UserError

UNWRITABLE = "backslashreplace"
"""The error handler for what a file or a stream cannot hold."""


def to_file(text: str) -> bytes:
    """Return a text as a file holds it, in UTF-8, with escapes for lone surrogates."""
    return text.encode("utf-8", UNWRITABLE)


def to_hash(text: str) -> bytes:
    """Return a text as it is hashed: in UTF-8, every text as other bytes, lone surrogates too."""
    return text.encode("utf-8", "surrogatepass")


def require_utf8(path: Path, what: str) -> Path:
    """Return a path that libraries in other languages can open: safetensors, OpenCV (which would crash), torch.

    Args:
        what: what the user named it as: ``--output``, ``the model``.

    Raises:
        UserError: its name is no UTF-8.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise UserError(
            f"{what} {path}: its name is no UTF-8",
            expected="a name in UTF-8, for the library that opens it takes no other",
            remedy="rename it, or choose another",
        ) from None
    return path


def use_utf8() -> None:
    """Start the program of this process anew in Python's UTF-8 mode, where names of files are read in another encoding.

    In the C locale, say. Otherwise a name with an accent would be another text there, hence another sample, and could
    not be opened by what a card or a log calls it. Streams keep their encoding; the processes started from here are in
    UTF-8 mode too. Windows and Python from 3.15 on know no other encoding of names.
    """
    if sys.getfilesystemencoding().lower() == "utf-8" or os.environ.get("PYTHONUTF8") == "1":
        return  # the latter with an option of Python's own against it, -X utf8=0 or -E
    os.environ["PYTHONUTF8"] = "1"
    os.environ.setdefault("PYTHONIOENCODING", sys.stdout.encoding if sys.stdout else "utf-8")
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def never_fail_to_print() -> None:
    """Let stdout and stderr print escapes of characters that their encoding does not have, instead of raising."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=UNWRITABLE)
