"""Asynchronous invocations: queued, retried twice, handed to a destination when they fail."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from autorepair_lab.account.call import CallRefusedError
from autorepair_lab.account.lambda_invoke import Answer
from autorepair_lab.account.lambda_store import Function

_LOG = logging.getLogger(__name__)
_RETRY_DELAYS_S = (60.0, 120.0)
_THREADS = 32
Run = Callable[[str, bytes], Answer]
Deliver = Callable[[str, dict[str, Any]], None]


class AsyncInvocations:
    """Runs events in the background; retries after one and two minutes, divided by time_scale.

    A throttled event is tried again without counting as a retry, as on AWS.
    """

    def __init__(self, run: Run, deliver: Deliver, *, time_scale: float) -> None:
        self._run = run
        self._deliver = deliver
        self._scale = time_scale
        self._stopped = threading.Event()
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="lab-async")

    def submit(self, function: Function, qualifier: str, payload: bytes) -> None:
        """Queue an event; returns at once."""
        if not self._stopped.is_set():
            self._pool.submit(self._work, function, qualifier, payload)

    def close(self) -> None:
        """Drop what waits; invocations that run are left to the runtime."""
        self._stopped.set()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _work(self, function: Function, qualifier: str, payload: bytes) -> None:
        config = function.event_invoke.get(qualifier, {})
        delays = _RETRY_DELAYS_S[: config.get("MaximumRetryAttempts", len(_RETRY_DELAYS_S))]
        reference = function.qualified_arn(qualifier)
        attempts = 0
        while not self._stopped.is_set():
            answer = self._attempt(reference, payload)
            attempts += 1
            if answer is None:
                return
            outcome = _Outcome(reference, payload, answer, attempts)
            if answer.result.function_error is None:
                self._hand_on(config, "OnSuccess", outcome)
                return
            if attempts > len(delays):
                self._fail(function, config, outcome)
                return
            self._stopped.wait(delays[attempts - 1] / self._scale)

    def _attempt(self, reference: str, payload: bytes) -> Answer | None:
        backoff_s = 1.0
        deadline = time.monotonic() + 6 * 3600 / self._scale
        while not self._stopped.is_set() and time.monotonic() < deadline:
            try:
                return self._run(reference, payload)
            except CallRefusedError as refusal:
                if refusal.reply.code != "TooManyRequestsException":
                    _LOG.warning("Event for %s dropped: %s", reference, refusal)
                    return None
                self._stopped.wait(backoff_s / self._scale)
                backoff_s = min(backoff_s * 2, 300.0)
        return None

    def _fail(self, function: Function, config: dict[str, Any], outcome: _Outcome) -> None:
        self._hand_on(config, "OnFailure", outcome)
        dead_letters = function.latest.config.get("DeadLetterConfig", {}).get("TargetArn")
        if dead_letters:
            self._deliver(dead_letters, json.loads(outcome.payload))

    def _hand_on(self, config: dict[str, Any], kind: str, outcome: _Outcome) -> None:
        target = config.get("DestinationConfig", {}).get(kind, {}).get("Destination")
        if target:
            self._deliver(target, outcome.record())


@dataclass(frozen=True)
class _Outcome:
    """How an event ended."""

    reference: str
    payload: bytes
    answer: Answer
    attempts: int

    def record(self) -> dict[str, Any]:
        """What a destination receives."""
        result = self.answer.result
        error = result.function_error
        return {
            "version": "1.0",
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "requestContext": {
                "requestId": result.request_id,
                "functionArn": self.reference,
                "condition": "RetriesExhausted" if error else "Success",
                "approximateInvokeCount": self.attempts,
            },
            "requestPayload": json.loads(self.payload),
            "responseContext": {
                "statusCode": 200,
                "executedVersion": self.answer.version,
                **({"functionError": error} if error else {}),
            },
            "responsePayload": json.loads(result.payload or b"null"),
        }
