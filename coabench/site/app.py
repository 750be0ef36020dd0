"""The ASGI application: addresses, and what stands there. All reading and making is done in threads of its own."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from pathlib import Path
from urllib.parse import unquote_to_bytes

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from coabench.base.worker_thread import WorkerThread
from coabench.site.index import Index
from coabench.site.listing import Item, Listing, list_folder
from coabench.site.pages import NoPage, Pages, problem_page
from coabench.web.access import CONNECTION, AccessCheck
from coabench.web.address import BoundAddress
from coabench.web.connections import Connection
from coabench.web.headers import HEADERS

FRESH = 1.0
"""Seconds for which a look at the folder holds; of a folder that takes long, `SHARE` times as long as the look took."""
SHARE = 5.0
REQUESTS = 64
"""Requests that are answered at once."""
ANSWER = 300.0
"""Seconds that an answer may take, its way to a slow reader included."""


class Site:
    """What is served, and the threads that make it: one for the folder and the first page, one for all others."""

    def __init__(self, root: Path, images: bool = False) -> None:
        self._root = root
        self.title = root.resolve().name or str(root)
        self._index, self._pages = Index(), Pages(self.title, images)
        self._watcher, self._maker = WorkerThread("folder"), WorkerThread("pages")
        self._listing, self._until = Listing(root), 0.0
        self._first = ""

    async def index(self, request: Request) -> Response:
        """Answer with the first page; with 304 where the browser has it."""
        await self._look()
        return _answer(request, self._first)

    async def page(self, request: Request) -> Response:
        """Answer with the page of a run, a training, a stress, or one that lies in the folder."""
        await self._look()
        path = os.fsdecode(unquote_to_bytes(request.scope["raw_path"])).lstrip("/")
        return await self._answer(request, path)

    async def comparison(self, request: Request) -> Response:
        """Answer with the comparison of the runs ``a`` and ``b``, the files of their pages."""
        await self._look()
        names = [request.query_params.get(side, "") for side in "ab"]
        return await self._answer(request, *(f"runs/{name}" for name in names))

    async def nothing(self, request: Request, _: Exception) -> Response:
        """Answer that nothing is there."""
        return self._problem("Not here", ["There is no such page."], 404)

    async def _answer(self, request: Request, *addresses: str) -> Response:
        items = [self._listing.at.get(address) for address in addresses]
        if not all(items):
            return self._problem("Not here", ["This is not, or no longer, in the folder."], 404)
        there: list[Item] = [item for item in items if item]
        try:
            text = await asyncio.wrap_future(self._maker.submit(lambda: self._pages.page(*there)))
        except NoPage as error:
            return self._problem(" and ".join(item.name for item in there), error.lines, 422)
        # What lies in the folder may be anybody's page: it gets no hold of the others.
        foreign = any(item.kind == "pages" for item in there)
        return _answer(request, text, "sandbox allow-scripts; " if foreign else "")

    def _problem(self, heading: str, lines: list[str], status: int) -> Response:
        page = problem_page(heading, lines, ("/", self.title))
        return HTMLResponse(page, status, {**HEADERS, "Cache-Control": "no-store"})

    async def _look(self) -> None:
        """Look at the folder, unless that was done a moment ago."""
        if time.monotonic() >= self._until:
            await asyncio.wrap_future(self._watcher.submit(self._looked))

    def _looked(self) -> None:
        began = time.monotonic()
        if began < self._until:  # another request had it done
            return
        listing = list_folder(self._root)
        self._first, self._listing = self._index.page(listing), listing
        now = time.monotonic()
        self._until = now + max(FRESH, SHARE * (now - began))


def build_app(root: Path, address: BoundAddress, images: bool = False) -> ASGIApp:
    """Return the application of a folder; with *images* its pages show samples, where their data set is here."""
    site = Site(root, images)
    app = Starlette(
        routes=[
            Route("/", site.index, methods=["GET"]),
            Route("/index.html", site.index, methods=["GET"]),
            Route("/compare.html", site.comparison, methods=["GET"]),
            Route("/{kind}/{file}", site.page, methods=["GET"]),
        ],
        exception_handlers={404: site.nothing},
    )
    app.router.redirect_slashes = False
    return AccessCheck(_Bounded(app), address, remember=True)


class _Bounded:
    """Answers so many requests at once, each within its time: longer than who is not let in has."""

    def __init__(self, app: ASGIApp) -> None:
        self._app, self._requests = app, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._requests >= REQUESTS:
            await Response("too many requests at once\n", 503, HEADERS)(scope, receive, send)
            return
        connection: Connection = scope["state"][CONNECTION]
        self._requests += 1
        try:
            with connection.permitted():
                async with asyncio.timeout(ANSWER):
                    await self._app(scope, receive, send)
        finally:
            self._requests -= 1


def _answer(request: Request, text: str, policy: str = "") -> Response:
    content = text.encode("utf-8", "replace")
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {
        **HEADERS,
        "Content-Security-Policy": policy + HEADERS["Content-Security-Policy"],
        "Cache-Control": "no-cache, private",
        "ETag": tag,
    }
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return HTMLResponse(content, headers=headers)
