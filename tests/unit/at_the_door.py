"""A person, or a machine, before the approval page: requests as the HTTP API passes them on."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

from autorepair.domain.audit import Entry, RecordKind
from autorepair.domain.decision import Decision
from autorepair.domain.page import PageRequest, PageResponse
from autorepair.steps.approval_page import approval_page
from autorepair.steps.request_approval import RequestApprovalInput, request_approval
from autorepair.views.approval_page import Form, Notice, notice_page, question_page
from unit.builders import DIAGNOSIS, INCIDENT, change, course, decision
from unit.fakes import NAME, World

URL = "https://api.example.com/approval"
FORM = "application/x-www-form-urlencoded"
TIMEOUT_S = 3600
ASKED = decision(action="ask", approval_timeout_s=TIMEOUT_S)
OTHER = change(after_s=9)
ASKED_ANEW = ASKED.model_copy(update={"change": OTHER, "plan_hash": OTHER.plan_hash})
BY = "Anna Ops, by the link"
_LINK = re.compile(rf"{URL}/(\S+)")
_NONCE = re.compile(r"form-nonce-\d+")


def event(method: str, token: str, **members: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """A request in payload version 2.0, as far as the page could be tempted to read it."""
    return {
        "version": "2.0",
        "routeKey": f"{method} /approval/{{token}}",
        "rawPath": f"/approval/{token}",
        "headers": {"accept-language": "en-GB,en;q=0.9", "host": "api.example.com"},
        "requestContext": {"http": {"method": method, "path": f"/approval/{token}"}},
        "pathParameters": {"token": token},
        "isBase64Encoded": False,
    } | members


class Door:
    """An incident that has asked, and whoever has the link of its message."""

    def __init__(self) -> None:
        self.world = World(approval_url=URL)
        self.say(RecordKind.INCIDENT_OPENED, "parse_alarm_event")
        self.say(RecordKind.DIAGNOSIS_MADE, "diagnose_issue", **DIAGNOSIS.as_json())
        self.token = self.ask(ASKED)

    def ask(self, asked: Decision) -> str:
        """Decide and ask; gives the token of the link in the message."""
        self.say(RecordKind.ACTION_DECIDED, f"decide/{asked.plan_hash}", **asked.as_json())
        given = RequestApprovalInput(task_token="token-1", state=course(decision=asked))
        request_approval(given, self.world.ports)
        found = _LINK.search(self.world.notifier.sent[-1].message)
        assert found
        return found[1]

    def say(self, kind: RecordKind, key: str, **data: object) -> None:
        entry = Entry(
            incident_id=INCIDENT.id,
            key=key,
            kind=kind,
            at=self.world.clock.now(),
            function_name=NAME,
            summary=kind.value,
            data=data,
        )
        self.world.audit.append(entry)

    def go(self, request: dict[str, Any]) -> PageResponse:
        return approval_page(PageRequest.model_validate(request), self.world.ports)

    def get(self, token: str | None = None, **members: Any) -> PageResponse:  # noqa: ANN401 - JSON
        return self.go(event("GET", self.token if token is None else token, **members))

    def post(self, **over: str | None) -> PageResponse:
        """Send the form as a person fills it in; None leaves a field out."""
        return self.go(self.form(**over))

    def form(self, **over: str | None) -> dict[str, Any]:
        """Give the request of a form; without a ``nonce`` one is fetched, as a person does."""
        fields: dict[str, str | None] = {
            "function_name": NAME,
            "name": "Anna Ops",
            "comment": "",
            "answer": "approved",
        }
        if "nonce" not in over:
            fields["nonce"] = self.nonce()
        sent = {name: value for name, value in (fields | over).items() if value is not None}
        return self.posting(urlencode(sent))

    def posting(self, body: str, **members: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        headers = {"content-type": FORM, "accept-language": "en"}
        return event("POST", self.token, headers=headers, body=body) | members

    def nonce(self) -> str:
        found = nonce_in(self.get())
        assert found
        return found

    @property
    def answers(self) -> list[Entry]:
        records = self.world.audit.chain_of(INCIDENT.id)
        return [r.entry for r in records if r.entry.kind is RecordKind.APPROVAL_ANSWERED]

    @property
    def resumed(self) -> list[tuple[str, str | None]]:
        return [(one.answer, one.by) for one in self.world.approvals.resumed]

    def has_decided_nothing(self) -> bool:
        return self.answers == [] and self.resumed == []

    def shows(
        self,
        notice: Notice | None,
        *,
        form: Form | None = None,
        detail: str = "",
        plan: Decision = ASKED,
    ) -> str:
        """Give the page that shows the question so."""
        return question_page(
            self.world.audit.chain_of(INCIDENT.id),
            str(plan.plan_hash),
            form=form,
            notice=notice,
            detail=detail,
            language="en",
        )


def nonce_in(page: PageResponse) -> str | None:
    """Give the nonce of the page's form; None where it has none."""
    found = _NONCE.search(page.body)
    return found[0] if found else None


def says(notice: Notice) -> str:
    """Give the page that shows nothing of any incident."""
    return notice_page(notice, language="en")
