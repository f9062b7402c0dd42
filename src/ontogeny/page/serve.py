"""The page over a small server, live while a run trains.

It answers with the built page and the bundle, both from memory, so no path of the disk can be
asked for. It listens on loopback unless told otherwise; elsewhere it asks for a random key.
Requests that name a foreign host or come from a foreign page are refused. May import starlette,
uvicorn, ontogeny.page; ontogeny.pictures and construction only for what needs the network, when
asked for.
"""

import asyncio
import io
import json
import secrets
import socket
from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property
from http import HTTPStatus
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import uvicorn
from PIL import Image
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from ontogeny.errors import OntogenyError, RunError
from ontogeny.extras import require
from ontogeny.page.address import LOOPBACK, address, is_address, is_loopback, listen
from ontogeny.page.assets import asset
from ontogeny.page.live import Live
from ontogeny.run import BEGINNING, RunFolder

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
COOKIE = "ontogeny_key"
NOTHING_YET = json.dumps({"run": {"name": "", "state": BEGINNING}, "is_live": True})
"""The manifest of a run that has not begun."""
_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".jpg": "image/jpeg"}


class Questions:
    """Answers what needs the network, which only a machine with torch can."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def answer(self, what: str, given: Mapping[str, str]) -> Response:
        """Answer `map`, `without` and `picture` (its graph) as JSON, `preferred` as a picture."""
        try:
            step = int(given["step"])
            if what == "picture":
                return JSONResponse(self.graph(step, int(given["exemplar"])))
            unit = given["unit"]
            if what == "map":
                values = self.network.activation_map(step, unit, int(given["exemplar"]))
                return JSONResponse({"values": values.tolist()})
            if what == "preferred":
                return _picture(self.network.preferred_image(step, unit))
            if what == "without":
                return JSONResponse(self.network.without(step, unit))
        except OntogenyError as error:
            return _refusal(HTTPStatus.BAD_REQUEST, str(error))
        except (KeyError, ValueError) as error:
            return _refusal(HTTPStatus.BAD_REQUEST, f"give step, unit and exemplar: {error!r}")
        return _refusal(HTTPStatus.NOT_FOUND, "ask for map, preferred, without or picture")

    def graph(self, step: int, exemplar: int) -> dict[str, Any]:
        """Return the strongest units in the exact graph of one exemplar."""
        network = self.network  # it says what is missing where torch is
        answers = import_module("ontogeny.construction.answers")
        return answers.picture_answer(network, step, exemplar)

    @cached_property
    def network(self) -> Any:
        """What answers questions about the network; it needs torch, which the page does not."""
        if self._live.run is None:
            msg = "expected a run, got none yet: ask again when the training has begun"
            raise RunError(msg)
        require("what is asked of the network", ["train"])
        return import_module("ontogeny.pictures.asked").Asked(self._live.run)


def application(
    live: Live | RunFolder,
    *,
    beside: RunFolder | None = None,
    key: str | None = None,
    hosts: tuple[str, ...] = (),
) -> Starlette:
    """Return the server of one run.

    Parameters
    ----------
    live
        The run's folder, or what follows it while it grows.
    beside
        The folder of another run that it is compared with; None: no other.
    key
        Asked for in the URL (`?key=...`) of every request; None: not asked for.
    hosts
        Names by which the server may be called, besides those of loopback.
    """
    live = live if isinstance(live, Live) else Live(live, beside=beside)
    questions = Questions(live)

    async def manifest(_: Request) -> Response:
        made = await live.bundle()
        text = NOTHING_YET if made is None else made.text(is_live=live.is_working)
        return Response(text, media_type="application/json")

    async def blob(request: Request) -> Response:
        name = request.path_params["name"]
        data = await live.blob(name, request.query_params.get("hash"))
        if data is None:
            return _refusal(HTTPStatus.NOT_FOUND, f"no blob {name!r} in this run as it is now")
        return Response(data, media_type=_TYPES.get(Path(name).suffix, "application/octet-stream"))

    async def events(_: Request) -> Response:
        return StreamingResponse(live.events(), media_type="text/event-stream")

    async def asked(request: Request) -> Response:
        return await asyncio.to_thread(
            questions.answer, request.path_params["what"], request.query_params
        )

    async def static(request: Request) -> Response:
        name = request.path_params.get("name") or "index.html"
        kind = _TYPES.get(Path(name).suffix)
        if kind is None or ".." in Path(name).parts:
            return _refusal(HTTPStatus.NOT_FOUND, "no such file of the page")
        return Response(await asyncio.to_thread(asset, name), media_type=kind)

    routes = [
        Route("/data/manifest.json", manifest), Route("/data/{name:path}", blob),
        Route("/events", events), Route("/ask/{what}", asked),
        Route("/", static), Route("/{name:path}", static),
    ]  # fmt: skip
    guard = Middleware(BaseHTTPMiddleware, dispatch=_guard(key, {*hosts, "localhost"}))
    return Starlette(routes=routes, middleware=[guard], exception_handlers={OntogenyError: _told})


Next = Callable[[Request], Awaitable[Response]]


def _guard(key: str | None, hosts: set[str]) -> Callable[[Request, Next], Awaitable[Response]]:
    """Return what looks at every request before it is answered."""

    async def look(request: Request, answer: Next) -> Response:
        # a page elsewhere can have its own name resolve to this machine: the name is
        # checked, not the address
        host = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
        is_known = host in hosts or (is_address(host) if key else is_loopback(host))
        if not is_known:
            return _refusal(HTTPStatus.FORBIDDEN, f"this server is not called {host!r}")
        origin = request.headers.get("origin")
        # browsers send it with requests of scripts from other pages, which have no business here
        if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
            return _refusal(HTTPStatus.FORBIDDEN, "requests of other pages are refused")
        given = request.query_params.get("key") or request.cookies.get(COOKIE, "")
        # in constant time, so that answers do not tell how much of a guess was right
        if key is not None and not secrets.compare_digest(given.encode(), key.encode()):
            return _refusal(HTTPStatus.FORBIDDEN, "open the address that ontogeny view printed")
        if request.method not in {"GET", "HEAD"}:
            return _refusal(HTTPStatus.METHOD_NOT_ALLOWED, "this server only shows")
        response = await answer(request)
        response.headers.update({
            "Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
        })  # fmt: skip
        if key is not None:  # the page's script and style are asked for without it
            response.set_cookie(COOKIE, key, httponly=True, samesite="strict")
        return response

    return look


def _picture(pixels: np.ndarray) -> Response:
    """Return a picture as PNG; nothing where the unit has none."""
    if pixels.size == 0:
        return Response(status_code=HTTPStatus.NO_CONTENT)
    file = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(file, "PNG")
    return Response(file.getvalue(), media_type="image/png")


def _refusal(status: HTTPStatus, words: str) -> Response:
    return PlainTextResponse(f"{words}\n", status_code=status)


async def _told(_: Request, error: Exception) -> Response:
    return _refusal(HTTPStatus.CONFLICT, str(error))


def view(
    run: RunFolder,
    *,
    beside: RunFolder | None = None,
    host: str = LOOPBACK,
    port: int | None = None,
    ready: Callable[[str], object],
) -> None:
    """Serve the page of a run until it is interrupted.

    Parameters
    ----------
    run
        The run's folder; it may be in training.
    beside
        The folder of another run that it is compared with; None: no other.
    host, port
        Where to listen; port 0: a free one; None: the usual one, or a free one if it is taken.
    ready
        Called with the address to open, once the server listens.

    Raises
    ------
    RunError
        If the page was not built, or nothing can listen there.
    """
    asset("index.html")
    with listen(host, port) as listener:
        url, key = address(host, listener.getsockname()[1])
        app = application(run, beside=beside, key=key, hosts=(host, socket.gethostname()))
        ready(url)
        server(app).run(sockets=[listener])


def server(app: Starlette) -> uvicorn.Server:
    """Return a quiet server, which does not wait for pages that follow a run."""
    return uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
