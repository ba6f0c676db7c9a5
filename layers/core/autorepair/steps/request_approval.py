"""RequestApproval: ask a person, and keep the token that resumes the execution."""

from __future__ import annotations

from datetime import timedelta

from pydantic import ConfigDict

from autorepair.domain.approval_link import ApprovalLink
from autorepair.domain.audit import RecordKind
from autorepair.domain.course import Course
from autorepair.domain.notification import ApprovalRequest
from autorepair.domain.value import Value
from autorepair.ports import Ports
from autorepair.steps.question_standing import fingerprint_of
from autorepair.steps.recording import announce, record
from autorepair.views.message import approval_message


class RequestApprovalInput(Value):
    """The task token and the whole state data."""

    model_config = ConfigDict(extra="ignore")

    task_token: str
    state: Course


def request_approval(given: RequestApprovalInput, ports: Ports) -> ApprovalRequest:
    """Keep the token, send the question, and record that it was asked.

    The execution waits for the token, not for this return value. A retry brings a new token,
    which takes the place of the one before; the question is then sent once more, with another
    link. A link's token is in the message and nowhere else: whoever holds it may answer.

    Raises:
        AccessDeniedError, TransientServiceError: The token or the question did not get through.
    """
    course = given.state
    incident, decision = course.incident, course.decision
    if decision is None or decision.change is None or decision.plan_hash is None:
        raise ValueError(f"incident {incident.id} has no plan to ask about")
    link = ApprovalLink(
        incident_id=incident.id,
        plan_hash=decision.plan_hash,
        fingerprint=fingerprint_of(decision.change),
        expires_at=ports.clock.now() + timedelta(seconds=decision.approval_timeout_s),
    )
    ports.state.keep_task_token(incident, given.task_token, seconds=decision.approval_timeout_s)
    message = approval_message(course, _url(link, ports), until=link.expires_at)
    message_id = ports.notifier.publish(
        subject=message.subject, message=message.body, attributes={"kind": "approval_requested"}
    )
    record(
        ports,
        incident,
        key=f"request_approval/{decision.plan_hash}",
        kind=RecordKind.APPROVAL_REQUESTED,
        summary=f"asked a person: {decision.reason}",
        data={
            "plan_hash": decision.plan_hash,
            "step": decision.step,
            "timeout_s": decision.approval_timeout_s,
            "message_id": message_id,
        },
    )
    announce(
        ports,
        "ApprovalRequested",
        incident,
        plan_hash=decision.plan_hash,
        change=decision.change.as_json(),
        timeout_s=decision.approval_timeout_s,
    )
    return ApprovalRequest(message_id=message_id, plan_hash=decision.plan_hash)


def _url(link: ApprovalLink, ports: Ports) -> str | None:
    """Give the URL of the page that shows the question; None where no page is deployed."""
    return f"{ports.approval_url}/{ports.links.issue(link)}" if ports.approval_url else None
