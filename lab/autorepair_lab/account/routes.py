"""HTTP endpoints of the lab beside the AWS APIs: ``/_lab/...`` and what others register."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from autorepair_lab.account.protocol import HttpResponse


@dataclass(frozen=True)
class RouteRequest:
    """A request to a registered route; ``groups`` are the named groups of its pattern."""

    method: str
    path: str
    groups: dict[str, str]
    query: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:  # noqa: ANN401 - whatever JSON the caller sent
        """The body as JSON. Raises ValueError if it is none."""
        return json.loads(self.body or b"null")


@dataclass(frozen=True)
class RouteReply:
    """An answer: ``body`` is sent as it is if bytes, as JSON otherwise (None: no body)."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cookies: tuple[str, ...] = ()


RouteHandler = Callable[[RouteRequest], RouteReply]


class Routes:
    """A small table of routes, asked in the order of registration."""

    def __init__(self) -> None:
        self._routes: list[tuple[str, re.Pattern[str], RouteHandler]] = []

    def add(self, method: str, pattern: str, handler: RouteHandler) -> None:
        """Register a handler; ``pattern`` is a regular expression for the whole path."""
        self._routes.append((method.upper(), re.compile(pattern), handler))

    def answer(self, environ: dict[str, Any], body: bytes) -> HttpResponse | None:
        """The answer of the first route that matches; None if the path is not the lab's."""
        path, method = environ.get("PATH_INFO", ""), environ.get("REQUEST_METHOD", "GET")
        is_known_path = False
        for route_method, pattern, handler in self._routes:
            match = pattern.fullmatch(path)
            if match is None:
                continue
            is_known_path = True
            if route_method in {method, "ANY"}:
                request = _request(environ, body, match.groupdict(default=""))
                return _response(_guarded(handler, request))
        if is_known_path:
            return _response(RouteReply({"error": f"{method} is not possible on {path}"}, 405))
        if path.startswith("/_lab/"):
            return _response(RouteReply({"error": f"the lab has no {path}"}, 404))
        return None


def _request(environ: dict[str, Any], body: bytes, groups: dict[str, str]) -> RouteRequest:
    headers = {
        key.removeprefix("HTTP_").replace("_", "-").title(): str(value)
        for key, value in environ.items()
        if key.startswith("HTTP_") or key in {"CONTENT_TYPE", "CONTENT_LENGTH"}
    }
    return RouteRequest(
        method=environ.get("REQUEST_METHOD", "GET"),
        path=environ.get("PATH_INFO", ""),
        groups=groups,
        query=environ.get("QUERY_STRING", ""),
        headers=headers,
        body=body,
    )


def _guarded(handler: RouteHandler, request: RouteRequest) -> RouteReply:
    try:
        return handler(request)
    except ValueError as error:
        return RouteReply({"error": f"{request.path}: {error}"}, 400)


def _response(reply: RouteReply) -> HttpResponse:
    headers = {"Content-Type": "application/json", **reply.headers}
    return HttpResponse(reply.status, headers, _bytes(reply.body), reply.cookies)


def _bytes(body: object) -> bytes:
    if body is None:
        return b""
    return body if isinstance(body, bytes) else json.dumps(body, default=str).encode()
