"""A model or an adapter as the user names it: a folder, or an id on the Hugging Face hub."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote
from urllib.request import getproxies

from coabench.base.names import require_utf8
from coabench.base.reading import exists, is_folder, user_path, what_is_at
from coabench.base.text import safe
from coabench.errors import UserError, first_line
from coabench.support.redaction import Redaction, without_credentials

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
    secrets = Redaction(*_passwords())
    try:
        from huggingface_hub import get_token, snapshot_download

        token = get_token()
        _check_token(token)
        secrets = Redaction(token, *_passwords())
        return Path(snapshot_download(name, allow_patterns=list(FILES)))
    except UserError:
        raise
    except Exception as e:  # of many kinds, as the network, the server and the library's settings have it
        raise UserError(
            f"the {what} {name} is no folder, and could not be fetched from the hub",
            found=safe(without_credentials(secrets.text(f"{type(e).__name__}: {first_line(e)}")), 500),
            remedy="check the spelling and the network; for a private repository log in with `hf auth login`",
        ) from None  # it may hold a token or a password


def commit(repository: str, files: Mapping[str, bytes | Path], message: str) -> str:
    """Commit files to a repository of the hub, which is made, and private, where there is none; return the address.

    Raises:
        UserError: where the hub refuses it, or cannot be reached.
    """
    secrets = Redaction(*_passwords())
    try:
        from huggingface_hub import CommitOperationAdd, HfApi, get_token

        token = get_token()
        _check_token(token)
        secrets = Redaction(token, *_passwords())
        hub = HfApi()
        hub.create_repo(repository, private=True, exist_ok=True)
        operations = [CommitOperationAdd(name, content) for name, content in files.items()]
        return str(hub.create_commit(repository, operations, commit_message=message).commit_url)
    except UserError:
        raise
    except Exception as e:  # as above
        raise UserError(
            f"the hub did not take {repository}",
            found=safe(without_credentials(secrets.text(f"{type(e).__name__}: {first_line(e)}")), 500),
            remedy="check OWNER/NAME and the network; log in with `hf auth login`, with a token that may write",
        ) from None  # it may hold a token or a password


def _check_token(token: str | None) -> None:
    if token and not re.fullmatch(r"[!-~]+", token):
        raise UserError(
            "the access token for the hub cannot be sent",
            expected="printable ASCII characters without spaces, in HF_TOKEN or from `hf auth login`",
            remedy="copy it again",
        )


def _passwords() -> list[str]:
    """Return the passwords of the addresses that the hub and the way to it may have, as typed and as sent."""
    addresses = " ".join([os.environ.get("HF_ENDPOINT", ""), *getproxies().values()])
    typed = re.findall(r"://[^/\s?#:]*:([^/\s?#]*)@", addresses)
    return [*typed, *map(unquote, typed)]
