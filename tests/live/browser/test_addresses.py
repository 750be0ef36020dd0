"""Which addresses a page may let the server open."""

import pytest

from coabench.errors import UserError
from coabench.live.browser.addresses import Addresses

ALLOWED = Addresses(["camera.local", "192.168.0.20:554", "[fe80::1]"])


@pytest.mark.parametrize(
    "address",
    [
        "rtsp://camera.local/stream",
        "RTSP://Camera.Local:8554/stream?channel=1",
        "rtsps://user:p%40ss@camera.local",
        "http://camera.local/video.mjpg",
        "rtsp://192.168.0.20:554/1",
        "rtsp://[fe80::1]:554/1",
    ],
)
def test_hosts_that_were_named_are_opened(address: str) -> None:
    assert ALLOWED.check(f" {address} ") == address


@pytest.mark.parametrize(
    "address",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://localhost:8765/",
        "rtsp://192.168.0.20/1",
        "rtsp://192.168.0.20:80/1",
        "rtsp://camera.local.example/1",
        "rtsp://camera.local@example.com/1",
    ],
)
def test_other_hosts_are_not(address: str) -> None:
    with pytest.raises(UserError, match="does not open addresses of"):
        ALLOWED.check(address)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "camera.local",
        "/etc/passwd",
        "file:///etc/passwd",
        "concat:a.mp4|b.mp4",
        "tcp://camera.local:22",
        "udp://camera.local:1",
        "http://example.com\\@camera.local/",
        "http://example.com@x@camera.local/",
        "http://camera.local/ a",
        "http://camera.local/\nx",
        "http://cam\u00e9ra.local/",
        "http:///camera.local",
        "rtsp://camera.local/" + "x" * 2000,
    ],
)
@pytest.mark.parametrize("hosts", [["camera.local"], ["any"]])
def test_what_is_no_address_of_a_stream_is_refused(hosts: list[str], address: str) -> None:
    with pytest.raises(UserError, match="this is no address of a stream"):
        Addresses(hosts).check(f"{address}")


def test_none_is_opened_unless_somebody_said_so() -> None:
    assert not Addresses([]).allowed
    with pytest.raises(UserError, match="opens no addresses") as refused:
        Addresses([]).check("rtsp://camera.local/1")
    assert "--page-address" in str(refused.value.remedy)
    assert Addresses(["any"]).check("http://10.0.0.1:8080/1") == "http://10.0.0.1:8080/1"


def test_a_refusal_names_no_password() -> None:
    with pytest.raises(UserError) as refused:
        ALLOWED.check("rtsp://admin:hunter22@10.0.0.1/1?key=hunter22")
    assert "hunter22" not in f"{refused.value.problem} {refused.value.found} {refused.value.remedy}"


@pytest.mark.parametrize("host", ["", "http://camera.local", "camera.local/", "a b", "*", "user@host"])
def test_a_host_is_read_before_anything_starts(host: str) -> None:
    with pytest.raises(UserError, match="--page-address"):
        Addresses([host])
