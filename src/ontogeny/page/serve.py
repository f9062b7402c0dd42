"""The page over a small server, live while a run trains.

It answers with the built page and the bundle, both from memory, so no path of the disk can be
asked for. It listens on loopback unless told otherwise; elsewhere it asks for a random key.
Requests that name a foreign host or come from a foreign page are refused. May import starlette,
uvicorn, ontogeny.page; ontogeny.features only for what needs the network, when asked for.
"""

import asyncio
import io
import json
import math
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from importlib import import_module
from ipaddress import ip_address
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
from ontogeny.page.bundle import Bundle, bundle_run
from ontogeny.page.export import asset
from ontogeny.run import RunFolder

PAUSE = 1.0
"""Seconds between two looks at a run that grows."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
COOKIE = "ontogeny_key"
_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".jpg": "image/jpeg"}


@dataclass
class Live:
    """A run's bundle, made anew when the run has grown."""

    run: RunFolder
    beside: RunFolder | None = None
    _made: tuple[object, Bundle] | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def stamp(self) -> object:
        """Return what changes when there is something new to show."""
        runs = [run for run in (self.run, self.beside) if run is not None]
        files = sorted(file for run in runs for file in run.path.glob("*.zarr/zarr.json"))
        return (
            tuple(run.state for run in runs),
            tuple((str(file), file.stat().st_mtime_ns) for file in files),
        )

    async def bundle(self) -> Bundle:
        """Return the bundle of the run as it is."""
        async with self._lock:
            stamp = self.stamp()
            if self._made is None or self._made[0] != stamp:
                made = await asyncio.to_thread(bundle_run, self.run, beside=self.beside)
                self._made = (stamp, made)
            return self._made[1]

    def answer(self, what: str, given: Mapping[str, str]) -> Response:
        """Answer what needs the network: `map` as JSON, `preferred` as a picture."""
        try:
            step, unit = int(given["step"]), given["unit"]
            if what == "map":
                values = self.network.activation_map(step, unit, int(given["exemplar"]))
                return JSONResponse({"values": values.tolist()})
            if what == "preferred":
                return _picture(self.network.preferred_image(step, unit))
        except OntogenyError as error:
            return _refusal(HTTPStatus.BAD_REQUEST, str(error))
        except (KeyError, ValueError) as error:
            return _refusal(HTTPStatus.BAD_REQUEST, f"give step, unit and exemplar: {error!r}")
        return _refusal(HTTPStatus.NOT_FOUND, "ask for map or preferred")

    @cached_property
    def network(self) -> Any:
        """What answers questions about the network; it needs torch, which the page does not."""
        return import_module("ontogeny.features.asked").Asked(self.run)

    async def events(self) -> AsyncIterator[str]:
        """Tell of a run that trains, until it is complete or failed."""
        last: object = None
        while True:
            stamp = self.stamp()
            if stamp != last:
                yield _event("grown", {"steps": len(self.run.steps)})
                last = stamp
            yield _event("state", self._progress())
            if self.run.state in {"complete", "failed"}:
                return
            await asyncio.sleep(PAUSE)

    def _progress(self) -> dict[str, Any]:
        """Say how far the training is."""
        said: dict[str, Any] = {"state": self.run.state, "step": 0, "loss": None}
        said["of"] = self.run.description["config"]["steps"]
        curve = self.run.curve()
        if len(curve.step):
            loss = float(curve.loss[-1])
            said |= {"step": int(curve.step[-1]), "loss": loss if math.isfinite(loss) else None}
        return said


def application(
    run: RunFolder,
    *,
    beside: RunFolder | None = None,
    key: str | None = None,
    hosts: tuple[str, ...] = (),
) -> Starlette:
    """Return the server of one run.

    Parameters
    ----------
    run
        The run's folder.
    beside
        The folder of another run that it is compared with; None: no other.
    key
        Asked for in the URL (`?key=...`) of every request; None: not asked for.
    hosts
        Names by which the server may be called, besides those of loopback.
    """
    live = Live(run, beside)

    async def manifest(_: Request) -> Response:
        return Response((await live.bundle()).text(), media_type="application/json")

    async def blob(request: Request) -> Response:
        name = request.path_params["name"]
        data = (await live.bundle()).blobs.get(name)
        if data is None:
            return _refusal(HTTPStatus.NOT_FOUND, f"no blob {name!r} in this run")
        return Response(data, media_type=_TYPES.get(Path(name).suffix, "application/octet-stream"))

    async def events(_: Request) -> Response:
        return StreamingResponse(live.events(), media_type="text/event-stream")

    async def asked(request: Request) -> Response:
        return await asyncio.to_thread(
            live.answer, request.path_params["what"], request.query_params
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


def address(host: str, port: int) -> tuple[str, str | None]:
    """Return the URL to open and the key that it holds where the server is not on loopback."""
    key = None if _is_loopback(host) else secrets.token_urlsafe(18)
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}/" + (f"?key={key}" if key else ""), key


Next = Callable[[Request], Awaitable[Response]]


def _guard(key: str | None, hosts: set[str]) -> Callable[[Request, Next], Awaitable[Response]]:
    """Return what looks at every request before it is answered."""

    async def look(request: Request, answer: Next) -> Response:
        host = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
        is_known = host in hosts or (_is_address(host) if key else _is_loopback(host))
        if not is_known:
            return _refusal(HTTPStatus.FORBIDDEN, f"this server is not called {host!r}")
        origin = request.headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
            return _refusal(HTTPStatus.FORBIDDEN, "requests of other pages are refused")
        given = request.query_params.get("key") or request.cookies.get(COOKIE, "")
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


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ip_address(host).is_loopback)


def _is_address(host: str) -> bool:
    """Say whether this is a plain address, which no foreign name can stand for."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


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


def _event(kind: str, data: dict[str, Any]) -> str:
    return f"event: {kind}\ndata: {json.dumps(data)}\n\n"


def view(
    run: RunFolder,
    *,
    beside: RunFolder | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
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
        Where to listen; port 0: a free one.
    ready
        Called with the address to open, once the server listens.

    Raises
    ------
    RunError
        If the page was not built, or nothing can listen there.
    """
    asset("index.html")
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as listener:
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
            listener.listen()  # whoever opens the address at once waits, and is not refused
        except OSError as error:
            msg = f"expected a free address, got {host}:{port} ({error}): choose another --port"
            raise RunError(msg) from error
        url, key = address(host, listener.getsockname()[1])
        app = application(run, beside=beside, key=key, hosts=(host, socket.gethostname()))
        config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1)
        ready(url)
        uvicorn.Server(config).run(sockets=[listener])
