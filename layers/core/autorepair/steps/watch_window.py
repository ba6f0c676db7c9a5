"""How long one verification window is, from the target's own traffic."""

from __future__ import annotations

import math

from autorepair.domain.change import (
    Change,
    ReservedConcurrencySetting,
    Setting,
    TimeoutSetting,
)
from autorepair.domain.evidence import EvidenceSummary
from autorepair.domain.policy import VerificationRules
from autorepair.steps.sampling import LOG_LAG_S, METRIC_WINDOW_S

DAY_S = 86_400
LONGEST_WATCH_S = 3 * DAY_S
"""All windows together; leaves the state machine (60 days) room for the answer of a person."""


def window_s(rules: VerificationRules, evidence: EvidenceSummary, plan: Change) -> int:
    """Say how long one verification window is, in seconds.

    At the rate seen before the alarm, all windows together have to show ``min_invocations``; and
    an invocation that runs into a new timeout has to be able to do so within one, and whole minutes
    of metrics have to come in.
    """
    gap_s = _gap_s(evidence) or 0.0
    needed_s = math.ceil(rules.min_invocations * gap_s / rules.max_windows)
    longest_s = min(DAY_S, LONGEST_WATCH_S // rules.max_windows)
    return max(rules.window_s, _shortest_s(plan.after), min(longest_s, needed_s))


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
