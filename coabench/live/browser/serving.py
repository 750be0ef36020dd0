"""What the command line says about serving the live page."""

from __future__ import annotations

from dataclasses import dataclass

from coabench.web.address import Serving as _Serving


@dataclass(frozen=True)
class Serving(_Serving):
    """See `coabench.web.address.Serving`."""

    option = "--serve"
    guide = "docs/guides/webcam-browser.md"
    unencrypted = "without TLS a browser gives its camera to localhost only, and pictures travel in the clear"


@dataclass(frozen=True)
class Permissions:
    """What a viewer may do beside looking through a camera and choosing from lists.

    Attributes:
        prompts: ask in words of their own.
        films: send a film, which is looked at and deleted.
        addresses: let this machine open an address of these hosts; see `coabench.live.browser.addresses`.
    """

    prompts: bool = True
    films: bool = True
    addresses: tuple[str, ...] = ()


USUAL = Permissions()
"""What a viewer may do unless the command line says otherwise."""
