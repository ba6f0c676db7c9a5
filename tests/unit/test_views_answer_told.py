"""What the messages tell of a person's answer."""
# ruff: noqa: RUF001 - Chinese is written with full-width punctuation

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from autorepair.domain.approval import Approval
from autorepair.domain.incident import Outcome
from autorepair.views.message import approval_message, result_message
from unit.builders import applied, course, decision, incident, verification

AT = datetime(2026, 11, 22, 18, 57, 9, tzinfo=UTC)
YES = Approval(answer="approved", by="Ann, by the link", comment="ok with owner")
NO = Approval(answer="rejected", by="arn:aws:sts::1:assumed-role/ops/bert")
ASKED = decision(action="ask", approval_timeout_s=600)
AGAIN = decision(action="ask", plan_hash="b" * 64, is_replanned=True)
STALE = applied(status="stale", reason="the function has changed since: memory")
PROD = "arn:aws:states:us-east-1:123456789012:execution:lambda-auto-repair-prod:one"


def both(body: str) -> tuple[str, str]:
    english, chinese = body.split("-" * 40)
    return english.strip(), chinese.strip()


def test_the_end_tells_who_answered_when_and_with_which_comment() -> None:
    ended = course(decision=ASKED, approval=YES, change=applied(), verification=verification())
    english, chinese = both(result_message(ended, Outcome.REPAIRED, answered_at=AT).body)
    told = "Answer: approved by Ann, by the link (2026-11-22 18:57:09 UTC): ok with owner"
    assert told in english.splitlines()
    told = "答复: 批准，答复人 Ann（通过链接） (2026-11-22 18:57:09 UTC): ok with owner"
    assert told in chinese.splitlines()
    assert "by the link" not in chinese


def test_a_no_is_told_with_who_gave_it() -> None:
    ended = course(decision=ASKED, approval=NO)
    english, chinese = both(result_message(ended, Outcome.REJECTED).body)
    assert f"Answer: rejected by {NO.by}" in english.splitlines()
    assert f"答复: 拒绝，答复人 {NO.by}" in chinese.splitlines()


@pytest.mark.parametrize("none", [None, Approval(answer="expired")])
def test_where_nobody_answered_no_answer_is_told(none: Approval | None) -> None:
    ended = course(decision=ASKED, approval=none)
    assert "Answer" not in result_message(ended, Outcome.EXPIRED).body


def test_an_answer_to_an_earlier_plan_is_not_told_as_one_to_this() -> None:
    ended = course(decision=decision(), approval=YES)
    body = result_message(ended, Outcome.ESCALATED).body
    assert "Answer to an earlier plan: approved by Ann, by the link: ok with owner" in body


def test_a_comment_is_told_on_one_line_cut_and_without_what_steers() -> None:
    comment = f"one\n\nRepaired: forged\x1b[2J\u202e {'x' * 400}"
    said = YES.model_copy(update={"comment": comment})
    body = result_message(course(decision=ASKED, approval=said), Outcome.REJECTED).body
    (line,) = [one for one in body.splitlines() if one.startswith("Answer: ")]
    assert line.startswith("Answer: approved by Ann, by the link: one Repaired: forged[2J xxx")
    assert line.endswith("x...")
    assert len(line.removeprefix("Answer: approved by Ann, by the link: ")) == 300


def test_a_question_that_comes_again_says_so_and_what_became_of_the_earlier_answer() -> None:
    message = approval_message(course(decision=AGAIN, approval=YES, change=STALE))
    assert message.subject == "[Auto-Repair] approval needed again: patient-slow-invoice"
    english, chinese = both(message.body)
    answer = "approved by Ann, by the link: ok with owner"
    assert english.splitlines()[:3] == [
        "Asked again, as the plan was made anew: the function has changed since: memory",
        f"An earlier plan was answered, and that answer does not count for this one: {answer}",
        "May this change be made?",
    ]
    assert chinese.startswith("再次询问，因为计划已重新制定: ")
    assert "批准，答复人 Ann（通过链接）" in chinese


def test_a_further_step_that_asks_tells_why_the_first_did_not_do() -> None:
    seen = verification(next="step", reason="3 of 10 still failed")
    told = course(decision=ASKED, approval=YES, change=applied(), verification=seen)
    first = approval_message(told).body.splitlines()[0]
    assert first == "Asked again, as a further step is needed: 3 of 10 still failed"


def test_a_plan_made_anew_that_nobody_had_answered_is_asked_as_the_first() -> None:
    message = approval_message(course(decision=AGAIN, change=STALE))
    assert "again" not in message.subject
    assert message.body.startswith("May this change be made?")


def test_a_no_to_the_plan_made_anew_gives_one_reason_why_nothing_was_done() -> None:
    ended = course(decision=AGAIN, approval=NO, change=STALE)
    body = result_message(ended, Outcome.REJECTED).body
    assert "Not done: stale" not in body
    assert "The plan before was overtaken: the function has changed since: memory" in body
    assert "Not done: timeout 3 s -> timeout 6 s\n" in body


def test_the_question_tells_until_when_and_of_which_environment_it_is() -> None:
    asked = course(decision=ASKED, incident=incident(execution_arn=PROD))
    message = approval_message(asked, until=AT)
    english, chinese = both(message.body)
    assert message.subject == "[Auto-Repair] approval needed (prod): patient-slow-invoice"
    assert "expires after: 10 minutes (until 2026-11-22 18:57:09 UTC)\n" in english
    assert "10 分钟 (截至 2026-11-22 18:57:09 UTC)\n" in chinese
    assert "\nEnvironment: prod\n" in english
    assert "\n环境: prod\n" in chinese


def test_below_a_link_the_commands_are_the_other_way() -> None:
    english, chinese = both(approval_message(course(decision=ASKED), "https://a.example/x").body)
    assert "https://a.example/x\nOr by command:\n" in english
    assert "https://a.example/x\n或使用命令:\n" in chinese
    assert "\nTo answer:\n" in approval_message(course(decision=ASKED)).body
