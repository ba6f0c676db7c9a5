"""What is kept of a log that is too long to be kept."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import pytest

from autorepair.domain.log_events import RawEvent
from autorepair.domain.log_format import assemble
from autorepair.domain.log_sampling import LogSampler, is_mark
from unit.logbook import START, Logbook

TRACE = "[ERROR] {}: no\nTraceback (most recent call last):\n  File"


def sampled(log: Logbook) -> LogSampler:
    sampler = LogSampler()
    for event in log.events:
        if is_mark(event.message):
            sampler.take(event)
    sampler.finish()
    return sampler


def test_a_short_log_is_kept_whole_but_for_what_was_only_said() -> None:
    log = Logbook()
    log.call(40, says=[(0.01, "hello")])
    log.time_out(says=[(0.01, "waiting")])
    log.fail(TRACE.format("KeyError"))

    sampler = sampled(log)
    kept, _ = assemble(sorted({e.id: e for e in sampler.events}.values(), key=lambda e: e.at))

    assert [i.status for i in kept] == [i.status for i in assemble(log.events)[0]]
    assert (sampler.invocations, sampler.failures) == (3, 2)
    assert not {"hello", "waiting"} & {event.message for event in sampler.events}


def test_the_first_failures_the_last_and_each_signature_are_kept() -> None:
    log = Logbook()
    for number in range(300):
        log.fail(TRACE.format("RareError" if number == 150 else "KeyError"))

    sampler = sampled(log)
    words = [s.words[-1].message for s in sampler.failing]
    starts = [s.start.id for s in sampler.failing if s.start is not None]
    begun = [event.id for event in log.events if event.message.startswith("START")]

    assert sum("RareError" in said for said in words) == 1
    assert set(begun[:20]) | set(begun[-20:]) <= set(starts)
    assert len(sampler.failing) < 50
    assert len({s.signature for s in sampler.failing[:2]}) == 2


@pytest.mark.parametrize("calls", [1_500, 12_000])
def test_the_shares_of_what_happened_stay_what_they_are(calls: int) -> None:
    log = Logbook(timeout_s=1)
    for number in range(calls):
        if number % 3 == 0:
            log.time_out()
        else:
            log.succeed(40)

    sampler = sampled(log)
    kept, _ = assemble(sorted({e.id: e for e in sampler.events}.values(), key=lambda e: e.at))
    share = sum(i.status == "timeout" for i in kept) / len(kept)

    assert sampler.invocations == calls
    assert 500 < len(kept) <= 2_100
    assert share == pytest.approx(1 / 3, abs=0.03)


def test_a_line_of_any_length_is_cut_and_any_number_of_words_bounded() -> None:
    log = Logbook()
    log.call(40, says=[(0.001 * n, "[ERROR] x" + "x" * 90_000) for n in range(50)])
    assert sum(len(event.message) for event in sampled(log).events) < 70_000


def test_environments_without_number_do_not_fill_the_memory() -> None:
    sampler = LogSampler()
    for number in range(5_000):
        request_id = f"00000000-0000-4000-8000-{number:012}"
        message = f"START RequestId: {request_id} Version: 1"
        at = START + timedelta(seconds=number)
        sampler.take(RawEvent(f"e{number}", at, f"s{number}", message))
    assert sampler.invocations == 3_000, "the oldest are counted and closed"


def test_the_json_format_is_sampled_alike() -> None:
    sampler = LogSampler()
    record = '{{"time": "t", "type": "platform.{}", "record": {{"requestId": "{}"{}}}}}'
    lines = [("start", ""), ("report", ', "status": "error"'), ("start", ""), ("report", "")]
    for number, (kind, more) in enumerate(lines):
        request_id = f"00000000-0000-4000-8000-{number // 2:012}"
        at = START + timedelta(seconds=number)
        sampler.take(RawEvent(f"e{number}", at, "s", record.format(kind, request_id, more)))
    sampler.finish()
    assert (sampler.invocations, sampler.failures) == (2, 1)


def characters(events: Iterable[RawEvent]) -> int:
    return sum(len(event.message) for event in events)


@pytest.mark.parametrize(
    "forged",
    ["{} RequestId: 00000000-0000-4000-8000-{:012d} {}", '{{"type":"platform.{}","{}":"{}'],
)
def test_what_code_prints_in_the_words_of_the_platform_is_not_kept_whole(forged: str) -> None:
    sampler = LogSampler()
    for number in range(1_200):
        for word in ("START", "REPORT") if "Req" in forged else ("start", "report"):
            at = START + timedelta(seconds=number)
            told = forged.format(word, number, "A" * 60_000)
            sampler.take(RawEvent(f"{number}{word}", at, "s", told))
    sampler.finish()
    assert sampler.invocations == 1_200
    assert characters(sampler.events) < 12_000_000


@pytest.mark.parametrize("is_begun", [True, False])
def test_streams_that_are_open_at_one_time_share_one_bound(is_begun: bool) -> None:  # noqa: FBT001 - a parameter of the test
    sampler = LogSampler()
    for number in range(5_000):
        stream = f"s{number}"
        if is_begun:
            sampler.take(RawEvent(f"{number}b", START, stream, "START RequestId: x"))
        for word in range(4):
            told = TRACE.format("KeyError") + "A" * 16_000
            sampler.take(RawEvent(f"{number}/{word}", START, stream, told))
    assert len(sampler._open) <= 2_000
    assert characters(e for one in sampler._open.values() for e in one.events) < 16_000_000
    sampler.finish()
    assert (sampler.failures, sampler._held) == (5_000, 0)
