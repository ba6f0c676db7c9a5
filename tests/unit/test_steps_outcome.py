from __future__ import annotations

import pytest

from autorepair.domain.approval import Approval
from autorepair.domain.course import Course, outcome_of
from autorepair.domain.incident import Outcome
from autorepair.domain.verification import Verdict
from unit.builders import applied, change, course, decision, rollback, verification

KEPT_STEP = applied(status="refused", step=2, origin=change(is_applied=True))


@pytest.mark.parametrize(
    ("ended", "outcome"),
    [
        (course(change=applied(), verification=verification()), Outcome.REPAIRED),
        (
            course(
                change=applied(),
                verification=verification(verdict=Verdict.INSUFFICIENT_TRAFFIC),
            ),
            Outcome.UNVERIFIED,
        ),
        (
            course(change=applied(), verification=verification(verdict=Verdict.UNCHANGED)),
            Outcome.UNVERIFIED,
        ),
        (
            course(
                change=applied(),
                verification=verification(verdict=Verdict.WORSE, next="roll_back"),
                rollback=rollback(),
            ),
            Outcome.ROLLED_BACK,
        ),
        (
            course(change=applied(), rollback=rollback(status="already_restored")),
            Outcome.ROLLED_BACK,
        ),
        (
            course(
                change=applied(),
                verification=verification(verdict=Verdict.INSUFFICIENT_TRAFFIC),
                rollback=rollback(),
            ),
            Outcome.UNVERIFIED,
        ),
        (course(change=applied(), rollback=rollback(status="conflict")), Outcome.ESCALATED),
        (
            course(change=applied(), verification=verification(verdict=Verdict.OVERTAKEN)),
            Outcome.ESCALATED,
        ),
        (
            course(
                change=applied(),
                verification=verification(verdict=Verdict.STILL_SHORT, next="step"),
                decision=decision(action="ask", step=2, otherwise="roll_back"),
                approval=Approval(answer="rejected"),
                rollback=rollback(),
            ),
            Outcome.ROLLED_BACK,
        ),
        (course(change=applied(status="refused")), Outcome.ESCALATED),
        (course(change=applied(status="paused")), Outcome.ESCALATED),
        (course(change=applied(status="recovered")), Outcome.RECOVERED),
        (course(decision=decision(action="recovered")), Outcome.RECOVERED),
        (course(decision=decision(action="decline")), Outcome.ESCALATED),
        (course(decision=decision(action="observe")), Outcome.ESCALATED),
        (
            course(decision=decision(action="ask"), approval=Approval(answer="rejected")),
            Outcome.REJECTED,
        ),
        (
            course(decision=decision(action="ask"), approval=Approval(answer="expired")),
            Outcome.EXPIRED,
        ),
        (
            course(
                decision=decision(action="ask"),
                approval=Approval(answer="approved"),
                change=applied(status="recovered"),
            ),
            Outcome.RECOVERED,
        ),
        (
            course(change=KEPT_STEP, verification=verification(next="step")),
            Outcome.UNVERIFIED,
        ),
    ],
)
def test_an_incident_ends_as_its_states_left_it(ended: Course, outcome: Outcome) -> None:
    assert outcome_of(ended) is outcome


def test_an_answer_to_an_earlier_plan_does_not_decide_the_outcome() -> None:
    ended = course(decision=decision(action="decline"), approval=Approval(answer="rejected"))
    assert outcome_of(ended) is Outcome.ESCALATED


def test_a_further_step_undoes_back_to_where_the_incident_began() -> None:
    second = applied(change=change(6, 12, is_applied=True), step=2, origin=change(is_applied=True))
    assert second.in_place is not None
    assert second.in_place.inverse().after == change().before
    assert second.in_place.inverse().leads_to == change().planned_on


def test_nothing_is_kept_once_it_was_taken_back() -> None:
    assert applied(status="rolled_back").in_place is None
    assert course(change=applied(), rollback=rollback()).kept_change is None


def test_a_stale_plan_of_a_first_step_left_nothing_in_place() -> None:
    assert applied(status="stale").in_place is None


def test_what_was_left_to_somebody_else_is_not_called_kept() -> None:
    overtaken = verification(verdict=Verdict.OVERTAKEN)
    for ended in (
        course(change=applied(), verification=overtaken),
        course(change=applied(), rollback=rollback(status="conflict")),
    ):
        assert ended.kept_change is None
        assert ended.handed_over == change(is_applied=True)
    assert course(change=applied(), rollback=rollback()).handed_over is None
    assert course().handed_over is None
