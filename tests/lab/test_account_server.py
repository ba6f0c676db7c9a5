"""The account as a whole: its door, its limits, its neighbours."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from autorepair_lab.account.call import Call, ErrorReply, Reply
from autorepair_lab.account.routes import RouteReply
from autorepair_lab.account.server import Account, AccountAlreadyRunningError
from lab.account_support import Lab, running_lab


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running_lab(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.mark.parametrize(
    ("service", "operation"),
    [
        ("cloudtrail", "list_event_data_stores"),  # moto knows the service, not the operation
        ("lambda", "list_capacity_providers"),  # moto has no route
        ("bedrock-agent-runtime", "list_sessions"),  # moto does not know the service
    ],
)
def test_what_nobody_can_answer_fails_loudly_and_at_once(
    lab: Lab, service: str, operation: str
) -> None:
    with pytest.raises(ClientError) as raised:
        getattr(lab.client(service, attempts=4), operation)()
    error = raised.value.response

    assert error["Error"]["Code"] == "NotImplementedInLab"
    assert "Interceptor" in error["Error"]["Message"]
    assert error["ResponseMetadata"]["RetryAttempts"] == 0


def test_an_interceptor_answers_in_the_protocol_of_the_service(lab: Lab) -> None:
    class Answers:
        def handle(self, call: Call) -> Reply | ErrorReply | None:
            if call.operation == "GetCallerIdentity":
                return Reply({"Account": "999999999999", "Arn": "arn:x", "UserId": "u"})
            if call.operation == "GetBucketLocation":
                return ErrorReply("NoSuchBucket", f"no {call.parameters['Bucket']}", 404)
            if call.operation == "GetParameter":
                return ErrorReply("ParameterNotFound", call.parameters["Name"])
            return None

    lab.account.add_interceptor(Answers())

    assert lab.client("sts").get_caller_identity()["Account"] == "999999999999"
    with pytest.raises(ClientError, match=r"NoSuchBucket.*no my-bucket"):
        lab.client("s3").get_bucket_location(Bucket="my-bucket")
    with pytest.raises(ClientError, match=r"ParameterNotFound.*/a"):
        lab.client("ssm").get_parameter(Name="/a")


def test_routes_of_others_are_served_beside_the_apis(lab: Lab) -> None:
    lab.account.add_route(
        "POST",
        "/_lab/patients/(?P<name>[a-z]+)/break",
        lambda request: RouteReply({"name": request.groups["name"], "body": request.json()}, 202),
    )
    url = f"{lab.account.endpoint}/_lab/patients/leaky/break"

    answer = requests.post(url, json={"n": 1}, timeout=60)
    assert (answer.status_code, answer.json()) == (202, {"name": "leaky", "body": {"n": 1}})
    assert requests.get(url, timeout=60).status_code == 405
    assert requests.post(url, data="{", timeout=60).status_code == 400
    assert requests.get(f"{lab.account.endpoint}/_lab/nothing", timeout=60).status_code == 404


def test_calls_and_messages_can_be_looked_at(lab: Lab) -> None:
    sns = lab.client("sns")
    topic = sns.create_topic(Name="seen")["TopicArn"]
    sns.publish(
        TopicArn=topic,
        Subject="Hello",
        Message="there",
        MessageAttributes={"kind": {"DataType": "String", "StringValue": "test"}},
    )
    inbox = requests.get(f"{lab.account.endpoint}/_lab/inbox", timeout=60).json()
    calls = requests.get(f"{lab.account.endpoint}/_lab/calls", timeout=60).json()

    assert inbox[-1].keys() == {"topic", "subject", "message", "attributes", "at"}
    assert inbox[-1]["topic"] == topic
    assert inbox[-1]["attributes"] == {"kind": "test"}
    assert {"service": "sns", "operation": "Publish", "count": 1} in calls


def test_bedrock_answers_from_its_script_and_otherwise_denies_access(lab: Lab) -> None:
    runtime, agent = lab.client("bedrock-runtime"), lab.client("bedrock-agent-runtime")
    answers: Any = [
        {"error": "ThrottlingException"},
        {"output": {"message": {"role": "assistant", "content": [{"text": "hello"}]}}},
        {"retrievalResults": [{"content": {"text": "a runbook"}}]},
    ]
    set_up = requests.post(f"{lab.account.endpoint}/_lab/bedrock", json=answers, timeout=60)
    ask = {"modelId": "m", "messages": [{"role": "user", "content": [{"text": "hi"}]}]}

    assert set_up.json() == {"answers": 3}
    with pytest.raises(ClientError, match="ThrottlingException"):
        runtime.converse(**ask)
    assert runtime.converse(**ask)["output"]["message"]["content"] == [{"text": "hello"}]
    found = agent.retrieve(knowledgeBaseId="ABCDEFGHIJ", retrievalQuery={"text": "why"})
    assert found["retrievalResults"][0]["content"] == {"text": "a runbook"}
    with pytest.raises(ClientError, match="AccessDeniedException"):
        runtime.converse(**ask)
    bad = requests.post(f"{lab.account.endpoint}/_lab/bedrock", json=[{"x": 1}], timeout=60)
    assert bad.status_code == 400


def test_objects_keep_their_bytes_and_length(lab: Lab) -> None:
    s3 = lab.client("s3")
    s3.create_bucket(Bucket="objects")
    body = bytes(range(256)) * 8192
    s3.put_object(Bucket="objects", Key="a/ü key", Body=body)

    assert s3.head_object(Bucket="objects", Key="a/ü key")["ContentLength"] == len(body)
    assert s3.get_object(Bucket="objects", Key="a/ü key")["Body"].read() == body


def test_a_second_account_in_a_process_is_refused(lab: Lab, tmp_path: Path) -> None:
    with pytest.raises(AccountAlreadyRunningError, match=lab.account.endpoint):
        Account(workdir=tmp_path).start()


def test_two_accounts_in_two_processes_know_nothing_of_each_other(lab: Lab, tmp_path: Path) -> None:
    script = (
        "import sys, boto3; from pathlib import Path\n"
        "from autorepair_lab.account.server import Account\n"
        "with Account(workdir=Path(sys.argv[1])) as account:\n"
        "    s3 = boto3.client('s3', endpoint_url=account.endpoint, region_name='us-east-1',\n"
        "        aws_access_key_id='a', aws_secret_access_key='b')\n"
        "    s3.create_bucket(Bucket='neighbour')\n"
        "    print([one['Name'] for one in s3.list_buckets()['Buckets']])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )

    assert done.stdout.strip() == "['neighbour']"
    names = [one["Name"] for one in lab.client("s3").list_buckets()["Buckets"]]
    assert "neighbour" not in names
