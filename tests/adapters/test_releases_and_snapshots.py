"""What is published of a function, and what the service remembers of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from botocore.stub import Stubber

from adapters.account import (
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
from autorepair.aws.configuration_snapshots import ConfigurationSnapshots
from autorepair.aws.functions import LambdaFunctions
from autorepair.aws.releases import LambdaConcurrency, LambdaReleases
from autorepair.domain.errors import (
    StaleConfigurationError,
    TargetNotFoundError,
)


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


def test_an_alias_that_divides_its_traffic_is_found_behind_fifty_others(account: Account) -> None:
    client: Any = account.clients._session.client("lambda")
    others = [{"Name": f"tenant-{n:02}", "FunctionVersion": "7"} for n in range(50)]
    divided = {
        "Name": "zz-live",
        "FunctionVersion": "7",
        "RoutingConfig": {"AdditionalVersionWeights": {"8": 0.1}},
    }
    with Stubber(client) as stubber:
        stubber.add_response("list_aliases", {"Aliases": others, "NextMarker": "m"})
        stubber.add_response("list_aliases", {"Aliases": [divided]})
        found = LambdaReleases(client).aliases(TARGET)
    assert len(found) == 51
    assert [alias.name for alias in found if alias.also] == ["zz-live"]


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
