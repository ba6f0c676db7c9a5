"""What goes on being watched when an incident closes: the change that stays, or was not made.

A change that was left to whoever changed the function since may stay too: whether it does is for
the first look to tell.
"""

from __future__ import annotations

from autorepair.domain.change import Change
from autorepair.domain.course import Course
from autorepair.domain.incident import Outcome
from autorepair.domain.watched import (
    OUTCOME_AFTER,
    WatchedOutcome,
    WatchedRepair,
    Withheld,
)
from autorepair.ports import Ports

_WITHHELD: dict[Outcome, Withheld] = {Outcome.REJECTED: "rejected", Outcome.EXPIRED: "expired"}


def watch(course: Course, outcome: Outcome, ports: Ports) -> None:
    """Have it watched what becomes of a change that was kept, or of the function without one.

    Running again changes nothing.

    Raises:
        AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be kept.
    """
    left = course.kept_change or course.may_stand
    if left is not None:
        _watch_repair(course, left, ports)
        return
    withheld = _withheld(course, outcome)
    planned = course.decision.change if course.decision else None
    if withheld is not None and planned is not None:
        now = ports.clock.now()
        watched = WatchedOutcome(
            incident=course.incident,
            change=planned,
            withheld=withheld,
            closed_at=now,
            due_at=now + OUTCOME_AFTER[0],
        )
        ports.watches.keep(watched)


def _watch_repair(course: Course, left: Change, ports: Ports) -> None:
    now = ports.clock.now()
    applied_at = course.change.applied_at if course.change else None
    watched = WatchedRepair(
        incident=course.incident,
        change=left,
        applied_at=applied_at or now,
        since=now,
        due_at=now,
        is_handed_over=course.kept_change is None,
    )
    ports.watches.keep(watched.after_repair_of(ports.watches.repair_like(left)))


def _withheld(course: Course, outcome: Outcome) -> Withheld | None:
    """Say why the planned change was not made, where that tells how good the plan was.

    A further step that was not made says nothing by itself: steps before it have been.
    """
    if course.change is not None and course.change.in_place is not None:
        return None
    is_observed = course.decision is not None and course.decision.action == "observe"
    if outcome is Outcome.ESCALATED and is_observed:
        return "observe"
    return _WITHHELD.get(outcome)
