"""An alarm as CloudWatch describes it at this moment, whatever its event said."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field

from autorepair.domain.value import Instant, Value

AlarmState = Literal["ALARM", "OK", "INSUFFICIENT_DATA"]
_REFERENCE = re.compile(
    r"\b(?:ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*"
    r'(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^\s()"]+))\s*\)'
)
_ESCAPED = re.compile(r"\\(.)")


class WatchedMetric(Value):
    """A metric that an alarm watches; ``account_id`` only where it is another account's."""

    namespace: str | None = None
    name: str | None = None
    dimensions: dict[str, str] = Field(default_factory=dict)
    account_id: str | None = None


class DescribedAlarm(Value):
    """One answer of DescribeAlarms; ``rule`` is there for composite alarms only."""

    name: str
    arn: str
    state: AlarmState
    changed_at: Instant
    reason: str = ""
    metrics: tuple[WatchedMetric, ...] = ()
    rule: str | None = None
    has_actions_enabled: bool = True
    suppressed_by: Literal["WaitPeriod", "ExtensionPeriod", "Alarm"] | None = None
    suppressor: str | None = None
    """The name or ARN of the alarm that suppresses a composite alarm's actions while in ALARM."""


def children_of(rule: str) -> tuple[str, ...]:
    """Name the alarms that a composite alarm's rule speaks of, each once, in its order."""
    names = (
        alarm_name_of(_ESCAPED.sub(r"\1", found["quoted"]) if found["quoted"] else found["bare"])
        for found in _REFERENCE.finditer(rule)
        if found["quoted"] or found["bare"]
    )
    return tuple(dict.fromkeys(names))


def alarm_name_of(reference: str) -> str:
    """Give an alarm's name, which rules and suppressors also write as its ARN."""
    return (
        reference.split(":", 6)[6] if re.match(r"arn:[^:]*:cloudwatch:", reference) else reference
    )
