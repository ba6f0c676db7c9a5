"""How long one verification window is, from the target's own traffic."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from autorepair.domain.change import (
    Change,
    ReservedConcurrencySetting,
    Setting,
    TimeoutSetting,
)
from autorepair.domain.evidence import EvidenceSummary
from autorepair.domain.policy import MAX_VERIFICATION_S, VerificationRules
from autorepair.domain.traffic import Traffic
from autorepair.domain.verification import OpenWindow
from autorepair.steps.sampling import LOG_LAG_S, METRIC_WINDOW_S

HOUR_S, DAY_S = 3600, 86_400
_MONTH_S = 30 * DAY_S
LONGEST_FIRST_S = DAY_S // 2
"""However rarely a function is called: what is seen then may be harm, or somebody's own try."""
LONGEST_UNSEEN_S = HOUR_S
"""No longer than this a change is left without a look for harm, however long a window is."""
_NEARLY = timedelta(minutes=1)


def window_s(rules: VerificationRules, evidence: EvidenceSummary, plan: Change) -> int:
    """Say how long the first verification window is, in seconds.

    At the rate seen before the alarm, so many windows have to show ``min_invocations``; and an
    invocation that runs into a new timeout has to be able to do so within one, and whole minutes
    of metrics have to come in.
    """
    gap_s = _gap_s(evidence) or 0.0
    needed_s = math.ceil(rules.min_invocations * gap_s / rules.max_windows)
    # No window is shorter than the first, and all of them together last a week at most.
    longest_s = min(LONGEST_FIRST_S, MAX_VERIFICATION_S // rules.max_windows)
    return max(rules.window_s, _shortest_s(plan.after), min(longest_s, needed_s))


def first_wait_s(rules: VerificationRules, evidence: EvidenceSummary, plan: Change) -> int:
    """Say after how many seconds the first look is: of a long first window, one for harm only."""
    return min(LONGEST_UNSEEN_S, window_s(rules, evidence, plan))


def opened(lasts_s: int, *, since: datetime) -> OpenWindow | None:
    """Give the window that is to be looked into before it ends; None for one that is short."""
    if lasts_s <= LONGEST_UNSEEN_S:
        return None
    return OpenWindow(
        ends_at=since + timedelta(seconds=lasts_s), looks=math.ceil(lasts_s / LONGEST_UNSEEN_S)
    )


def is_over(window: OpenWindow, now: datetime) -> bool:
    """Whether it is time for the look that ends the window: a minute more tells nothing."""
    return window.ends_at - now < _NEARLY


def wait_s(window: OpenWindow, now: datetime) -> int:
    """Say how long to wait for the next look into the window, in seconds."""
    return min(LONGEST_UNSEEN_S, math.ceil((window.ends_at - now).total_seconds()))


def next_window_s(
    rules: VerificationRules,
    traffic: Traffic | None,
    *,
    first_s: int,
    elapsed_s: float,
    windows_left: int,
) -> int:
    """Say how long the next window is, in seconds, after one that could not tell.

    All windows together last until the function has been called as often as its usual traffic of
    a month lets expect, and for longer than it is ever silent: a job of the night gets its night,
    a week at most. The looks are spread evenly on a logarithmic scale, so that what can be told
    soon is told soon, and no window is shorter than the first.
    """
    whole_s = min(
        MAX_VERIFICATION_S, max(rules.max_windows * first_s, _asked_for_s(rules, traffic))
    )
    if windows_left < 1 or not 0 < elapsed_s < whole_s:
        return first_s
    ratio = math.pow(whole_s / elapsed_s, 1 / windows_left)
    return max(first_s, math.ceil(elapsed_s * (ratio - 1)))


def _asked_for_s(rules: VerificationRules, traffic: Traffic | None) -> float:
    """Give how long all windows have to last; what is called for less than a day has no habits."""
    if traffic is None or traffic.span_days < 1:
        return 0.0
    month = traffic.invocations_month
    rare_s = rules.min_invocations * _MONTH_S / month if month else 0.0
    silence_s = traffic.longest_silence_s
    # By whole hours: the call that ends a silence may come at the end of its hour.
    return max(rare_s, silence_s + 2 * HOUR_S if silence_s else 0.0)


def _shortest_s(after: Setting) -> int:
    match after:
        case TimeoutSetting():
            return after.timeout_s + LOG_LAG_S
        case ReservedConcurrencySetting():
            return METRIC_WINDOW_S
        case _:
            return 0


def _gap_s(evidence: EvidenceSummary) -> float | None:
    """Give the mean time from one invocation to the next, in seconds; None if nothing was seen.

    Of a single invocation only this is known: there was one in the whole span looked at.
    """
    first, last = evidence.first_invocation_at, evidence.last_invocation_at
    if not evidence.invocations:
        return None
    if evidence.invocations == 1 or first is None or last is None:
        return (evidence.window_end - evidence.window_start).total_seconds()
    return (last - first).total_seconds() / (evidence.invocations - 1)
