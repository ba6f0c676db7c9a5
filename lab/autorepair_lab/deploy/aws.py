"""Calls to the emulated account, with values shaped to botocore's own models."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from threading import Lock
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from autorepair_lab.account.protocol import INTERNAL_HEADER
from autorepair_lab.deploy.errors import ResourceError

_GONE = ("NotFound", "NoSuch", "NonExistent", "DoesNotExist")
_HTTP_NOT_FOUND = 404
_CREDENTIAL = "testing"
_FROM_STRING: dict[str, Callable[[str], object]] = {
    "blob": str.encode,
    "double": float,
    "float": float,
    "integer": int,
    "long": int,
}


def shaped(value: object, shape: Any) -> Any:  # noqa: ANN401 - botocore's shapes are untyped
    """Coerce a template's value to what the API's shape wants, as CloudFormation does.

    Numbers and booleans may be written as strings and the other way round; an object given for
    a string (a policy, an event pattern) becomes JSON. Unknown members stay, so that botocore's
    own validation refuses them.
    """
    kind = shape.type_name
    if kind == "structure" and isinstance(value, dict):
        members = shape.members
        return {
            key: shaped(item, members[key]) if key in members else item
            for key, item in value.items()
        }
    if kind == "list" and isinstance(value, list):
        return [shaped(item, shape.member) for item in value]
    if kind == "map" and isinstance(value, dict):
        return {str(key): shaped(item, shape.value) for key, item in value.items()}
    return _scalar(value, kind)


def _scalar(value: object, kind: str) -> object:
    if not isinstance(value, str):
        return text(value) if kind == "string" else value
    if kind == "boolean":
        return {"true": True, "false": False}.get(value.lower(), value)
    try:
        return _FROM_STRING[kind](value) if kind in _FROM_STRING else value
    except ValueError:
        return value  # botocore names the parameter when it refuses it


def text(value: object) -> str:
    """Write a value the way CloudFormation turns it into a string."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return json.dumps(value)
    return str(value)


class Aws:
    """The account that stacks are made in; safe to call from several threads."""

    def __init__(self, endpoint: Callable[[], str], region: str, account_id: str) -> None:
        self.region = region
        self.account_id = account_id
        self._endpoint = endpoint
        self._clients: dict[tuple[str, str], Any] = {}
        self._lock = Lock()
        self._session = botocore.session.Session(
            # The developer's own profile and files have no say in the lab.
            session_vars={
                "profile": (None, None, None, None),
                "config_file": (None, None, os.devnull, None),
                "credentials_file": (None, None, os.devnull, None),
            }
        )

    def call(self, service: str, operation: str, /, **parameters: object) -> dict[str, Any]:
        """Call one API operation by its name ("CreateFunction"); None values are left out.

        Raises ResourceError with the service's own words when the account refuses the call.
        """
        try:
            return self._call(service, operation, parameters)
        except (ClientError, BotoCoreError) as error:
            raise ResourceError(_reason(service, error)) from error

    def remove(self, service: str, operation: str, /, **parameters: object) -> None:
        """Call a deleting operation; what is already gone is no error."""
        try:
            self._call(service, operation, parameters)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            if status != _HTTP_NOT_FOUND and not any(word in code for word in _GONE):
                raise ResourceError(_reason(service, error)) from error
        except BotoCoreError as error:
            raise ResourceError(_reason(service, error)) from error

    def arn(self, service: str, rest: str) -> str:
        """Return the ARN of something in this account and Region."""
        return f"arn:aws:{service}:{self.region}:{self.account_id}:{rest}"

    def _call(self, service: str, operation: str, parameters: dict[str, object]) -> dict[str, Any]:
        client = self._client(service)
        given = {key: value for key, value in parameters.items() if value is not None}
        shape = client.meta.service_model.operation_model(operation).input_shape
        method = getattr(client, botocore.xform_name(operation))
        answer: dict[str, Any] = method(**(shaped(given, shape) if shape is not None else given))
        return answer

    def _client(self, service: str) -> Any:  # noqa: ANN401 - botocore's clients are untyped
        endpoint = self._endpoint()
        with self._lock:
            if (endpoint, service) not in self._clients:
                client = self._session.create_client(
                    service,
                    region_name=self.region,
                    endpoint_url=endpoint,
                    aws_access_key_id=_CREDENTIAL,
                    aws_secret_access_key=_CREDENTIAL,
                    config=Config(
                        connect_timeout=5,
                        read_timeout=60,
                        max_pool_connections=16,
                        retries={"total_max_attempts": 3, "mode": "standard"},
                        s3={"addressing_style": "path"},
                    ),
                )
                client.meta.events.register("before-call", _mark)
                self._clients[endpoint, service] = client
            return self._clients[endpoint, service]


def _mark(params: dict[str, Any], **_: object) -> None:
    # What CloudFormation does is AWS's own doing: not counted among the service's calls.
    params["headers"][INTERNAL_HEADER] = "cloudformation"


def _reason(service: str, error: ClientError | BotoCoreError) -> str:
    if not isinstance(error, ClientError):
        return f"Invalid request provided for {service}: {error}"
    details = error.response["Error"]
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    return (
        f'Resource handler returned message: "{details.get("Message", "")}" '
        f"(Service: {service}, Status Code: {status}, Error Code: {details['Code']})"
    )
