"""The errors of the bench: what is wrong, what was expected, what was found, what to do."""

from __future__ import annotations


class CoabenchError(Exception):
    """A problem in words: what is wrong, what was expected, what was found, what to do.

    Args:
        problem: one sentence, without a full stop at the end needed.
        expected: what would have been right.
        found: what was there instead.
        remedy: what the user can do about it.
    """

    exit_code = 1

    def __init__(
        self,
        problem: str,
        *,
        expected: str | None = None,
        found: str | None = None,
        remedy: str | None = None,
    ) -> None:
        self.problem = problem
        self.expected = expected
        self.found = found
        self.remedy = remedy
        rows = [("expected", expected), ("found", found), ("what to do", remedy)]
        super().__init__("\n".join([problem, *(f"  {name}: {text}" for name, text in rows if text)]))


class UserError(CoabenchError):
    """Wrong usage or bad input. Nothing was computed and nothing was written (exit code 2)."""

    exit_code = 2


class JobError(CoabenchError):
    """The job was started and could not be finished (exit code 1). What is on disk stays valid."""


class OutOfMemory(JobError):
    """The device has too little memory for what it was asked to do at a time; less at a time may fit."""


class SampleError(CoabenchError):
    """One sample cannot be used; the run records it with status ``error`` and continues."""


def one_line(error: BaseException | str) -> str:
    """Return the whole message of an error on one line; the name of its class where it has none."""
    return " ".join(str(error).split()) or type(error).__name__


def with_type(error: BaseException) -> str:
    """Return the class of an error and its whole message on one line."""
    kind, text = type(error).__name__, one_line(error)
    return kind if text == kind else f"{kind}: {text}"


def first_line(error: BaseException | str) -> str:
    """Return the first line of an error's message that is not blank; the name of its class where there is none."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def did_you_mean(name: str, known: list[str] | tuple[str, ...]) -> str:
    """Return ``"did you mean 'x'? "`` for the closest known name, else the empty string."""
    from difflib import get_close_matches

    folded = {k.casefold(): k for k in known}
    close = get_close_matches(name.casefold(), list(folded), n=1, cutoff=0.6)
    return f"did you mean '{folded[close[0]]}'? " if close else ""
