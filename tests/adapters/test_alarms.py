from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.stub import Stubber

from adapters.account import NOW, Account
from autorepair.aws.alarms import CloudWatchAlarms
from autorepair.domain.described_alarm import DescribedAlarm
from autorepair.domain.errors import AccessDeniedError, TransientServiceError

BOTH = ["MetricAlarm", "CompositeAlarm"]
ARN = "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:"


class Scripted:
    """CloudWatch as botocore's Stubber: each call has to be the next one of the script."""

    def __init__(self, account: Account) -> None:
        self.client: Any = account.clients._session.client("cloudwatch")
        self.stubber = Stubber(self.client)
        self.alarms = CloudWatchAlarms(self.client)

    def describes(self, name: str, **found: object) -> Scripted:
        request = {"AlarmNames": [name], "AlarmTypes": BOTH}
        self.stubber.add_response("describe_alarms", found, request)
        return self

    def lists_mutes(self, name: str, *arns: str) -> Scripted:
        summaries = [{"AlarmMuteRuleArn": arn, "Status": "ACTIVE"} for arn in arns]
        self.stubber.add_response(
            "list_alarm_mute_rules",
            {"AlarmMuteRuleSummaries": summaries},
            {"AlarmName": name, "Statuses": ["ACTIVE"]},
        )
        return self


@pytest.fixture
def scripted(account: Account) -> Iterator[Scripted]:
    script = Scripted(account)
    with script.stubber:
        yield script
        script.stubber.assert_no_pending_responses()


def raw(name: str, state: str = "ALARM", **members: object) -> dict[str, object]:
    return {
        "AlarmName": name,
        "AlarmArn": ARN + name,
        "StateValue": state,
        "StateUpdatedTimestamp": NOW,
        **members,
    }


def alarm(**facts: object) -> DescribedAlarm:
    plain = DescribedAlarm(name="a", arn=f"{ARN}a", state="ALARM", changed_at=NOW)
    return plain.model_copy(update=facts)


@pytest.mark.parametrize("state", ["ALARM", "OK"])
def test_a_metric_alarm_is_described_with_its_metric(account: Account, state: Any) -> None:  # noqa: ANN401 - boto3's literal
    cloudwatch = account.clients.cloudwatch
    cloudwatch.put_metric_alarm(
        AlarmName="a",
        ComparisonOperator="GreaterThanThreshold",
        EvaluationPeriods=1,
        Threshold=1,
        MetricName="Errors",
        Namespace="AWS/Lambda",
        Dimensions=[{"Name": "FunctionName", "Value": "orders"}],
        Period=60,
        Statistic="Sum",
        ActionsEnabled=False,
    )
    cloudwatch.set_alarm_state(AlarmName="a", StateValue=state, StateReason="made up")
    (found,) = CloudWatchAlarms(cloudwatch).read(["a", "gone", "a"])
    assert (found.name, found.state, found.reason) == ("a", state, "made up")
    assert found.has_actions_enabled is False
    (metric,) = found.metrics
    assert (metric.namespace, metric.name) == ("AWS/Lambda", "Errors")
    assert metric.dimensions == {"FunctionName": "orders"}


def test_a_composite_alarm_is_described_with_its_rule_and_suppressor(scripted: Scripted) -> None:
    composite = raw("c", AlarmRule="ALARM(a)", ActionsSuppressor="m", ActionsSuppressedBy="Alarm")
    scripted.describes("c", CompositeAlarms=[composite])
    (found,) = scripted.alarms.read(["c"])
    assert (found.rule, found.suppressor, found.suppressed_by) == ("ALARM(a)", "m", "Alarm")


def test_a_metric_math_alarm_is_described_with_all_its_metrics(scripted: Scripted) -> None:
    stat = {
        "Metric": {
            "Namespace": "AWS/Lambda",
            "MetricName": "Errors",
            "Dimensions": [{"Name": "FunctionName", "Value": "orders"}],
        },
        "Period": 60,
        "Stat": "Sum",
    }
    queries = [
        {"Id": "e", "Expression": "m*2"},
        {"Id": "m", "MetricStat": stat, "AccountId": "999999999999"},
    ]
    scripted.describes("a", MetricAlarms=[raw("a", Metrics=queries)])
    (found,) = scripted.alarms.read(["a"])
    assert [metric.account_id for metric in found.metrics] == ["999999999999"]


def test_more_names_than_one_call_takes_are_asked_in_several(scripted: Scripted) -> None:
    names = [f"a{n:03}" for n in range(101)]
    for part in (names[:100], names[100:]):
        request = {"AlarmNames": part, "AlarmTypes": BOTH}
        scripted.stubber.add_response("describe_alarms", {}, request)
    assert scripted.alarms.read(names) == ()


def test_an_alarm_with_actions_is_silenced_by_nobody(scripted: Scripted) -> None:
    scripted.lists_mutes("a")
    assert scripted.alarms.silenced_by(alarm()) is None


def test_an_alarm_whose_actions_are_disabled_is_silenced_by_its_owner(scripted: Scripted) -> None:
    assert "disabled" in (scripted.alarms.silenced_by(alarm(has_actions_enabled=False)) or "")


@pytest.mark.parametrize("by", ["Alarm", "ExtensionPeriod"])
def test_an_alarm_whose_actions_are_suppressed_is_silenced(scripted: Scripted, by: str) -> None:
    suppressed = alarm(suppressed_by=by, suppressor="maintenance")
    assert scripted.alarms.silenced_by(suppressed) == "its suppressor maintenance"


@pytest.mark.parametrize(("state", "silencer"), [("ALARM", "its suppressor"), ("OK", None)])
def test_a_suppressor_that_went_off_since_is_heard(
    scripted: Scripted, state: str, silencer: str | None
) -> None:
    scripted.describes("maintenance", MetricAlarms=[raw("maintenance", state)])
    if silencer is None:
        scripted.lists_mutes("a")
    waiting = alarm(suppressed_by="WaitPeriod", suppressor=f"{ARN}maintenance")
    told = scripted.alarms.silenced_by(waiting)
    assert (told is None) if silencer is None else (told or "").startswith(silencer)


def test_a_muted_alarm_says_which_rule_mutes_it(scripted: Scripted) -> None:
    scripted.lists_mutes("a", "arn:aws:cloudwatch:eu-central-1:1:alarm-mute-rule:night")
    assert (scripted.alarms.silenced_by(alarm()) or "").endswith("alarm-mute-rule:night")


def test_an_alarm_that_may_not_be_read_is_not_taken_for_recovered(scripted: Scripted) -> None:
    scripted.stubber.add_client_error("describe_alarms", "AccessDenied", http_status_code=403)
    with pytest.raises(AccessDeniedError, match="cloudwatch:DescribeAlarms"):
        scripted.alarms.read(["a"])


def test_where_there_are_no_mute_rules_nothing_is_muted(scripted: Scripted) -> None:
    scripted.stubber.add_client_error("list_alarm_mute_rules", "InvalidAction")
    assert scripted.alarms.silenced_by(alarm()) is None


def test_mute_rules_that_cannot_be_read_are_not_taken_for_none(scripted: Scripted) -> None:
    scripted.stubber.add_client_error("list_alarm_mute_rules", "Throttling")
    with pytest.raises(TransientServiceError, match="cloudwatch:ListAlarmMuteRules"):
        scripted.alarms.silenced_by(alarm())
