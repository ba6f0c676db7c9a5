"""Invocations: who runs, what comes back, what is written down."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from autorepair_lab.runtime.model import FunctionSpec
from lab.account_support import Failure, Lab, create_function, running_lab, until, zip_of


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with running_lab(tmp_path, time_scale=1000) as running:
        yield running


def metric(lab: Lab, name: str, statistic: str, **dimensions: str) -> float:
    now = datetime.now(UTC)
    found = lab.client("cloudwatch").get_metric_data(
        MetricDataQueries=[
            {
                "Id": "m",
                "MetricStat": {
                    "Metric": {
                        "Namespace": "AWS/Lambda",
                        "MetricName": name,
                        "Dimensions": [{"Name": k, "Value": v} for k, v in dimensions.items()],
                    },
                    "Period": 3600,
                    "Stat": statistic,
                },
            }
        ],
        StartTime=now - timedelta(minutes=30),
        EndTime=now + timedelta(minutes=1),
    )
    values: list[float] = found["MetricDataResults"][0]["Values"]
    return sum(values)


def fail(_spec: FunctionSpec, _payload: bytes) -> Failure:
    return Failure(b'{"errorType": "ValueError", "errorMessage": "no"}')


def test_an_answer_comes_with_its_version_and_the_tail_of_the_log(lab: Lab) -> None:
    functions = lab.client("lambda")
    create_function(functions, "echo")
    answer = functions.invoke(FunctionName="echo", Payload=b'{"a": 1}', LogType="Tail")

    assert json.loads(answer["Payload"].read()) == {"a": 1}
    assert answer["ExecutedVersion"] == "$LATEST"
    assert base64.b64decode(answer["LogResult"]) == b"START\nEND"
    assert "FunctionError" not in answer


def test_an_answer_bears_the_request_id_that_the_function_and_its_log_have(lab: Lab) -> None:
    functions = lab.client("lambda")
    create_function(functions, "known")
    answer = functions.invoke(FunctionName="known")

    assert lab.runtime.request_ids[-1] == answer["ResponseMetadata"]["RequestId"]


def test_a_failure_is_marked_and_counted(lab: Lab) -> None:
    functions = lab.client("lambda")
    create_function(functions, "failing")
    lab.runtime.answers["failing"] = fail
    answer = functions.invoke(FunctionName="failing")

    assert answer["FunctionError"] == "Unhandled"
    assert json.loads(answer["Payload"].read())["errorType"] == "ValueError"
    assert metric(lab, "Errors", "Sum", FunctionName="failing") == 1
    assert metric(lab, "Invocations", "Sum", FunctionName="failing") == 1
    assert metric(lab, "Duration", "p99", FunctionName="failing") == 12.5
    (record,) = lab.account.invocations("failing")
    assert (record.status, record.is_failure) == ("error", True)


def test_versions_and_aliases_run_what_they_were_published_with(lab: Lab) -> None:
    functions = lab.client("lambda")
    arn = create_function(functions, "ranked", MemorySize=128)["FunctionArn"]
    functions.publish_version(FunctionName="ranked")
    functions.create_alias(FunctionName="ranked", Name="live", FunctionVersion="1")
    functions.update_function_configuration(FunctionName="ranked", MemorySize=512)

    functions.invoke(FunctionName="ranked", Qualifier="live")
    functions.invoke(FunctionName=f"{arn}:1")
    functions.invoke(FunctionName="ranked")

    seen = [(spec.version, spec.memory_mb, spec.arn) for spec in lab.runtime.specs]
    assert seen == [("1", 128, f"{arn}:live"), ("1", 128, f"{arn}:1"), ("$LATEST", 512, arn)]
    resource = {"FunctionName": "ranked", "Resource": "ranked:live"}
    assert metric(lab, "Invocations", "Sum", **resource) == 1
    assert metric(lab, "Invocations", "Sum", FunctionName="ranked") == 3


def test_a_change_of_configuration_asks_for_new_environments(lab: Lab) -> None:
    functions = lab.client("lambda")
    create_function(functions, "changed")
    functions.invoke(FunctionName="changed")
    functions.invoke(FunctionName="changed")
    functions.update_function_configuration(FunctionName="changed", Timeout=20)
    functions.invoke(FunctionName="changed")

    first, second, third = lab.runtime.specs
    assert first == second
    assert first.revision != third.revision


def test_reserved_concurrency_throttles_and_is_counted(lab: Lab) -> None:
    functions = lab.client("lambda")
    create_function(functions, "narrow")
    functions.put_function_concurrency(FunctionName="narrow", ReservedConcurrentExecutions=1)
    entered, leave = threading.Event(), threading.Event()

    def hold(_spec: FunctionSpec, payload: bytes) -> bytes:
        entered.set()
        assert leave.wait(60)
        return payload

    lab.runtime.answers["narrow"] = hold
    first = threading.Thread(target=lambda: lab.client("lambda").invoke(FunctionName="narrow"))
    first.start()
    assert entered.wait(60)
    with pytest.raises(ClientError) as raised:
        functions.invoke(FunctionName="narrow")
    leave.set()
    first.join()

    assert raised.value.response["Error"]["Code"] == "TooManyRequestsException"
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert metric(lab, "Throttles", "Sum", FunctionName="narrow") == 1


def test_an_event_is_tried_three_times_and_then_handed_to_its_destination(lab: Lab) -> None:
    functions, sqs = lab.client("lambda"), lab.client("sqs")
    url = sqs.create_queue(QueueName="failures")["QueueUrl"]
    create_function(functions, "event")
    functions.put_function_event_invoke_config(
        FunctionName="event",
        DestinationConfig={
            "OnFailure": {"Destination": "arn:aws:sqs:us-east-1:123456789012:failures"}
        },
    )
    lab.runtime.answers["event"] = fail
    accepted = functions.invoke(FunctionName="event", InvocationType="Event", Payload=b'{"n": 1}')
    (message,) = until(lambda: sqs.receive_message(QueueUrl=url).get("Messages"))
    record = json.loads(message["Body"])

    assert accepted["StatusCode"] == 202
    assert len(lab.account.invocations("event")) == 3
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert record["requestPayload"] == {"n": 1}


def test_a_dry_run_runs_nothing(lab: Lab) -> None:
    functions = lab.client("lambda")
    create_function(functions, "dry")

    assert functions.invoke(FunctionName="dry", InvocationType="DryRun")["StatusCode"] == 204
    assert lab.runtime.specs == []


def test_a_payload_that_is_no_json_is_refused(lab: Lab) -> None:
    functions = lab.client("lambda")
    create_function(functions, "strict")
    with pytest.raises(ClientError) as raised:
        functions.invoke(FunctionName="strict", Payload=b"{not json")

    assert raised.value.response["Error"]["Code"] == "InvalidRequestContentException"


def test_the_runtime_gets_unpacked_code_layers_and_settings(lab: Lab) -> None:
    functions = lab.client("lambda")
    layer = functions.publish_layer_version(
        LayerName="tools", Content={"ZipFile": zip_of("TOOL = 1\n")}
    )
    create_function(
        functions,
        "unpacked",
        Layers=[layer["LayerVersionArn"]],
        Environment={"Variables": {"NAME": "value"}},
        LoggingConfig={"LogFormat": "JSON", "LogGroup": "/own"},
    )
    lab.account.set_at_memory_limit("unpacked", "stall")
    functions.invoke(FunctionName="unpacked")

    (spec,) = lab.runtime.specs
    assert "def handler" in (spec.code_dir / "app.py").read_text()
    assert (spec.layer_dirs[0] / "app.py").read_text() == "TOOL = 1\n"
    assert dict(spec.env)["NAME"] == "value"
    assert (spec.log_group, spec.log_format, spec.at_memory_limit) == ("/own", "JSON", "stall")
    groups = lab.client("logs").describe_log_groups()["logGroups"]
    assert [group["logGroupName"] for group in groups] == ["/own"]


def test_a_deleted_function_is_retired(lab: Lab) -> None:
    functions: Any = lab.client("lambda")
    create_function(functions, "gone")
    functions.delete_function(FunctionName="gone")

    assert lab.runtime.retired == ["gone"]
    with pytest.raises(ClientError) as raised:
        functions.invoke(FunctionName="gone")
    assert raised.value.response["Error"]["Code"] == "ResourceNotFoundException"
