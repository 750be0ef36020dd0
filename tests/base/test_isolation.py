"""Functions in processes of their own: what they return, and how it is said that they did not."""

from collections.abc import Callable

import pytest
from support.odd_ends import babble, crash, double, fail, hang, leave

from coabench.base.isolation import ProcessFailed, call_in_process

pytestmark = pytest.mark.process


def test_what_a_function_returns_comes_back() -> None:
    assert call_in_process(double, 21) == 42


@pytest.mark.parametrize(
    ("function", "patience", "message"),
    [
        (crash, None, r"its process crashed \(Segmentation fault\) after: loading the library"),
        (hang, 2.0, "no answer within 2 s after: opening the device"),
        (fail, None, "ValueError: no luck"),
        (babble, None, "its process wrote something else at the end: and goodbye"),
        (leave, None, "its process ended with exit code 0"),
    ],
)
def test_what_does_not_return_is_an_error(function: Callable[[], None], patience: float | None, message: str) -> None:
    with pytest.raises(ProcessFailed, match=message):
        call_in_process(function, patience=patience)
