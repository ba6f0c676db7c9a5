"""A harmless test event that an operator has declared, and what became of one."""

from __future__ import annotations

from typing import Literal

from pydantic import JsonValue

from autorepair.domain.value import Instant, Value


class Probe(Value):
    """What a function may be invoked with to see whether it works.

    The function does with it whatever it does with any event: that it is harmless is what the
    operator has declared.
    """

    payload: JsonValue
    expect_status: int | None = None
    """The ``statusCode`` the answer has to carry; None: any answer without an error will do."""


ProbeOutcome = Literal["passed", "failed_the_same_way", "failed_otherwise", "unanswered"]


class ProbeResult(Value):
    """What a probe showed; neither what was sent nor what was answered is kept."""

    outcome: ProbeOutcome
    at: Instant
    reason: str
    request_id: str | None = None
    """By which the log's reader leaves it out of the traffic; None where no answer came."""
