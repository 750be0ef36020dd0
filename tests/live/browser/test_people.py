"""Names for faces, and faces that are merged."""

import pytest

from coabench.errors import UserError
from coabench.live.browser import people
from coabench.live.browser.people import People


@pytest.fixture
def three() -> People:
    met = People()
    for track in (1, 2, 3):
        met.meet(track)
    return met


def test_a_face_gets_a_name_and_loses_it(three: People) -> None:
    assert three.name(three.find("2"), "  Ann ") == "face 2 is called Ann"
    assert three.names == {2: "Ann"}
    assert three.name(2, " ") == "face 2 has no name"
    assert three.names == {}
    with pytest.raises(UserError, match="too long"):
        three.name(2, "a" * 41)


@pytest.mark.parametrize("track", ["4", "0", "-1", "one", "", "²", "9" * 30])
def test_only_faces_that_were_met_have_names(three: People, track: str) -> None:
    with pytest.raises(UserError, match="no such face"):
        three.find(track)


def test_a_face_that_comes_back_is_merged_into_the_earlier_one(three: People) -> None:
    three.name(1, "Ann")
    three.name(3, "Bob")
    for track, into in ((3, 3), (3, 2), (1, 2)):
        with pytest.raises(UserError, match="not one face"):
            three.merge(track, into, {2, 3})
    assert three.merge(2, 1, {2, 3}) == "face 2 is face 1 from here on"
    assert three.names == {1: "Ann", 3: "Bob"}
    with pytest.raises(UserError, match="no such face"):
        three.find("2")
    three.merge(3, 1, {3})
    assert three.names == {1: "Ann"}  # the earlier one keeps its name


def test_nothing_grows_and_nothing_outlasts_the_seat(three: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "KEPT", 3)
    three.name(1, "Ann")
    three.meet(4)
    assert three.names == {}
    three.name(4, "Eve")
    three.forget()
    assert three.names == {}
    with pytest.raises(UserError):
        three.find("4")
