"""The guards on how often: cooldown, repairs a day and an hour, the same repair once more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from autorepair.domain.change import (
    Absent,
    Change,
    EnvironmentSetting,
    SealedValue,
    Setting,
    figure_of,
)
from autorepair.domain.decision import Refusal, RefusalCode
from autorepair.domain.ledger import DAY, HOUR, KEPT_FOR, REMEMBERED, Booking, History
from autorepair.domain.policy import Policy

MOST_ALIKE = 2
"""So many repairs of one kind a function may have had within a week; the next is escalated."""


@dataclass(frozen=True, slots=True)
class _Ask:
    change: Change
    policy: Policy
    history: History
    now: datetime

    def alike(self, span: timedelta) -> list[Booking]:
        """Earlier repairs of the same kind within ``span``, oldest first."""
        return [
            b
            for b in self.history.earlier
            if b.kind is self.change.kind and self.now - b.booked_at < span
        ]


def too_often(change: Change, policy: Policy, history: History, now: datetime) -> Refusal | None:
    """Say why this repair comes too soon or too often; None if it does not.

    A further step of an incident that has begun its repair is no new repair.
    """
    if history.is_booked:
        return None
    ask = _Ask(change, policy, history, now)
    return next((r for guard in _GUARDS if (r := guard(ask)) is not None), None)


def _put_back(ask: _Ask) -> Refusal | None:
    """Somebody has undone what was kept: they know something, or their template does."""
    stayed = [(b, made) for b in ask.alike(KEPT_FOR) if (made := _stayed(b, ask.history))]
    if not stayed:
        return None
    last, made = stayed[-1]
    if not _is_back(ask.change.before, made):
        return None
    return _refusal(
        RefusalCode.PUT_BACK,
        "what was repaired before has been put back, all the way or some of it, by a person or a "
        f"deployment, so it is not repaired again: {_told([last], ask.history)}. Settle with its "
        "owner what it should be, and make that permanent",
        last.booked_at + KEPT_FOR,
    )


def _stayed(booking: Booking, history: History) -> Change | None:
    """Give what a repair amounts to that the service itself did not take back."""
    outcome = history.outcomes.get(booking.incident_id)
    if outcome is None or outcome.change is None or outcome.status not in {"kept", "handed_over"}:
        return None
    return outcome.change.after_step(outcome.origin)


def _is_back(present: Setting, made: Change) -> bool:
    """Whether a setting lies off what was made of it, to the side that it came from.

    What lies beyond is no less than the repair gave. Of a variable there is but the one it was.
    """
    if isinstance(present, EnvironmentSetting):
        return _is_any_back(present, made)
    now, before, after = (figure_of(one) for one in (present, made.before, made.after))
    if now is None or before is None or after is None:
        return present == made.before
    return (now - after) * (before - after) > 0


def _is_any_back(present: EnvironmentSetting, made: Change) -> bool:
    """Whether a variable is as it was, or is in again that was taken out."""
    if not (
        isinstance(made.before, EnvironmentSetting) and isinstance(made.after, EnvironmentSetting)
    ):
        return False
    before, after = made.before.variables, made.after.variables
    return any(
        now == before[name]
        or (isinstance(now, SealedValue) and now.is_value_of(before[name]))
        or (after[name] == Absent() and now != Absent())
        for name, now in present.variables.items()
        if name in before and name in after
    )


def _repeated(ask: _Ask) -> Refusal | None:
    alike = ask.alike(REMEMBERED)
    if len(alike) < MOST_ALIKE:
        return None
    return _refusal(
        RefusalCode.REPEATED,
        f"it would be {ask.change.kind.value} for the {_ordinal(len(alike) + 1)} time within "
        f"{REMEMBERED.days} days, so the cause is another one or still grows: "
        f"{_told(alike, ask.history)}. Look at the history and mend the cause",
        alike[-MOST_ALIKE].booked_at + REMEMBERED,
    )


def _cooling_down(ask: _Ask) -> Refusal | None:
    last = max((b.written_at for b in ask.history.earlier), default=None)
    if last is None:
        return None
    allowed_at = last + timedelta(seconds=ask.policy.limits.cooldown_s)
    if ask.now >= allowed_at:
        return None
    return _refusal(
        RefusalCode.COOLDOWN,
        f"the function was changed at {_moment(last)}, and limits.cooldown_s keeps "
        f"{ask.policy.limits.cooldown_s} s between two repairs of it",
        allowed_at,
    )


def _daily_limit(ask: _Ask) -> Refusal | None:
    allowed = ask.policy.limits.repairs_per_function_day
    made = [b.booked_at for b in ask.history.earlier]
    return _limited(RefusalCode.DAILY_LIMIT, made, DAY, allowed, ask.now)


def _hourly_limit(ask: _Ask) -> Refusal | None:
    allowed = ask.policy.limits.repairs_per_account_hour
    writes = ask.history.ledger.of_account.writes
    made = [w.at for w in writes if w.incident_id != ask.history.incident_id]
    return _limited(RefusalCode.HOURLY_LIMIT, made, HOUR, allowed, ask.now)


_LIMITS = {
    RefusalCode.DAILY_LIMIT: "repairs of this function in a day (limits.repairs_per_function_day)",
    RefusalCode.HOURLY_LIMIT: "repairs in the account in an hour (limits.repairs_per_account_hour)",
}


def _limited(
    code: RefusalCode, made: Sequence[datetime], span: timedelta, allowed: int, now: datetime
) -> Refusal | None:
    recent = sorted(at for at in made if now - at < span)
    if len(recent) < allowed:
        return None
    why = f"the policy allows {allowed} {_LIMITS[code]}, and {len(recent)} were made"
    return _refusal(code, why, recent[len(recent) - allowed] + span if allowed else None)


_GUARDS: tuple[Callable[[_Ask], Refusal | None], ...] = (
    _put_back,
    _repeated,
    _cooling_down,
    _daily_limit,
    _hourly_limit,
)


def _refusal(code: RefusalCode, why: str, allowed_at: datetime | None) -> Refusal:
    when = f"; allowed again from {_moment(allowed_at)}" if allowed_at else ""
    return Refusal(code=code, why=f"{why}{when}", allowed_at=allowed_at)


def _told(bookings: Sequence[Booking], history: History) -> str:
    return "; ".join(_line(b, history) for b in bookings[-5:])


def _line(booking: Booking, history: History) -> str:
    outcome = history.outcomes.get(booking.incident_id)
    became = outcome.status.replace("_", " ") if outcome else "its end is not known"
    path = f"{setting_in_words(booking.before)} to {setting_in_words(booking.after)}"
    return f"{booking.incident_id} at {_moment(booking.written_at)}: {path}, {became}"


def setting_in_words(setting: Setting) -> str:
    """Say a setting by its own names, without any variable's value."""
    if isinstance(setting, EnvironmentSetting):
        return ", ".join(f"{n} {source.kind}" for n, source in sorted(setting.variables.items()))
    told = setting.model_dump(mode="json", exclude={"kind"})
    return " ".join(f"{name} {value}" for name, value in told.items())


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _ordinal(number: int) -> str:
    suffix = "th" if number % 100 in {11, 12, 13} else _SUFFIXES.get(number % 10, "th")
    return f"{number}{suffix}"


_SUFFIXES = {1: "st", 2: "nd", 3: "rd"}
