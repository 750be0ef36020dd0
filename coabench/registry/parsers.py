"""From the name of a parser to the parser, what it returns checked."""

from __future__ import annotations

from typing import Any

from coabench.base.resources import out_of_memory
from coabench.errors import CoabenchError, JobError, UserError, with_type
from coabench.parser import Parsed, Response
from coabench.registry.built_in import OWN
from coabench.registry.loader import get_plugins
from coabench.registry.registrations import Registration


class RegisteredParser:
    """A parser as it was registered; a `coabench.parser.Parser` itself.

    Attributes:
        name: what the user types.
        origin: the plugin that brought it, and its version; None for a built-in one, which `VERSION` of
            `coabench.inference.parsing` identifies.
    """

    def __init__(self, registration: Registration) -> None:
        self.name, self.plugin = registration.name, registration.plugin
        own = registration.plugin == OWN
        self.origin = None if own else (registration.plugin, registration.version)
        self._read: Any = registration.load()
        if not callable(self._read):
            raise UserError(
                f"the parser {self.name!r} of plugin {self.plugin!r} cannot be called",
                found=repr(self._read),
                remedy=f"report it to the author of {self.plugin!r}, or choose another parser",
            )

    def __call__(self, response: Response) -> Parsed:
        """Read a response.

        Raises:
            JobError: the parser fails, or returns what is none of the labels.
        """
        try:
            parsed = self._read(response)
        except Exception as error:
            if isinstance(error, CoabenchError) or out_of_memory(error):
                raise
            raise self._failed(response, "fails", with_type(error)) from error
        if not isinstance(parsed, tuple) or len(parsed) != 2:
            raise self._failed(response, "returns no coabench.parser.Parsed", repr(parsed)[:200])
        label, match = parsed
        if label is None:
            return Parsed(None, None)
        if (
            not isinstance(label, str)
            or label not in response.spellings.values()
            or not isinstance(match, str)
            or not match
        ):
            raise self._failed(response, "returns what is no label, or names no rule", repr(parsed)[:200])
        return Parsed(label, match)

    def _failed(self, response: Response, problem: str, found: str) -> JobError:
        return JobError(
            f"the parser {self.name!r} of plugin {self.plugin!r} {problem} for the response {response.text[:80]!r}",
            expected=f"one of {', '.join(dict.fromkeys(response.spellings.values()))} with the name of a rule, or none",
            found=found,
            remedy=f"report it to the author of {self.plugin!r}, or choose another parser",
        )


def find_parser(name: str) -> RegisteredParser:
    """Return the parser of a name; `UserError` where there is none, or it cannot be imported."""
    return RegisteredParser(get_plugins().parsers.find(name))
