"""Faults strike the calls they name, as they say."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from autorepair_lab.account.faults import FaultsInvalidError, load_faults, parse_faults
from autorepair_lab.clients import Clients
from lab.account_support import create_function, running_lab


def test_an_error_strikes_only_the_chosen_calls_of_the_chosen_parameter(tmp_path: Path) -> None:
    faults = parse_faults(
        json.dumps(
            [
                {
                    "service": "sqs",
                    "operation": "CreateQueue",
                    "match": {"QueueName": "struck"},
                    "nth": [2],
                    "do": {"error": "ThrottlingException", "status": 400},
                }
            ]
        )
    )
    with running_lab(tmp_path, faults=faults) as lab:
        sqs = lab.client("sqs")
        sqs.create_queue(QueueName="struck")
        sqs.create_queue(QueueName="spared")
        with pytest.raises(ClientError) as raised:
            sqs.create_queue(QueueName="struck")
        sqs.create_queue(QueueName="struck")

    assert raised.value.response["Error"]["Code"] == "ThrottlingException"


def test_a_bare_status_is_retried_by_the_sdk_like_a_server_error(tmp_path: Path) -> None:
    text = '[{"service":"dynamodb","operation":"ListTables","nth":[1],"do":{"status":500}}]'
    with running_lab(tmp_path, faults=parse_faults(text)) as lab:
        lab.client("dynamodb", attempts=2).list_tables()

        counted = [one for one in lab.account.calls() if one["operation"] == "ListTables"]

    assert counted == [{"service": "dynamodb", "operation": "ListTables", "count": 2}]


def test_a_delay_holds_the_call_up_and_lets_it_through(tmp_path: Path) -> None:
    text = '[{"service":"sts","operation":"GetCallerIdentity","do":{"delay_s":0.3}}]'
    with running_lab(tmp_path, faults=parse_faults(text)) as lab:
        before = time.monotonic()
        lab.client("sts").get_caller_identity()

    assert time.monotonic() - before >= 0.3


def test_a_dropped_response_has_been_performed(tmp_path: Path) -> None:
    text = '[{"service":"sns","operation":"CreateTopic","nth":[1],"do":{"drop_response":true}}]'
    with running_lab(tmp_path, faults=parse_faults(text)) as lab:
        sns = lab.client("sns")
        with pytest.raises(BotoCoreError):
            sns.create_topic(Name="made")

        topics = [topic["TopicArn"].rpartition(":")[2] for topic in sns.list_topics()["Topics"]]

    assert topics == ["made"]


def test_the_function_that_made_the_call_is_killed_in_mid_call(tmp_path: Path) -> None:
    text = '[{"service":"sns","operation":"CreateTopic","do":{"kill_function":true}}]'
    with running_lab(tmp_path, faults=parse_faults(text)) as lab:
        functions = lab.client("lambda")
        create_function(functions, "caller")
        functions.invoke(FunctionName="caller")
        mark = dict(lab.runtime.specs[0].env)["AWS_SDK_UA_APP_ID"]
        with pytest.raises(BotoCoreError):
            lab.client("sns", app_id=mark).create_topic(Name="made")

        assert lab.runtime.killed == ["caller"]


def test_an_invocation_made_by_nobody_kills_the_function_it_started(tmp_path: Path) -> None:
    text = '[{"service":"lambda","operation":"Invoke","do":{"kill_function":true}}]'
    with running_lab(tmp_path, faults=parse_faults(text)) as lab:
        functions = lab.client("lambda")
        create_function(functions, "victim")
        functions.invoke(FunctionName="victim")

        assert lab.runtime.has_killed.wait(60)
        assert lab.runtime.killed == ["victim"]


def test_a_fault_is_not_used_up_by_the_lab_itself(tmp_path: Path) -> None:
    text = '[{"service":"dynamodb","operation":"ListTables","nth":[1],"do":{"status":400}}]'
    with running_lab(tmp_path, faults=parse_faults(text)) as lab:
        assert Clients(lab.account.endpoint, "us-east-1").dynamodb.list_tables()["TableNames"] == []
        with pytest.raises(ClientError):
            lab.client("dynamodb").list_tables()


def test_the_traffic_that_the_lab_drives_can_be_struck(tmp_path: Path) -> None:
    text = '[{"service":"lambda","operation":"Invoke","do":{"error":"TooManyRequestsException"}}]'
    with running_lab(tmp_path, faults=parse_faults(text)) as lab:
        functions = Clients(lab.account.endpoint, "us-east-1").lambda_
        create_function(lab.client("lambda"), "busy")
        with pytest.raises(functions.exceptions.TooManyRequestsException):
            functions.invoke(FunctionName="busy")


def test_a_rate_draws_the_same_calls_for_the_same_seed(tmp_path: Path) -> None:
    text = (
        '[{"service":"kms","operation":"ListKeys","rate":0.5,"seed":7,'
        '"do":{"error":"KMSInternalException","status":400}}]'
    )
    patterns = []
    for run in range(2):
        with running_lab(tmp_path / str(run), faults=parse_faults(text)) as lab:
            kms = lab.client("kms")
            patterns.append([_fails(kms.list_keys) for _ in range(12)])

    assert patterns[0] == patterns[1]
    assert 0 < sum(patterns[0]) < 12


def _fails(call: object) -> bool:
    assert callable(call)
    try:
        call()
    except ClientError:
        return True
    return False


def named(service: str, operation: str, **match: object) -> str:
    fault = {"service": service, "operation": operation, "match": match, "do": {"status": 500}}
    return json.dumps([fault])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nonsense", "Invalid JSON"),
        ('[{"service":"sns","do":{"status":500}}]', "operation"),
        ('[{"service":"sns","operation":"Publish","do":{}}]', "exactly one"),
        (
            '[{"service":"sns","operation":"Publish","do":{"delay_s":1,"drop_response":true}}]',
            "exactly one",
        ),
        ('[{"service":"sns","operation":"Publish","nth":[0],"do":{"status":500}}]', "from 1"),
        (
            '[{"service":"sns","operation":"Publish","nth":[1],"rate":0.5,"do":{"status":500}}]',
            "not both",
        ),
        ('[{"service":"sns","operation":"Publish","do":{"explode":true}}]', "explode"),
        (named("dynamo", "PutItem"), "no service 'dynamo': did you mean dynamodb"),
        (named("DynamoDB", "PutItem"), "did you mean dynamodb"),
        (named("states", "StartExecution"), r"did you mean stepfunctions\?"),
        (named("zzzzzzzz", "PutItem"), "botocore knows no service 'zzzzzzzz'"),
        (named("lambda", "UpdateFunctionConfig"), "did you mean .*UpdateFunctionConfiguration"),
        (named("lambda", "update_function_code"), "did you mean UpdateFunctionCode"),
        (named("bedrock", "Converse"), r"did you mean Converse of bedrock-runtime\?"),
        (named("lambda", "Invoke", Function="x"), "no parameter 'Function': did you mean Fun"),
        (named("kms", "ListAliases", zzzzzz=1), "kms.ListAliases takes no parameter 'zzzzzz'"),
    ],
)
def test_a_bad_list_of_faults_says_what_is_wrong_with_it(text: str, said: str) -> None:
    with pytest.raises(FaultsInvalidError, match=said):
        parse_faults(text)


def test_a_file_of_faults_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FaultsInvalidError, match="absent"):
        load_faults(tmp_path / "absent.json")
