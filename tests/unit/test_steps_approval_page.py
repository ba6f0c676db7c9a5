"""The approval page: what it shows, whose answer it takes, and what it makes of a refusal."""

from __future__ import annotations

from datetime import timedelta

import pytest

from autorepair.domain.audit import RecordKind
from autorepair.views.approval_page import Form, Notice, headers
from unit.at_the_door import ASKED, ASKED_ANEW, BY, TIMEOUT_S, Door, event, nonce_in, says
from unit.builders import INCIDENT
from unit.fake_state import PAUSE
from unit.fakes import NAME, NOW


def test_a_get_shows_the_question_and_a_form() -> None:
    door = Door()
    page = door.get()
    assert page.status == 200
    assert page.body == door.shows(None, form=Form(nonce="form-nonce-1"))


def test_however_many_gets_decide_nothing() -> None:
    door = Door()
    nonces = {nonce_in(door.get()) for _ in range(20)}
    assert len(nonces) == 20
    assert door.has_decided_nothing()


@pytest.mark.parametrize("query", [{"answer": "approved"}, {"lang": "zh", "nonce": "form-nonce-1"}])
def test_a_get_that_carries_the_whole_form_decides_nothing(query: dict[str, str]) -> None:
    door = Door()
    nonce = door.nonce()
    asked = {"function_name": NAME, "name": "Anna", "answer": "approved", "nonce": nonce} | query
    body = door.form(nonce=nonce)["body"]
    page = door.get(queryStringParameters=asked, body=body, headers={"content-type": "text/html"})
    assert page.status == 200
    assert door.has_decided_nothing()


@pytest.mark.parametrize("method", ["HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "post", ""])
def test_no_other_method_decides_or_shows_anything(method: str) -> None:
    door = Door()
    request = door.form() | {"requestContext": {"http": {"method": method}}}
    page = door.go(request)
    assert (page.status, page.body) == (400, says(Notice.BAD_REQUEST))
    assert door.has_decided_nothing()


@pytest.mark.parametrize(
    ("answer", "notice"),
    [("approved", Notice.APPROVED_NOW), ("rejected", Notice.REJECTED_NOW)],
)
def test_an_answer_is_recorded_handed_over_and_shown(answer: str, notice: Notice) -> None:
    door = Door()
    page = door.post(answer=answer, comment=" looks right ")
    assert (page.status, page.body) == (200, door.shows(notice))
    (entry,) = door.answers
    assert entry.data == {
        "plan_hash": ASKED.plan_hash,
        "answer": answer,
        "by": BY,
        "comment": "looks right",
    }
    assert door.resumed == [(answer, BY)]


def test_a_name_is_recorded_as_typed_with_its_spaces_collapsed() -> None:
    door = Door()
    door.post(name="  王 \u3000 小明\u00a0 (值班) ")
    assert door.answers[0].data["by"] == "王 小明 (值班), by the link"


def test_no_comment_is_none_in_the_record() -> None:
    door = Door()
    door.post(comment=" \r\n ")
    assert door.answers[0].data["comment"] is None


def test_the_functions_name_may_have_spaces_around_it() -> None:
    door = Door()
    assert door.post(function_name=f" {NAME}\r\n").status == 200
    assert door.resumed == [("approved", BY)]


LONG = "x" * 1001
MENDABLE: list[tuple[Notice, dict[str, str | None]]] = [
    (Notice.FUNCTION_MISSING, {"function_name": ""}),
    (Notice.FUNCTION_MISSING, {"function_name": None}),
    (Notice.FUNCTION_MISSING, {"function_name": " \u3000"}),
    (Notice.WRONG_FUNCTION, {"function_name": NAME.upper()}),
    (Notice.WRONG_FUNCTION, {"function_name": f"{NAME}2"}),
    (Notice.WRONG_FUNCTION, {"function_name": NAME[:-1]}),
    (Notice.WRONG_FUNCTION, {"function_name": f"{NAME[:3]} {NAME[3:]}"}),
    (Notice.WRONG_FUNCTION, {"function_name": f"\u200b{NAME}"}),
    (Notice.NAME_MISSING, {"name": ""}),
    (Notice.NAME_MISSING, {"name": None}),
    (Notice.NAME_MISSING, {"name": " \u3000 "}),
    (Notice.NAME_UNFIT, {"name": "n" * 101}),
    (Notice.NAME_UNFIT, {"name": "anna\nrejected by bert"}),
    (Notice.NAME_UNFIT, {"name": "anna\x1b[2K"}),
    (Notice.NAME_UNFIT, {"name": "\x1fanna"}),
    (Notice.NAME_UNFIT, {"name": "anna\u202etreb"}),
    (Notice.NAME_UNFIT, {"name": "\x00"}),
    (Notice.COMMENT_TOO_LONG, {"comment": LONG}),
]


@pytest.mark.parametrize(("notice", "over"), MENDABLE)
@pytest.mark.parametrize("answer", ["approved", "rejected"])
def test_what_is_to_be_mended_is_told_on_a_fresh_form(
    notice: Notice, over: dict[str, str | None], answer: str
) -> None:
    door = Door()
    typed = {"name": "Anna Ops", "comment": "why not"} | over
    page = door.post(answer=answer, **typed)
    kept = Form(nonce="form-nonce-2", name=typed["name"] or "", comment=typed["comment"] or "")
    assert (page.status, page.body) == (422, door.shows(notice, form=kept))
    assert door.has_decided_nothing()


def test_the_longest_name_and_comment_in_chinese_get_through() -> None:
    door = Door()
    door.post(name="名" * 100, comment="词\r\n" * 499 + "完")
    (entry,) = door.answers
    assert entry.data["comment"] == "词\n" * 499 + "完"


def test_the_mended_form_goes_through() -> None:
    door = Door()
    refused = door.post(function_name="order")
    assert door.post(nonce=nonce_in(refused)).status == 200
    assert door.resumed == [("approved", BY)]


SPENT = ["", None, "form-nonce-99", "unknown", "form-nonce-1 "]


@pytest.mark.parametrize("nonce", SPENT)
def test_without_a_nonce_of_its_own_a_form_decides_nothing(nonce: str | None) -> None:
    door = Door()
    door.nonce()
    page = door.post(nonce=nonce, comment="why not")
    fresh = Form(nonce="form-nonce-2", name="Anna Ops", comment="why not")
    assert (page.status, page.body) == (409, door.shows(Notice.SPENT, form=fresh))
    assert door.has_decided_nothing()


def test_a_nonce_of_another_link_decides_nothing() -> None:
    door, first = Door(), ""
    first, door.token = door.token, door.ask(ASKED)
    foreign = nonce_in(door.get(first))
    assert door.post(nonce=foreign).status == 409
    assert door.has_decided_nothing()


def test_a_form_may_be_sent_for_fifteen_minutes() -> None:
    door = Door()
    nonce = door.nonce()
    assert door.world.links.offered[door.token, nonce] == NOW + timedelta(minutes=15)
    door.world.clock.advance(15 * 60)
    page = door.post(nonce=nonce)
    assert (page.status, nonce_in(page)) == (409, "form-nonce-2")
    assert door.has_decided_nothing()


def test_a_form_lasts_no_longer_than_its_question() -> None:
    door = Door()
    door.world.clock.advance(TIMEOUT_S - 60)
    nonce = door.nonce()
    expires_at = NOW + timedelta(seconds=TIMEOUT_S)
    assert door.world.links.offered[door.token, nonce] == expires_at


def test_a_yes_is_refused_while_repairs_are_paused_and_nothing_is_used_up() -> None:
    door = Door()
    door.world.state.has_pause = True
    nonce = door.nonce()
    page = door.post(nonce=nonce, comment="go")
    fresh = Form(nonce="form-nonce-2", name="Anna Ops", comment="go")
    assert page.status == 409
    assert page.body == door.shows(Notice.PAUSED, form=fresh, detail=PAUSE.told())
    assert door.has_decided_nothing()
    door.world.state.has_pause = False
    assert door.post(nonce=nonce).status == 200
    assert door.resumed == [("approved", BY)]


def test_a_no_goes_through_while_repairs_are_paused() -> None:
    door = Door()
    door.world.state.has_pause = True
    assert door.post(answer="rejected").status == 200
    assert door.resumed == [("rejected", BY)]


def test_whoever_opens_the_page_during_a_pause_is_told_above_the_form() -> None:
    door = Door()
    door.world.state.has_pause = True
    page = door.get()
    form = Form(nonce="form-nonce-1")
    assert page.status == 200
    assert page.body == door.shows(Notice.PAUSED_NOW, form=form, detail=PAUSE.told())


def test_of_a_pause_nothing_is_said_where_nothing_can_be_approved() -> None:
    door = Door()
    door.post()
    door.say(RecordKind.REPAIR_PLANNED, "execute_repair", approved_by=BY)
    door.world.state.has_pause = True
    assert door.get().body == door.shows(Notice.ANSWERED)


def test_an_unknown_a_malformed_and_a_link_of_long_ago_cannot_be_told_apart() -> None:
    door = Door()
    form = door.form()
    door.world.clock.advance(TIMEOUT_S + 7 * 24 * 3600)
    tokens = ["", "x", "a" * 43, "../incident", "\ud800", "link-token-1 "]
    pages = [door.get(token) for token in tokens]
    pages += [door.get(), door.go(form), door.go(event("GET", "", pathParameters=None))]
    assert {(page.status, page.body) for page in pages} == {(404, says(Notice.UNKNOWN_LINK))}
    assert door.has_decided_nothing()


def test_a_plan_made_anew_since_is_not_answered_by_the_first_link() -> None:
    door = Door()
    form = door.form()
    newer = door.ask(ASKED_ANEW)
    for page in (door.get(), door.go(form)):
        assert (page.status, page.body) == (410, door.shows(Notice.PLAN_CHANGED))
    assert door.has_decided_nothing()
    door.token = newer
    assert door.post().status == 200
    assert door.answers[0].data["plan_hash"] == ASKED_ANEW.plan_hash


def test_a_link_to_a_plan_on_another_configuration_is_not_answered() -> None:
    door = Door()
    form = door.form()
    link = door.world.links.issued[door.token]
    other = link.model_copy(update={"fingerprint": "another"})
    door.world.links.issued[door.token] = other
    for page in (door.get(), door.go(form)):
        assert (page.status, page.body) == (410, door.shows(Notice.PLAN_CHANGED))
    assert door.has_decided_nothing()


@pytest.mark.parametrize(
    ("kind", "data", "status", "notice"),
    [
        (RecordKind.APPROVAL_EXPIRED, {"plan_hash": ASKED.plan_hash}, 410, Notice.EXPIRED),
        (RecordKind.INCIDENT_CLOSED, {"outcome": "failed"}, 409, Notice.CLOSED),
    ],
)
def test_what_waits_no_more_says_so_and_has_no_form(
    kind: RecordKind, data: dict[str, object], status: int, notice: Notice
) -> None:
    door = Door()
    form = door.form()
    door.say(kind, "over", **data)
    for page in (door.get(), door.go(form)):
        assert (page.status, page.body) == (status, door.shows(notice))
    assert door.has_decided_nothing()


def test_a_question_whose_task_token_is_gone_has_ended() -> None:
    door = Door()
    form = door.form()
    door.world.approvals.token = None
    page = door.go(form)
    assert (page.status, page.body) == (410, door.shows(Notice.TOO_LATE))
    assert door.has_decided_nothing()


def test_a_question_whose_message_is_faster_than_its_record_is_answered_a_moment_later() -> None:
    door = Door()
    asked = door.world.audit.chains[INCIDENT.id].pop()
    shown = door.get()
    assert (shown.status, shown.body) == (200, door.shows(None, form=Form(nonce="form-nonce-1")))
    page = door.post(nonce="form-nonce-1", comment="go")
    fresh = Form(nonce="form-nonce-2", name="Anna Ops", comment="go")
    assert (page.status, page.body) == (409, door.shows(Notice.TRY_AGAIN, form=fresh))
    assert (shown.failure, page.failure) == (None, None)
    assert door.has_decided_nothing()
    door.world.audit.append(asked.entry)
    assert door.post(nonce="form-nonce-1").status == 200
    assert door.resumed == [("approved", BY)]


def test_a_second_question_is_not_taken_for_replaced_before_it_is_recorded() -> None:
    door = Door()
    door.token = door.ask(ASKED_ANEW)
    door.world.audit.chains[INCIDENT.id].pop()
    page = door.get()
    assert page.body == door.shows(None, form=Form(nonce="form-nonce-1"), plan=ASKED_ANEW)


def test_a_link_whose_incident_failed_before_the_question_was_recorded_has_no_form() -> None:
    door = Door()
    door.world.audit.chains[INCIDENT.id].pop()
    door.say(RecordKind.INCIDENT_CLOSED, "notify_result", outcome="failed")
    page = door.get()
    assert (page.status, page.body) == (409, door.shows(Notice.CLOSED))


def test_a_link_to_a_plan_that_nobody_recorded_has_no_form_and_is_a_failure() -> None:
    door = Door()
    request = door.form()
    del door.world.audit.chains[INCIDENT.id][-2:]
    for page in (door.get(), door.go(request)):
        assert (page.status, page.body) == (409, door.shows(None))
        assert nonce_in(page) is None
        assert page.failure
    assert door.has_decided_nothing()


def test_every_answer_has_all_headers() -> None:
    door = Door()
    requests = [
        event("GET", door.token),
        event("GET", "unknown"),
        event("PUT", door.token),
        door.form(function_name="wrong"),
        door.form(),
        door.form(nonce="spent"),
    ]
    assert all(door.go(request).headers == headers() for request in requests)


@pytest.mark.parametrize(
    ("asked", "language"), [({"lang": "zh"}, "zh"), ({"lang": "en"}, "en"), (None, "en")]
)
def test_every_page_is_in_the_language_asked_for(
    asked: dict[str, str] | None, language: str
) -> None:
    door = Door()
    request = door.form() | {"queryStringParameters": asked}
    pages = [
        door.get(queryStringParameters=asked),
        door.get("unknown", queryStringParameters=asked),
        door.go(request | {"body": "?"}),
        door.go(request),
    ]
    assert all(f'lang="{language}' in page.body for page in pages)


def test_what_was_answered_is_shown_to_whoever_comes_later() -> None:
    door = Door()
    door.post()
    door.say(RecordKind.REPAIR_PLANNED, "execute_repair", approved_by=BY)
    page = door.get()
    assert (page.status, page.body) == (200, door.shows(Notice.ANSWERED))
    door.say(RecordKind.INCIDENT_CLOSED, "notify_result", outcome="repaired")
    page = door.get()
    assert (page.status, page.body) == (200, door.shows(Notice.ANSWERED))
