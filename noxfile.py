"""The two commands of the README where there is no make, as on Windows: ``nox -s demo`` and ``nox -s test``.

Each sets itself up in an environment of its own; the Makefile is what CI runs.
"""

import nox

INSTALL = ("--no-compile", "--constraint", "constraints.txt", "--editable")

nox.options.sessions = ["demo"]


@nox.session
def demo(session: nox.Session) -> None:
    """Evaluate three strategies on the model and the faces that ship, and write a report."""
    session.install(*INSTALL, ".[tested]")
    session.run("python", "examples/demo.py")


@nox.session
def test(session: nox.Session) -> None:
    """Run all checks, or those that are named: ``nox -s test -- tests/metrics``."""
    session.install(*INSTALL, ".[dev,docs,serve,synthface,tested]")
    for command in ("ruff check .", "ruff format --check .", "mypy", "lint-imports --no-logo"):
        session.run(*command.split())
    session.run("python", "-m", "pytest", "-n", "2", "--dist", "loadfile", "--no-loadscope-reorder", *session.posargs)
