"""An adapter on the hub: its weights, its config, its card, and what of its training's record is for others."""

from __future__ import annotations

import json
from pathlib import Path

from coabench.base.json import read_json
from coabench.base.reading import exists
from coabench.runs.adapter import MANIFEST
from coabench.support.adapter_folder import CONFIG, AdapterFolder
from coabench.support.hub import commit
from coabench.support.published import OTHERS

KEPT_BACK = ("learnt", "learnt_earlier", "sessions", "notes")
"""Fields of the record that name images of data sets whose terms apply, and this machine."""


def push(adapter: Path, repository: str, card: str) -> str:
    """Commit an adapter and its card to a repository of the hub, which is made, and private, where there is none.

    Returns:
        The address of the commit.

    Raises:
        UserError: there is no adapter; the hub refuses it, or cannot be reached.
    """
    files: dict[str, bytes | Path] = {"README.md": card.encode()}
    weights = AdapterFolder.read(adapter).tensors.path
    for path in (weights, adapter / CONFIG, adapter / OTHERS):
        if exists(path):
            files[path.name] = path
    if exists(adapter / MANIFEST):
        record = {name: value for name, value in read_json(adapter / MANIFEST).items() if name not in KEPT_BACK}
        files[MANIFEST] = (json.dumps(record, indent=2) + "\n").encode()
    return commit(repository, files, "An adapter, trained with coabench")
