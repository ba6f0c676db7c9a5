"""A plan that was approved and then overtaken is a question of its own when it is asked again."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from autorepair.domain.approval import Approval
from autorepair.domain.audit import RecordKind
from autorepair.domain.change import ChangeRecord
from autorepair.domain.course import Course
from autorepair.domain.errors import PlanChangedError
from autorepair.ports import AnswerPorts
from autorepair.steps.answer_approval import Answered, AnswerInput, answer_approval
from autorepair.steps.determine_action import DetermineActionInput, determine_action
from autorepair.steps.request_approval import RequestApprovalInput, request_approval
from unit.builders import ASK, DIAGNOSIS, INCIDENT, decision, kept
from unit.executing import executed, timeout_now, world_under
from unit.fakes import FakeApprovals, World
from unit.test_steps_surroundings import UPDATING


@dataclass
class Twice:
    """An incident that has asked; a deployment begins after the yes, so that it asks again."""

    world: World = field(default_factory=lambda: world_under(ASK))
    approvals: FakeApprovals = field(default_factory=FakeApprovals)

    def __post_init__(self) -> None:
        self.seen = kept(self.world)
        self.first = self.asked(Course(incident=INCIDENT))
        self.answered("approved", by="anna", plan=self.first)
        self.world.stacks.stacks = (UPDATING,)
        overtaken = self.executed()
        assert (overtaken.status, timeout_now(self.world)) == ("stale", 3)
        self.approvals = FakeApprovals()
        self.second = self.asked(self.course.model_copy(update={"change": overtaken}))

    def asked(self, course: Course) -> str:
        known: dict[str, object] = {"evidence": self.seen, "diagnosis": DIAGNOSIS}
        given = DetermineActionInput.model_validate(course.as_json() | known)
        decided = determine_action(given, self.world.ports)
        assert decided.action == "ask"
        self.course = course.model_copy(update={**known, "decision": decided})
        asking = RequestApprovalInput(task_token="token-1", state=self.course)
        return str(request_approval(asking, self.world.ports).plan_hash)

    def answered(self, answer: str, *, by: str, plan: str) -> Answered:
        ports = AnswerPorts(
            clock=self.world.clock, audit=self.world.audit, approvals=self.approvals
        )
        given = {"incident_id": INCIDENT.id, "plan_hash": plan, "answer": answer, "by": by}
        return answer_approval(AnswerInput.model_validate(given), ports)

    def executed(self) -> ChangeRecord:
        (approval,) = self.approvals.resumed
        state = {"decision": self.course.decision, "approval": approval, "evidence": self.seen}
        return executed(self.world, **state)


def test_the_second_question_takes_a_no_after_a_yes_to_the_first() -> None:
    twice = Twice()
    assert not twice.answered("rejected", by="bert", plan=twice.second).is_repeated
    assert [one.answer for one in twice.approvals.resumed] == ["rejected"]


def test_the_command_of_the_first_message_does_not_answer_the_second_question() -> None:
    twice = Twice()
    with pytest.raises(PlanChangedError, match=f"{twice.second[:12]} waits"):
        twice.answered("approved", by="anna", plan=twice.first)
    assert twice.approvals.resumed == []


def test_the_yes_to_the_second_question_is_the_one_that_is_written_by() -> None:
    twice = Twice()
    twice.answered("approved", by="bert", plan=twice.second)
    assert (twice.executed().status, timeout_now(twice.world)) == ("applied", 6)
    chain = [record.entry for record in twice.world.audit.chain_of(INCIDENT.id)]
    asked = [one.data["plan_hash"] for one in chain if one.kind is RecordKind.APPROVAL_REQUESTED]
    answers = [one.data["by"] for one in chain if one.kind is RecordKind.APPROVAL_ANSWERED]
    (planned,) = [one for one in chain if one.kind is RecordKind.REPAIR_PLANNED]
    assert asked == [twice.first, twice.second]
    assert (answers, planned.data["approved_by"]) == (["anna", "bert"], "bert")


def test_the_second_message_says_that_it_asks_again_and_why() -> None:
    twice = Twice()
    assert twice.course.change is not None
    yes = {"answer": "approved", "by": "anna"}
    course = twice.course.model_copy(update={"approval": Approval.model_validate(yes)})
    given = RequestApprovalInput(task_token="token-2", state=course)
    request_approval(given, twice.world.ports)
    sent = twice.world.notifier.sent[-1]
    assert "approval needed again" in sent.subject
    why, answer, *_ = sent.message.splitlines()
    assert why.endswith(twice.course.change.reason)
    assert answer.endswith("approved by anna")


def test_the_plan_is_the_same_and_only_what_an_answer_names_is_not() -> None:
    twice = Twice()
    assert twice.course.decision is not None
    assert twice.course.decision.change == decision().change
    assert twice.first == decision().plan_hash != twice.second


def test_a_yes_said_once_more_does_not_answer_the_question_that_is_just_being_asked() -> None:
    twice = Twice()
    unrecorded = twice.world.audit.chains[INCIDENT.id].pop()
    assert unrecorded.entry.kind is RecordKind.APPROVAL_REQUESTED
    assert twice.answered("approved", by="anna", plan=twice.first).is_repeated
    assert twice.approvals.resumed == []
