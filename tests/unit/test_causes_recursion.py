from __future__ import annotations

import pytest

from autorepair.causes.recursion import RECURSIVE_LOOP
from autorepair.causes.weighing import diagnose
from autorepair.domain.diagnosis import Finding, RootCause
from autorepair.domain.evidence import EventSource, Evidence
from unit.around import series, with_alarm, with_metrics
from unit.logbook import Logbook

GROWING = [4, 5, 4, 5, 8, 12, 19, 30, 46, 70, 110, 160, 240]
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:order-status"


def find(evidence: Evidence) -> Finding | None:
    return RECURSIVE_LOOP.diagnose(evidence)


def busy(*said: str, invocations: list[int] | None = None, dropped: int = 0) -> Evidence:
    log = Logbook()
    for words in said:
        log.call(90, says=[(0.01, words)])
    found = [series("Invocations", "Sum", [float(v) for v in invocations or GROWING])]
    if dropped:
        found.append(series("RecursiveInvocationsDropped", "Sum", [0.0, float(dropped)]))
    evidence = with_metrics(log.evidence(), *found)
    source = EventSource(kind="sqs", source=QUEUE)
    return evidence.model_copy(update={"event_sources": (source,)})


def is_loop(finding: Finding | None) -> bool:
    return finding is not None and finding.cause is RootCause.RECURSIVE_LOOP


def test_what_lambda_dropped_as_recursive_proves_the_loop() -> None:
    finding = find(busy("order 1", dropped=12))
    assert is_loop(finding)
    assert finding is not None
    assert finding.confidence >= 0.9
    assert not finding.is_repairable
    assert finding.cites == ("metric:RecursiveInvocationsDropped.Sum",)


@pytest.mark.parametrize(
    "words",
    [
        "sent 2 messages to order-status",
        "requeued order 7, still pending",
        "order 7 pending hop=9",
        "message put back on the same queue",
        '{"message": "SendMessage ok", "depth": 6}',
    ],
)
def test_growth_and_output_that_comes_back_is_a_loop(words: str) -> None:
    evidence = busy(*[words] * 5)
    assert is_loop(find(evidence))
    assert diagnose(evidence).root_cause is RootCause.RECURSIVE_LOOP


def test_names_that_grow_turn_by_turn_are_a_loop_even_on_a_plateau() -> None:
    said = [f"wrote thumbs/{'thumb-' * depth}a.jpg" for depth in (3, 4, 5, 6)]
    evidence = with_alarm(busy(*said, invocations=[480] * 20), "Invocations")
    assert is_loop(find(evidence))


def test_growth_alone_or_words_alone_are_no_loop() -> None:
    assert find(busy(*["served order 7"] * 5)) is None
    assert find(busy(*["requeued order 7"] * 5, invocations=[40, 41, 39, 40, 42, 40, 41])) is None
    peak = [40, 42, 41, 40, 300, 310, 305, 300, 298, 301]
    assert find(busy(*["requeued order 7"] * 5, invocations=peak)) is None


def test_the_sdks_own_word_for_it_in_the_failures_counts() -> None:
    log = Logbook()
    for _ in range(3):
        log.fail(
            "[ERROR] RecursiveInvocationException: An error occurred when calling the Invoke "
            "operation: Lambda has detected your function being invoked in a recursive loop"
            "\nTraceback (most recent call last):\n  File x"
        )
    assert is_loop(find(log.evidence()))


def test_the_same_words_printed_by_a_success_do_not() -> None:
    log = Logbook()
    log.call(10, says=[(0.001, "RecursiveInvocationException: recursive loop detected")])
    assert find(log.evidence()) is None


def test_without_metrics_and_log_nothing_is_found() -> None:
    assert find(Logbook().evidence()) is None


def test_growth_that_sets_out_from_a_level_is_growth() -> None:
    level = [2] * 12 + [20, 23, 26, 31, 36, 42, 48, 56, 65, 76, 88, 102, 118, 118]
    for words in ("PutEvents ok depth=9", "update_item order-status ok"):
        assert is_loop(find(busy(*[words] * 5, invocations=level)))


def test_a_count_of_turns_that_goes_up_and_up_is_a_loop_at_a_constant_rate() -> None:
    said = [f"lead 7 hop={n}" for n in range(3, 40, 3)]
    steady = with_alarm(busy(*said, invocations=[60] * 20), "Invocations")
    assert is_loop(find(steady))
    mixed = [f"node depth={n}" for n in (3, 18, 4, 17, 3, 19, 2, 18)]
    assert find(with_alarm(busy(*mixed, invocations=[60] * 20), "Invocations")) is None


TABLE = "arn:aws:dynamodb:eu-west-1:123456789012:table/profiles/stream/2025-11-03T08:12:44.101"
LINEAR = [1] * 6 + [120 + 90 * n for n in range(20)]


def written(
    *, key: str = "user#118", more: int = 1, source: str = TABLE, minutes: list[int] = LINEAR
) -> Evidence:
    log = Logbook()
    for n in range(12):
        name = key.format(n=n)
        came, went = f"MODIFY {name} visits={40 * n}", f"updateItem {name} visits={40 * n + more}"
        log.call(90, says=[(0.01, came), (0.03, went)])
    evidence = with_metrics(
        log.evidence(), series("Invocations", "Sum", [float(v) for v in minutes])
    )
    source_ = EventSource(kind="dynamodb", source=source)
    return evidence.model_copy(update={"event_sources": (source_,)})


def test_a_count_that_comes_back_in_the_change_of_its_own_record_is_a_loop() -> None:
    finding = find(written())
    assert is_loop(finding)
    assert finding is not None
    assert not finding.is_repairable


@pytest.mark.parametrize(
    "changes",
    [
        {"key": "user#{n}"},
        {"more": 0},
        {"more": 7},
        {"source": QUEUE},
        {"minutes": [30] * 25},
    ],
)
def test_other_keys_other_counts_another_source_or_steady_traffic_are_no_way_back(
    changes: dict[str, object],
) -> None:
    assert find(written(**changes)) is None  # type: ignore[arg-type] # a table of single changes
