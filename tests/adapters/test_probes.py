"""Declared test events, and what is made of a function's answer to one."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError
from botocore.response import StreamingBody
from botocore.stub import Stubber

from adapters.account import ARN, NAME, TARGET, Account
from autorepair.aws.probes import DeclaredProbes
from autorepair.domain.errors import (
    AccessDeniedError,
    ConfigurationError,
    TargetNotFoundError,
    TransientServiceError,
)
from autorepair.domain.probe import Probe

PREFIX = "/lambda-auto-repair/dev/probe"
PROBE = Probe(payload={"order": "test"}, expect_status=200)
REQUEST = "8f0e4c1e-3f3c-4f6e-9d4e-0a1b2c3d4e5f"
START = f"START RequestId: {REQUEST} Version: $LATEST"
REPORT = (
    f"REPORT RequestId: {REQUEST}\tDuration: 3000.00 ms\tBilled Duration: 3000 ms\t"
    "Memory Size: 128 MB\tMax Memory Used: 40 MB\tStatus: timeout"
)


class Scripted:
    """Probes of an account whose Lambda answers by a script."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.client: Any = account.clients._session.client("lambda")
        self.stubber = Stubber(self.client)
        self.stubber.activate()
        self.probes = DeclaredProbes(
            account.clients.ssm, self.client, prefix=PREFIX, clock=account.clock
        )

    def declare(self, text: str) -> None:
        self.account.clients.ssm.put_parameter(
            Name=f"{PREFIX}/{NAME}", Value=text, Type="String", Overwrite=True
        )

    def answers(self, body: bytes = b"{}", *tail: str, **members: Any) -> None:  # noqa: ANN401 - any member of the answer
        request = {
            "FunctionName": ARN,
            "InvocationType": "RequestResponse",
            "LogType": "Tail",
            "Payload": json.dumps(PROBE.payload).encode(),
        }
        answer = {
            "StatusCode": 200,
            "Payload": StreamingBody(io.BytesIO(body), len(body)),
            "LogResult": base64.b64encode("\n".join(tail).encode()).decode(),
            "ResponseMetadata": {"RequestId": REQUEST},
            **members,
        }
        self.stubber.add_response("invoke", answer, request)


@pytest.fixture
def scripted(account: Account) -> Iterator[Scripted]:
    one = Scripted(account)
    yield one
    one.stubber.assert_no_pending_responses()


def test_what_is_declared_for_a_function_is_read(scripted: Scripted) -> None:
    assert scripted.probes.declared(TARGET) is None
    scripted.declare('{"payload": {"order": "test"}, "expect_status": 200}')
    assert scripted.probes.declared(TARGET) == PROBE


@pytest.mark.parametrize(
    "text", ["no JSON", "[]", '{"expect_status": 200}', '{"payload": 1, "x": 1}']
)
def test_what_is_no_test_event_is_refused_without_being_quoted(
    scripted: Scripted, text: str
) -> None:
    scripted.declare(text)
    with pytest.raises(
        ConfigurationError, match=f"{PREFIX}/{NAME} declares no test event"
    ) as caught:
        scripted.probes.declared(TARGET)
    assert caught.value.__cause__ is None


def test_an_answer_tells_its_status_and_its_request(scripted: Scripted) -> None:
    scripted.answers(b'{"statusCode": 200, "body": "secret"}', START, f"END RequestId: {REQUEST}")
    answer = scripted.probes.invoke(TARGET, PROBE, qualifier=None)
    assert (answer.request_id, answer.is_error, answer.status) == (REQUEST, False, 200)
    assert "secret" not in repr(answer)


@pytest.mark.parametrize("body", [b"null", b"no JSON", b'["statusCode"]', b'{"statusCode": "200"}'])
def test_an_answer_without_a_status_has_none(scripted: Scripted, body: bytes) -> None:
    scripted.answers(body)
    assert scripted.probes.invoke(TARGET, PROBE, qualifier=None).status is None


def test_the_tail_of_the_log_tells_how_an_invocation_failed(scripted: Scripted) -> None:
    scripted.answers(b"{}", "lost its begin", START, REPORT, FunctionError="Unhandled")
    answer = scripted.probes.invoke(TARGET, PROBE, qualifier=None)
    assert answer.is_error
    assert answer.invocation is not None
    assert (answer.invocation.status, answer.invocation.duration_ms) == ("timeout", 3000.0)


def test_what_another_invocation_left_in_the_tail_is_not_taken_for_its_own(
    scripted: Scripted,
) -> None:
    scripted.answers(b"{}", START.replace("8f0e", "0000"), REPORT.replace("8f0e", "0000"))
    assert scripted.probes.invoke(TARGET, PROBE, qualifier=None).invocation is None


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("AccessDeniedException", 403, AccessDeniedError),
        ("ResourceNotFoundException", 404, TargetNotFoundError),
        ("TooManyRequestsException", 429, TransientServiceError),
    ],
)
def test_an_invocation_that_lambda_refuses_is_told_by_its_error(
    scripted: Scripted, code: str, status: int, error: type[Exception]
) -> None:
    scripted.stubber.add_client_error("invoke", code, "refused", http_status_code=status)
    with pytest.raises(error):
        scripted.probes.invoke(TARGET, PROBE, qualifier=None)


def test_a_function_that_does_not_answer_in_time_is_not_asked_a_second_time(
    account: Account,
) -> None:
    sent: list[object] = []

    def time_out(**call: object) -> None:
        sent.append(call)
        raise ReadTimeoutError(endpoint_url="https://lambda")

    once: Any = account.clients.lambda_once
    once.meta.events.register("before-send.lambda.Invoke", time_out)
    try:
        probes = DeclaredProbes(account.clients.ssm, once, prefix=PREFIX, clock=account.clock)
        with pytest.raises(TransientServiceError):
            probes.invoke(TARGET, PROBE, qualifier="live")
    finally:
        once.meta.events.unregister("before-send.lambda.Invoke", time_out)
    assert len(sent) == 1
