"""SNS: strict about what may be published, and an inbox of all that was."""

from __future__ import annotations

import re
import threading
from datetime import UTC, datetime
from typing import Any

from autorepair_lab.account.call import Call, CallRefusedError, ErrorReply, Reply

_SUBJECT = re.compile(r"[\x21-\x7e][\x20-\x7e]{0,99}")
_MOST_BYTES = 256 * 1024


class Inbox:
    """Interceptor and observer for Publish and PublishBatch; keeps every message published."""

    def __init__(self) -> None:
        self._messages: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    def messages(self) -> list[dict[str, Any]]:
        """Everything published so far: topic, subject, message, attributes, at (ISO time)."""
        with self._lock:
            return list(self._messages)

    def handle(self, call: Call) -> Reply | ErrorReply | None:
        """Refuse what SNS refuses; the rest is moto's."""
        if call.service != "sns" or call.operation not in {"Publish", "PublishBatch"}:
            return None
        for message in _messages(call):
            _check(message)
        return None

    def observe(self, call: Call) -> None:
        """Keep what was published."""
        if call.service != "sns" or call.operation not in {"Publish", "PublishBatch"}:
            return
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        topic = call.parameters.get("TopicArn") or call.parameters.get("TargetArn")
        kept = [
            {
                "topic": topic,
                "subject": message.get("Subject"),
                "message": message["Message"],
                "attributes": {
                    name: value.get("StringValue")
                    for name, value in (message.get("MessageAttributes") or {}).items()
                },
                "at": at,
            }
            for message in _messages(call)
        ]
        with self._lock:
            self._messages += kept


def _messages(call: Call) -> list[dict[str, Any]]:
    entries = call.parameters.get("PublishBatchRequestEntries")
    return [call.parameters] if entries is None else list(entries)


def _check(message: dict[str, Any]) -> None:
    subject = message.get("Subject")
    # The subject becomes a mail header: ASCII, at most 100 characters, no line break.
    if subject is not None and _SUBJECT.fullmatch(subject) is None:
        raise CallRefusedError("InvalidParameter", "Invalid parameter: Subject")
    text = message.get("Message") or ""
    if not text:
        raise CallRefusedError("InvalidParameter", "Invalid parameter: Empty message")
    if len(text.encode()) > _MOST_BYTES:
        raise CallRefusedError("InvalidParameter", "Invalid parameter: Message too long")
