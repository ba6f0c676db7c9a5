"""The front door: counts a call, strikes it with faults, offers it around, then asks moto."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from http import HTTPStatus
from typing import Any, Protocol

from autorepair_lab.account.call import (
    Call,
    CallRefusedError,
    ErrorReply,
    Interceptor,
    RawReply,
    Reply,
)
from autorepair_lab.account.faults import Effect, FaultPlan
from autorepair_lab.account.protocol import (
    HttpResponse,
    Parsed,
    error_response,
    parse,
    read_body,
    reply_response,
)
from autorepair_lab.account.routes import Routes

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WsgiApp = Callable[[Environ, StartResponse], Iterable[bytes]]

_LOG = logging.getLogger(__name__)


class Observer(Protocol):
    """Is told of calls that were answered without an error."""

    def observe(self, call: Call) -> None:
        """Take note of a call that has just succeeded."""
        ...


class ResponseDroppedError(ConnectionError):
    """Raised to make the server close a connection without an answer."""


class Gateway:
    """WSGI middleware around moto.

    Promise: a call that neither the lab nor moto can answer fails loudly with
    ``NotImplementedInLab`` (HTTP 501), and moto's own crashes with ``EmulatorFailure`` (HTTP 400);
    both are codes that no SDK retries.
    """

    def __init__(
        self, moto: WsgiApp, *, account_id: str, plan: FaultPlan, kill: Callable[[Call], None]
    ) -> None:
        self.routes = Routes()
        self._moto = moto
        self._account_id = account_id
        self._plan = plan
        self._kill = kill
        self._interceptors: tuple[Interceptor, ...] = ()
        self._observers: tuple[Observer, ...] = ()
        self._calls: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()
        self._is_closing = False
        # moto checks a condition and writes in two steps; DynamoDB does both in one.
        self._one_by_one = {"dynamodb": threading.Lock()}

    def set_chain(self, chain: Sequence[Interceptor], observers: Sequence[Observer]) -> None:
        """Replace who is offered a call (in order), and who is told of successful ones."""
        self._interceptors, self._observers = tuple(chain), tuple(observers)

    def close(self) -> None:
        """Take what fails from now on for what it is: the parts behind are being stopped."""
        self._is_closing = True

    def calls(self) -> list[dict[str, Any]]:
        """AWS calls so far, most frequent first: service, operation, count."""
        with self._lock:
            counted = self._calls.most_common()
        return [{"service": name[0], "operation": name[1], "count": n} for name, n in counted]

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        body = read_body(environ)
        response = self.routes.answer(environ, body)
        if response is None:
            environ["HTTP_X_MOTO_ACCOUNT_ID"] = self._account_id
            parsed = parse(environ, body)
            response = (
                _through(self._moto, environ) if parsed is None else self._serve(parsed, environ)
            )
        length = {"Content-Length": str(len(response.body))}
        lines = list({**length, **response.headers}.items())
        lines += [("Set-Cookie", one) for one in response.cookies]
        start_response(f"{response.status} {_phrase(response.status)}", lines)
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else response.body]

    def _serve(self, parsed: Parsed, environ: Environ) -> HttpResponse:
        call = parsed.call
        if not call.internal:
            with self._lock:
                self._calls[call.service, call.operation] += 1
        effects = self._plan.strike(call)
        for effect in effects:
            if effect.delay_s is not None:
                time.sleep(effect.delay_s)
            if effect.error is not None or effect.status is not None:
                return error_response(parsed, _injected(effect))
        if any(effect.kill_function for effect in effects) and not call.caller:
            self._kill(call)
        response = self._answer(parsed, environ)
        if any(effect.kill_function for effect in effects) and call.caller:
            self._kill(call)
            _hang_up(environ)
        if any(effect.drop_response for effect in effects):
            _hang_up(environ)
        return response

    def _answer(self, parsed: Parsed, environ: Environ) -> HttpResponse:
        call = parsed.call
        try:
            with self._one_by_one.get(call.service, nullcontext()):
                response = self._first_answer(parsed) or _checked(call, self._moto, environ)
        except CallRefusedError as refusal:
            return error_response(parsed, refusal.reply)
        except NotImplementedError as error:
            return error_response(parsed, _not_implemented(call, str(error)))
        except Exception as error:  # noqa: BLE001 - whatever the emulator dies of is shown to the caller
            if not self._is_closing:
                _LOG.exception("%s.%s crashed in the emulator", call.service, call.operation)
            return error_response(parsed, _crashed(call, error))
        if response.status < HTTPStatus.BAD_REQUEST:
            for observer in self._observers:
                observer.observe(call)
        return response

    def _first_answer(self, parsed: Parsed) -> HttpResponse | None:
        for interceptor in self._interceptors:
            reply = interceptor.handle(parsed.call)
            if isinstance(reply, Reply):
                return reply_response(parsed, reply)
            if isinstance(reply, ErrorReply):
                return error_response(parsed, reply)
            if isinstance(reply, RawReply):
                return HttpResponse(reply.status, {"Content-Type": reply.content_type}, reply.body)
        return None


def _checked(call: Call, moto: WsgiApp, environ: Environ) -> HttpResponse:
    """Moto's answer. Raises CallRefusedError where it has none."""
    response = _through(moto, environ)
    kind = response.headers.get("Content-Type", "")
    is_unrouted = response.status == HTTPStatus.NOT_FOUND and (
        not response.body or b"<title>404 Not Found" in response.body
    )
    if is_unrouted and call.service != "s3":
        reply = _not_implemented(call, "no route")
        raise CallRefusedError(reply.code, reply.message, reply.status)
    is_fault = response.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    if is_fault and response.status != HTTPStatus.SERVICE_UNAVAILABLE:
        text = response.body[:300].decode(errors="replace")
        raise CallRefusedError(
            "EmulatorFailure",
            f"moto answered {call.service}.{call.operation} with HTTP {response.status} "
            f"({kind}): {text}",
        )
    return response


def _through(app: WsgiApp, environ: Environ) -> HttpResponse:
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], _exc: object = None) -> None:
        started.append((status, headers))

    body = b"".join(app(environ, start_response))
    status, headers = started[-1]
    is_head = environ["REQUEST_METHOD"] == "HEAD"  # its length is that of the body it leaves out
    kept = {name: value for name, value in headers if is_head or name.lower() != "content-length"}
    return HttpResponse(int(status.split()[0]), kept, body)


def _injected(effect: Effect) -> ErrorReply:
    if effect.error is not None:
        text = f"{effect.error}, injected by the lab's faults"
        return ErrorReply(effect.error, text, effect.status or HTTPStatus.BAD_REQUEST)
    status = effect.status or HTTPStatus.INTERNAL_SERVER_ERROR
    is_server = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    code = "InternalFailure" if is_server else "RequestRefused"
    return ErrorReply(code, f"HTTP {status}, injected by the lab's faults", status)


def _not_implemented(call: Call, reason: str) -> ErrorReply:
    return ErrorReply(
        "NotImplementedInLab",
        f"The lab cannot answer {call.service}.{call.operation} ({reason}). Answer it in an "
        "Interceptor (Account.add_interceptor), or do without this call.",
        HTTPStatus.NOT_IMPLEMENTED,
    )


def _crashed(call: Call, error: Exception) -> ErrorReply:
    return ErrorReply(
        "EmulatorFailure",
        f"{call.service}.{call.operation} crashed in the lab: {type(error).__name__}: {error}. "
        "Correct the request, or answer the call in an Interceptor.",
    )


def _hang_up(environ: Environ) -> None:
    connection: socket.socket | None = environ.get("werkzeug.socket")
    if connection is not None:
        connection.shutdown(socket.SHUT_RDWR)
    raise ResponseDroppedError("the lab's faults dropped this response")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
