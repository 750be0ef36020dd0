"""The browser mode: the camera of a browser, the model of this machine.

    coabench webcam --serve 127.0.0.1:8765

How the webcam job calls it (`Serving` holds what the options say; see `coabench.live.job`)::

    address = prepare(serving)             # UserError before any weights are loaded; the port is taken from here on
    ...                                    # the detector, the asker and its weights, the log
    probe = Probe(detector, asker, settings)
    probe.listen(log)
    serve(address, probe, equipment, note, probe.close, keeps=["the answers, without pictures"])

Read in this order: `coabench.web` (where it is served, and who may come in), `app` (the page and the socket), `viewer`
(one browser), `session` (what all viewers share), `player` (a film or an address in place of the camera), `frames`,
`pictures` and `messages` (what travels), `server`.
"""

from __future__ import annotations

from coabench.live.browser.server import serve
from coabench.live.browser.serving import Permissions, Serving
from coabench.live.browser.source import Browser
from coabench.web.address import BoundAddress, prepare

__all__ = ["BoundAddress", "Browser", "Permissions", "Serving", "prepare", "serve"]
