"""An item that another release, or a hand, has written stops nothing but itself."""

from __future__ import annotations

import pytest

from adapters.account import NOW, STATE_TABLE, Account, incident
from autorepair.aws.incident_state import DynamoIncidentState
from autorepair.aws.unsent_messages import DynamoUnsentMessages
from autorepair.domain.errors import RecordUnreadableError
from autorepair.watch import Unsent

BROKEN = ["{}", '{"id": "i0", "a_field_of_tomorrow": 1}', "no JSON"]


def spoil(account: Account, kind: str, told: str) -> None:
    """Put an item that comes before all others, and of which only the keys can be read."""
    account.clients.dynamodb.put_item(
        TableName=STATE_TABLE,
        Item={
            "pk": {"S": "incident#i0"},
            "sk": {"S": kind},
            "unsettled": {"S": kind},
            "since": {"S": "2000-01-01T00:00:00+00:00"},
            "incident": {"S": told},
        },
    )


@pytest.mark.parametrize("told", BROKEN)
@pytest.mark.parametrize("kind", ["open", "change"])
def test_an_incident_that_cannot_be_read_is_told_of_after_the_others(
    account: Account, kind: str, told: str
) -> None:
    state = DynamoIncidentState(account.clients.dynamodb, table=STATE_TABLE, clock=account.clock)
    state.open(incident("i1"))
    spoil(account, kind, told)
    unsettled = state.unsettled()
    assert next(unsettled).incident.id == "i1"
    with pytest.raises(RecordUnreadableError, match="first incident#i0"):
        next(unsettled)


@pytest.mark.parametrize("told", BROKEN)
def test_a_message_that_cannot_be_read_is_told_of_after_the_others(
    account: Account, told: str
) -> None:
    messages = DynamoUnsentMessages(account.clients.dynamodb, table=STATE_TABLE)
    whole = Unsent(incident("i1"), "subject", "body", {"kind": "incident_closed"}, NOW)
    messages.keep(whole)
    spoil(account, "message", told)
    kept = messages.kept()
    assert next(kept) == whole
    with pytest.raises(RecordUnreadableError, match="first incident#i0"):
        next(kept)
