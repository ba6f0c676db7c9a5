from __future__ import annotations

import pytest

from autorepair.causes.payload import PAYLOAD_TOO_LARGE
from autorepair.causes.weighing import diagnose
from autorepair.domain.diagnosis import RootCause
from unit.envelopes import (
    Call,
    dead_process,
    failing,
    java,
    node,
    python,
    refused_start,
    reported_as_json,
    told_as_json,
)
from unit.logbook import Logbook, cites_exist

TOO_LARGE: tuple[Call, ...] = (
    refused_start(
        "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
        "Function.ResponseSizeTooLarge",
    ),
    dead_process(
        "[ERROR] [1764102960370] LAMBDA_RUNTIME Failed to post handler success response. "
        "Http response code: 413."
    ),
    python("ClientError: An error occurred (AWS.SimpleQueueService.BatchRequestTooLong)"),
    python("ClientError: (ValidationException): Item size has exceeded the maximum allowed size"),
    python("RequestEntityTooLargeException: 473086 byte payload is too large for the Event invo"),
    python("ClientError: (InvalidParameter) when calling Publish: Message too long"),
    python("ValidationException: Member must have length less than or equal to 262144"),
    python("DataError: (1153, \"Got a packet bigger than 'max_allowed_packet' bytes\")"),
    node("InvalidParameterValue", "Reason: Message must be shorter than 262144 bytes."),
    node("PayloadTooLargeError", "request entity too large"),
    node("AxiosError", "Request failed with status code 413"),
    java(
        "software.amazon.awssdk.services.eventbridge.model.EventBridgeException",
        "Total size of the entries in the request is over the limit.",
    ),
    java("org.apache.kafka.common.errors.RecordTooLargeException", "The message is 1500000 bytes"),
    java("com.mongodb.MongoWriteException", "BSONObj size: 17825792 is invalid"),
    told_as_json(
        "OperationError",
        "RequestTooLargeException: Request must be smaller than 6291456"
        " bytes for the InvokeFunction operation",
    ),
    told_as_json("RpcException", "Received message larger than max (5000000 vs. 4194304)"),
    told_as_json("S3Exception", "EntityTooLarge: Your proposed upload exceeds the maximum allowed"),
)
OTHERS: tuple[Call, ...] = (
    python("DataError: value too long for type character varying(255)"),
    python("MemoryError: Unable to allocate 2.1 GiB; the array is too large"),
    python("ValueError: file size too small"),
    python("KeyError: 'size'"),
    python("RateLimitError: 429 - Request too large for model on tokens per min (TPM)"),
    java("java.lang.OutOfMemoryError", "Requested array size exceeds VM limit"),
    python("ClientError: Rate exceeded: request limit exceeded"),
    python("RecursionError: maximum recursion depth exceeded"),
    python("OSError: [Errno 28] No space left on device"),
    java("java.lang.OutOfMemoryError", "Java heap space"),
    node("Error", "connect ETIMEDOUT 10.0.0.1:443"),
)


@pytest.mark.parametrize("call", TOO_LARGE)
def test_a_payload_above_its_limit_is_known_in_every_language(call: Call) -> None:
    evidence = failing(call).evidence()
    diagnosis = diagnose(evidence)
    assert diagnosis.root_cause is RootCause.PAYLOAD_TOO_LARGE
    assert diagnosis.confidence >= 0.85
    assert (diagnosis.need, diagnosis.is_repairable) == (None, False)
    assert cites_exist(diagnosis, evidence)


def test_the_platforms_own_report_is_enough() -> None:
    evidence = reported_as_json("Function.ResponseSizeTooLarge").evidence()
    diagnosis = diagnose(evidence)
    assert diagnosis.root_cause is RootCause.PAYLOAD_TOO_LARGE
    assert cites_exist(diagnosis, evidence)


@pytest.mark.parametrize("call", OTHERS)
def test_what_only_sounds_alike_is_left_alone(call: Call) -> None:
    assert PAYLOAD_TOO_LARGE.diagnose(failing(call).evidence()) is None


def test_large_requests_fail_while_small_ones_go_well() -> None:
    log = Logbook()
    for _ in range(3):
        log.succeed(20, 25)
        TOO_LARGE[0](log)
    diagnosis = diagnose(log.evidence())
    assert diagnosis.root_cause is RootCause.PAYLOAD_TOO_LARGE
    assert diagnosis.confidence >= 0.9


def test_a_process_killed_for_its_memory_says_nothing_of_payloads() -> None:
    log = Logbook()
    for _ in range(3):
        log.call(
            800,
            used_mb=256,
            says=[(0.1, "ERROR payload too large?")],
            status="Status: error\tError Type: Runtime.OutOfMemory",
            last_words="RequestId: {id} Error: Runtime exited with error: signal: killed",
        )
    assert PAYLOAD_TOO_LARGE.diagnose(log.evidence()) is None


def test_without_failures_or_a_log_nothing_is_found() -> None:
    log = Logbook()
    assert PAYLOAD_TOO_LARGE.diagnose(log.evidence()) is None
    log.succeed(10, 20)
    assert PAYLOAD_TOO_LARGE.diagnose(log.evidence()) is None
