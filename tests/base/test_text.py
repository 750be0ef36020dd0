"""Text for people."""

from __future__ import annotations

import pytest

from coabench.base.text import common_name, plural


@pytest.mark.parametrize(
    ("names", "common"),
    [
        (["coa"], "coa"),
        (["coa", "coa"], "coa"),
        (["coa-s0", "coa-s1", "coa-s10"], "coa-s*"),
        (["coa-s0", "coa-s10"], "coa-s*"),
        (["cv/fold-1/s0", "cv/fold-2/s0"], "cv/fold-*/s0"),
        (["a-1-long", "a-22-long"], "a-*-long"),
        (["a", "a-1"], "a*"),
        (["a-a", "a-a-a"], "a-a*"),
        (["x", "y"], "*"),
    ],
)
def test_the_common_name_of_several(names: list[str], common: str) -> None:
    assert common_name(names) == common
    assert common_name(names[::-1]) == common


def test_a_count_agrees_with_its_noun() -> None:
    assert [plural(count, "image") for count in (0, 1, 2, 1234)] == ["0 images", "1 image", "2 images", "1,234 images"]
