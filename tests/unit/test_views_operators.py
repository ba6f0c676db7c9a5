from __future__ import annotations

from datetime import timedelta

import pytest

from autorepair.domain.ledger import Trip
from autorepair.domain.pause import Pause
from autorepair.domain.policy_review import Difference
from autorepair.views.message import LONGEST_SUBJECT, Message
from autorepair.views.operators import pause_message, policy_message, resume_message
from autorepair.views.storm import breaker_lines
from unit.fakes import NOW

BY = "arn:aws:iam::123456789012:user/duty"
PAUSE = Pause(by=BY, since=NOW, why="migration", until=NOW + timedelta(hours=8))
CAP = Difference(path="caps.timeout_s", before=60, after=900)
TRIP = Trip(
    since=NOW,
    last_at=NOW + timedelta(seconds=30),
    by="inc-9",
    why="timeout_too_low on 6 functions within 600 s",
    functions=("a", "b"),
)


def test_a_pause_is_told_with_who_why_and_until_when() -> None:
    message = pause_message(PAUSE, "prod")
    assert message.subject == "[Auto-Repair] repairs are paused (prod)"
    for told in (BY, "migration", "2026-03-04 20:00 UTC", "暂停"):
        assert told in message.body


def test_a_pause_without_an_end_says_how_it_ends() -> None:
    assert "autorepair resume" in pause_message(Pause(by=BY), "dev").body


def test_that_repairs_go_on_is_told_with_what_the_pause_was() -> None:
    body = resume_message(BY, PAUSE, "dev").body
    assert f"Before: {PAUSE.told()}" in body
    assert "已恢复" in body


def test_a_policy_that_allows_more_is_told_with_a_warning() -> None:
    message = policy_message(BY, (CAP,), ("caps.timeout_s",), "prod")
    assert message.subject == "[Auto-Repair] policy LOOSENED (prod)"
    assert "WARNING: it allows more than before, or may: caps.timeout_s" in message.body
    assert "警告" in message.body
    assert message.body.count("  caps.timeout_s: 60 -> 900") == 2


def test_a_policy_that_allows_less_is_told_without_one() -> None:
    message = policy_message(BY, (CAP,), (), "prod")
    assert message.subject == "[Auto-Repair] policy set (prod)"
    assert "WARNING" not in message.body
    assert "  nothing" in policy_message(BY, (), (), "prod").body


@pytest.mark.parametrize(
    "message",
    [
        pause_message(Pause(why="x" * 300), "staging"),
        resume_message(BY, PAUSE, "staging"),
        policy_message(BY, (CAP,), ("a",) * 99, "staging"),
    ],
)
def test_every_subject_is_one_that_sns_takes(message: Message) -> None:
    assert len(message.subject) <= LONGEST_SUBJECT
    assert message.subject.isascii()
    assert message.subject.isprintable()


def test_a_breaker_that_has_tripped_says_since_when_by_what_and_how_it_ends() -> None:
    lines = "\n".join(breaker_lines(TRIP, 600, NOW + timedelta(seconds=60)))
    for told in ("2026-03-04 12:00:00 UTC", "inc-9", TRIP.why, "a, b", "at 12:10:30 UTC"):
        assert told in lines
    assert "`autorepair resume` does not end it" in lines


def test_a_breaker_that_was_quiet_for_its_window_is_over() -> None:
    lines = "\n".join(breaker_lines(TRIP, 600, NOW + timedelta(seconds=630)))
    assert "it is over" in lines


def test_a_breaker_that_has_not_tripped_says_so() -> None:
    assert breaker_lines(None, 600, NOW) == ("the storm breaker has not tripped",)
