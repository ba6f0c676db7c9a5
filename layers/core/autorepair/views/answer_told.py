"""What the messages say of a person's answer, in a line: who, when, why, and what became of it."""

from __future__ import annotations

from datetime import UTC

from autorepair.domain.approval import Approval
from autorepair.domain.approval_link import BY_THE_LINK
from autorepair.domain.course import Course
from autorepair.domain.value import Instant
from autorepair.views.plain_text import one_line
from autorepair.views.texts import Language

LONGEST_COMMENT = 300
"""Characters of a comment or a reason in a message; the record has the whole of it."""


def answer_line(course: Course, words: Language, at: Instant | None = None) -> list[str]:
    """Say who answered, when and with which comment; nothing where nobody did.

    An answer counts only for the decision that asked: beside another one it is told as that to an
    earlier plan. ``at`` is when it was recorded.
    """
    approval = _of_a_person(course)
    if approval is None:
        return []
    is_earlier = course.decision is None or course.decision.action != "ask"
    label = words.labels["earlier_answer" if is_earlier else "answered"]
    moment = f" ({moment_told(at)})" if at else ""
    return [f"{label}: {_given(approval, words)}{moment}{_comment(approval)}"]


def asked_again_line(course: Course, words: Language) -> list[str]:
    """Say why a question comes again, and whose answer to the earlier one is not used for it."""
    approval = _of_a_person(course)
    if approval is None:
        return []
    if course.change is not None and course.change.status == "stale":
        why, reason = "made_anew", course.change.reason
    else:
        why, reason = "further_step", course.verification.reason if course.verification else ""
    told = f": {one_line(reason, LONGEST_COMMENT)}" if reason else ""
    given = f"{_given(approval, words)}{_comment(approval)}"
    return [f"{words.labels[why]}{told}", f"{words.labels['not_used']}: {given}"]


def moment_told(at: Instant) -> str:
    """Give a moment to the second, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _of_a_person(course: Course) -> Approval | None:
    """Give the answer, None where there is none or the question has expired."""
    approval = course.approval
    is_given = approval is not None and approval.by is not None and approval.answer != "expired"
    return approval if is_given else None


def _given(approval: Approval, words: Language) -> str:
    by = one_line(approval.by or "", LONGEST_COMMENT)
    if by.endswith(BY_THE_LINK):
        by = f"{by.removesuffix(BY_THE_LINK)}{words.labels['by_link']}"
    return words.labels[approval.answer].format(by=by)


def _comment(approval: Approval) -> str:
    comment = one_line(approval.comment or "", LONGEST_COMMENT)
    return f": {comment}" if comment else ""
