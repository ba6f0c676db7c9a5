"""The approval page when a form comes twice, two people answer at once, or a port fails midway."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from autorepair.domain.audit import RecordKind
from autorepair.domain.errors import (
    AccessDeniedError,
    AutoRepairError,
    RecordConflictError,
    TransientServiceError,
)
from autorepair.views.approval_page import Form, Notice
from unit.at_the_door import ASKED, BY, Door, nonce_in, says
from unit.builders import DIAGNOSIS, INCIDENT

DENIED = AccessDeniedError("dynamodb:GetItem on table state failed; grant it to this step")
THROTTLED = TransientServiceError("states:SendTaskSuccess failed with Throttling")
WENT_ON = {"approved_by": BY}


def overtaken(door: Door, answer: str, by: str = "Bert, by the link") -> Callable[[], None]:
    """Somebody else's answer, recorded and handed over at a moment of the test's choice."""
    plan = ASKED.plan_hash
    data = {"plan_hash": plan, "answer": answer, "by": by, "comment": None}
    return lambda: door.say(RecordKind.APPROVAL_ANSWERED, f"answer_approval/{plan}", **data)


def test_a_form_that_a_browser_sends_twice_shows_what_stands() -> None:
    door = Door()
    request = door.form()
    door.go(request)
    again = door.go(request)
    assert again.status == 200
    assert again.body == door.shows(Notice.ANSWERED, form=Form(nonce=str(nonce_in(again))))
    assert (len(door.answers), door.resumed) == (1, [("approved", BY)])


def test_a_form_that_is_sent_again_days_of_work_later_shows_how_it_ended() -> None:
    door = Door()
    request = door.form()
    door.go(request)
    door.say(RecordKind.REPAIR_PLANNED, "execute_repair", **WENT_ON)
    door.say(RecordKind.INCIDENT_CLOSED, "notify_result", outcome="repaired")
    again = door.go(request)
    assert (again.status, again.body) == (200, door.shows(Notice.ANSWERED))
    assert len(door.answers) == 1


@pytest.mark.parametrize("is_over", [False, True])
def test_the_contrary_answer_is_refused_whatever_the_form_holds(*, is_over: bool) -> None:
    door = Door()
    second = door.form(answer="rejected", name="Bert", function_name="?")
    door.post()
    if is_over:
        door.say(RecordKind.REPAIR_PLANNED, "execute_repair", **WENT_ON)
    page = door.go(second)
    assert (page.status, page.body) == (409, door.shows(Notice.CONTRARY))
    assert BY in page.body
    assert (len(door.answers), door.resumed) == (1, [("approved", BY)])


@pytest.mark.parametrize("answer", ["approved", "rejected"])
def test_of_two_people_at_the_same_moment_the_first_in_the_record_stands(answer: str) -> None:
    door = Door()
    # After this one's form was found good, and before the answer is recorded.
    door.world.links.after_taking = overtaken(door, "rejected")
    page = door.post(answer=answer)
    if answer == "rejected":
        assert (page.status, page.body) == (200, door.shows(Notice.ANSWERED))
    else:
        assert (page.status, page.body) == (409, door.shows(Notice.CONTRARY))
    (entry,) = door.answers
    assert entry.data["by"] == "Bert, by the link"
    assert "approved" not in [given for given, _ in door.resumed]


def test_of_two_posts_of_one_form_at_the_same_moment_one_decides() -> None:
    door = Door()
    request = door.form()
    door.world.links.offered.clear()
    # The other one has taken the nonce; its answer is recorded while this one finds it spent.
    door.world.links.after_taking = overtaken(door, "approved", BY)
    page = door.go(request)
    assert page.status == 200
    assert page.body == door.shows(Notice.ANSWERED, form=Form(nonce=str(nonce_in(page))))
    assert (len(door.answers), door.resumed) == (1, [])


def test_a_spent_form_after_somebody_elses_contrary_answer_is_told_so() -> None:
    door = Door()
    request = door.form(nonce="spent")
    door.world.links.after_taking = overtaken(door, "rejected")
    page = door.go(request)
    assert (page.status, page.body) == (409, door.shows(Notice.CONTRARY))


def test_the_plan_that_is_made_anew_under_a_persons_hands_is_not_answered() -> None:
    door = Door()
    other = "b" * 64
    door.world.links.after_taking = lambda: door.say(
        RecordKind.APPROVAL_REQUESTED, f"request_approval/{other}", plan_hash=other, timeout_s=60
    )
    # The records are read again before anything is recorded.
    page = door.post()
    assert (page.status, page.body) == (410, door.shows(Notice.PLAN_CHANGED))
    assert door.has_decided_nothing()


def test_a_nonce_is_used_up_before_the_answer_is_recorded() -> None:
    door = Door()
    door.world.audit.fails_on = RecordKind.APPROVAL_ANSWERED
    request = door.form()
    assert door.go(request).status == 503
    assert door.world.links.offered == {}
    door.world.audit.fails_on = None
    assert door.go(request).status == 409
    assert door.has_decided_nothing()


def test_an_answer_is_recorded_before_the_execution_goes_on() -> None:
    door = Door()
    seen: list[int] = []
    door.world.approvals.before_resuming = lambda: seen.append(len(door.answers))
    door.post()
    assert seen == [1]


def test_an_answer_that_was_recorded_and_not_handed_over_is_handed_over_by_the_next_form() -> None:
    door = Door()
    door.world.approvals.error = THROTTLED
    page = door.post(comment="go")
    assert (page.status, page.body) == (503, says(Notice.TRY_AGAIN))
    assert (len(door.answers), door.resumed) == (1, [])

    door.world.approvals.error = None
    later = door.get()
    assert later.body == door.shows(Notice.ANSWERED, form=Form(nonce=str(nonce_in(later))))
    page = door.post(nonce=nonce_in(later), comment="again")
    assert (page.status, page.body) == (200, door.shows(Notice.ANSWERED))
    assert door.resumed == [("approved", BY)]
    assert [entry.data["comment"] for entry in door.answers] == ["go"]


def test_an_alarm_that_joins_meanwhile_does_not_hide_that_nothing_was_handed_over() -> None:
    door = Door()
    door.world.approvals.error = THROTTLED
    door.post()
    door.say(RecordKind.ALARM_JOINED, "joined/1")
    door.world.approvals.error = None
    assert door.post(nonce=nonce_in(door.get())).status == 200
    assert door.resumed == [("approved", BY)]


def test_an_answer_that_was_not_handed_over_cannot_be_turned_round() -> None:
    door = Door()
    door.world.approvals.error = THROTTLED
    door.post()
    door.world.approvals.error = None
    assert door.post(answer="rejected").status == 409
    assert door.resumed == []


def test_a_yes_that_was_not_handed_over_waits_while_repairs_are_paused() -> None:
    door = Door()
    door.world.approvals.error = THROTTLED
    door.post()
    door.world.approvals.error = None
    door.world.state.has_pause = True
    assert door.post().status == 409
    assert door.resumed == []


def test_once_the_incident_goes_on_there_is_no_form_and_nothing_is_handed_over() -> None:
    door = Door()
    form = door.form()
    door.post()
    door.say(RecordKind.REPAIR_PLANNED, "execute_repair", **WENT_ON)
    door.world.approvals.resumed.clear()
    assert nonce_in(door.get()) is None
    assert door.go(form).status == 200
    assert door.resumed == []


def test_an_answer_that_came_too_late_is_told_so_and_takes_no_other() -> None:
    door = Door()
    yes, no = door.form(), door.form(answer="rejected")
    overtaken(door, "approved")()
    late = {"plan_hash": ASKED.plan_hash, "is_late": True}
    door.say(RecordKind.APPROVAL_ANSWERED, f"answer_approval/{ASKED.plan_hash}/late", **late)
    for page in (door.go(yes), door.go(no), door.get()):
        assert (page.status, page.body) == (410, door.shows(Notice.TOO_LATE))
    assert door.resumed == []


def test_an_answer_that_never_got_through_before_the_question_ended_came_too_late() -> None:
    door = Door()
    door.world.approvals.error = THROTTLED
    door.post()
    door.say(RecordKind.APPROVAL_EXPIRED, "notify_result", plan_hash=ASKED.plan_hash)
    page = door.get()
    assert (page.status, page.body) == (410, door.shows(Notice.TOO_LATE))


def failing_find(door: Door, error: Exception) -> None:
    door.world.links.errors["find"] = error


def failing_offer(door: Door, error: Exception) -> None:
    door.world.links.errors["offer"] = error


def failing_take(door: Door, error: Exception) -> None:
    door.world.links.errors["take"] = error


def failing_pause(door: Door, error: Exception) -> None:
    door.world.state.pause_error = error


def failing_reads(door: Door, error: Exception) -> None:
    door.world.audit.read_error = error


def failing_records(door: Door, error: Exception) -> None:
    door.world.audit.error = error


Break = Callable[[Door, Exception], None]


@pytest.mark.parametrize("error", [DENIED, THROTTLED, RecordConflictError("the chain kept moving")])
@pytest.mark.parametrize(
    "broken", [failing_find, failing_take, failing_pause, failing_reads, failing_records]
)
def test_a_port_that_fails_decides_nothing_and_says_that_nothing_is_known(
    broken: Break, error: AutoRepairError
) -> None:
    door = Door()
    request = door.form()
    broken(door, error)
    page = door.go(request)
    assert (page.status, page.body) == (503, says(Notice.TRY_AGAIN))
    assert page.failure == f"{type(error).__name__}: {error}"
    assert str(error) not in page.body
    door.world.audit.read_error = None
    assert door.has_decided_nothing()


@pytest.mark.parametrize("broken", [failing_find, failing_offer, failing_reads])
def test_a_port_that_fails_on_a_get_says_so(broken: Break) -> None:
    door = Door()
    broken(door, DENIED)
    page = door.get()
    assert (page.status, page.body) == (503, says(Notice.TRY_AGAIN))
    assert page.failure == f"AccessDeniedError: {DENIED}"


def test_after_a_failure_the_same_person_goes_on_with_a_fresh_form() -> None:
    door = Door()
    failing_records(door, THROTTLED)
    assert door.post().status == 503
    door.world.audit.error = None
    assert door.post().status == 200
    assert door.resumed == [("approved", BY)]


def test_an_answer_that_got_through_is_not_called_unknown_when_it_cannot_be_shown() -> None:
    door = Door()
    door.world.approvals.before_resuming = lambda: failing_reads(door, THROTTLED)
    page = door.post()
    assert (page.status, page.body) == (200, says(Notice.APPROVED_NOW))
    assert page.failure == f"TransientServiceError: {THROTTLED}"
    assert door.resumed == [("approved", BY)]


def test_nothing_is_answered_on_records_that_were_altered() -> None:
    door = Door()
    request = door.form()
    records = door.world.audit.chains[INCIDENT.id]
    entry = records[1].entry.model_copy(update={"data": DIAGNOSIS.as_json() | {"why": "trust me"}})
    records[1] = records[1].model_copy(update={"entry": entry})
    for page in (door.get(), door.go(request)):
        assert (page.status, page.body) == (409, door.shows(None))
        assert nonce_in(page) is None
        assert page.failure
        assert INCIDENT.id in page.failure
    assert door.has_decided_nothing()


def test_no_secret_of_a_link_or_a_form_is_told_to_anybody_but_the_browser(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    door = Door()
    nonce = door.nonce()
    door.post(nonce="wrong")
    door.world.approvals.error = THROTTLED
    failed = door.post(nonce=nonce)
    door.world.approvals.error = None
    done = door.post()
    told = [
        door.world.audit.told(),
        repr(door.world.announcer.announced),
        repr(door.world.approvals.resumed),
        repr(failed),
        done.body,
        caplog.text,
    ]
    for secret in (door.token, nonce):
        assert not [one for one in told if secret in one], secret
    # Nor does the page repeat the address that it was opened by.
    assert door.token not in door.get().body
