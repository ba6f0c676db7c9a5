"""The alarms that the service made itself, against an emulated CloudWatch."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapters.account import Account
from adapters.actions import actions_called
from autorepair.aws.enrolling import LambdaEnrolling
from autorepair.aws.own_alarms import CloudWatchOwnAlarms
from autorepair.domain.errors import ConfigurationError, TargetNotFoundError
from autorepair.domain.own_alarms import (
    Enrollable,
    Fit,
    OwnAlarm,
    OwnFilter,
    Thresholds,
    alarms_for,
)

PARAMETER = "/lambda-auto-repair/dev/thresholds"
DURATION = "lambda-auto-repair-dev-orders-duration"
THRESHOLDS = {"duration_ms": 45000, "errors": 2, "timeouts": 2}
FUNCTION = Enrollable(
    name="orders", arn="arn", timeout_s=3, log_group="/aws/lambda/orders", is_json=False
)
FILTER = OwnFilter(
    name="lambda-auto-repair-dev-orders-timeouts",
    log_group="/aws/lambda/orders",
    pattern='"Task timed out after"',
    namespace="LambdaAutoRepair/dev",
    metric="orders-timeouts",
)
ALARM = {
    "MetricName": "Duration",
    "Namespace": "AWS/Lambda",
    "Statistic": "Maximum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 100.0,
    "ComparisonOperator": "GreaterThanThreshold",
}


@pytest.fixture
def own(account: Account) -> CloudWatchOwnAlarms:
    account.clients.ssm.put_parameter(Name=PARAMETER, Value=json.dumps(THRESHOLDS), Type="String")
    return CloudWatchOwnAlarms(account.clients.cloudwatch, account.clients.ssm, environment="dev")


def enrolling(account: Account) -> LambdaEnrolling:
    return LambdaEnrolling(account.clients.lambda_, account.clients.logs)


def wanted() -> OwnAlarm:
    thresholds = Thresholds.model_validate(THRESHOLDS)
    return next(one for one in alarms_for("dev", FUNCTION, thresholds) if one.name == DURATION)


def standing(account: Account, name: str = DURATION) -> dict[str, Any]:
    (found,) = account.clients.cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return dict(found)


def put_anothers(account: Account, **changes: Any) -> None:  # noqa: ANN401 - of the request
    account.clients.cloudwatch.put_metric_alarm(AlarmName=DURATION, **{**ALARM, **changes})


def test_an_alarm_is_made_once_with_our_tag(account: Account, own: CloudWatchOwnAlarms) -> None:
    assert [own.put(wanted()) for _ in range(2)] == ["made", "as it was"]
    found = standing(account)
    assert (found["Threshold"], found["ExtendedStatistic"]) == (2400.0, "p99")
    assert found["TreatMissingData"] == "notBreaching"
    tags = account.clients.cloudwatch.list_tags_for_resource(ResourceARN=found["AlarmArn"])["Tags"]
    assert tags == [{"Key": "managed-by", "Value": "lambda-auto-repair"}]


def test_an_alarm_of_ours_is_brought_up_to_date_and_keeps_what_a_person_added(
    account: Account, own: CloudWatchOwnAlarms
) -> None:
    own.put(wanted())
    topic = "arn:aws:sns:eu-central-1:123456789012:on-call"
    found = standing(account)
    changed = {k: found[k] for k in ("MetricName", "Namespace", "Dimensions", "Period")}
    put_anothers(account, **changed, AlarmActions=[topic], TreatMissingData="ignore")
    assert own.put(wanted()) == "updated"
    found = standing(account)
    assert (found["Threshold"], found["AlarmActions"]) == (2400.0, [topic])
    assert found["TreatMissingData"] == "ignore"
    assert found.get("Statistic") is None


def test_an_alarm_without_our_tag_is_left_alone_whatever_its_name(
    account: Account, own: CloudWatchOwnAlarms
) -> None:
    put_anothers(account, Tags=[{"Key": "managed-by", "Value": "somebody"}])
    assert own.put(wanted()) == "not ours"
    assert own.fit_duration("orders", before_s=3, after_s=6) is None
    assert own.remove(DURATION) == "not ours"
    assert standing(account)["Threshold"] == 100.0


def test_the_alarm_is_set_to_the_new_timeout_and_to_nothing_else(
    account: Account, own: CloudWatchOwnAlarms
) -> None:
    own.put(wanted())
    before = standing(account)
    assert own.fit_duration("orders", before_s=3, after_s=6) == Fit(
        alarm=DURATION, before_ms=2400, after_ms=4800
    )
    after = standing(account)
    assert after["Threshold"] == 4800
    moving = {"Threshold", "AlarmConfigurationUpdatedTimestamp", "StateUpdatedTimestamp"}
    assert {k: v for k, v in after.items() if k not in moving} == {
        k: v for k, v in before.items() if k not in moving
    }
    assert own.fit_duration("orders", before_s=6, after_s=900) == Fit(
        alarm=DURATION, before_ms=4800, after_ms=45_000
    )


def test_an_alarm_that_fits_is_not_written_again(
    account: Account, own: CloudWatchOwnAlarms
) -> None:
    own.put(wanted())
    with actions_called(account) as called:
        assert own.fit_duration("orders", before_s=6, after_s=3) == Fit(
            alarm=DURATION, before_ms=2400, after_ms=2400
        )
    assert "cloudwatch:PutMetricAlarm" not in called


def test_a_threshold_that_a_person_tuned_survives_a_repair_and_its_rollback(
    account: Account, own: CloudWatchOwnAlarms
) -> None:
    own.put(wanted())
    found = standing(account)
    kept = {k: found[k] for k in ("MetricName", "Namespace", "Dimensions", "Period")}
    put_anothers(account, **kept, Threshold=1500.0)
    left = Fit(alarm=DURATION, before_ms=1500, after_ms=1500, is_others=True)
    assert own.fit_duration("orders", before_s=3, after_s=6) == left
    assert own.fit_duration("orders", before_s=6, after_s=3) == left
    assert standing(account)["Threshold"] == 1500.0


def test_a_function_without_an_alarm_has_none_to_fit(own: CloudWatchOwnAlarms) -> None:
    assert own.fit_duration("orders", before_s=3, after_s=6) is None


@pytest.mark.parametrize("text", ["{", '{"duration_ms": "x"}'])
def test_thresholds_that_are_none_name_the_parameter(
    account: Account, own: CloudWatchOwnAlarms, text: str
) -> None:
    account.clients.ssm.put_parameter(Name=PARAMETER, Value=text, Overwrite=True)
    with pytest.raises(ConfigurationError, match=PARAMETER):
        own.thresholds()


def test_thresholds_that_are_not_there_name_the_parameter(account: Account) -> None:
    adapter = CloudWatchOwnAlarms(
        account.clients.cloudwatch, account.clients.ssm, environment="prod"
    )
    with pytest.raises(ConfigurationError, match="/lambda-auto-repair/prod/thresholds"):
        adapter.thresholds()


def test_an_alarm_of_ours_is_removed_and_only_once(own: CloudWatchOwnAlarms) -> None:
    own.put(wanted())
    assert [own.remove(DURATION) for _ in range(2)] == ["removed", "not there"]


def test_the_adapter_calls_what_it_declares(account: Account, own: CloudWatchOwnAlarms) -> None:
    permissions = CloudWatchOwnAlarms.permissions
    with actions_called(account) as putting:
        own.put(wanted())
        own.put(wanted())
    # To put an alarm with a tag takes the right to tag it, without a call of its own.
    assert putting | {"cloudwatch:TagResource"} == permissions["put"]
    with actions_called(account) as fitting:
        own.fit_duration("orders", before_s=3, after_s=6)
    assert fitting == permissions["fit_duration"]
    with actions_called(account) as removing:
        own.remove(DURATION)
    assert removing == permissions["remove"]
    with actions_called(account) as reading:
        own.thresholds()
    assert reading == permissions["thresholds"]


def test_a_function_is_described_with_its_log_and_tags(account: Account) -> None:
    account.make_function()
    found = enrolling(account).describe("orders")
    assert (found.name, found.timeout_s) == ("orders", 3)
    assert (found.log_group, found.is_json) == ("/aws/lambda/orders", False)
    assert found.tags == {"auto-repair": "enabled"}
    assert found.arn.endswith(":function:orders")


def test_a_function_that_is_not_there_is_named(account: Account) -> None:
    with pytest.raises(TargetNotFoundError, match="nobody"):
        enrolling(account).describe("nobody")


def test_a_filter_is_made_once_and_follows_the_format_of_the_log(account: Account) -> None:
    account.clients.logs.create_log_group(logGroupName=FILTER.log_group)
    adapter = enrolling(account)
    json_log = FILTER.model_copy(update={"pattern": '{ $.type = "platform.report" }'})
    assert [adapter.put_filter(one) for one in (FILTER, FILTER, json_log)] == [
        "made",
        "as it was",
        "updated",
    ]
    # CloudWatch replaces the filter of that name; moto keeps the former one beside it.
    found = account.clients.logs.describe_metric_filters()["metricFilters"][-1]
    assert found["filterPattern"] == json_log.pattern
    assert found["metricTransformations"][0]["metricName"] == "orders-timeouts"


def test_a_filter_moves_along_with_the_log(account: Account) -> None:
    elsewhere = FILTER.model_copy(update={"log_group": "/shop/orders"})
    for one in (FILTER, elsewhere):
        account.clients.logs.create_log_group(logGroupName=one.log_group)
    adapter = enrolling(account)
    assert [adapter.put_filter(one) for one in (FILTER, elsewhere)] == ["made", "updated"]
    (found,) = account.clients.logs.describe_metric_filters()["metricFilters"]
    assert found["logGroupName"] == "/shop/orders"


def test_only_the_filter_of_our_name_is_removed(account: Account) -> None:
    account.clients.logs.create_log_group(logGroupName=FILTER.log_group)
    adapter = enrolling(account)
    adapter.put_filter(FILTER)
    adapter.put_filter(FILTER.model_copy(update={"name": "anothers"}))
    places = {"name": FILTER.name, "namespace": FILTER.namespace, "metric": FILTER.metric}
    assert adapter.remove_filters(**places) == (FILTER.log_group,)
    assert adapter.remove_filters(**places) == ()
    (left,) = account.clients.logs.describe_metric_filters()["metricFilters"]
    assert left["filterName"] == "anothers"


def test_enrolling_calls_what_it_declares(account: Account) -> None:
    account.make_function()
    account.clients.logs.create_log_group(logGroupName=FILTER.log_group)
    adapter, permissions = enrolling(account), LambdaEnrolling.permissions
    with actions_called(account) as describing:
        arn = adapter.describe("orders").arn
    assert describing == permissions["describe"]
    with actions_called(account) as tagging:
        adapter.tag(arn, {"a": "b"})
        adapter.untag(arn, ["a"])
    assert tagging == permissions["tag"] | permissions["untag"]
    with actions_called(account) as filtering:
        adapter.put_filter(FILTER)
        adapter.remove_filters(name=FILTER.name, namespace=FILTER.namespace, metric=FILTER.metric)
    assert filtering == permissions["put_filter"] | permissions["remove_filters"]
    assert adapter.tags(arn) == {"auto-repair": "enabled"}
