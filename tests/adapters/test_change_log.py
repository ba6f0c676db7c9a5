"""What was done to a function, and who did it, as CloudTrail tells it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from botocore.stub import Stubber

from adapters.account import (
    ACCOUNT,
    ARN,
    NAME,
    NOW,
    TARGET,
    Account,
)
from autorepair.aws.change_log import CloudTrailChangeLog
from autorepair.domain.errors import (
    AccessDeniedError,
    TransientServiceError,
)
from autorepair.domain.evidence import SettingChange
from autorepair.domain.recent_changes import TrailEvent, recent_changes
from unit.logbook import configured

SINCE = NOW - timedelta(minutes=30)
OWN_ROLE = "lambda-auto-repair-dev-F-ExecuteRepairRole-1A2B3C4D5E6F"
OWN_SESSION = "lambda-auto-repair-execute-repair-dev"


def assumed(role: str, session: str, account: str = ACCOUNT) -> str:
    """Who does something in a role, as CloudTrail tells it."""
    return f"arn:aws:sts::{account}:assumed-role/{role}/{session}"


def recorded(
    event_id: str,
    name: str = "UpdateFunctionConfiguration20150331v2",
    *,
    minutes: int = 10,
    **told: object,
) -> dict[str, Any]:
    """One event as LookupEvents gives it."""
    record = {
        "eventSource": "lambda.amazonaws.com",
        "readOnly": False,
        "userIdentity": {"arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/deployer/ann"},
        "requestParameters": {"functionName": NAME},
    } | told
    return {
        "EventId": event_id,
        "EventName": name,
        "ReadOnly": "true" if record["readOnly"] else "false",
        "EventTime": NOW - timedelta(minutes=minutes),
        "Username": "ann",
        "CloudTrailEvent": json.dumps(record),
    }


@pytest.fixture
def trail(account: Account) -> Iterator[Stubber]:
    client: Any = account.clients._session.client("cloudtrail")
    with Stubber(client) as stubber:
        yield stubber


def read(trail: Stubber, *, pages: int = 1) -> tuple[tuple[TrailEvent, ...], list[str]]:
    slept: list[float] = []
    client: Any = trail.client
    log = CloudTrailChangeLog(client, pages_per_name=pages, sleep=slept.append)
    events, gaps = log.read(TARGET, since=SINCE, until=NOW)
    assert slept == [0.5] * (2 * pages - 1), "two calls a second"
    return events, [gap.reason for gap in gaps]


def test_requests_are_read_as_settings_and_the_environment_as_written(trail: Stubber) -> None:
    asked = {
        "functionName": ARN,
        "timeout": 3,
        "memorySize": 256,
        "ephemeralStorage": {"size": 512},
        "layers": ["a", "b"],
        "environment": {},
    }
    trail.add_response("lookup_events", {"Events": [recorded("e1", requestParameters=asked)]})
    trail.add_response("lookup_events", {"Events": [recorded("e1", requestParameters=asked)]})

    ((event,), gaps) = read(trail)

    assert event.name == "UpdateFunctionConfiguration"
    assert event.principal == f"arn:aws:sts::{ACCOUNT}:assumed-role/deployer/ann"
    assert event.writes_environment
    assert event.settings == {
        "timeout_s": 3,
        "memory_mb": 256,
        "ephemeral_storage_mb": 512,
        "layers": "a, b",
    }
    assert gaps == []


@pytest.mark.parametrize(
    "told",
    [
        {"readOnly": True},
        {"errorCode": "AccessDenied"},
        {"requestParameters": {"functionName": "another"}},
        {"requestParameters": None},
        {"eventSource": "s3.amazonaws.com"},
    ],
)
def test_reads_failures_and_other_functions_changed_nothing(
    trail: Stubber, told: dict[str, Any]
) -> None:
    trail.add_response("lookup_events", {"Events": [recorded("e1", **told)]})
    trail.add_response("lookup_events", {"Events": []})

    assert read(trail) == ((), [])


def test_a_change_by_the_service_itself_is_known_as_such(trail: Stubber) -> None:
    own = recorded("e1", userIdentity={"arn": assumed(OWN_ROLE, OWN_SESSION)})
    trail.add_response("lookup_events", {"Events": [own, recorded("e2", minutes=5)]})
    trail.add_response("lookup_events", {"Events": []})

    events, _ = read(trail)

    assert [event.is_own for event in events] == [True, False]


@pytest.mark.parametrize(
    "principal",
    [
        assumed("Developers", "lambda-auto-repair-x"),
        assumed("Developers", OWN_SESSION),
        assumed("lambda-auto-repair-dev-F-RollBackRepairRole-1A2B", OWN_SESSION),
        assumed(OWN_ROLE, "ann"),
        assumed(OWN_ROLE, OWN_SESSION, account="999999999999"),
        f"arn:aws:iam::{ACCOUNT}:user/{OWN_SESSION}",
        OWN_SESSION,
    ],
)
def test_the_name_of_a_session_makes_nobody_the_service(trail: Stubber, principal: str) -> None:
    named = recorded("e1", "UpdateFunctionCode20150331v2", userIdentity={"arn": principal})
    trail.add_response("lookup_events", {"Events": [named]})
    trail.add_response("lookup_events", {"Events": []})

    ((event,), _) = read(trail)

    assert not event.is_own


def test_one_filter_is_used_and_the_budget_of_pages_is_kept(trail: Stubber) -> None:
    for name in (NAME, ARN):
        asked = {
            "LookupAttributes": [{"AttributeKey": "ResourceName", "AttributeValue": name}],
            "StartTime": NOW - timedelta(days=90),
            "EndTime": NOW,
            "MaxResults": 50,
        }
        event = recorded(f"e-{name}", minutes=10)
        trail.add_response("lookup_events", {"Events": [event], "NextToken": "t"}, asked)
        event = recorded(f"f-{name}", minutes=20 if name == NAME else 40)
        trail.add_response(
            "lookup_events", {"Events": [event], "NextToken": "u"}, asked | {"NextToken": "t"}
        )

    events, gaps = read(trail, pages=2)

    assert len(events) == 4
    assert len(gaps) == 1, "only what was left out of the time looked at is a gap"
    assert "before 2026-03-04T11:40:00Z" in gaps[0]
    trail.assert_no_pending_responses()


def test_a_throttled_lookup_is_an_error_that_may_pass(trail: Stubber) -> None:
    trail.add_client_error("lookup_events", "ThrottlingException")
    with pytest.raises(TransientServiceError):
        read(trail)


def test_a_denied_lookup_names_the_permission(trail: Stubber) -> None:
    trail.add_client_error("lookup_events", "AccessDeniedException")
    with pytest.raises(AccessDeniedError, match="cloudtrail:LookupEvents"):
        read(trail)


def test_an_alias_that_was_moved_says_from_where_to_where(trail: Stubber) -> None:
    def move(event_id: str, version: str, minutes: int) -> dict[str, Any]:
        asked = {"functionName": NAME, "name": "live", "functionVersion": version}
        return recorded(event_id, "UpdateAlias20150331", minutes=minutes, requestParameters=asked)

    trail.add_response("lookup_events", {"Events": [move("e2", "14", 5), move("e1", "13", 20)]})
    trail.add_response("lookup_events", {"Events": []})
    events, _ = read(trail)

    changes = recent_changes(events, (), configured(), since=SINCE)

    assert [(c.event, c.alias) for c in changes] == [("UpdateAlias", "live")] * 2
    moved = SettingChange(name="function_version", before="13", after="14")
    assert changes[-1].setting("function_version") == moved


def test_two_aliases_are_not_taken_for_one(trail: Stubber) -> None:
    def move(event_id: str, alias: str, version: str, minutes: int) -> dict[str, Any]:
        asked = {"functionName": NAME, "name": alias, "functionVersion": version}
        return recorded(event_id, "UpdateAlias20150331", minutes=minutes, requestParameters=asked)

    events = [move("e2", "live", "14", 5), move("e1", "beta", "13", 20)]
    trail.add_response("lookup_events", {"Events": events})
    trail.add_response("lookup_events", {"Events": []})
    found, _ = read(trail)

    changes = recent_changes(found, (), configured(), since=SINCE)

    moved = SettingChange(name="function_version", before=None, after="14")
    assert changes[-1].setting("function_version") == moved


@pytest.mark.parametrize(
    ("asked", "answered", "told"),
    [
        (
            {"reservedConcurrentExecutions": 0},
            None,
            ({"reserved_concurrency": 0}, ""),
        ),
        (
            {"description": "release"},
            {"version": "14", "codeSha256": "abc"},
            ({"code_sha256": "abc"}, "version: 14; description: release"),
        ),
        (
            {"imageUri": "repository/image:2"},
            {"codeSha256": "abc", "version": "$LATEST"},
            ({"code_sha256": "abc"}, "imageuri: repository/image:2"),
        ),
        (
            {"vpcConfig": {"subnetIds": ["subnet-1"], "securityGroupIds": ["sg-1", "sg-2"]}},
            None,
            ({"has_vpc": 1}, "vpcconfig: subnetIds=subnet-1, securityGroupIds=sg-1 sg-2"),
        ),
        ({"vpcConfig": {"subnetIds": []}}, None, ({"has_vpc": 0}, "")),
    ],
)
def test_what_else_a_request_tells_is_kept(
    trail: Stubber,
    asked: dict[str, Any],
    answered: dict[str, Any] | None,
    told: tuple[dict[str, str | int], str],
) -> None:
    event = recorded(
        "e1", requestParameters={"functionName": NAME} | asked, responseElements=answered
    )
    trail.add_response("lookup_events", {"Events": [event]})
    trail.add_response("lookup_events", {"Events": []})

    ((found,), _) = read(trail)

    assert (found.settings, found.note) == told


@pytest.mark.parametrize(
    ("told", "is_deployment"),
    [
        ({}, False),
        ({"sourceIPAddress": "198.51.100.7"}, False),
        ({"sourceIPAddress": "cloudformation.amazonaws.com"}, True),
        ({"userIdentity": {"arn": "a", "invokedBy": "cloudformation.amazonaws.com"}}, True),
        ({"userIdentity": {"arn": "a", "invokedBy": "codedeploy.amazonaws.com"}}, True),
        ({"userIdentity": {"arn": "arn:x/cloudformation.amazonaws.com"}}, False),
        ({"userIdentity": {"arn": "a", "invokedBy": "lambda.amazonaws.com"}}, False),
    ],
)
def test_a_request_of_a_deploying_service_is_told_from_a_persons(
    trail: Stubber, *, told: dict[str, Any], is_deployment: bool
) -> None:
    trail.add_response("lookup_events", {"Events": [recorded("e1", **told)]})
    trail.add_response("lookup_events", {"Events": []})

    ((event,), _) = read(trail)

    assert event.is_deployment is is_deployment
