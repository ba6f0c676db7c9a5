"""What people are told when the storm breaker has tripped: in English and then in Chinese."""

# ruff: noqa: RUF001 - Chinese is written with full-width punctuation

from __future__ import annotations

from datetime import datetime, timedelta

from autorepair.domain.ledger import Trip
from autorepair.views.message import LONGEST_SUBJECT, Message

_ENGLISH = (
    "The storm breaker has tripped: this is one incident upstream, not many repairs.",
    "Every repair asks a person now, until a whole breaker.window_s passes without another one.",
    "You are told this once.",
    "Next: look for what these functions share: a service they call, a deployment, a limit.",
)
_CHINESE = (
    "风暴断路器已触发：这是上游的一个故障，而不是许多个修复。",
    "在整整一个 breaker.window_s 内不再出现新事件之前，每次修复都会先询问人员。",
    "此消息只发送一次。",
    "下一步：查找这些函数的共同点：它们调用的服务、一次部署，或账户的限额。",
)


def storm_message(trip: Trip) -> Message:
    """Say that it is one incident upstream, on which functions, and when repairs go on."""
    subject = f"[Auto-Repair] storm breaker tripped: {trip.why}"
    listed = [f"  {name}" for name in trip.functions]
    english = [*_ENGLISH, f"Why: {trip.why}", f"Since: {_moment(trip)}", "Functions:", *listed]
    chinese = [*_CHINESE, f"原因：{trip.why}", f"起始时间：{_moment(trip)}", "函数：", *listed]
    body = "\n".join([*english, "", "-" * 40, "", *chinese])
    return Message(subject=subject[:LONGEST_SUBJECT], body=body)


def breaker_lines(trip: Trip | None, window_s: int, now: datetime) -> tuple[str, ...]:
    """Say how the storm breaker stands, and of a trip by what, since when and how it ends."""
    if trip is None:
        return ("the storm breaker has not tripped",)
    ends_at = trip.last_at + timedelta(seconds=window_s)
    end = (
        f"it ends by itself at {ends_at:%H:%M:%S} UTC if no further incident comes until then "
        f"(breaker.window_s, {window_s} s after the last one); each that comes puts that off"
        if now < ends_at
        else "it is over: the next incident finds the breaker reset"
    )
    return (
        f"the storm breaker has tripped: every repair asks, since {_moment(trip)}",
        f"    by incident {trip.by}: {trip.told()}",
        f"    {end}; `autorepair resume` does not end it",
    )


def _moment(trip: Trip) -> str:
    return f"{trip.since:%Y-%m-%d %H:%M:%S %Z}"
