"""A model or an adapter as the user names it: a folder, or an id on the Hugging Face hub."""

from __future__ import annotations

import re
from pathlib import Path

from coabench.base.names import require_utf8
from coabench.base.reading import exists, is_folder, user_path, what_is_at
from coabench.errors import UserError, first_line

FILES = ("*.json", "*.jinja", "*.txt", "*.model", "*.safetensors", "adapter_model.bin", "non_lora_state_dict.bin")
"""What is fetched of a repository."""


def folder_of(name: str, what: str) -> Path:
    """Return the folder that the user means; a hub id (``owner/name``) is fetched, or found in the hub's cache.

    Args:
        name: a folder, or a hub id.
        what: ``model`` or ``adapter``, for error messages.

    Raises:
        UserError: where it is neither, or cannot be fetched.
    """
    path = user_path(name)
    if is_folder(path):
        return require_utf8(path, f"the {what}")
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*/[\w.-]+", name) or exists(path):
        raise UserError(
            f"the {what} {name} is no folder",
            expected="a folder that exists, or a hub id of the form owner/name",
            found=what_is_at(path),
            remedy="check the path for typing errors",
        )
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, allow_patterns=list(FILES)))
    except (OSError, HfHubHTTPError, HFValidationError, LocalEntryNotFoundError) as e:
        raise UserError(
            f"the {what} {name} is no folder, and could not be fetched from the hub",
            found=first_line(e),
            remedy="check the spelling and the network; for a private repository log in with `hf auth login`",
        ) from e
