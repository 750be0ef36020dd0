"""What a name may stand for that is no file: made in a folder, by kind, each with the words that refuse it."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from coabench.base.reading import user_path

posix = pytest.mark.skipif(os.name != "posix", reason="the system has no such files")


def _pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def _socket(path: Path) -> Path:
    short = Path(os.path.relpath(path))  # a socket's name has a hundred bytes at most
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(min(path, short, key=lambda each: len(str(each)))))
    return path


def _link(to: str) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        path.symlink_to(to or path.name)
        return path

    return make


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def _below_a_file(path: Path) -> Path:
    path.write_text("")
    return path / path.name


SPECIAL: dict[str, tuple[Callable[[Path], Path], str]] = {
    "pipe": (_pipe, "a pipe, not a file"),
    "device": (_link("/dev/zero"), "a device, not a file"),
    "socket": (_socket, "a socket, not a file"),
    "folder": (_folder, "a folder, not a file"),
    "link to itself": (_link(""), "Too many levels of symbolic links"),
    "link to nowhere": (_link("nowhere"), "No such file or directory"),
    "long name": (lambda path: path.with_name("n" * 300 + path.suffix), "File name too long"),
    "below a file": (_below_a_file, "Not a directory"),
    "no such home": (lambda path: user_path(f"~nobody-of-that-name/{path.name}"), "No such file or directory"),
    "missing": (lambda path: path, "No such file or directory"),
}
"""Kind -> what makes it at a path and returns its name, and the system's words or ours."""
