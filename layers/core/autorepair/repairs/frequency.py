"""The guards on how often: cooldown, repairs a day and an hour, the same repair once more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from autorepair.domain.change import Change, EnvironmentSetting, Setting
from autorepair.domain.decision import Refusal, RefusalCode
from autorepair.domain.ledger import DAY, HOUR, REMEMBERED, Booking, History
from autorepair.domain.policy import Policy

MOST_ALIKE = 2
"""So many repairs of one kind a function may have had within a week; the next is escalated."""


@dataclass(frozen=True, slots=True)
class _Ask:
    change: Change
    policy: Policy
    history: History
    now: datetime

    @property
    def alike(self) -> list[Booking]:
        """Earlier repairs of the same kind, oldest first."""
        return [
            b
            for b in self.history.earlier
            if b.kind is self.change.kind and self.now - b.booked_at < REMEMBERED
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
    if not ask.alike:
        return None
    last = ask.alike[-1]
    outcome = ask.history.outcomes.get(last.incident_id)
    if outcome is None or outcome.status not in {"kept", "handed_over"}:
        return None
    if ask.change.before != last.before:
        return None
    return _refusal(
        RefusalCode.PUT_BACK,
        "what was repaired before has been put back to what it was, by a person or a deployment, "
        f"so it is not repaired again: {_told([last], ask.history)}. Settle with its owner what it "
        "should be, and make that permanent",
        last.booked_at + REMEMBERED,
    )


def _repeated(ask: _Ask) -> Refusal | None:
    if len(ask.alike) < MOST_ALIKE:
        return None
    return _refusal(
        RefusalCode.REPEATED,
        f"it would be {ask.change.kind.value} for the {_ordinal(len(ask.alike) + 1)} time within "
        f"{REMEMBERED.days} days, so the cause is another one or still grows: "
        f"{_told(ask.alike, ask.history)}. Look at the history and mend the cause",
        ask.alike[-MOST_ALIKE].booked_at + REMEMBERED,
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
