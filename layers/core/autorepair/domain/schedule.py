"""When the service may write at all: the hours of a day, and spans in which nothing moves."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from autorepair.domain.decision import Refusal, RefusalCode
from autorepair.domain.value import Instant, Value

Hour = Annotated[int, Field(ge=0, le=24)]


class Freeze(Value):
    """A span in which nothing is written, from ``start`` up to but not at ``end``."""

    start: Instant
    end: Instant
    reason: str = ""

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if self.end <= self.start:
            raise ValueError(f"a freeze ends at {self.end}, which is not after {self.start}")
        return self


class Schedule(Value):
    """When repairs are written, with or without a person's consent; taking back always may be.

    ``allowed_hours`` are full hours in ``timezone``, from the first up to but not at the second;
    (22, 6) goes over midnight. None: at any hour.
    """

    timezone: str = "UTC"
    allowed_hours: tuple[Hour, Hour] | None = None
    freeze: tuple[Freeze, ...] = ()

    @field_validator("timezone")
    @classmethod
    def _timezone_is_known(cls, name: str) -> str:
        _zone(name)
        return name

    @field_validator("allowed_hours")
    @classmethod
    def _hours_span_something(cls, hours: tuple[int, int] | None) -> tuple[int, int] | None:
        if hours is not None and hours[0] == hours[1]:
            raise ValueError(
                f"from {hours[0]} to {hours[1]} is no time at all; say null for any hour"
            )
        return hours

    def refusal_at(self, now: datetime) -> Refusal | None:
        """Say why nothing is written at this moment; None if it may be."""
        for freeze in self.freeze:
            if freeze.start <= now < freeze.end:
                told = f" ({freeze.reason})" if freeze.reason else ""
                why = f"repairs are frozen until {freeze.end:%Y-%m-%d %H:%M %Z}{told}"
                return Refusal(code=RefusalCode.FREEZE, why=why)
        local = now.astimezone(_zone(self.timezone))
        if self.allowed_hours is None or _is_within(local.hour, *self.allowed_hours):
            return None
        first, last = self.allowed_hours
        why = (
            f"it is {local:%H:%M} in {self.timezone}, and repairs are written from {first}:00 "
            f"to {last}:00 only"
        )
        return Refusal(code=RefusalCode.OUTSIDE_HOURS, why=why)


def _is_within(hour: int, first: int, last: int) -> bool:
    return first <= hour < last if first < last else hour >= first or hour < last


def _zone(name: str) -> tzinfo:
    if name == "UTC":
        # The default must hold where no time zone database is installed.
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"there is no time zone {name!r}; say one such as Europe/Berlin") from None
