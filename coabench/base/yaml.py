"""Reading a YAML mapping safely, with errors that name the file and the line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from coabench.errors import UserError


def read_yaml(path: Path, what: str) -> dict[str, Any]:
    """Return the mapping in a YAML file.

    Args:
        path: the file.
        what: what the file is, for error messages ("prompt file").

    Raises:
        UserError: the file cannot be read, is no YAML, or holds something else than a mapping.
    """
    import yaml

    try:
        text = path.read_text(encoding="utf-8")
        # libyaml's safe loader where there is one: it reads a shelf of cards ten times as fast. It takes no surrogates,
        # as which bytes that are no UTF-8 stand in the name of a folder; see `coabench.base.names`.
        plain = yaml.SafeLoader if "\\ud" in text.casefold() else getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        data = yaml.load(text, Loader=plain)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise UserError(f"the {what} {path} cannot be read", found=reason, remedy="check the path") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        raise UserError(
            f"the {what} {path} is not valid YAML",
            found=f"{line}{getattr(error, 'problem', None) or error}",
            remedy="correct the file",
        ) from None
    if not isinstance(data, dict):
        raise UserError(f"the {what} {path} holds no fields", expected="a YAML mapping", found=type(data).__name__)
    return data
