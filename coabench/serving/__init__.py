"""The browser mode: the camera of a browser, the model of this machine.

    coabench webcam --serve 127.0.0.1:8765

How the webcam job calls it (`Serving` holds what the options say; see `coabench.webcam`)::

    place = prepare(serving)               # UserError before any weights are loaded; the port is taken from here on
    ...                                    # the detector, the asker and its weights, the log
    probe = Probe(detector, asker, settings)
    probe.listen(log)
    serve(place, probe, asker, note, probe.close, keeps=["the answers, without pictures"])  # until KeyboardInterrupt

Read in this order: `place` (the address, and who may come in), `gate` (asks everybody at the door), `app` (the page and
the socket), `viewer` (one browser), `room` (what all viewers share), `frames` and `messages` (what travels), `server`.
"""

from __future__ import annotations

from coabench.serving.browser import Browser
from coabench.serving.place import Place, Serving, prepare
from coabench.serving.server import serve

__all__ = ["Browser", "Place", "Serving", "prepare", "serve"]
