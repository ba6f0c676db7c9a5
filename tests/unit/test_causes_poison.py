from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta

import pytest

from autorepair.causes.poison import POISON_EVENT
from autorepair.causes.weighing import diagnose
from autorepair.domain.diagnosis import Finding, RootCause
from autorepair.domain.evidence import Caller, EventSource, Evidence, MetricSeries
from unit.failing_words import crash, dotnet, java, node, python, ruby
from unit.logbook import START, Logbook, cites_exist

UNREADABLE = python("JSONDecodeError", "Expecting value: line 1 column 1 (char 0)")
QUEUE = EventSource(kind="sqs", source="arn:aws:sqs:eu-west-1:123456789012:orders", batch_size=1)
STREAM = EventSource(kind="kinesis", source="arn:aws:kinesis:eu-west-1:123456789012:stream/clicks")
TABLE = EventSource(kind="dynamodb", source="arn:aws:dynamodb:eu-west-1:123456789012:table/t/s")
TOPIC = EventSource(kind="msk", source="arn:aws:kafka:eu-west-1:123456789012:cluster/c")


def find(evidence: Evidence) -> Finding | None:
    return POISON_EVENT.diagnose(evidence)


def among_others(
    says: Callable[[int], str],
    words: str,
    *,
    sources: Iterable[EventSource] = (QUEUE,),
    times: int = 5,
) -> Evidence:
    """Others are handled before and between the attempts at one of them."""
    log = Logbook()
    for n in range(2 * times):
        log.call(30, says=[(0.001, f"messageId=aaaa-{n:04d} receiveCount=1 stored")])
        if n >= times:
            log.call(4, says=[(0.001, says(n - times)), (0.002, words)])
    return log.evidence().model_copy(update={"event_sources": tuple(sources)})


def age(name: str, *values: float) -> MetricSeries:
    points = tuple((START + timedelta(minutes=n), value) for n, value in enumerate(values))
    return MetricSeries(
        id=name,
        namespace="AWS/Lambda",
        metric_name=name,
        statistic="Maximum",
        period_s=60,
        points=points,
    )


@pytest.mark.parametrize(
    ("says", "words", "source"),
    [
        (lambda n: f"messageId=5b1c07ce-0f41 receiveCount={n + 1}", UNREADABLE, QUEUE),
        (
            lambda n: (
                '{"level":"INFO","message":"processing","message_id":"5b1c07ce-0f41",'
                f'"approximateReceiveCount":"{n + 2}"}}'
            ),
            node("SyntaxError", "Unexpected token < in JSON at position 0"),
            QUEUE,
        ),
        (
            lambda _: "SequenceNumber 49664812873610442901837711830274421",
            ruby("Zlib::DataError", "incorrect header check"),
            STREAM,
        ),
        (
            lambda _: "partition=3 offset=88123441",
            dotnet("Confluent.Kafka.ConsumeException", "Local: Value deserialization error"),
            TOPIC,
        ),
        (
            lambda _: "record eventID: c81e728d9d4c2f636f067f89cc14862c",
            python("KeyError", "'NewImage'", "record['NewImage']"),
            TABLE,
        ),
        (
            lambda _: "reading s3://incoming/2026/03/broken.pdf",
            java("com.itextpdf.text.exceptions.InvalidPdfException", "PDF header not found."),
            QUEUE,
        ),
    ],
)
def test_one_record_that_fails_each_time_while_others_pass_is_poison(
    says: Callable[[int], str], words: str, source: EventSource
) -> None:
    evidence = among_others(says, words, sources=[source])
    diagnosis = diagnose(evidence)
    assert diagnosis.root_cause is RootCause.POISON_EVENT
    assert (diagnosis.need, diagnosis.is_repairable) == (None, False)
    assert diagnosis.confidence >= 0.7
    assert cites_exist(diagnosis, evidence)


def test_a_record_that_crashes_the_process_each_time_is_poison() -> None:
    log = Logbook()
    for _ in range(5):
        log.succeed(30)
        crash(log, "order id=883123\npanic: runtime error: index out of range [3] with length 3")
    evidence = log.evidence().model_copy(update={"event_sources": (QUEUE,)})
    assert diagnose(evidence).root_cause is RootCause.POISON_EVENT


def test_failures_of_different_records_are_no_poison() -> None:
    words = python("TypeError", "unsupported operand")
    evidence = among_others(lambda n: f"messageId=bbbb-{n:04d}", words)
    assert find(evidence) is None
    assert diagnose(evidence).root_cause is RootCause.CODE_BUG


def test_one_record_that_is_never_tried_beside_another_proves_nothing() -> None:
    log = Logbook()
    for _ in range(4):
        log.call(4, says=[(0.001, "messageId=5b1c07ce-0f41"), (0.002, UNREADABLE)])
    assert find(log.evidence()) is None


def test_what_successes_name_as_well_is_not_the_poison() -> None:
    log = Logbook()
    for _ in range(4):
        log.call(30, says=[(0.001, "using key=models/v3.bin")])
        log.call(4, says=[(0.001, "using key=models/v3.bin"), (0.002, python("E", "bad value"))])
    assert find(log.evidence()) is None


def test_messages_that_cannot_be_read_among_others_lean_towards_poison() -> None:
    log = Logbook()
    for _ in range(4):
        log.succeed(30, 30)
        log.fail(UNREADABLE)
    finding = find(log.evidence().model_copy(update={"event_sources": (QUEUE,)}))
    assert finding is not None
    assert 0.6 <= finding.confidence < 0.8
    assert find(log.evidence()) is None


def test_a_shard_that_falls_behind_while_others_go_on_is_stuck() -> None:
    log = Logbook()
    for _ in range(4):
        log.succeed(30)
        log.fail(python("ValueError", "negative amount"))
    climbing = age("IteratorAge", 60_000, 120_000, 180_000, 240_000, 300_000)
    evidence = log.evidence().model_copy(update={"event_sources": (STREAM,)})
    assert find(evidence) is None
    late = evidence.model_copy(update={"metrics": (climbing,)})
    finding = find(late)
    assert finding is not None
    assert finding.confidence >= 0.7


def test_the_retries_of_one_asynchronous_event_are_poison() -> None:
    log = Logbook()
    for n in range(6):
        log.calls = 10 + n
        log.succeed(30)
        if n in {1, 2, 3}:
            log.calls = 899
            log.fail(python("ValueError", "no such variant"))
    finding = find(log.evidence())
    assert finding is not None
    assert finding.confidence >= 0.7


def test_a_message_that_is_cut_each_time_is_poison_only_beside_others_that_are_not() -> None:
    log = Logbook(timeout_s=10)
    for n in range(5):
        log.succeed(30, 40)
        log.time_out([(0.001, f"messageId=5b1c07ce-0f41 receiveCount={n + 1}")])
    evidence = log.evidence().model_copy(update={"event_sources": (QUEUE,)})
    assert diagnose(evidence).root_cause is RootCause.POISON_EVENT
    alone = Logbook(timeout_s=10)
    for n in range(5):
        alone.time_out([(0.001, f"messageId=5b1c07ce-0f41 receiveCount={n + 1}")])
    assert find(alone.evidence()) is None


def test_a_record_that_is_reported_and_never_fails_a_call_is_found_too() -> None:
    log = Logbook()
    for _ in range(5):
        log.call(30, says=[(0.001, "messageId=5b1c07ce-0f41 failed: bad currency")])
    evidence = log.evidence()
    assert find(evidence) is None
    finding = find(evidence.model_copy(update={"event_sources": (QUEUE,)}))
    assert finding is not None
    assert cites_exist(finding, evidence)


def test_without_a_log_nothing_is_found() -> None:
    assert find(Logbook().evidence()) is None


def killed_by_one(*, used_mb: int) -> Evidence:
    log = Logbook(memory_mb=256, timeout_s=10)
    for n in range(12):
        log.call(300, used_mb=used_mb, says=[(0.001, f"messageId=aa01-{n:03d} receiveCount=1")])
    for n in range(4):
        said = [(0.001, f"messageId=77aa-01fe receiveCount={n + 4}")]
        log.call(
            800,
            used_mb=256,
            says=said,
            status="Status: error\tError Type: Runtime.OutOfMemory",
            last_words="RequestId: {id} Error: Runtime exited with error: signal: killed\n",
        )
    return log.evidence().model_copy(update={"event_sources": (QUEUE,)})


def test_one_message_that_kills_where_all_others_need_a_fraction_is_set_aside() -> None:
    diagnosis = diagnose(killed_by_one(used_mb=90))
    assert diagnosis.root_cause is RootCause.POISON_EVENT
    assert diagnosis.need is None
    assert diagnose(killed_by_one(used_mb=200)).root_cause is RootCause.MEMORY_EXHAUSTED


def test_a_message_that_is_reported_as_failed_is_found_where_only_the_caller_is_known() -> None:
    log = Logbook()
    for n in range(5):
        log.call(30, says=[(0.001, f"messageId=bbbb-{n:04d} stored")])
        log.call(30, says=[(0.001, "messageId=0b7c-11 failed: JSONDecodeError: Expecting value")])
    caller = Caller(kind="sqs", source="sqs")
    finding = find(log.evidence(callers=[caller]))
    assert finding is not None
    assert finding.cause is RootCause.POISON_EVENT
    assert find(log.evidence()) is None
