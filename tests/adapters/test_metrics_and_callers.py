"""Metrics by the minute, and who calls a function."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from botocore.stub import Stubber

from adapters.account import ACCOUNT, ARN, NAME, NOW, REGION, TARGET, Account
from autorepair.aws.callers import LambdaCallers
from autorepair.aws.event_sources import event_source
from autorepair.aws.metrics import CloudWatchMetrics
from autorepair.domain.errors import TransientServiceError
from autorepair.ports import CallerReading

START, END = NOW - timedelta(minutes=15), NOW
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:jobs"
UUID = "00000000-0000-4000-8000-00000000000{}"


def callers_of(account: Account, statements: list[dict[str, Any]]) -> tuple[Any, ...]:
    client: Any = account.clients._session.client("lambda")
    with Stubber(client) as stubber:
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        stubber.add_response("get_policy", {"Policy": policy}, {"FunctionName": ARN})
        stubber.add_response("list_event_source_mappings", {"EventSourceMappings": []})
        reading = LambdaCallers(client, account.clients.sqs).read(TARGET)
    assert reading.gaps == ()
    return reading.callers


def allow(principal: object, source: str | None = None, effect: str = "Allow") -> dict[str, Any]:
    condition = {"ArnLike": {"AWS:SourceArn": source}} if source else {}
    return {
        "Effect": effect,
        "Principal": principal,
        "Action": "lambda:InvokeFunction",
        "Resource": ARN,
        "Condition": condition,
    }


def test_metrics_are_read_over_all_pages_oldest_first(account: Account) -> None:
    client: Any = account.clients._session.client("cloudwatch")
    minute = timedelta(minutes=1)
    with Stubber(client) as stubber:
        first = {"Id": "errors_sum", "Timestamps": [NOW], "Values": [2.0]}
        second = {"Id": "errors_sum", "Timestamps": [NOW - minute], "Values": [1.0]}
        stubber.add_response(
            "get_metric_data",
            {"MetricDataResults": [first | {"StatusCode": "PartialData"}], "NextToken": "more"},
        )
        stubber.add_response(
            "get_metric_data", {"MetricDataResults": [second | {"StatusCode": "Complete"}]}
        )
        series = CloudWatchMetrics(client).read(TARGET, start=START, end=END)

    by_name = {(s.metric_name, s.statistic): s for s in series}
    assert by_name["Errors", "Sum"].points == ((NOW - minute, 1.0), (NOW, 2.0))
    assert by_name["Duration", "p99"].points == ()
    assert {s.period_s for s in series} == {60}
    assert len({s.id for s in series}) == len(series) == 9


def test_metrics_of_which_a_part_is_missing_in_the_end_are_not_taken_for_all(
    account: Account,
) -> None:
    client: Any = account.clients._session.client("cloudwatch")
    with Stubber(client) as stubber:
        part = {"Id": "errors_sum", "Timestamps": [], "Values": [], "StatusCode": "PartialData"}
        stubber.add_response("get_metric_data", {"MetricDataResults": [part]})
        with pytest.raises(TransientServiceError, match="errors_sum"):
            CloudWatchMetrics(client).read(TARGET, start=START, end=END)


def test_metrics_are_asked_for_the_function_as_a_whole(account: Account) -> None:
    client: Any = account.clients._session.client("cloudwatch")
    asked: list[dict[str, Any]] = []
    client.meta.events.register_first(
        "provide-client-params.cloudwatch.GetMetricData",
        lambda params, **_: asked.append(params),
    )
    with Stubber(client) as stubber:
        stubber.add_response("get_metric_data", {"MetricDataResults": []})
        CloudWatchMetrics(client).read(TARGET, start=START, end=END)

    stats = [query["MetricStat"] for query in asked[0]["MetricDataQueries"]]
    assert {json.dumps(stat["Metric"]["Dimensions"]) for stat in stats} == {
        json.dumps([{"Name": "FunctionName", "Value": NAME}])
    }
    assert (asked[0]["StartTime"], asked[0]["EndTime"]) == (START, END)


def test_a_month_is_read_by_the_full_hour_and_only_what_traffic_is_reckoned_from(
    account: Account,
) -> None:
    client: Any = account.clients._session.client("cloudwatch")
    asked: list[dict[str, Any]] = []
    client.meta.events.register_first(
        "provide-client-params.cloudwatch.GetMetricData",
        lambda params, **_: asked.append(params),
    )
    hour = {"Id": "invocations_sum", "Timestamps": [NOW], "Values": [7.0]}
    begin = NOW - timedelta(days=30)
    with Stubber(client) as stubber:
        stubber.add_response(
            "get_metric_data", {"MetricDataResults": [hour | {"StatusCode": "Complete"}]}
        )
        series = CloudWatchMetrics(client).by_the_hour(
            TARGET, start=begin.replace(minute=17), end=NOW
        )

    by_name = {(s.metric_name, s.statistic): s for s in series}
    assert set(by_name) == {
        ("Invocations", "Sum"),
        ("Errors", "Sum"),
        ("Duration", "Average"),
        ("ConcurrentExecutions", "Maximum"),
    }
    assert by_name["Invocations", "Sum"].points == ((NOW, 7.0),)
    assert {s.period_s for s in series} == {3600}
    (request,) = asked
    assert request["StartTime"] == begin.replace(minute=0, second=0, microsecond=0)
    assert {q["MetricStat"]["Period"] for q in request["MetricDataQueries"]} == {3600}


def test_a_metric_that_cloudwatch_could_not_give_is_not_taken_for_silence(
    account: Account,
) -> None:
    client: Any = account.clients._session.client("cloudwatch")
    broken = {"Id": "errors_sum", "Timestamps": [], "Values": [], "StatusCode": "InternalError"}
    with Stubber(client) as stubber:
        stubber.add_response("get_metric_data", {"MetricDataResults": [broken]})
        with pytest.raises(TransientServiceError, match="InternalError for errors_sum"):
            CloudWatchMetrics(client).read(TARGET, start=START, end=END)


@pytest.mark.parametrize(
    ("service", "kind", "limit"),
    [
        ("apigateway.amazonaws.com", "apigateway", 29.0),
        ("elasticloadbalancing.amazonaws.com", "alb", None),
        ("events.amazonaws.com", "eventbridge", None),
        ("sns.amazonaws.com", "sns", None),
        ("s3.amazonaws.com", "s3", None),
        ("iot.amazonaws.com", "iot", None),
        ("scheduler.amazonaws.com", "eventbridge", None),
        ("states.eu-central-1.amazonaws.com", "stepfunctions", None),
        ("logs.amazonaws.com", "other", None),
    ],
)
def test_a_service_in_the_resource_policy_is_a_caller(
    account: Account, service: str, kind: str, limit: float | None
) -> None:
    (caller,) = callers_of(account, [allow({"Service": service}, "arn:aws:x")])

    assert (caller.kind, caller.source, caller.timeout_limit_s) == (kind, "arn:aws:x", limit)


def test_principals_without_a_source_are_named_themselves(account: Account) -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/caller"

    callers = callers_of(account, [allow("*"), allow({"AWS": [role, ACCOUNT]})])

    assert [c.source for c in callers] == ["*", role, ACCOUNT]


def test_a_denial_is_no_caller_and_a_caller_is_named_once(account: Account) -> None:
    sns = allow({"Service": "sns.amazonaws.com"}, "arn:aws:sns:x")

    assert len(callers_of(account, [sns, sns, allow("*", effect="Deny")])) == 1


def test_a_function_without_a_policy_or_mappings_has_no_callers(account: Account) -> None:
    account.make_function()
    aws = account.clients

    assert LambdaCallers(aws.lambda_, aws.sqs).read(TARGET) == CallerReading((), (), ())


def test_the_policy_of_the_alias_that_the_alarm_watches_counts_too(account: Account) -> None:
    client: Any = account.clients._session.client("lambda")
    policy = json.dumps({"Statement": [allow({"Service": "sns.amazonaws.com"}, "topic")]})
    with Stubber(client) as stubber:
        stubber.add_client_error("get_policy", "ResourceNotFoundException")
        stubber.add_response("get_policy", {"Policy": policy}, {"FunctionName": f"{ARN}:live"})
        for arn in (ARN, f"{ARN}:live"):
            stubber.add_response(
                "list_event_source_mappings", {"EventSourceMappings": []}, {"FunctionName": arn}
            )
        target = TARGET.model_copy(update={"qualifier": "live"})
        reading = LambdaCallers(client, account.clients.sqs).read(target)

    assert [c.source for c in reading.callers] == ["topic"]
    assert reading.gaps == ()


def test_a_queue_limits_the_timeout_by_its_visibility_timeout(account: Account) -> None:
    account.clients.sqs.create_queue(QueueName="jobs", Attributes={"VisibilityTimeout": "45"})
    client: Any = account.clients._session.client("lambda")
    stream = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/s"
    mappings = [
        {"EventSourceArn": QUEUE, "State": "Enabled", "MaximumBatchingWindowInSeconds": 15},
        {"EventSourceArn": f"{QUEUE}-old", "State": "Disabled"},
        {"EventSourceArn": stream, "State": "Enabled"},
    ]
    with Stubber(client) as stubber:
        stubber.add_client_error("get_policy", "ResourceNotFoundException")
        stubber.add_response("list_event_source_mappings", {"EventSourceMappings": mappings})
        reading = LambdaCallers(client, account.clients.sqs).read(TARGET)

    found = [(c.kind, c.source, c.timeout_limit_s, c.timeout_advised_s) for c in reading.callers]
    assert found == [("sqs", QUEUE, 45.0, 5.0), ("kinesis", stream, None, None)]
    assert reading.gaps == ()


def test_what_cannot_be_read_of_the_callers_is_a_gap_each(account: Account) -> None:
    client: Any = account.clients._session.client("lambda")
    with Stubber(client) as stubber:
        stubber.add_client_error("get_policy", "AccessDeniedException")
        stubber.add_client_error("list_event_source_mappings", "AccessDeniedException")
        reading = LambdaCallers(client, account.clients.sqs).read(TARGET)

    assert reading.callers == ()
    assert [gap.source for gap in reading.gaps] == [
        "callers/resource-policy",
        "callers/event-source-mappings",
    ]
    assert "lambda:GetPolicy" in reading.gaps[0].reason


def test_a_queue_that_cannot_be_asked_is_a_caller_and_a_gap(account: Account) -> None:
    client: Any = account.clients._session.client("lambda")
    mappings = [{"EventSourceArn": QUEUE, "State": "Enabled"}]
    with Stubber(client) as stubber:
        stubber.add_client_error("get_policy", "ResourceNotFoundException")
        stubber.add_response("list_event_source_mappings", {"EventSourceMappings": mappings})
        reading = LambdaCallers(client, account.clients.sqs).read(TARGET)

    assert [(c.kind, c.timeout_limit_s) for c in reading.callers] == [("sqs", None)]
    assert [gap.source for gap in reading.gaps] == [f"callers/{QUEUE}"]


@pytest.mark.parametrize(
    "statement",
    [
        {"Action": "lambda:InvokeFunctionUrl"},
        {"Condition": {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}}},
        {"Condition": {"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}}},
    ],
)
def test_whoever_comes_by_the_functions_url_is_a_caller_of_that_kind(
    account: Account, statement: dict[str, Any]
) -> None:
    (caller,) = callers_of(account, [allow("*") | statement])

    assert (caller.kind, caller.timeout_limit_s) == ("function-url", None)


def test_event_sources_tell_how_they_deal_with_failures(account: Account) -> None:
    dead = {"deadLetterTargetArn": f"{QUEUE}-dead", "maxReceiveCount": "3"}
    account.clients.sqs.create_queue(QueueName="jobs-dead")
    account.clients.sqs.create_queue(
        QueueName="jobs",
        Attributes={"VisibilityTimeout": "45", "RedrivePolicy": json.dumps(dead)},
    )
    client: Any = account.clients._session.client("lambda")
    table = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/t/stream/2026"
    mappings = [
        {
            "UUID": UUID.format(1),
            "EventSourceArn": QUEUE,
            "State": "Enabled",
            "BatchSize": 10,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
        },
        {
            "UUID": UUID.format(2),
            "EventSourceArn": table,
            "State": "Disabled",
            "MaximumRetryAttempts": 2,
            "LastProcessingResult": "PROBLEM: Function call failed",
        },
        {"UUID": UUID.format(3), "State": "Enabled", "MaximumRetryAttempts": -1},
    ]
    with Stubber(client) as stubber:
        stubber.add_client_error("get_policy", "ResourceNotFoundException")
        stubber.add_response("list_event_source_mappings", {"EventSourceMappings": mappings})
        reading = LambdaCallers(client, account.clients.sqs).read(TARGET)

    queue, stream, other = reading.event_sources
    assert (queue.kind, queue.batch_size, queue.most_receives) == ("sqs", 10, 3)
    assert queue.has_partial_responses
    assert (stream.kind, stream.state, stream.most_retries) == ("dynamodb", "Disabled", 2)
    assert stream.last_result == "PROBLEM: Function call failed"
    assert (other.kind, other.source, other.most_retries) == (
        "other",
        f"mapping {UUID.format(3)}",
        None,
    )
    assert [c.kind for c in reading.callers] == ["sqs", "other"], "what is disabled calls nobody"


@pytest.mark.parametrize("policy", ["", "no json", "{}", "[]", '{"maxReceiveCount": null}'])
def test_a_redrive_policy_that_says_nothing_sets_no_limit(policy: str) -> None:
    mapping = {"EventSourceArn": QUEUE}

    assert event_source(mapping, {"RedrivePolicy": policy}).most_receives is None
