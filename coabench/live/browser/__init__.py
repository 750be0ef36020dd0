"""The browser mode: the camera of a browser, the model of this machine.

    coabench webcam --serve 127.0.0.1:8765

How the webcam job calls it (`Serving` holds what the options say; see `coabench.live.job`)::

    place = prepare(serving)               # UserError before any weights are loaded; the port is taken from here on
    ...                                    # the detector, the asker and its weights, the log
    probe = Probe(detector, asker, settings)
    probe.listen(log)
    serve(place, probe, asker, note, probe.close, keeps=["the answers, without pictures"])  # until KeyboardInterrupt

Read in this order: `place` (the address, and who may come in), `gate` (asks everybody at the door), `app` (the page and
the socket), `viewer` (one browser), `room` (what all viewers share), `frames` and `messages` (what travels), `server`.
"""

from __future__ import annotations

from coabench.live.browser.address import Place, Serving, prepare
from coabench.live.browser.server import serve
from coabench.live.browser.source import Browser

__all__ = ["Browser", "Place", "Serving", "prepare", "serve"]
