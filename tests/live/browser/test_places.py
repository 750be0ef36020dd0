"""How many viewers may be connected."""

from coabench.live.browser.places import Places


def test_places_are_limited_for_each_network_and_in_all() -> None:
    places = Places()
    networks = [f"192.0.2.{number}" for number in range(4)]
    for network in networks:
        assert [places.enter(network) for _ in range(9)] == [True] * 8 + [False]
    assert not places.enter("192.0.2.9")
    places.exit(networks[0])
    assert places.enter("192.0.2.9")
    assert not places.enter(networks[0])
