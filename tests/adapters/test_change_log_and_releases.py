"""What was done to a function, what is published of it, and what the service remembers."""

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
    ENV,
    NAME,
    NOW,
    SECRET,
    STATE_TABLE,
    TARGET,
    Account,
    raw,
)
from autorepair.aws.change_log import CloudTrailChangeLog
from autorepair.aws.configuration_snapshots import ConfigurationSnapshots
from autorepair.aws.functions import LambdaFunctions
from autorepair.aws.releases import LambdaConcurrency, LambdaReleases
from autorepair.domain.errors import (
    AccessDeniedError,
    StaleConfigurationError,
    TargetNotFoundError,
    TransientServiceError,
)
from autorepair.domain.evidence import SettingChange
from autorepair.domain.recent_changes import TrailEvent, recent_changes
from unit.logbook import configured

SINCE = NOW - timedelta(minutes=30)


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
    session = "assumed-role/x/lambda-auto-repair-execute-repair-dev"
    own = recorded("e1", userIdentity={"arn": f"arn:aws:sts::{ACCOUNT}:{session}"})
    trail.add_response("lookup_events", {"Events": [own, recorded("e2", minutes=5)]})
    trail.add_response("lookup_events", {"Events": []})

    events, _ = read(trail)

    assert [event.is_own for event in events] == [True, False]


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


def test_aliases_and_the_newest_versions_are_listed_without_their_environment(
    account: Account,
) -> None:
    client: Any = account.clients._session.client("lambda")
    versions = [
        {
            "Version": version,
            "CodeSha256": f"code-{version}",
            "Timeout": 3,
            "MemorySize": 128,
            "LastModified": "2026-01-14T01:34:30.000+0000",
            "Environment": {"Variables": ENV},
        }
        for version in ("$LATEST", *(str(n) for n in range(1, 15)))
    ]
    live = {
        "Name": "live",
        "FunctionVersion": "13",
        "RoutingConfig": {"AdditionalVersionWeights": {"14": 0.1}},
    }
    warm = {"FunctionArn": f"{ARN}:live"}
    with Stubber(client) as stubber:
        stubber.add_response("list_aliases", {"Aliases": [live]}, {"FunctionName": ARN})
        stubber.add_response("get_function_configuration", raw(), {"FunctionName": ARN})
        stubber.add_response(
            "get_function_configuration",
            raw(Version="13", Role="arn:other", SnapStart={"ApplyOn": "PublishedVersions"}),
            {"FunctionName": ARN, "Qualifier": "13"},
        )
        stubber.add_response(
            "list_provisioned_concurrency_configs",
            {"ProvisionedConcurrencyConfigs": [warm]},
            {"FunctionName": ARN},
        )
        stubber.add_response(
            "list_versions_by_function", {"Versions": versions[:8], "NextMarker": "m"}
        )
        stubber.add_response("list_versions_by_function", {"Versions": versions[8:]})
        releases = LambdaReleases(client).read(TARGET)

    (alias,) = releases.aliases
    assert (alias.name, alias.version, alias.also) == ("live", "13", {"14": 0.1})
    assert alias.differs == ("Role", "SnapStart")
    assert (alias.has_snap_start, alias.has_provisioned_concurrency) == (True, True)
    assert [version.version for version in releases.versions] == [str(n) for n in range(5, 15)]
    assert SECRET not in repr(releases)


def test_aliases_that_may_not_be_compared_are_listed_all_the_same(account: Account) -> None:
    client: Any = account.clients._session.client("lambda")
    live = {"Name": "live", "FunctionVersion": "13"}
    with Stubber(client) as stubber:
        stubber.add_response("list_aliases", {"Aliases": [live]})
        for version in ("$LATEST", "13"):
            stubber.add_response("get_function_configuration", raw(Version=version))
        stubber.add_client_error(
            "list_provisioned_concurrency_configs", "AccessDeniedException", http_status_code=403
        )
        stubber.add_response("list_versions_by_function", {"Versions": []})
        (alias,) = LambdaReleases(client).read(TARGET).aliases
    assert (alias.version, alias.differs) == ("13", None)


def test_releases_of_a_function_that_is_gone_say_so(account: Account) -> None:
    client: Any = account.clients._session.client("lambda")
    with Stubber(client) as stubber:
        stubber.add_client_error("list_aliases", "ResourceNotFoundException")
        with pytest.raises(TargetNotFoundError):
            LambdaReleases(client).read(TARGET)


def test_the_limits_of_the_account_are_read(account: Account) -> None:
    client: Any = account.clients._session.client("lambda")
    limit = {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 900}
    with Stubber(client) as stubber:
        stubber.add_response("get_account_settings", {"AccountLimit": limit})
        read_limits = LambdaConcurrency(client).of_account()

    assert (read_limits.limit, read_limits.unreserved) == (1000, 900)


def snapshots(account: Account) -> ConfigurationSnapshots:
    return ConfigurationSnapshots(
        account.clients.dynamodb,
        account.clients.lambda_,
        account.digester,
        account.snapshots,
        table=STATE_TABLE,
        clock=account.clock,
    )


def test_what_is_remembered_holds_no_value_and_the_sealed_ones_open_to_the_same(
    account: Account,
) -> None:
    account.make_function()
    functions = LambdaFunctions(account.clients.lambda_, account.digester, account.values)
    configuration = functions.read(TARGET)
    snapshots(account).keep(configuration, "healthy")

    (kept,) = snapshots(account).of(TARGET)

    assert (kept.reason, kept.taken_at, kept.configuration) == ("healthy", NOW, configuration)
    for name, value in ENV.items():
        assert account.snapshots.open(configuration.fingerprint, ARN, name) == value
    items = account.clients.dynamodb.scan(TableName=STATE_TABLE)["Items"]
    assert len(items) == 1 + len(ENV)
    assert all("expires_at" in item for item in items)
    assert SECRET not in repr(items)


def test_the_latest_of_each_kind_is_remembered(account: Account) -> None:
    account.make_function()
    functions = LambdaFunctions(account.clients.lambda_, account.digester, account.values)
    configuration = functions.read(TARGET)
    remembered = snapshots(account)
    remembered.keep(configuration, "healthy")
    account.clock.move(timedelta(hours=1))
    remembered.keep(configuration, "before_change")
    account.clock.move(timedelta(hours=1))
    remembered.keep(configuration, "healthy")

    assert [s.reason for s in remembered.of(TARGET)] == ["before_change", "healthy"]


def test_a_configuration_that_moved_is_not_sealed_under_its_former_fingerprint(
    account: Account,
) -> None:
    account.make_function()
    functions = LambdaFunctions(account.clients.lambda_, account.digester, account.values)
    configuration = functions.read(TARGET)
    account.clients.lambda_.update_function_configuration(FunctionName=NAME, Timeout=9)

    with pytest.raises(StaleConfigurationError):
        snapshots(account).keep(configuration, "before_change")
    assert account.clients.dynamodb.scan(TableName=STATE_TABLE)["Items"] == []


def test_an_item_of_another_release_is_left_out(account: Account) -> None:
    account.clients.dynamodb.put_item(
        TableName=STATE_TABLE,
        Item={
            "pk": {"S": f"snapshot#{ARN}"},
            "sk": {"S": "healthy"},
            "snapshot": {"S": '{"reason": "healthy"}'},
        },
    )
    assert snapshots(account).of(TARGET) == ()


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
