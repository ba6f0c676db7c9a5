"""The approval page says of nothing that it was decided which was not, nor the other way round."""

from __future__ import annotations

import pytest

from autorepair.domain.approval import Approval
from autorepair.domain.audit import AuditRecord, Entry, RecordKind
from autorepair.domain.errors import NotWaitingError, TransientServiceError
from unit.at_the_door import ASKED, ASKED_ANEW, BY, Door
from unit.builders import INCIDENT

PLAN = ASKED.plan_hash
GONE = NotWaitingError("the execution does not wait for this answer any more (TaskTimedOut)")


class Receiver:
    """The execution: notes which token was resumed with what."""

    def __init__(self) -> None:
        self.handed: list[tuple[str, Approval]] = []

    def resume(self, token: str, approval: Approval) -> None:
        self.handed.append((token, approval))


@pytest.fixture
def door() -> Door:
    return Door()


def plan_anew(door: Door) -> None:
    """The function was changed by hand: withheld, decided anew, and the next token is kept."""
    door.say(RecordKind.REPAIR_WITHHELD, "execute_repair/withheld", plan_hash=PLAN)
    door.say(RecordKind.ACTION_DECIDED, "determine_action/2", **ASKED_ANEW.as_json())


def late(door: Door) -> list[Entry]:
    return [one for one in door.answers if one.data.get("is_late")]


def test_a_yes_that_was_overtaken_while_it_was_recorded_is_not_handed_to_the_next_plan(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    request, receiver, append = door.form(), Receiver(), door.world.audit.append
    monkeypatch.setattr(door.world.approvals, "resume", receiver.resume)

    def slow(entry: Entry) -> AuditRecord:
        if entry.kind is RecordKind.APPROVAL_ANSWERED and entry.data["by"] == BY:
            data = {"plan_hash": PLAN, "answer": "approved", "by": "Bert", "comment": None}
            door.say(RecordKind.APPROVAL_ANSWERED, f"answer_approval/{PLAN}", **data)
            plan_anew(door)
            door.world.approvals.token = "token-of-the-plan-made-anew"
        return append(entry)

    monkeypatch.setattr(door.world.audit, "append", slow)
    door.go(request)
    assert receiver.handed == []


def test_a_yes_given_again_is_not_handed_to_a_plan_made_between_two_reads(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    door.post()
    second, receiver = door.form(name="Bert"), Receiver()

    def waiting_token(_incident_id: str) -> str:
        plan_anew(door)
        return "token-of-the-plan-made-anew"

    monkeypatch.setattr(door.world.approvals, "resume", receiver.resume)
    monkeypatch.setattr(door.world.approvals, "waiting_token", waiting_token)
    door.go(second)
    assert receiver.handed == []


def test_an_answer_that_somebody_else_handed_over_meanwhile_is_not_called_late(door: Door) -> None:
    def reload_and_press_again() -> None:
        door.world.approvals.before_resuming = lambda: None
        assert door.post().status == 200

    door.world.approvals.before_resuming = reload_and_press_again
    page = door.post()
    assert (page.status, door.resumed, late(door)) == (200, [("approved", BY)], [])
    door.say(RecordKind.REPAIR_PLANNED, "execute_repair", approved_by=BY)
    door.say(RecordKind.INCIDENT_CLOSED, "notify_result", outcome="repaired")
    assert door.get().status == 200


def test_an_answer_whose_receipt_was_lost_is_not_called_late(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    def accepted_and_lost(_token: str, approval: Approval) -> None:
        door.world.approvals.resumed.append(approval)
        raise GONE

    monkeypatch.setattr(door.world.approvals, "resume", accepted_and_lost)
    page = door.post()
    assert (page.status, late(door)) == (200, [])
    assert "nothing left to do" not in page.body
    assert "has not been seen to go on yet" in page.body
    door.say(RecordKind.REPAIR_PLANNED, "execute_repair", approved_by=BY)
    assert door.get().status == 200


def test_a_yes_that_never_got_through_is_late_once_the_question_has_expired(door: Door) -> None:
    door.world.approvals.error = TransientServiceError("lost")
    assert door.post().status == 503
    door.say(RecordKind.APPROVAL_EXPIRED, "notify_result/expired", plan_hash=PLAN)
    page = door.get()
    assert page.status == 410
    assert "nothing left to do" not in page.body


@pytest.mark.parametrize("is_paused", [False, True])
def test_what_is_answered_is_not_called_undecided(door: Door, *, is_paused: bool) -> None:
    door.post()
    door.world.state.has_pause = is_paused
    page = door.post() if is_paused else door.post(function_name="wrong")
    assert "Nothing is decided" not in page.body


def test_a_double_click_is_not_told_that_nothing_was_decided(door: Door) -> None:
    request, seen = door.form(), []

    def second_click() -> None:
        door.world.links.after_taking = lambda: None
        seen.append(door.go(request).body)

    door.world.links.after_taking = second_click
    door.go(request)
    assert door.resumed == [("approved", BY)]
    assert "decided nothing" not in seen[0]


@pytest.mark.parametrize("name", ["\u3164", "\u2800", "\uffa0", "\u115f", "\u034f"])
def test_a_name_that_nobody_can_see_is_none(door: Door, name: str) -> None:
    assert door.post(name=name).status == 422
    assert door.has_decided_nothing()


def test_a_comment_is_one_line_of_the_record_and_kept_as_it_was_typed(door: Door) -> None:
    door.post(comment="ok\n  9  2026-01-01 00:00:00  repair verified")
    (answer,) = door.answers
    assert answer.summary == f"approved by {BY}: ok 9 2026-01-01 00:00:00 repair verified"
    assert answer.data["comment"] == "ok\n  9  2026-01-01 00:00:00  repair verified"


def test_a_comment_that_is_shown_again_is_what_was_typed(door: Door) -> None:
    family = "ok \U0001f468\u200d\U0001f469\u200d\U0001f467"
    assert family in door.post(function_name="wrong", comment=family).body


def test_an_alarm_that_flaps_for_days_leaves_room_for_the_question(door: Door) -> None:
    for number in range(250):
        door.say(RecordKind.ALARM_JOINED, f"joined/{number}", alarm={"name": f"flapping-{number}"})
    page = door.get()
    assert page.status == 200
    assert page.body.count(">alarm_joined<") == 100
    records = len(door.world.audit.chain_of(INCIDENT.id))
    assert f"({records - 150} / {records})" in page.body
