"""What an HTTP API hands to a function and takes from it: payload format 2.0."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from autorepair_lab.account.routes import RouteReply, RouteRequest

# Bodies of any other type reach the function in base64, forms among them.
_TEXT_TYPES = ("text/", "application/json", "application/javascript", "application/xml")
_STATUS = range(100, 600)
CALLER_IP = "127.0.0.1"


class MalformedAnswerError(ValueError):
    """Raised when a function's answer is none that an HTTP API could pass on."""


@dataclass(frozen=True)
class Routed:
    """A request that a route of an API takes; ``path`` is decoded, as rawPath is."""

    request: RouteRequest
    path: str
    route_key: str
    captured: dict[str, str]
    account_id: str
    api_id: str
    stage: str
    request_id: str
    at: datetime

    @property
    def domain(self) -> str:
        """The host that was asked."""
        return self.request.headers.get("Host", "")


def event_of(routed: Routed) -> dict[str, Any]:
    """The function's event; what is empty is left out, as AWS leaves it out."""
    request = routed.request
    headers = {name.lower(): value for name, value in request.headers.items() if value}
    cookies = [one for one in headers.pop("cookie", "").split("; ") if one]
    parameters: dict[str, str] = {}
    for name, value in parse_qsl(request.query, keep_blank_values=True):
        parameters[name] = f"{parameters[name]},{value}" if name in parameters else value
    body, is_encoded = _body(request.body, headers.get("content-type", ""))
    optional = {
        "cookies": cookies,
        "queryStringParameters": parameters,
        "pathParameters": routed.captured,
        "body": body,
    }
    return {
        "version": "2.0",
        "routeKey": routed.route_key,
        "rawPath": routed.path,
        "rawQueryString": request.query,
        "headers": {**headers, "x-forwarded-for": CALLER_IP, "x-forwarded-proto": "https"},
        "requestContext": _context(routed),
        "isBase64Encoded": is_encoded,
        **{name: value for name, value in optional.items() if value},
    }


def _context(routed: Routed) -> dict[str, Any]:
    return {
        "accountId": routed.account_id,
        "apiId": routed.api_id,
        "domainName": routed.domain,
        "domainPrefix": routed.domain.partition(".")[0],
        "http": {
            "method": routed.request.method,
            "path": routed.path,
            "protocol": "HTTP/1.1",
            "sourceIp": CALLER_IP,
            "userAgent": routed.request.headers.get("User-Agent", ""),
        },
        "requestId": routed.request_id,
        "routeKey": routed.route_key,
        "stage": routed.stage,
        "time": routed.at.strftime("%d/%b/%Y:%H:%M:%S %z"),
        "timeEpoch": int(routed.at.timestamp() * 1000),
    }


def _body(body: bytes, content_type: str) -> tuple[str, bool]:
    if not body:
        return "", False
    if content_type.lower().startswith(_TEXT_TYPES):
        return body.decode("utf-8", "replace"), False
    return base64.b64encode(body).decode(), True


def answer_of(payload: bytes) -> RouteReply:
    """The HTTP answer that a function's result means.

    A result without a statusCode is the body itself, with status 200. Raises MalformedAnswerError.
    """
    try:
        document = json.loads(payload)
    except ValueError as error:
        raise MalformedAnswerError(f"no JSON: {error}") from error
    if not isinstance(document, dict) or "statusCode" not in document:
        inferred = document.encode() if isinstance(document, str) else payload
        return RouteReply(inferred)
    return RouteReply(
        _decoded(document),
        _status(document["statusCode"]),
        {"Content-Type": "text/plain; charset=utf-8", **_headers(document.get("headers") or {})},
        tuple(_texts(document.get("cookies") or [])),
    )


def _status(given: object) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or given not in _STATUS:
        raise MalformedAnswerError(f"statusCode {given!r} is no HTTP status")
    return given


def _headers(given: object) -> dict[str, str]:
    if not isinstance(given, dict):
        raise MalformedAnswerError("headers is no map")
    _texts(list(given.values()))
    return {_titled(name): value for name, value in given.items()}


def _titled(name: str) -> str:
    """One spelling, so that a header the function sets takes the place of the default."""
    return "-".join(part.capitalize() for part in name.split("-"))


def _texts(given: object) -> list[str]:
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise MalformedAnswerError("headers and cookies have to be strings")
    return given


def _decoded(document: dict[str, Any]) -> bytes:
    body = document.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise MalformedAnswerError("body is no string")
    if document.get("isBase64Encoded") is not True:
        return body.encode()
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as error:
        raise MalformedAnswerError(f"body is no base64: {error}") from error
