"""Events on the service's own bus."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from autorepair.aws.errors import aws_call
from autorepair.domain.errors import ConfigurationError, TransientServiceError

if TYPE_CHECKING:
    from types_boto3_events import EventBridgeClient

_ACTION = "events:PutEvents"
_SOURCE = "lambda-auto-repair"
_TRANSIENT = frozenset({"InternalFailure", "InternalException", "ThrottlingException"})


class EventBridgeAnnouncer:
    """Puts one event at a time."""

    permissions: ClassVar[Mapping[str, frozenset[str]]] = {"announce": frozenset({_ACTION})}

    def __init__(self, client: EventBridgeClient, *, bus: str) -> None:
        self._events = client
        self._bus = bus

    def announce(self, detail_type: str, detail: dict[str, Any]) -> None:
        """Put one event on the bus.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be put.
        """
        with aws_call(_ACTION, f"bus {self._bus}"):
            answer = self._events.put_events(
                Entries=[
                    {
                        "EventBusName": self._bus,
                        "Source": _SOURCE,
                        "DetailType": detail_type,
                        "Detail": json.dumps(detail),
                    }
                ]
            )
        # A refused entry is no error to boto3.
        if answer.get("FailedEntryCount", 0):
            self._raise_refusal(detail_type, answer["Entries"][0].get("ErrorCode", "no code"))

    def _raise_refusal(self, detail_type: str, code: str) -> None:
        where = f"{_ACTION} of {detail_type} on bus {self._bus} failed with {code}"
        if code in _TRANSIENT:
            raise TransientServiceError(f"{where}; the same call may work a moment later")
        raise ConfigurationError(f"{where}: check the bus and its policy")
