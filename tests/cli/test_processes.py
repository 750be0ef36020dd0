"""Of the processes of a job, the first alone talks to the user; all end with the same exit code."""

import pytest

from coabench.cli.processes import first_process
from coabench.errors import CoabenchError, JobError, UserError


@pytest.mark.parametrize("error", [UserError("no"), JobError("no"), KeyboardInterrupt()])
def test_the_others_end_silently(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException
) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(SystemExit) as end, first_process("it continues"):
        raise error
    assert end.value.code == (error.exit_code if isinstance(error, CoabenchError) else 130)
    assert capsys.readouterr() == ("", "")


def test_the_first_says_what_went_wrong_and_how_it_continues(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError), first_process("it continues"):
        raise UserError("no")
    with pytest.raises(SystemExit) as end, first_process("it continues"):
        raise KeyboardInterrupt
    assert end.value.code == 130
    assert capsys.readouterr().err == "\ninterrupted: it continues\n"
