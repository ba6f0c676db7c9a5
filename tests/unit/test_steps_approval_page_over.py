"""The approval page after its question is over: by the clock, an answer, or somebody's hand."""

from __future__ import annotations

from autorepair.domain.audit import RecordKind
from autorepair.views.approval_page import Notice
from unit.at_the_door import BY, TIMEOUT_S, Door, nonce_in

WEEK_S = 7 * 24 * 3600


def test_from_the_questions_end_on_its_link_is_read_only_though_no_record_says_so() -> None:
    door = Door()
    form = door.form()
    door.world.clock.advance(TIMEOUT_S - 1)
    assert nonce_in(door.get())
    door.world.clock.advance(1)
    offered = dict(door.world.links.offered)
    for page in (door.get(), door.go(form), door.go(door.form(nonce="?", answer="rejected"))):
        assert (page.status, page.body) == (410, door.shows(Notice.EXPIRED))
    assert door.world.links.offered == offered
    assert door.has_decided_nothing()


def test_an_answer_whose_handing_over_nobody_has_seen_is_not_repeated_after_the_end() -> None:
    door = Door()
    door.post()
    form = door.form()
    door.world.approvals.resumed.clear()
    door.world.clock.advance(TIMEOUT_S)
    for page in (door.get(), door.go(form)):
        assert (page.status, page.body) == (200, door.shows(Notice.ANSWERED))
    assert door.resumed == []


def test_a_link_tells_for_a_week_how_it_ended() -> None:
    door = Door()
    door.post()
    door.say(RecordKind.INCIDENT_CLOSED, "notify_result", outcome="repaired")
    door.world.clock.advance(TIMEOUT_S + WEEK_S - 1)
    assert door.get().body == door.shows(Notice.ANSWERED)
    door.world.clock.advance(1)
    assert door.get().status == 404


def stop(door: Door) -> None:
    """Let reconcile find that somebody stopped the execution, and close the incident."""
    ended = {"error": None, "execution": "ABORTED", "undo": "nothing_to_undo", "reason": "none"}
    door.say(RecordKind.FAILURE_HANDLED, "reconcile", **ended)
    door.say(RecordKind.INCIDENT_CLOSED, "reconcile/closed", outcome="failed")


def test_an_incident_that_somebody_stopped_is_told_as_stopped() -> None:
    door = Door()
    form = door.form()
    stop(door)
    for page in (door.get(), door.go(form)):
        assert (page.status, page.body) == (409, door.shows(Notice.STOPPED))
    assert door.has_decided_nothing()


def test_an_answer_to_an_execution_that_somebody_had_stopped_changed_nothing() -> None:
    door = Door()
    door.post()
    stop(door)
    page = door.get()
    assert (page.status, page.body) == (409, door.shows(Notice.STOPPED))


def test_an_answer_that_was_acted_on_stays_one_though_the_execution_was_stopped_later() -> None:
    door = Door()
    door.post()
    door.say(RecordKind.REPAIR_PLANNED, "execute_repair", approved_by=BY)
    stop(door)
    assert door.get().body == door.shows(Notice.ANSWERED)
