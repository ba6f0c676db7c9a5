"""`autorepair enrol`, `unenrol` and `show --patch` against an emulated account."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result
from moto.logs.exceptions import ResourceNotFoundException
from moto.logs.models import LogsBackend

from adapters.account import ARN, NAME, STATE_TABLE, TARGET, Account
from adapters.indexed import INDEXED_TABLE, entry, indexed_trail
from autorepair.aws.audit_trail import DynamoAuditTrail
from autorepair.domain.audit import RecordKind
from autorepair.domain.change import (
    Absent,
    Change,
    ChangeRecord,
    DeclaredSource,
    EnvironmentSetting,
    TimeoutSetting,
)
from autorepair_cli.main import main

PREFIX = "lambda-auto-repair-dev-orders"
ALARMS = [f"{PREFIX}-duration", f"{PREFIX}-errors", f"{PREFIX}-timeouts"]
Run = Callable[..., Result]


@pytest.fixture
def trail(account: Account) -> DynamoAuditTrail:
    return indexed_trail(account)


@pytest.fixture
def run(account: Account, trail: DynamoAuditTrail, monkeypatch: pytest.MonkeyPatch) -> Run:
    del trail
    monkeypatch.setenv("AUDIT_TABLE", INDEXED_TABLE)
    monkeypatch.setenv("STATE_TABLE", STATE_TABLE)
    monkeypatch.setenv("EVENT_BUS", "default")
    account.clients.ssm.put_parameter(
        Name="/lambda-auto-repair/dev/thresholds",
        Value='{"duration_ms":45000,"errors":2,"timeouts":2}',
        Type="String",
    )

    def invoke(*arguments: str) -> Result:
        result = CliRunner().invoke(main, arguments)
        # A SystemExit is how click ends; anything else would be a stack trace.
        assert isinstance(result.exception, SystemExit | None), result.exception
        return result

    return invoke


@pytest.fixture
def function(account: Account) -> str:
    """A function that nobody looks after, with a log; gives its ARN."""
    account.make_function()
    lambda_ = account.clients.lambda_
    arn = lambda_.get_function_configuration(FunctionName=NAME)["FunctionArn"]
    lambda_.untag_resource(Resource=arn, TagKeys=["auto-repair"])
    account.clients.logs.create_log_group(logGroupName=f"/aws/lambda/{NAME}")
    return arn


def tags(account: Account, arn: str) -> dict[str, str]:
    return account.clients.lambda_.list_tags(Resource=arn)["Tags"]


def alarms(account: Account) -> list[str]:
    found = account.clients.cloudwatch.describe_alarms()["MetricAlarms"]
    return sorted(one["AlarmName"] for one in found)


def filters(account: Account) -> list[dict[str, Any]]:
    return [dict(one) for one in account.clients.logs.describe_metric_filters()["metricFilters"]]


def acts(account: Account) -> list[tuple[str, str]]:
    found = account.clients.dynamodb.scan(TableName=INDEXED_TABLE)["Items"]
    ordered = sorted(found, key=lambda item: int(item["seq"]["N"]))
    return [(item["kind"]["S"], item["summary"]["S"]) for item in ordered]


def test_a_function_is_tagged_and_watched_and_again_changes_nothing(
    account: Account, run: Run, function: str
) -> None:
    first = run("enrol", NAME, "--mode", "ask")
    assert first.exit_code == 0, first.output
    assert first.output.count("made") == 5
    assert tags(account, function) == {"auto-repair": "enabled", "auto-repair-mode": "ask"}
    assert alarms(account) == ALARMS
    (made,) = filters(account)
    assert made["logGroupName"] == f"/aws/lambda/{NAME}"
    again = run("enrol", NAME)
    assert (again.exit_code, again.output.count("as it was")) == (0, 5), again.output
    assert tags(account, function)["auto-repair-mode"] == "ask"
    assert [kind for kind, _ in acts(account)] == ["function_enrolled"] * 2
    assert f"has enrolled {NAME}" in acts(account)[0][1]


def test_without_alarms_it_is_only_tagged(account: Account, run: Run, function: str) -> None:
    assert run("enrol", NAME, "--no-alarms").exit_code == 0
    assert tags(account, function) == {"auto-repair": "enabled"}
    assert (alarms(account), filters(account)) == ([], [])


def test_a_function_that_never_ran_is_enrolled_all_but_its_time_outs(
    account: Account, run: Run, function: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise ResourceNotFoundException

    # As CloudWatch Logs does it; moto takes a filter on a log group that is not there.
    monkeypatch.setattr(LogsBackend, "put_metric_filter", refuse)
    result = run("enrol", NAME)
    assert (result.exit_code, "invoke the function once" in result.stderr) == (1, True)
    assert (alarms(account), tags(account, function)) == (ALARMS, {"auto-repair": "enabled"})


def test_an_alarm_of_somebody_elses_is_left_and_named(
    account: Account, run: Run, function: str
) -> None:
    del function
    account.clients.cloudwatch.put_metric_alarm(
        AlarmName=f"{PREFIX}-errors",
        MetricName="Errors",
        Namespace="AWS/Lambda",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=77,
        ComparisonOperator="GreaterThanThreshold",
    )
    result = run("enrol", NAME)
    assert (result.exit_code, f"{PREFIX}-errors: an alarm of this name" in result.stderr) == (
        1,
        True,
    )
    left = run("unenrol", NAME)
    assert left.exit_code == 0, left.output
    assert alarms(account) == [f"{PREFIX}-errors"]


def test_a_function_is_left_alone_again(account: Account, run: Run, function: str) -> None:
    run("enrol", NAME, "--mode", "observe")
    result = run("unenrol", NAME)
    assert result.exit_code == 0, result.output
    assert tags(account, function) == {}
    assert (alarms(account), filters(account)) == ([], [])
    assert run("unenrol", NAME).exit_code == 0
    assert acts(account)[1][0] == "function_unenrolled"


def test_of_a_function_that_is_gone_the_rest_is_removed(
    account: Account, run: Run, function: str
) -> None:
    run("enrol", NAME)
    assert alarms(account) == ALARMS
    account.clients.lambda_.delete_function(FunctionName=NAME)
    assert run("unenrol", function).exit_code == 0
    assert (alarms(account), filters(account)) == ([], [])
    again = run("unenrol", NAME)
    assert (again.exit_code, "nothing of ours watches it" in again.output) == (1, True)


@pytest.mark.parametrize("command", ["enrol", "unenrol"])
@pytest.mark.parametrize("given", [f"{NAME}:live", f"{NAME}:$LATEST", f"{ARN}:7"])
def test_an_alias_alone_is_neither_enrolled_nor_left_alone(
    account: Account, run: Run, function: str, command: str, given: str
) -> None:
    result = run(command, given)
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert "with all its aliases and versions; say orders" in result.stderr
    assert (tags(account, function), alarms(account), acts(account)) == ({}, [], [])


def test_a_function_may_be_named_by_its_arn(account: Account, run: Run, function: str) -> None:
    assert run("enrol", function).exit_code == 0
    assert alarms(account) == ALARMS


@pytest.mark.parametrize("given", ["two words", "", "a/b", "x" * 500, "arn:aws:s3:::bucket"])
def test_what_is_no_name_of_a_function_is_refused_before_anybody_is_asked(
    run: Run, given: str
) -> None:
    for command in (["enrol", given], ["incidents", "--function", given]):
        result = run(*command)
        assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
        assert "is no function: give its name (at most 64" in result.stderr


@pytest.mark.parametrize("command", ["enrol", "unenrol"])
def test_a_function_that_is_not_there_is_refused_in_one_line(
    account: Account, run: Run, command: str
) -> None:
    result = run(command, "nobody")
    assert (result.exit_code, "nobody" in result.output) == (1, True)
    assert "AUDIT_TABLE" not in result.output
    assert alarms(account) == []
    assert acts(account) == []


def test_a_function_of_another_region_is_looked_for_where_it_is_told(run: Run) -> None:
    told = run("enrol", "nobody").stderr
    assert "Check the name, or choose another Region than eu-central-1 by --region" in told


def test_where_the_service_is_not_deployed_nothing_is_tagged(
    account: Account, run: Run, function: str
) -> None:
    result = run("enrol", NAME, "--env", "prod")
    assert (result.exit_code, "/lambda-auto-repair/prod/thresholds" in result.output) == (1, True)
    assert tags(account, function) == {}


def test_a_function_of_the_service_itself_is_not_enrolled(account: Account, run: Run) -> None:
    account.make_function()
    lambda_ = account.clients.lambda_
    found = lambda_.get_function_configuration(FunctionName=NAME)
    lambda_.create_function(
        FunctionName="lambda-auto-repair-reconcile-dev",
        Runtime="python3.12",
        Role=found["Role"],
        Handler="app.handler",
        Code={"ZipFile": b"x"},
    )
    result = run("enrol", "lambda-auto-repair-reconcile-dev")
    assert (result.exit_code, "is never repaired" in result.output) == (1, True)
    assert alarms(account) == []


def write_repair(trail: DynamoAuditTrail, change: Change, outcome: str = "repaired") -> None:
    applied = ChangeRecord(status="applied", reason="r", change=change)
    trail.append(entry("inc-1", RecordKind.REPAIR_APPLIED, **applied.as_json()))
    trail.append(entry("inc-1", RecordKind.INCIDENT_CLOSED, outcome=outcome))


TIMEOUT = Change(
    target=TARGET,
    before=TimeoutSetting(timeout_s=3),
    after=TimeoutSetting(timeout_s=6),
    planned_on="f",
)


def test_the_patch_alone_goes_to_the_output(
    account: Account, trail: DynamoAuditTrail, run: Run, function: str
) -> None:
    stack = {
        "aws:cloudformation:stack-name": "shop",
        "aws:cloudformation:logical-id": "OrdersFunction",
    }
    account.clients.lambda_.tag_resource(Resource=function, Tags=stack)
    write_repair(trail, TIMEOUT)
    shown = run("show", "inc-1", "--patch")
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert shown.stdout.splitlines() == [
        "# inc-1",
        "# orders: into the resource OrdersFunction of the stack shop",
        "# The type may also be AWS::Lambda::Function; whatever else is in the resource stays.",
        "Resources:",
        "  OrdersFunction:",
        "    Type: AWS::Serverless::Function",
        "    Properties:",
        "      Timeout: 6",
    ]


def test_a_declared_value_is_referred_to_and_never_shown(
    account: Account,
    trail: DynamoAuditTrail,
    run: Run,
    function: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    del function
    monkeypatch.setenv("KNOWN_CONFIG_PREFIX", "/lambda-auto-repair/dev/known-config")
    declared = {
        "DATABASE_URL": {"type": "secretsmanager", "name": "shop/db", "key": "url"},
        "STAGE": {"type": "literal", "value": "s3cr3t-literal"},
        "TABLE": {"type": "ssm", "name": "/shop/table"},
    }
    for name, given in declared.items():
        account.clients.ssm.put_parameter(
            Name=f"/lambda-auto-repair/dev/known-config/{NAME}/{name}",
            Value=json.dumps(given),
            Type="String",
        )
    after = EnvironmentSetting(
        variables={**dict.fromkeys(declared, DeclaredSource()), "OLD": Absent()}
    )
    write_repair(trail, TIMEOUT.model_copy(update={"before": after, "after": after}))
    shown = run("show", "inc-1", "--patch").stdout
    assert "DATABASE_URL: '{{resolve:secretsmanager:shop/db:SecretString:url}}'" in shown
    assert "TABLE: '{{resolve:ssm:/shop/table}}'" in shown
    assert "STAGE: '<the declared value of STAGE>'" in shown
    assert "# Environment, Variables, OLD: remove it" in shown
    assert "s3cr3t" not in shown


def test_the_patch_of_a_function_that_is_gone_is_less_exact_and_says_so(
    trail: DynamoAuditTrail, run: Run
) -> None:
    write_repair(trail, TIMEOUT)
    shown = run("show", "inc-1", "--patch")
    assert (shown.exit_code, "Timeout: 6" in shown.stdout) == (0, True)
    assert "which stack the function belongs to is unknown" in shown.stderr


def test_an_incident_that_kept_nothing_has_no_patch(trail: DynamoAuditTrail, run: Run) -> None:
    write_repair(trail, TIMEOUT, outcome="failed")
    shown = run("show", "inc-1", "--patch")
    assert (shown.exit_code, shown.stdout) == (1, "")
    assert "there is no patch of inc-1: the incident ended as failed" in shown.stderr
    assert run("show", "inc-1", "--patch", "--json").exit_code == 2
