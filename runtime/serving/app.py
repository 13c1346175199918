"""The application: routes of OpenAI's API, behind guards, as ASGI."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runtime.serving.errors import RefusalError
from runtime.serving.guards import HostGuard, KeyGuard
from runtime.serving.record import Record
from runtime.serving.requests import read_chat, read_completion
from runtime.serving.responses import json_response, refused
from runtime.serving.service import Endpoint, Service, unknown_model
from runtime.serving.target import OriginForm

Told = Callable[[Record], None]
"""Called when a request is over."""


@dataclass(frozen=True, kw_only=True)
class Access:
    """Who may ask: with `key` whoever sends it, `hosts` where not empty whoever asked for one of these, pages of
    `origins` from a browser."""

    key: str | None = None
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()


def make_app(service: Service, access: Access, tell: Told) -> ASGIApp:
    """The application that serves `service`."""
    model = service.model

    async def models(request: Request) -> Response:  # noqa: ARG001
        return json_response({"object": "list", "data": [model.body()]})

    async def one_model(request: Request) -> Response:
        name = request.path_params["name"]
        if not name:  # clients join addresses with a slash too many
            return await models(request)
        if name != model.name:
            raise unknown_model(name, model.name)
        return json_response(model.body())

    async def health(request: Request) -> Response:  # noqa: ARG001
        service.check()
        return json_response({"status": "ok"})

    routes = [
        Route("/health", health, methods=["GET"]),
        Route("/v1/models", models, methods=["GET"]),
        Route("/v1/models/{name:path}", one_model, methods=["GET"]),
        Route("/v1/chat/completions", Endpoint(service, read_chat), methods=["POST"]),
        Route("/v1/completions", Endpoint(service, read_completion), methods=["POST"]),
    ]
    guards = []
    if access.hosts:
        guards.append(Middleware(HostGuard, hosts=access.hosts))
    if access.origins:
        guards.append(
            Middleware(
                CORSMiddleware,
                allow_origins=access.origins,
                allow_methods=["GET", "POST"],
                allow_headers=["*"],
            )
        )
    if access.key is not None:
        guards.append(Middleware(KeyGuard, key=access.key))
    handlers = {HTTPException: _no_route, RefusalError: _refused}
    app = Starlette(routes=routes, middleware=guards, exception_handlers=handlers)
    app.router.redirect_slashes = False
    return OriginForm(_Watch(app, tell))


class _Watch:
    """Tells of every request when it is over."""

    def __init__(self, app: ASGIApp, tell: Told) -> None:
        self._app = app
        self._tell = tell

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        record = Record.of(scope)

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            record.over()
            self._tell(record)


async def _no_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        allowed = " or ".join(sorted((error.headers or {}).get("Allow", "").split(", ")))
        refusal = RefusalError(f"This path is asked with {allowed}.", status=405, headers=error.headers or {})
    else:
        refusal = RefusalError(
            "There is nothing at this path; the server has /v1/chat/completions, /v1/completions, /v1/models and "
            "/health.",
            status=error.status_code,
            code="not_found",
        )
    return await _refused(request, refusal)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusalError)
    return refused(error, request.scope)
