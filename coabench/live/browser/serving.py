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
