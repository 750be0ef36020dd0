"""What is said of an error, in one line."""

import pytest

from coabench.errors import first_line, one_line


@pytest.mark.parametrize(
    ("message", "whole", "first"),
    [
        ("no such file", "no such file", "no such file"),
        ("\n CUDA error:\n\tout of memory \n", "CUDA error: out of memory", "CUDA error:"),
        (" \n ", "ValueError", "ValueError"),
        ("", "ValueError", "ValueError"),
    ],
)
def test_an_error_in_one_line(message: str, whole: str, first: str) -> None:
    assert (one_line(ValueError(message)), first_line(ValueError(message))) == (whole, first)
