"""What was read off files that have not changed since: a leaderboard of a thousand runs need not read them again.

The cache lies in the user's cache folder, never among the runs, and can be deleted at any time. An entry holds as long
as the files behind it keep their size, their times of change and their inode.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from coabench.base.files import replacing
from coabench.base.json import read_json
from coabench.base.names import to_hash

Stamp = list[list[int] | None]


def folder() -> Path:
    """Return the cache folder: ``COABENCH_CACHE``, or the system's folder for caches."""
    if folder := os.environ.get("COABENCH_CACHE"):
        return Path(folder)
    if sys.platform == "win32" and (local := os.environ.get("LOCALAPPDATA")):
        return Path(local) / "coabench" / "cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "coabench"


def stamp(files: Sequence[Path]) -> Stamp:
    """Return the state of *files*, by which a change is seen; None for one that is not there."""
    return [_stamp(file) for file in files]


def _stamp(file: Path) -> list[int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def recall(key: str, stamp: Stamp) -> Any:
    """Return what was remembered under *key* with this stamp, or None."""
    try:
        entry = read_json(_file(key))
        return entry["data"] if entry["key"] == key and entry["stamp"] == stamp else None
    except (OSError, ValueError, LookupError, TypeError):
        return None


def remember(key: str, stamp: Stamp, data: Any) -> None:
    """Keep JSON-serialisable *data*. Where the folder cannot be written, the next time is as slow as this one."""
    file = _file(key)
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as beside:  # without fsync: a torn entry is no entry
            beside.write_text(json.dumps({"key": key, "stamp": stamp, "data": data}), encoding="utf-8")


def _file(key: str) -> Path:
    return folder() / f"{hashlib.sha256(to_hash(key)).hexdigest()[:32]}.json"
