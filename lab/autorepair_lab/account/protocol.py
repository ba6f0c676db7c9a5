"""Turns HTTP requests into calls, and replies into HTTP, by botocore's own service models."""

from __future__ import annotations

import gzip
import io
import json
import re
import uuid
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from botocore.utils import parse_timestamp
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.serialize import SerializationContext, get_serializer_class
from werkzeug.exceptions import HTTPException

from autorepair_lab.account.call import Call, ErrorReply, Reply

# Credential scopes and the services behind them, in the order in which their paths are tried.
_SERVICES: dict[str, tuple[str, ...]] = {
    "apigateway": ("apigatewayv2", "apigateway"),
    "application-autoscaling": ("application-autoscaling",),
    "bedrock": ("bedrock-runtime", "bedrock-agent-runtime", "bedrock-agent", "bedrock"),
    "budgets": ("budgets",),
    "cloudformation": ("cloudformation",),
    "cloudtrail": ("cloudtrail",),
    "dynamodb": ("dynamodb",),
    "ec2": ("ec2",),
    "events": ("events",),
    "iam": ("iam",),
    "kms": ("kms",),
    "lambda": ("lambda",),
    "logs": ("logs",),
    "monitoring": ("cloudwatch",),
    "s3": ("s3",),
    "scheduler": ("scheduler",),
    "secretsmanager": ("secretsmanager",),
    "sns": ("sns",),
    "sqs": ("sqs",),
    "ssm": ("ssm",),
    "states": ("stepfunctions",),
    "sts": ("sts",),
    "tagging": ("resourcegroupstaggingapi",),
    "xray": ("xray",),
}
_CREDENTIAL = re.compile(
    r"Credential=(?P<key>[^/,\s]+)/\d{8}/(?P<region>[^/]+)/(?P<service>[^/]+)/"
)
_CALLER = re.compile(r"(?:^| )app/(lab-[0-9a-f]{16})(?: |$)")
_LARGEST_PARSED_UPLOAD = 1 << 20  # object bodies above this are counted but not parsed
INTERNAL_HEADER = "X-Lab-Internal"


@dataclass(frozen=True)
class Parsed:
    """A call together with what is needed to answer it in the caller's protocol."""

    call: Call
    operation: Any  # moto's facade over botocore's OperationModel
    wire_protocol: str


@dataclass(frozen=True)
class HttpResponse:
    """Status, headers, body and cookies as they go out on the wire."""

    status: int
    headers: dict[str, str]
    body: bytes
    cookies: tuple[str, ...] = ()


def read_body(environ: dict[str, Any]) -> bytes:
    """The request's body; the environment is left so that the next application can read it too."""
    stream = environ["wsgi.input"]
    length = environ.get("CONTENT_LENGTH")
    if length:
        body: bytes = stream.read(int(length))
    elif environ.get("wsgi.input_terminated"):
        body = stream.read()
        environ["CONTENT_LENGTH"] = str(len(body))
        environ.pop("HTTP_TRANSFER_ENCODING", None)
    else:
        body = b""
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def parse(environ: dict[str, Any], body: bytes) -> Parsed | None:
    """The call that a request makes; None if it is not one of a service the lab knows."""
    scope = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    if scope is None:
        return None
    for service in _SERVICES.get(scope["service"].lower(), ()):
        parsed = _parse_for(service, scope["region"], environ, body)
        if parsed is not None:
            return parsed
    return None


def _parse_for(service: str, region: str, environ: dict[str, Any], body: bytes) -> Parsed | None:
    readable = _unpacked(environ, body)
    request = Request({**environ, "wsgi.input": io.BytesIO(readable)})
    try:
        router = get_service_router(service)
        operation, url_params = router.match(request)
        protocol = determine_request_protocol(operation.service_model, request.content_type)
    except (HTTPException, NotImplementedError):
        return None
    headers = dict(request.headers)
    caller = _CALLER.search(headers.get("User-Agent", ""))
    call = Call(
        service=service,
        operation=operation.name,
        region=region,
        parameters=_parameters(operation, protocol, request, readable, url_params),
        method=request.method,
        path=request.path,
        query=environ.get("QUERY_STRING", ""),
        headers=headers,
        body=body,
        caller=caller[1] if caller else "",
        internal=INTERNAL_HEADER in headers,
    )
    return Parsed(call, operation, protocol)


def _unpacked(environ: dict[str, Any], body: bytes) -> bytes:
    return gzip.decompress(body) if environ.get("HTTP_CONTENT_ENCODING") == "gzip" else body


def _parameters(
    operation: Any,  # noqa: ANN401 - moto's model facade is untyped
    protocol: str,
    request: Any,  # noqa: ANN401 - likewise
    body: bytes,
    url_params: dict[str, Any],
) -> dict[str, Any]:
    if operation.service_model.service_name == "s3":
        # An object's bytes are none of our business, and XML bodies are read by moto alone.
        body = b"" if len(body) > _LARGEST_PARSED_UPLOAD or not body.startswith(b"<") else body
    parser = PROTOCOL_PARSERS[protocol](operation, timestamp_parser=parse_timestamp)
    values = {
        "method": request.method,
        "values": request.values,
        "headers": request.headers,
        "body": body,
        "url_path": request.path,
        "url_params": url_params,
    }
    try:
        parsed: dict[str, Any] = parser.parse(values) or {}
    except (ValueError, KeyError, TypeError, AttributeError):
        # A malformed request keeps its operation: moto or the owner of the call refuses it.
        return {}
    return {name: value for name, value in parsed.items() if value is not None}


def reply_response(parsed: Parsed, reply: Reply) -> HttpResponse:
    """A reply in the protocol of the caller; ``reply.output`` follows the output shape."""
    name = parsed.operation.service_model.service_name
    serializer_class = get_serializer_class(name, parsed.wire_protocol)
    serializer = serializer_class(
        parsed.operation, SerializationContext(str(uuid.uuid4())), value_picker=_pick
    )
    made = serializer.serialize(reply.output)
    body = made["body"] or b""  # a payload that the output leaves out
    headers = {str(key): str(value) for key, value in made["headers"].items()}
    headers.setdefault("Content-Type", "application/json")
    headers["x-amzn-RequestId"] = reply.request_id or str(uuid.uuid4())
    default = Reply.__dataclass_fields__["status"].default
    status = made["status_code"] if reply.status == default else reply.status
    return HttpResponse(status, headers, body if isinstance(body, bytes) else body.encode())


def _pick(context: Any) -> Any:  # noqa: ANN401 - the serializer's picker is untyped
    """Output is what boto3 would return, so members are plain keys and nothing is guessed."""
    return context.obj.get(context.key) if isinstance(context.obj, dict) else None


def error_response(parsed: Parsed, error: ErrorReply) -> HttpResponse:
    """An error in the protocol of the caller."""
    request_id = str(uuid.uuid4())
    headers = {"x-amzn-RequestId": request_id, "x-amz-request-id": request_id}
    if parsed.wire_protocol in {"json", "rest-json"}:
        headers["Content-Type"] = "application/json"
        headers["x-amzn-ErrorType"] = error.code
        if parsed.operation.service_model.metadata.get("awsQueryCompatible") is not None:
            headers["x-amzn-query-error"] = f"{error.code};Sender"
        # Services spell the member either way, and botocore reads either.
        names = {"message": error.message, "Message": error.message}
        body = json.dumps({"__type": error.code, **names, **error.details})
        return HttpResponse(error.status, headers, body.encode())
    headers["Content-Type"] = "text/xml"
    body = _xml_error(parsed.wire_protocol, error, request_id)
    return HttpResponse(error.status, headers, body.encode())


def _xml_error(protocol: str, error: ErrorReply, request_id: str) -> str:
    inner = f"<Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message>"
    if protocol == "rest-xml":
        return f"<Error>{inner}<RequestId>{request_id}</RequestId></Error>"
    if protocol == "ec2":
        errors = f"<Errors><Error>{inner}</Error></Errors>"
        return f"<Response>{errors}<RequestID>{request_id}</RequestID></Response>"
    typed = f"<Error><Type>Sender</Type>{inner}</Error>"
    return f"<ErrorResponse>{typed}<RequestId>{request_id}</RequestId></ErrorResponse>"
