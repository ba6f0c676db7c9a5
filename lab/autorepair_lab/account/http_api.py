"""Serves HTTP APIs as API Gateway does: route, permission, invocation, answer, access log."""

from __future__ import annotations

import fnmatch
import json
import re
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from moto.apigatewayv2.exceptions import ApiNotFound
from moto.apigatewayv2.models import apigatewayv2_backends

from autorepair_lab.account.call import Call, CallRefusedError
from autorepair_lab.account.http_payload import (
    CALLER_IP,
    MalformedAnswerError,
    Routed,
    answer_of,
    event_of,
)
from autorepair_lab.account.lambda_invoke import Answer
from autorepair_lab.account.lambda_store import FunctionStore
from autorepair_lab.account.logs import LogWriter
from autorepair_lab.account.routes import RouteReply, RouteRequest

PATH = "/_lab/http-api"
PATTERN = PATH + "/(?P<api>[a-z]+)(?P<path>/.*)?"
_STAGE = "$default"  # others have a path of their own; nobody here has one
_MOST_MS = 30_000
_VARIABLE = re.compile(r"\$context\.([A-Za-z.]+)")
_GATEWAY = "apigateway.amazonaws.com"


class HttpApis:
    """Serves what moto keeps of HTTP APIs; an observer, too, that gives each its address here."""

    def __init__(  # noqa: PLR0913 - the parts of an account that it works with
        self,
        account_id: str,
        region: str,
        *,
        store: FunctionStore,
        run: Callable[[str, bytes], Answer],
        log: LogWriter,
        endpoint: Callable[[], str],
    ) -> None:
        self._account_id = account_id
        self._region = region
        self._store = store
        self._run = run
        self._log = log
        self._endpoint = endpoint
        self._pool = ThreadPoolExecutor(16, thread_name_prefix="lab-http-api")

    def close(self) -> None:
        """Wait for no invocation that is still running."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def observe(self, call: Call) -> None:
        """Put an API that was just made where this machine can reach it."""
        if (call.service, call.operation) == ("apigatewayv2", "CreateApi"):
            for api in self._backend().apis.values():
                api.api_endpoint = f"{self._endpoint()}{PATH}/{api.api_id}"

    def serve(self, request: RouteRequest) -> RouteReply:
        """Answer a request to ``/_lab/http-api/{api id}/...``."""
        try:
            api = self._backend().get_api(request.groups["api"])
        except ApiNotFound:
            return RouteReply({"error": f"there is no HTTP API {request.groups['api']}"}, 404)
        stage = api.stages.get(_STAGE)
        if stage is None or not stage.auto_deploy:
            return _said("Not Found", 404)  # nothing is deployed
        # What WSGI calls a path is bytes in disguise.
        path = (request.groups["path"] or "/").encode("latin-1").decode("utf-8", "replace")
        found = _matching(api.routes.values(), request.method, path)
        key, captured = (found[0].route_key, found[1]) if found else ("-", {})
        routed = Routed(
            request,
            path,
            key,
            captured,
            self._account_id,
            api.api_id,
            _STAGE,
            uuid.uuid4().hex[:15] + "=",
            datetime.now(UTC),
        )
        reply = self._answer(api, found[0], routed) if found else _said("Not Found", 404)
        self._note(stage.access_log_settings, routed, reply)
        return RouteReply(
            reply.body,
            reply.status,
            {**reply.headers, "Apigw-Requestid": routed.request_id},
            reply.cookies,
        )

    def _backend(self) -> Any:  # noqa: ANN401 - moto is untyped
        return apigatewayv2_backends[self._account_id][self._region]

    def _answer(self, api: Any, route: Any, routed: Routed) -> RouteReply:  # noqa: ANN401 - moto is untyped
        integration = api.get_integration(route.target.removeprefix("integrations/"))
        kind = (integration.integration_type, integration.payload_format_version)
        if kind != ("AWS_PROXY", "2.0"):
            raise ValueError("the lab serves proxies to functions, payload format 2.0")
        function = _function_of(integration.integration_uri)
        if not self._may_call(function, routed):
            return _said("Internal Server Error", 500)
        limit_ms = min(int(integration.timeout_in_millis or _MOST_MS), _MOST_MS)
        event = json.dumps(event_of(routed)).encode()
        try:
            answer = self._pool.submit(self._run, function, event).result(limit_ms / 1000)
        except TimeoutError:
            return _said("Service Unavailable", 503)
        except CallRefusedError:
            return _said("Internal Server Error", 500)
        return _passed_on(answer)

    def _may_call(self, function: str, routed: Routed) -> bool:
        """Whether a statement on the very alias lets API Gateway call it for this route."""
        method, _, path = routed.route_key.partition(" ")
        source = (
            f"arn:aws:execute-api:{self._region}:{self._account_id}:"
            f"{routed.api_id}/{routed.stage}/{method}{path}"
        )
        try:
            with self._store.locked():
                found, _ = self._store.resolve(function)
                _, qualifier = self._store.split(function)
                statements = list(found.policies.get(qualifier, ()))
        except CallRefusedError:
            return False
        return any(_allows(one, source, self._account_id) for one in statements)

    def _note(self, settings: Mapping[str, Any] | None, routed: Routed, reply: RouteReply) -> None:
        """Write the access log's line, of what its format names and of nothing else."""
        if not settings:
            return
        values = {
            "requestId": routed.request_id,
            "routeKey": routed.route_key,
            "status": str(reply.status),
            "identity.sourceIp": CALLER_IP,
            "identity.userAgent": routed.request.headers.get("User-Agent", "-"),
            "requestTime": routed.at.strftime("%d/%b/%Y:%H:%M:%S %z"),
            "requestTimeEpoch": str(int(routed.at.timestamp())),
            "httpMethod": routed.request.method,
            "path": routed.path,
            "stage": routed.stage,
            "apiId": routed.api_id,
        }
        line = _VARIABLE.sub(lambda one: values.get(one[1], "-"), settings["format"])
        group = settings["destinationArn"].partition(":log-group:")[2].removesuffix(":*")
        self._log.write(group, f"{routed.api_id}/access", [(int(time.time() * 1000), line)])


def _said(message: str, status: int) -> RouteReply:
    return RouteReply({"message": message}, status)


def _passed_on(answer: Answer) -> RouteReply:
    if answer.result.function_error is not None:
        return _said("Internal Server Error", 500)
    try:
        return answer_of(answer.result.payload)
    except MalformedAnswerError:
        return _said("Internal Server Error", 500)


def _function_of(uri: str) -> str:
    """The function's ARN, given as such or within API Gateway's own path."""
    return uri.rpartition("/functions/")[2].removesuffix("/invocations")


def _matching(routes: Iterable[Any], method: str, path: str) -> tuple[Any, dict[str, str]] | None:
    """The route that says most exactly what was asked for, and what its path captures."""
    found: list[tuple[tuple[int, int, bool], Any, dict[str, str]]] = []
    for route in routes:
        verb, _, template = route.route_key.partition(" ")
        if route.route_key == "$default":
            found.append(((2, 0, True), route, {}))
            continue
        captured = _captured(template, path) if verb in {method, "ANY"} else None
        if captured is not None:
            rank = (int("+}" in template), template.count("{"), verb == "ANY")
            found.append((rank, route, captured))
    if not found:
        return None
    _, route, captured = min(found, key=lambda one: one[0])
    return route, captured


def _captured(template: str, path: str) -> dict[str, str] | None:
    """What the variables of a route's path stand for; None if the path is another."""
    wanted, given = template.split("/"), path.split("/")
    captured: dict[str, str] = {}
    for place, segment in enumerate(wanted):
        if segment.endswith("+}"):
            rest = "/".join(given[place:])
            return {**captured, segment[1:-2]: rest} if rest else None
        if place >= len(given):
            return None
        if segment.startswith("{") and given[place]:
            captured[segment[1:-1]] = given[place]
        elif segment != given[place]:
            return None
    return captured if len(given) == len(wanted) else None


def _allows(statement: Mapping[str, Any], source: str, account_id: str) -> bool:
    conditions = statement.get("Condition") or {}
    arn = conditions.get("ArnLike", {}).get("AWS:SourceArn", source)
    account = conditions.get("StringEquals", {}).get("AWS:SourceAccount", account_id)
    return (
        statement["Principal"] == {"Service": _GATEWAY}
        and statement["Action"] in {"lambda:InvokeFunction", "lambda:*"}
        and account == account_id
        and _is_like(arn, source)
    )


def _is_like(pattern: str, arn: str) -> bool:
    """ArnLike: asterisks and question marks, within one of the six parts of an ARN."""
    wanted, given = pattern.replace("[", "[[]").split(":", 5), arn.split(":", 5)
    return len(wanted) == len(given) and all(
        fnmatch.fnmatchcase(one, like) for one, like in zip(given, wanted, strict=True)
    )
