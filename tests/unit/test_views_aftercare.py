"""What people are told of a repair after its incident."""

from __future__ import annotations

from datetime import timedelta

import pytest

from autorepair.domain.audit import AuditRecord, Entry, RecordKind, chain
from autorepair.domain.change import AliasMove
from autorepair.domain.watched import Aftermath, Drift, Drifted, Observed
from autorepair.views.aftercare import reminder_message, reverted_message
from autorepair.views.message import Message
from autorepair.views.story import line_of, story_of
from unit.aftercare import variable_change, variables, watched
from unit.builders import INCIDENT, applied, change
from unit.fakes import NAME, NOW, configuration

TAGS = {
    "aws:cloudformation:stack-name": "shop",
    "aws:cloudformation:logical-id": "InvoiceFunction",
}


def drift(**facts: object) -> Drift:
    plain = Drift(
        became=Drifted.REVERTED,
        why="back",
        now="timeout 3 s",
        incident_id=INCIDENT.id,
        change=change(),
    )
    return plain.model_copy(update=facts)


def reverted() -> Message:
    said = drift(by="arn:aws:iam::123456789012:user/anna", at=NOW)
    return reverted_message(watched(change()), said, configuration(tags=TAGS))


def test_a_repair_put_back_is_told_with_who_when_and_what_makes_it_permanent() -> None:
    body = reverted().body
    for words in (
        "timeout 3 s -> timeout 6 s",
        "It is now: timeout 3 s",
        "user/anna",
        "2026-03-04 12:00:00 UTC",
        "InvoiceFunction of the stack shop",
        "Timeout: 6",
        f"autorepair show {INCIDENT.id}",
    ):
        assert words in body


def test_both_languages_say_the_same_facts() -> None:
    english, _, chinese = reverted().body.partition("-" * 40)
    for words in ("user/anna", "Timeout: 6", INCIDENT.id, NAME):
        assert words in english
        assert words in chinese
    assert "已被改回" in chinese


def test_a_reminder_says_for_how_long_and_what_to_do() -> None:
    now = NOW + timedelta(days=14, hours=1)
    message = reminder_message(watched(change()), configuration(), now=now)
    assert "Days since the repair: 14" in message.body
    assert "Timeout: 6" in message.body
    assert "still outside the template" in message.subject


def test_no_message_holds_a_value_of_a_variable() -> None:
    made = variable_change(variables(TABLE="digest-old"), variables(TABLE="digest-new"))
    for message in (
        reverted_message(watched(made), drift(now=""), None),
        reminder_message(watched(made), configuration(), now=NOW),
    ):
        assert "TABLE" in message.body
        assert "digest" not in message.body


def test_subjects_are_what_sns_takes() -> None:
    target = change().target.model_copy(update={"function_name": "f" * 170})
    long = watched(change().model_copy(update={"target": target}))
    message = reverted_message(long, drift(), None)
    assert len(message.subject) < 100
    assert message.subject.isascii()


def test_show_tells_what_became_of_a_repair_and_that_it_is_no_more_in_place() -> None:
    said = [
        (RecordKind.REPAIR_APPLIED, applied().as_json()),
        (RecordKind.INCIDENT_CLOSED, {"outcome": "repaired", "message_id": None}),
        (
            RecordKind.REPAIR_REVERTED,
            {"drift": drift(by="anna").as_json(), "message_id": "message-1"},
        ),
    ]
    records: list[AuditRecord] = []
    for n, (kind, data) in enumerate(said):
        entry = Entry(
            incident_id=INCIDENT.id,
            key=str(n),
            kind=kind,
            at=NOW,
            function_name=NAME,
            summary="",
            data=data,
        )
        records.append(chain(entry, after=records[-1] if records else None))
    assert line_of(tuple(records[:2])).change is not None
    assert line_of(tuple(records)).change is None
    told = story_of(tuple(records))[-1]
    assert told.heading == "repair reverted"
    assert told.facts == (
        "repair: timeout 3 s → timeout 6 s",
        "now: timeout 3 s",
        "by: anna",
        "message: message-1",
    )


def test_show_tells_what_became_of_a_plan_that_was_not_made() -> None:
    seen = Observed(
        aftermath=Aftermath.SAME_VALUE,
        why="",
        look=1,
        withheld="observe",
        change=change(),
        by="anna",
    )
    entry = Entry(
        incident_id=INCIDENT.id,
        key="k",
        kind=RecordKind.OUTCOME_OBSERVED,
        at=NOW,
        function_name=NAME,
        summary="",
        data=seen.as_json(),
    )
    (told,) = story_of((chain(entry, after=None),))
    assert told.facts == ("plan, only observed: timeout 3 s → timeout 6 s", "by: anna")


def test_a_repair_that_was_published_is_told_with_the_way_of_its_alias() -> None:
    move = AliasMove(alias="live", former="1", published="2")
    made = change().model_copy(update={"release": move})
    told = reverted_message(watched(made), drift(), None).body
    assert "alias live: version 1 -> version 2" in told


@pytest.mark.parametrize(("ago_d", "is_left_alone"), [(1, True), (30, False)])
def test_a_reminder_says_whether_the_stack_was_deployed_since(
    ago_d: int, *, is_left_alone: bool
) -> None:
    now = NOW + timedelta(days=14)
    at = now - timedelta(days=ago_d)
    body = reminder_message(watched(change()), configuration(), now=now, deployed_at=at).body
    assert f"{at:%Y-%m-%d %H:%M} UTC" in body
    assert ("without writing the setting" in body) is is_left_alone
