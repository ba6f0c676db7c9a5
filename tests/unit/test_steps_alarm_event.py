from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from autorepair.domain.errors import MalformedEventError
from autorepair.steps.alarm_event import (
    Sighting,
    evaluated_since,
    read_event,
    read_function_reference,
)

EVENTS = Path(__file__).parents[2] / "events" / "alarm"
STARTED = datetime(2026, 3, 4, 11, 59, 13, tzinfo=UTC)


def event(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return loaded


def sighting(name: str) -> Sighting:
    return read_event(event(name), started_at=STARTED)


def names(seen: Sighting) -> list[str]:
    return [function.function_name for function in seen.functions]


def test_a_single_metric_alarm_names_its_function_metric_and_threshold() -> None:
    seen = sighting("single_metric")
    assert names(seen) == ["patient-slow-invoice"]
    assert (seen.state, seen.alarm.kind) == ("ALARM", "metric")
    assert (seen.alarm.metric_name, seen.alarm.statistic) == ("Errors", "Sum")
    assert (seen.alarm.period_s, seen.alarm.threshold) == (60, 1.0)


def test_the_alarm_says_since_when_it_looked() -> None:
    alarm = sighting("single_metric").alarm
    assert alarm.evaluated_from == datetime(2026, 3, 4, 11, 58, tzinfo=UTC)
    assert evaluated_since(alarm) == alarm.evaluated_from


def test_without_reason_data_the_alarm_looked_when_it_changed() -> None:
    raw = event("single_metric")
    del raw["detail"]["state"]["reasonData"]
    alarm = read_event(raw, started_at=STARTED).alarm
    assert evaluated_since(alarm) == alarm.changed_at
    assert alarm.threshold is None


@pytest.mark.parametrize("made_up", ["testing", "[]", '{"startDate": "yesterday"}'])
def test_made_up_reason_data_of_an_alarm_set_by_hand_are_let_pass(made_up: str) -> None:
    raw = event("single_metric")
    raw["detail"]["state"]["reasonData"] = made_up
    assert read_event(raw, started_at=STARTED).alarm.evaluated_from is None


def test_the_resource_dimension_names_the_alias() -> None:
    seen = sighting("single_metric_alias")
    assert [f.qualifier for f in seen.functions] == ["live"]


def test_metric_math_over_one_function_names_it_once() -> None:
    seen = sighting("metric_math")
    assert (seen.alarm.kind, names(seen)) == ("metric_math", ["patient-slow-invoice"])


def test_metric_math_over_two_functions_names_both() -> None:
    assert names(sighting("metric_math_several_functions")) == ["patient-slow-invoice", "invoices"]


def test_an_anomaly_alarm_names_its_function() -> None:
    seen = sighting("anomaly")
    assert (seen.alarm.kind, names(seen)) == ("anomaly", ["patient-slow-invoice"])


def test_a_composite_alarm_names_no_function_but_its_rule() -> None:
    seen = sighting("composite")
    assert (seen.alarm.kind, names(seen)) == ("composite", [])
    assert "patient-slow-invoice-errors" in (seen.rule or "")


def test_a_suppressor_that_may_still_speak_up_is_waited_for() -> None:
    seen = sighting("composite")
    assert (seen.alarm.silenced_by, seen.wait_s) == (None, 120)


def test_a_suppressed_alarm_says_by_what() -> None:
    assert sighting("suppressed").alarm.silenced_by == "its suppressor maintenance"


def test_a_metric_of_lambda_insights_names_its_function_too() -> None:
    assert names(sighting("lambda_insights")) == ["patient-slow-invoice"]


def test_a_metric_of_another_namespace_names_no_function() -> None:
    assert names(sighting("foreign_namespace")) == []


def test_a_muted_alarm_says_which_rule_mutes_it() -> None:
    assert (sighting("muted").alarm.silenced_by or "").endswith("alarm-mute-rule:maintenance")


def test_a_metric_of_another_account_shows_that_account() -> None:
    assert sighting("cross_account").accounts == {"123456789012", "210987654321"}


def test_metrics_that_disagree_on_the_alias_name_the_function_as_a_whole() -> None:
    raw = event("metric_math")
    dimensions = raw["detail"]["configuration"]["metrics"][1]["metricStat"]["metric"]["dimensions"]
    dimensions["Resource"] = "patient-slow-invoice:live"
    assert read_event(raw, started_at=STARTED).functions[0].qualifier is None


def test_a_start_by_hand_is_an_alarm_of_its_own_kind() -> None:
    seen = sighting("manual")
    assert (seen.alarm.kind, names(seen)) == ("manual", ["patient-slow-invoice"])
    assert seen.alarm.changed_at == STARTED
    assert seen.accounts == frozenset()


def test_a_start_by_hand_may_name_the_function_by_its_qualified_arn() -> None:
    arn = "arn:aws:lambda:us-east-1:123456789012:function:patient-slow-invoice:7"
    seen = read_event({"functionName": arn, "manual": True}, started_at=STARTED)
    assert seen.functions[0].qualifier == "7"
    assert set(seen.accounts) == {"123456789012"}
    assert seen.region == "us-east-1"


def test_a_name_with_a_qualifier_is_split() -> None:
    reference = read_function_reference("patient-slow-invoice:live")
    assert (reference.function_name, reference.qualifier) == ("patient-slow-invoice", "live")


@pytest.mark.parametrize(
    "text", ["arn:aws:s3:::bucket", "arn:aws:sqs:us-east-1:1:function:q", "", "a b", "x" * 65]
)
def test_what_names_no_function_is_malformed(text: str) -> None:
    with pytest.raises(MalformedEventError, match="functionName"):
        read_function_reference(text)


@pytest.mark.parametrize(
    ("path", "field"),
    [
        (("detail", "alarmName"), "detail.alarmName"),
        (("detail", "state"), "detail.state"),
        (("account",), "account"),
        (("resources",), "resources"),
        (("detail-type",), "detail-type"),
    ],
)
def test_a_malformed_event_is_told_by_its_field(path: tuple[str, ...], field: str) -> None:
    raw = event("single_metric")
    part = raw
    for key in path[:-1]:
        part = part[key]
    del part[path[-1]]
    with pytest.raises(MalformedEventError, match=field):
        read_event(raw, started_at=STARTED)


def test_a_start_by_hand_has_to_say_so() -> None:
    with pytest.raises(MalformedEventError, match="manual"):
        read_event({"functionName": "patient-slow-invoice"}, started_at=STARTED)


def test_the_message_of_a_malformed_event_does_not_quote_its_input() -> None:
    with pytest.raises(MalformedEventError) as caught:
        read_event({"functionName": {"password": "hunter2"}, "manual": True}, started_at=STARTED)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("value", [None, [], "ALARM", 7, True])
def test_what_is_no_object_is_malformed(value: object) -> None:
    with pytest.raises(MalformedEventError, match="not an object"):
        read_event(value, started_at=STARTED)


def test_an_alarm_of_the_future_is_malformed() -> None:
    raw = event("single_metric")
    raw["detail"]["state"]["timestamp"] = "9999-12-31T23:59:59.000+0000"
    with pytest.raises(MalformedEventError, match="future"):
        read_event(raw, started_at=STARTED)


def test_an_alarm_from_before_cloudwatch_is_malformed() -> None:
    early = event("single_metric")
    early["detail"]["state"]["timestamp"] = "0001-01-01T00:00:00+14:00"
    with pytest.raises(MalformedEventError, match="timestamp"):
        read_event(early, started_at=STARTED)


def test_an_evaluation_longer_than_cloudwatchs_is_not_believed() -> None:
    raw = event("single_metric")
    raw["detail"]["state"]["reasonData"] = '{"startDate": "1970-01-01T00:00:00.000+0000"}'
    assert read_event(raw, started_at=STARTED).alarm.evaluated_from is None


@pytest.mark.parametrize("data", ["[" * 100_000, '{"threshold": NaN}', '{"threshold": 1e999}'])
def test_reason_data_that_cannot_be_read_give_no_threshold(data: str) -> None:
    raw = event("single_metric")
    raw["detail"]["state"]["reasonData"] = data
    assert read_event(raw, started_at=STARTED).alarm.threshold is None


def test_a_reason_without_end_is_cut() -> None:
    raw = event("single_metric")
    raw["detail"]["state"]["reason"] = "x" * 100_000
    assert len(read_event(raw, started_at=STARTED).alarm.reason) == 1000


def test_an_arn_that_is_no_alarms_is_malformed() -> None:
    raw = event("single_metric")
    raw["resources"] = ["arn:aws:s3:::bucket"]
    with pytest.raises(MalformedEventError, match="resources"):
        read_event(raw, started_at=STARTED)


@pytest.mark.parametrize("text", ["patient-slow-invoice\n", "patient-slow-invoice:a b", "x:\n"])
def test_a_name_with_something_behind_it_is_malformed(text: str) -> None:
    with pytest.raises(MalformedEventError, match="functionName"):
        read_function_reference(text)


def test_an_arn_without_an_account_is_not_taken_for_one_of_this_account() -> None:
    arn = "arn:aws:lambda:us-east-1::function:patient-slow-invoice"
    assert read_event({"functionName": arn, "manual": True}, started_at=STARTED).accounts == {""}


def test_a_start_by_hand_that_lacks_manual_is_told_what_was_missing() -> None:
    with pytest.raises(MalformedEventError) as refused:
        read_event({"functionName": "orders"}, started_at=STARTED)
    told = str(refused.value)
    assert '{"functionName": NAME, "manual": true}' in told
    assert "manual: Field required" in told
