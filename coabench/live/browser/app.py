"""The ASGI application: the page, and the socket behind it."""

from __future__ import annotations

from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp
from starlette.websockets import WebSocket, WebSocketDisconnect

from coabench.live.browser.session import SharedSession
from coabench.live.browser.viewer import Viewer
from coabench.live.overlay.colours import for_page
from coabench.render.page import render_page
from coabench.web import headers
from coabench.web.access import CONNECTION, AccessCheck
from coabench.web.connections import Connection

HEADERS = {
    **headers.HEADERS,
    "Cache-Control": "no-store",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
}
FULL = 1013


def build_app(session: SharedSession) -> ASGIApp:
    """Return the application: ``/`` is the page, ``/live`` the socket."""
    template = Path(__file__).with_name("live.html")
    page = render_page(
        template,
        styles=["live.css"],
        scripts=["overlay.js", "gauges.js", "beside.js", "controls.js", "people.js", "sources.js", "live.js"],
        allow=["connect-src 'self'"],
        colours=for_page(),
    )

    async def show(request: Request) -> Response:
        return HTMLResponse(page, headers=HEADERS)

    async def live(socket: WebSocket) -> None:
        connection: Connection = socket.scope["state"][CONNECTION]
        await socket.accept()
        if not session.places.enter(connection.network):
            await socket.close(FULL, "too many browsers are connected")
            return
        try:
            await Viewer(socket, session).attend()
        except WebSocketDisconnect:
            return
        except Exception as error:
            if session.ended is None:
                session.note(f"the connection to a browser failed: {type(error).__name__}: {error}")
            raise
        finally:
            session.places.exit(connection.network)

    app = Starlette(routes=[Route("/", show, methods=["GET"]), WebSocketRoute("/live", live)])
    return AccessCheck(app, session.address)
