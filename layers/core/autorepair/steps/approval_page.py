"""ApprovalPage: show a question to whoever holds its link, and take the answer.

A GET only shows: mail scanners follow every link, and some run scripts and send forms. Deciding is
a POST with the link's token, a nonce that works once, and the function's name typed in.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus

from autorepair.domain.approval_link import ApprovalLink
from autorepair.domain.errors import (
    AutoRepairError,
    ContraryAnswerError,
    MalformedEventError,
    NotWaitingError,
    PlanChangedError,
)
from autorepair.domain.page import Language, PageRequest, PageResponse
from autorepair.ports import AnswerPorts, Ports
from autorepair.steps.answer_approval import AnswerInput, Records, answer_approval
from autorepair.steps.page_form import PageForm, form_of
from autorepair.steps.question_standing import Question, Standing, question_of
from autorepair.views.approval_page import Form, Notice, headers, notice_page, question_page

__all__ = ["FORM_LASTS", "PageRequest", "PageResponse", "approval_page"]

FORM_LASTS = timedelta(minutes=15)
"""How long a form may be sent after it was shown."""
_STATUS: dict[Standing, tuple[HTTPStatus, Notice | None]] = {
    Standing.UNASKED: (HTTPStatus.OK, None),
    Standing.WAITING: (HTTPStatus.OK, None),
    Standing.ANSWERED: (HTTPStatus.OK, Notice.ANSWERED),
    Standing.TOO_LATE: (HTTPStatus.GONE, Notice.TOO_LATE),
    Standing.EXPIRED: (HTTPStatus.GONE, Notice.EXPIRED),
    Standing.CLOSED: (HTTPStatus.CONFLICT, Notice.CLOSED),
    Standing.STOPPED: (HTTPStatus.CONFLICT, Notice.STOPPED),
    Standing.PLAN_CHANGED: (HTTPStatus.GONE, Notice.PLAN_CHANGED),
    # The page says itself what is wrong with the record.
    Standing.UNREADABLE: (HTTPStatus.CONFLICT, None),
}
_NOW = {"approved": Notice.APPROVED_NOW, "rejected": Notice.REJECTED_NOW}


@dataclass(frozen=True)
class _Visit:
    """Somebody who came by a link that leads to a question, and what stands when they look."""

    token: str
    link: ApprovalLink
    language: Language
    records: Records
    question: Question


def approval_page(given: PageRequest, ports: Ports) -> PageResponse:
    """Show the question, or take the answer and show what stands.

    A failure of the service is a page too, with status 503 and ``failure`` set.
    """
    try:
        return _page(given, ports)
    except AutoRepairError as error:
        page = _notice(HTTPStatus.SERVICE_UNAVAILABLE, Notice.TRY_AGAIN, given.language)
        return page.model_copy(update={"failure": _told(error)})


def _page(given: PageRequest, ports: Ports) -> PageResponse:
    if given.method not in {"GET", "POST"}:
        return _notice(HTTPStatus.BAD_REQUEST, Notice.BAD_REQUEST, given.language)
    try:
        form = form_of(given) if given.method == "POST" else None
    except MalformedEventError:
        return _notice(HTTPStatus.BAD_REQUEST, Notice.BAD_REQUEST, given.language)
    link = ports.links.find(given.token)
    if link is None:
        return _notice(HTTPStatus.NOT_FOUND, Notice.UNKNOWN_LINK, given.language)
    visit = _look(given.token, link, given.language, ports)
    return _standing(visit, ports) if form is None else _decide(visit, form, ports)


def _look(token: str, link: ApprovalLink, language: Language, ports: Ports) -> _Visit:
    records = ports.audit.chain_of(link.incident_id)
    return _Visit(token, link, language, records, question_of(link, records, now=ports.clock.now()))


def _look_again(visit: _Visit, ports: Ports) -> _Visit:
    return _look(visit.token, visit.link, visit.language, ports)


def _standing(visit: _Visit, ports: Ports) -> PageResponse:
    """Show what stands, with a form where an answer may still do something."""
    status, notice = _STATUS[visit.question.standing]
    form = Form(nonce=_nonce(visit, ports)) if visit.question.is_open else None
    # Said before the form is filled in, not after; a no goes through.
    is_asking = form is not None and notice is None
    pause = ports.state.pause_in_force() if is_asking else None
    if pause is not None:
        notice = Notice.PAUSED_NOW
    page = _shown(visit, status, notice, form=form, detail=pause.told() if pause else "")
    if visit.question.standing is not Standing.UNREADABLE:
        return page
    trouble = f"the records of incident {visit.link.incident_id} were altered or cannot be read"
    return page.model_copy(update={"failure": trouble})


def _decide(visit: _Visit, form: PageForm, ports: Ports) -> PageResponse:
    question = visit.question
    if _is_contrary(question, form) or not question.is_open:
        return _as_it_stands(visit, form, ports)
    if question.standing is Standing.UNASKED:
        return _again(visit, form, HTTPStatus.CONFLICT, Notice.TRY_AGAIN, ports)
    complaint = form.complaint(question.plan.function_name)
    if complaint is not None:
        return _again(visit, form, HTTPStatus.UNPROCESSABLE_ENTITY, complaint, ports)
    # An answer counts once: a yes that is given while nothing may be written would be used up.
    pause = ports.state.pause_in_force() if form.answer == "approved" else None
    if pause is not None:
        return _again(visit, form, HTTPStatus.CONFLICT, Notice.PAUSED, ports, detail=pause.told())
    if not ports.links.take(visit.token, form.nonce):
        return _spent(_look_again(visit, ports), form, ports)
    return _answer(visit, form, ports)


def _answer(visit: _Visit, form: PageForm, ports: Ports) -> PageResponse:
    given = AnswerInput(
        incident_id=visit.link.incident_id,
        plan_hash=visit.link.plan_hash,
        answer=form.answer,
        by=form.by,
        comment=form.told,
    )
    answering = AnswerPorts(clock=ports.clock, audit=ports.audit, approvals=ports.approvals)
    try:
        done = answer_approval(given, answering)
    except (ContraryAnswerError, NotWaitingError, PlanChangedError):
        # The records say which of them, and what became of the question instead.
        return _too_late(_look_again(visit, ports), form, ports)
    notice = _NOW[form.answer] if done.is_received and not done.is_repeated else Notice.ANSWERED
    try:
        seen = _look_again(visit, ports)
        # Recorded, and nobody can tell yet whether it got through: it may be given once more.
        return _shown(seen, HTTPStatus.OK, notice) if done.is_received else _standing(seen, ports)
    except AutoRepairError as error:
        # It is answered: "try again" would be wrong.
        page = _notice(HTTPStatus.OK, notice, visit.language)
        return page.model_copy(update={"failure": _told(error)})


def _too_late(visit: _Visit, form: PageForm, ports: Ports) -> PageResponse:
    if visit.question.standing is Standing.WAITING:
        # The execution waits no more, and has not come to say so.
        return _shown(visit, HTTPStatus.GONE, Notice.TOO_LATE)
    return _as_it_stands(visit, form, ports)


def _spent(visit: _Visit, form: PageForm, ports: Ports) -> PageResponse:
    """Show what stands where a browser sent a form twice; else offer a fresh one."""
    if visit.question.standing is Standing.WAITING:
        return _again(visit, form, HTTPStatus.CONFLICT, Notice.SPENT, ports)
    return _as_it_stands(visit, form, ports)


def _as_it_stands(visit: _Visit, form: PageForm, ports: Ports) -> PageResponse:
    if _is_contrary(visit.question, form):
        return _shown(visit, HTTPStatus.CONFLICT, Notice.CONTRARY)
    return _standing(visit, ports)


def _is_contrary(question: Question, form: PageForm) -> bool:
    is_answered = question.standing is Standing.ANSWERED
    return (
        is_answered and question.plan.said is not None and question.plan.said.answer != form.answer
    )


def _again(  # noqa: PLR0913 - what was sent, what is wrong with it, and how that is told
    visit: _Visit,
    form: PageForm,
    status: HTTPStatus,
    notice: Notice,
    ports: Ports,
    *,
    detail: str = "",
) -> PageResponse:
    """Show the form again as it was sent, but for the function's name, which is typed each time."""
    fresh = Form(nonce=_nonce(visit, ports), name=form.name, comment=form.comment)
    return _shown(visit, status, notice, form=fresh, detail=detail)


def _nonce(visit: _Visit, ports: Ports) -> str:
    until = min(ports.clock.now() + FORM_LASTS, visit.link.expires_at)
    return ports.links.offer(visit.token, until=until)


def _shown(
    visit: _Visit,
    status: HTTPStatus,
    notice: Notice | None,
    *,
    form: Form | None = None,
    detail: str = "",
) -> PageResponse:
    body = question_page(
        visit.records,
        visit.link.plan_hash,
        form=form,
        notice=notice,
        detail=detail,
        language=visit.language,
    )
    return PageResponse(status=status, headers=headers(), body=body)


def _notice(status: HTTPStatus, notice: Notice, language: Language) -> PageResponse:
    body = notice_page(notice, language=language)
    return PageResponse(status=status, headers=headers(), body=body)


def _told(error: AutoRepairError) -> str:
    return f"{type(error).__name__}: {error}"
