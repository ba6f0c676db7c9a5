"""Spans of time as people give them: `24h`, `7d`, or a moment."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import click

_SPAN = re.compile(r"(\d{1,6})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def since(given: str, now: datetime) -> datetime:
    """Give the moment that ``given`` means: so long before ``now``, or that very moment.

    A moment without a time zone is taken as UTC.

    Raises:
        click.BadParameter: It is neither.
    """
    return _moment(given, now, -1, "--since")


def until(given: str, now: datetime) -> datetime:
    """Give the moment that ``given`` means: so long after ``now``, or that very moment.

    Raises:
        click.BadParameter: It is neither, or not in the future.
    """
    moment = _moment(given, now, 1, "--for")
    if moment <= now:
        raise click.BadParameter(f"{given!r} is not in the future", param_hint="--for")
    return moment


def _moment(given: str, now: datetime, direction: int, option: str) -> datetime:
    span = _SPAN.fullmatch(given)
    try:
        if span:
            return now + direction * timedelta(**{_UNITS[span[2]]: int(span[1])})
        moment = datetime.fromisoformat(given)
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(
            f"{given!r} is neither a span (90m, 24h, 7d) nor a moment (2026-03-04T12:00:00Z)",
            param_hint=option,
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
