"""Those who act in place of people in the lab: who answers, who meddles, what the model says."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from autorepair.domain.approval import Approval
from autorepair.domain.audit import Entry, RecordKind
from autorepair.ports import AnswerPorts
from autorepair_lab.account.call import Call, ErrorReply, Reply
from autorepair_lab.approver import ApprovalMode, Approver, Wish
from autorepair_lab.consultant import Consultant
from autorepair_lab.patient import Patient, PatientError, read_patient
from autorepair_lab.trail import Record
from unit.fakes import FakeAudit, FakeClock

PLAN = "a" * 64
ASKED = Record(
    incident_id="inc-1",
    seq=1,
    kind="approval_requested",
    at="2026-03-04T12:00:00Z",
    function_name="patient-slow",
    summary="asked a person",
    data={"plan_hash": PLAN},
)


class Waiting:
    """An execution that waits."""

    def __init__(self) -> None:
        self.answers: list[str] = []
        self.is_answered = threading.Event()

    def waiting_token(self, incident_id: str) -> str | None:
        return f"token of {incident_id}"

    def resume(self, token: str, approval: Approval) -> None:
        del token
        self.answers.append(f"{approval.answer} by {approval.by}")
        self.is_answered.set()


def approver(waiting: Waiting, mode: ApprovalMode, wish: Wish | None) -> Approver:
    clock, audit = FakeClock(), FakeAudit()
    audit.append(
        Entry(
            incident_id="inc-1",
            key="request_approval",
            kind=RecordKind.APPROVAL_REQUESTED,
            at=clock.now(),
            function_name="patient-slow",
            summary="asked",
            data={"plan_hash": PLAN},
        )
    )
    return Approver(
        AnswerPorts(clock=clock, audit=audit, approvals=waiting),
        mode=mode,
        wish_of=lambda _name: wish,
        tell=lambda _name, _what: None,
    )


@pytest.mark.parametrize(
    ("mode", "wish", "answer"),
    [
        ("patients", "approve", "approved"),
        ("patients", "reject", "rejected"),
        ("auto", None, "approved"),
        ("auto", "reject", "rejected"),
    ],
)
def test_the_lab_answers_as_the_patient_says_or_yes(
    mode: ApprovalMode, wish: Wish | None, answer: str
) -> None:
    waiting = Waiting()
    person = approver(waiting, mode, wish)
    person.hear(ASKED)
    assert waiting.is_answered.wait(60)
    person.close()
    assert waiting.answers == [f"{answer} by lab"]


@pytest.mark.parametrize(
    ("mode", "wish"),
    [("patients", None), ("patients", "none"), ("auto", "none"), ("ask", "approve"), ("ask", None)],
)
def test_the_lab_leaves_the_answer_to_others(mode: ApprovalMode, wish: Wish | None) -> None:
    waiting = Waiting()
    person = approver(waiting, mode, wish)
    person.hear(ASKED)
    person.close()
    assert waiting.answers == []


def make(folder: Path, **over: object) -> Patient:
    folder.mkdir(parents=True)
    (folder / "app.py").write_text("def handler(event, context): ...\n")
    description: dict[str, Any] = {"traffic": [{"payload": {}}], "expect": {"outcome": "repaired"}}
    (folder / "patient.json").write_text(json.dumps(description | over))
    return read_patient(folder)


def test_a_patient_may_say_what_a_person_changes_and_when(tmp_path: Path) -> None:
    meddle = {"at": "action_decided", "set": {"timeout_s": 5, "env": {"A": "1"}}}
    patient = make(tmp_path / "slow", meddle=meddle)
    assert patient.meddle is not None
    assert patient.meddle.at is RecordKind.ACTION_DECIDED
    assert patient.meddle.set.env == {"A": "1"}


@pytest.mark.parametrize(
    ("meddle", "said"),
    [
        ({"at": "tea_time", "set": {"timeout_s": 5}}, "meddle.at"),
        ({"at": "action_decided", "set": {}}, "name at least one of"),
        ({"at": "action_decided", "set": {"timeout_s": 1000}}, "meddle.set.timeout_s"),
        ({"at": "action_decided", "set": {"handler": "x"}}, "meddle.set.handler"),
    ],
)
def test_a_change_that_no_person_could_make_is_refused(
    tmp_path: Path, meddle: object, said: str
) -> None:
    with pytest.raises(PatientError, match=said):
        make(tmp_path / "slow", meddle=meddle)


def converse(text: str) -> Call:
    return Call(
        service="bedrock-runtime",
        operation="Converse",
        region="us-east-1",
        parameters={"messages": [{"role": "user", "content": [{"text": text}]}]},
        method="POST",
        path="/",
        query="",
        headers={},
        body=b"",
    )


def says(text: str) -> dict[str, object]:
    return {"output": {"message": {"role": "assistant", "content": [{"text": text}]}}}


def test_each_patient_has_its_own_answers_of_the_model(tmp_path: Path) -> None:
    consultant = Consultant()
    consultant.expect(make(tmp_path / "slow", bedrock=[says("one"), says("two")]))
    consultant.expect(make(tmp_path / "slow-too", bedrock=[says("other")]))

    told = [
        reply.output["output"]["message"]["content"][0]["text"]
        for about in ("patient-slow", "patient-slow-too", "patient-slow")
        if isinstance(reply := consultant.handle(converse(f"function {about} fails")), Reply)
    ]

    assert told == ["one", "other", "two"]
    assert isinstance(consultant.handle(converse("patient-slow")), ErrorReply)


def test_a_question_about_no_patient_or_one_without_answers_is_left_to_others(
    tmp_path: Path,
) -> None:
    consultant = Consultant()
    consultant.expect(make(tmp_path / "slow", bedrock=[says("one")]))
    consultant.expect(make(tmp_path / "slow-too"))
    assert consultant.handle(converse("somebody else's function")) is None
    assert consultant.handle(converse("patient-slow-too")) is None
