"""The answer of a person: recorded first, then handed to the execution that waits."""

from __future__ import annotations

import pytest

from autorepair.domain.audit import Entry, RecordKind
from autorepair.domain.errors import (
    ContraryAnswerError,
    IncidentUnknownError,
    NotWaitingError,
    PlanChangedError,
    TransientServiceError,
)
from autorepair.ports import AnswerPorts
from autorepair.steps.answer_approval import Answered, AnswerInput, answer_approval
from unit.builders import INCIDENT
from unit.fakes import FakeApprovals, FakeAudit, FakeClock

PLAN, OTHER_PLAN = "a" * 64, "b" * 64


class Desk:
    def __init__(self, *, asked: tuple[str, ...] = (PLAN,)) -> None:
        self.clock, self.audit, self.approvals = FakeClock(), FakeAudit(), FakeApprovals()
        self.say(RecordKind.INCIDENT_OPENED, "parse_alarm_event")
        for plan in asked:
            self.say(RecordKind.APPROVAL_REQUESTED, f"request_approval/{plan}", plan_hash=plan)

    def say(self, kind: RecordKind, key: str, **data: object) -> None:
        self.audit.append(
            Entry(
                incident_id=INCIDENT.id,
                key=key,
                kind=kind,
                at=self.clock.now(),
                function_name="orders",
                summary=kind.value,
                data=data,
            )
        )

    def answer(self, **over: str | None) -> Answered:
        given: dict[str, object] = {
            "incident_id": INCIDENT.id,
            "plan_hash": PLAN,
            "answer": "approved",
            "by": "arn:aws:iam::123456789012:user/anna",
            "comment": None,
        }
        ports = AnswerPorts(clock=self.clock, audit=self.audit, approvals=self.approvals)
        return answer_approval(AnswerInput.model_validate(given | over), ports)

    def answers(self) -> list[Entry]:
        records = self.audit.chain_of(INCIDENT.id)
        return [r.entry for r in records if r.entry.kind is RecordKind.APPROVAL_ANSWERED]


def test_an_answer_is_recorded_with_who_and_why_and_resumes_the_execution() -> None:
    desk = Desk()
    desk.answer(comment="looks right")
    (entry,) = desk.answers()
    assert entry.data == {
        "plan_hash": PLAN,
        "answer": "approved",
        "by": "arn:aws:iam::123456789012:user/anna",
        "comment": "looks right",
    }
    assert desk.approvals.looked_up == [INCIDENT.id]
    (resumed,) = desk.approvals.resumed
    assert (resumed.answer, resumed.by) == ("approved", "arn:aws:iam::123456789012:user/anna")
    assert resumed.comment == "looks right"


def test_the_answer_is_in_the_record_before_the_execution_goes_on() -> None:
    desk = Desk()
    seen: list[int] = []
    desk.approvals.before_resuming = lambda: seen.append(len(desk.answers()))
    desk.answer()
    assert seen == [1]


def test_an_answer_that_cannot_be_recorded_resumes_nothing() -> None:
    desk = Desk()
    desk.audit.error = TransientServiceError("throttled")
    with pytest.raises(TransientServiceError):
        desk.answer()
    assert desk.approvals.resumed == []


def test_the_same_answer_twice_is_harmless() -> None:
    desk = Desk()
    assert not desk.answer().is_repeated
    assert desk.answer(by="somebody else").is_repeated
    assert len(desk.answers()) == len(desk.approvals.resumed) == 1


def test_the_same_answer_again_is_harmless_when_the_incident_is_closed() -> None:
    desk = Desk()
    desk.answer()
    desk.say(RecordKind.INCIDENT_CLOSED, "notify_result", outcome="repaired")
    assert desk.answer().is_repeated


def test_an_answer_that_was_recorded_but_not_handed_over_is_handed_over_by_the_next() -> None:
    desk = Desk()
    desk.approvals.error = TransientServiceError("throttled")
    with pytest.raises(TransientServiceError):
        desk.answer(by="anna")
    desk.approvals.error = None
    again = desk.answer(by="bert")
    assert again.is_repeated
    assert [one.by for one in desk.approvals.resumed] == ["anna"]


@pytest.mark.parametrize(
    "gone_on",
    [
        RecordKind.REPAIR_PLANNED,
        RecordKind.REPAIR_WITHHELD,
        RecordKind.REPAIR_APPLIED,
        RecordKind.ACTION_DECIDED,
    ],
)
def test_an_answer_that_got_through_is_not_handed_over_to_what_waits_by_now(
    gone_on: RecordKind,
) -> None:
    desk = Desk()
    desk.answer()
    desk.say(gone_on, "the execution went on")
    desk.approvals.resumed.clear()
    assert desk.answer().is_repeated
    assert desk.approvals.resumed == []


def test_a_contrary_second_answer_is_refused_and_says_whose_stands() -> None:
    desk = Desk()
    desk.answer(answer="rejected", by="anna")
    with pytest.raises(ContraryAnswerError, match="rejected by anna before"):
        desk.answer(answer="approved", by="bert")
    assert [one.answer for one in desk.approvals.resumed] == ["rejected"]


@pytest.mark.parametrize("answer", ["approved", "rejected"])
def test_of_two_who_answer_at_the_same_moment_the_first_in_the_record_stands(answer: str) -> None:
    desk = Desk()
    given = {"plan_hash": PLAN, "answer": "rejected", "by": "anna", "comment": None}
    said = desk.audit.chain_of

    def overtaken(incident_id: str) -> tuple[object, ...]:
        records = said(incident_id)
        desk.say(RecordKind.APPROVAL_ANSWERED, f"answer_approval/{PLAN}", **given)
        return records

    desk.audit.chain_of = overtaken  # type: ignore[method-assign,assignment]
    if answer == "approved":
        with pytest.raises(ContraryAnswerError, match="rejected by anna"):
            desk.answer(answer=answer, by="bert")
        assert desk.approvals.resumed == []
    else:
        assert desk.answer(answer=answer, by="bert").approval.by == "anna"


def test_a_plan_made_anew_since_it_was_seen_is_not_answered() -> None:
    desk = Desk(asked=(PLAN, OTHER_PLAN))
    with pytest.raises(PlanChangedError, match="bbbbbbbbbbbb waits"):
        desk.answer(plan_hash=PLAN)
    assert desk.answers() == []
    desk.answer(plan_hash=OTHER_PLAN)
    assert len(desk.approvals.resumed) == 1


def test_an_answer_to_the_first_plan_does_not_count_for_the_second() -> None:
    desk = Desk()
    desk.answer()
    desk.say(RecordKind.APPROVAL_REQUESTED, f"request_approval/{OTHER_PLAN}", plan_hash=OTHER_PLAN)
    desk.approvals.resumed.clear()
    assert not desk.answer(plan_hash=OTHER_PLAN, answer="rejected").is_repeated


def test_a_yes_given_again_is_not_handed_to_another_plan_whose_question_is_just_going_out() -> None:
    desk = Desk()
    desk.answer()
    desk.approvals.resumed.clear()
    # RequestApproval keeps the new token, and records the question when the message is out.
    desk.say(RecordKind.ACTION_DECIDED, "determine_action/2", plan_hash=OTHER_PLAN)
    desk.approvals.token = "token-2"
    assert desk.answer().is_repeated
    assert desk.approvals.resumed == []


def test_an_incident_without_a_record_is_unknown() -> None:
    desk = Desk()
    desk.audit.chains.clear()
    with pytest.raises(IncidentUnknownError, match=INCIDENT.id):
        desk.answer()


def test_an_incident_that_asked_nothing_waits_for_nothing() -> None:
    with pytest.raises(NotWaitingError, match="asked for no approval"):
        Desk(asked=()).answer()


def test_a_closed_incident_says_how_it_was_closed() -> None:
    desk = Desk()
    desk.say(RecordKind.INCIDENT_CLOSED, "notify_result", outcome="failed")
    with pytest.raises(NotWaitingError, match="it was closed as failed"):
        desk.answer()
    assert desk.answers() == []


def test_a_question_that_is_recorded_as_expired_takes_no_answer() -> None:
    desk = Desk()
    desk.say(RecordKind.APPROVAL_EXPIRED, "expired", plan_hash=PLAN)
    with pytest.raises(NotWaitingError, match="nobody had answered in time"):
        desk.answer()


def test_a_question_whose_token_is_gone_has_expired() -> None:
    desk = Desk()
    desk.approvals.token = None
    with pytest.raises(NotWaitingError, match="the question has expired"):
        desk.answer()
    assert desk.answers() == []


def test_an_answer_that_comes_too_late_is_recorded_as_late() -> None:
    desk = Desk()
    desk.approvals.error = NotWaitingError("the execution does not wait any more (TaskTimedOut)")
    with pytest.raises(NotWaitingError, match="came too late"):
        desk.answer()
    assert [entry.data.get("is_late") for entry in desk.answers()] == [None, True]
    assert desk.audit.is_whole()


def test_before_the_questions_end_nobody_says_that_an_answer_came_too_late() -> None:
    desk = Desk()
    desk.say(RecordKind.APPROVAL_REQUESTED, "asked/lasting", plan_hash=PLAN, timeout_s=3600)
    desk.approvals.error = NotWaitingError("the execution does not wait any more (TaskTimedOut)")
    done = desk.answer()
    assert (done.is_received, done.is_repeated) == (False, False)
    assert [entry.data.get("is_late") for entry in desk.answers()] == [None]


def test_an_answer_that_came_too_late_is_told_so_again() -> None:
    desk = Desk()
    desk.approvals.error = NotWaitingError("it has ended")
    for _ in range(2):
        with pytest.raises(NotWaitingError, match="came too late"):
            desk.answer()
    assert len(desk.answers()) == 2
