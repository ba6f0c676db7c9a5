from __future__ import annotations

from datetime import timedelta

import pytest

from autorepair.causes.processor import is_busy, processor_share, processor_size_mb
from autorepair.causes.starvation import CPU_STARVED
from autorepair.causes.weighing import diagnose
from autorepair.domain.diagnosis import Finding, MemoryNeed, RootCause
from autorepair.domain.evidence import Evidence, LogLine
from unit.around import changed, in_json, series, with_alarm, with_metrics
from unit.logbook import START, Logbook, cites_exist


def find(evidence: Evidence) -> Finding | None:
    return CPU_STARVED.diagnose(evidence)


def need_of(finding: Finding | None) -> MemoryNeed:
    assert finding is not None
    assert finding.cause is RootCause.CPU_STARVED
    assert isinstance(finding.need, MemoryNeed)
    assert finding.need.basis == "processor"
    return finding.need


def tiny(words: str, *, memory_mb: int = 128, timeout_s: float = 6) -> Logbook:
    """Slow calls beside time-outs, all of which say the same before they go to work."""
    log = Logbook(memory_mb=memory_mb, timeout_s=timeout_s)
    for n in range(8):
        log.call(timeout_s * (700 + 30 * n), used_mb=60, says=[(0.1, words)])
    for _ in range(4):
        log.time_out([(0.1, words)], used_mb=60)
    return log


@pytest.mark.parametrize(
    "words",
    [
        "bcrypt cost=12 wall_ms=4100 cpu_ms=280",
        '{"level": "info", "msg": "argon2 done", "wall_ms": 4100, "cpu_ms": 300}',
        "pbkdf2 finished elapsed=4.1s cpu_time=0.27s",
        "2026-03-04 05:06:07 INFO c.a.Hasher hashed, duration: 4100 ms, cpu time: 310 ms",
        "verified signature wall: 3900 ms cpu: 250 ms",
        "rsa4096 signed in 2580ms cpu_user=184ms",
        "signed in 3.9 s (280 ms CPU)",
        '{"msg": "signed", "elapsedMs": 4100, "threadCpuTimeMs": 280}',
        "signed, wall_ms=4100 cpu.user.us=280000",
        "signed, elapsed=4.1s utime=0.29s",
    ],
)
def test_processor_time_far_below_wall_time_as_the_size_gives_it(words: str) -> None:
    evidence = tiny(words).evidence()
    finding = find(evidence)
    assert 512 <= need_of(finding).memory_mb <= 1792
    assert finding is not None
    assert finding.confidence >= 0.8
    assert cites_exist(finding, evidence)


def test_processor_time_that_is_next_to_none_is_waiting_for_somebody() -> None:
    assert find(tiny("handled wall_ms=4100 cpu_ms=9").evidence()) is None
    assert find(tiny("query took wall_ms=4100 cpu_ms=280 sql").evidence()) is None


@pytest.mark.parametrize(
    "words",
    [
        "process cpu 97%",
        "cpu_percent=99.1",
        '{"msg": "tick", "cpuUtilization": 98}',
        "cpu_bound=true",
    ],
)
def test_a_busy_processor_at_a_small_size_is_starved(words: str) -> None:
    evidence = tiny(f"resize {words}", memory_mb=512).evidence()
    assert need_of(find(evidence)).memory_mb >= 1024


@pytest.mark.parametrize(
    "words",
    [
        "bcrypt.hash rounds=12",
        "rendering pdf with 14 pages",
        "sharp: resizing 4032x3024",
        "generating rsa key pair",
        "running onnx inference",
    ],
)
def test_work_for_the_processor_at_a_sliver_of_one_is_starved(words: str) -> None:
    finding = find(tiny(words, memory_mb=128).evidence())
    assert 512 <= need_of(finding).memory_mb <= 1792


def test_the_same_work_at_a_fair_size_is_merely_slow() -> None:
    log = tiny("rendering pdf with 14 pages", memory_mb=1024)
    assert find(log.evidence()) is None
    assert diagnose(log.evidence()).root_cause is RootCause.TIMEOUT_TOO_LOW


def test_a_whole_processor_or_a_used_memory_is_not_starved() -> None:
    assert find(tiny("cpu 99% resize", memory_mb=2048).evidence()) is None
    log = Logbook(memory_mb=128, timeout_s=6)
    for _ in range(6):
        log.time_out([(0.1, "bcrypt wall_ms=4100 cpu_ms=280")], used_mb=120)
    assert find(log.evidence()) is None


def lowered(*, slow_ms: float = 8000) -> Logbook:
    log = Logbook(memory_mb=1024, timeout_s=10)
    log.succeed(2000, 2100, 1900, 2050, used_mb=110)
    log.memory_mb = 256
    log.enter("b")
    for _ in range(4):
        log.call(slow_ms, used_mb=112)
    log.time_out(used_mb=112)
    return log


def test_work_that_was_faster_with_more_memory_gets_the_former_size() -> None:
    evidence = lowered().evidence(memory_mb=256)
    finding = find(evidence)
    assert need_of(finding).memory_mb == 1024
    assert finding is not None
    assert finding.confidence >= 0.9
    assert diagnose(evidence).root_cause is RootCause.CPU_STARVED


def test_a_size_that_was_lowered_without_an_effect_explains_nothing() -> None:
    assert find(lowered(slow_ms=2100).evidence(memory_mb=256)) is None


def test_a_lowered_size_shows_in_the_metrics_where_the_log_begins_too_late() -> None:
    log = Logbook(memory_mb=256, timeout_s=10)
    log.now = START + timedelta(minutes=20)
    for _ in range(4):
        log.call(7000, used_mb=90)
    log.time_out(used_mb=90)
    change = changed("memory_mb", 1024, 256, at=START + timedelta(minutes=10))
    durations = series("Duration", "Average", [1500.0] * 10 + [7000.0] * 10)
    evidence = with_metrics(log.evidence(changes=[change]), durations)
    assert need_of(find(evidence)).memory_mb == 1024
    flat = with_metrics(evidence, series("Duration", "Average", [7000.0] * 20))
    assert find(flat) is None


def test_a_duration_alarm_without_any_failure_is_looked_at_too() -> None:
    log = Logbook(memory_mb=128, timeout_s=60)
    for _ in range(8):
        log.call(9000, used_mb=60, says=[(0.1, "argon2id wall_ms=8800 cpu_ms=640")])
    evidence = with_alarm(log.evidence(), "Duration")
    assert need_of(find(evidence)).memory_mb >= 512
    assert find(with_alarm(log.evidence(), "Invocations")) is None


def cold(
    runtime: str = "java21", *, init: float = 8000, last: str = "Root context ready"
) -> Evidence:
    log = Logbook(memory_mb=512, timeout_s=10)
    for n in range(3):
        log.enter(f"env{n}")
        log.time_out([(5.0, "Starting App using Java 21"), (9.0, last)], used_mb=200)
        log.enter(f"warm{n}")
        log.call(7000, used_mb=200, says=[(5.0, "Starting App using Java 21")])
        log.succeed(80, 90, 100, used_mb=210)
    log.events = [
        type(e)(
            e.id, e.at, e.stream, e.message.replace("Duration: 120.00", f"Duration: {init:.2f}")
        )
        for e in log.events
    ]
    return log.evidence(runtime=runtime)


def test_cold_starts_alone_that_are_slow_want_processor() -> None:
    finding = find(cold())
    assert 1024 <= need_of(finding).memory_mb <= 3008
    assert finding is not None
    assert finding.confidence >= 0.8
    assert diagnose(cold()).root_cause is RootCause.CPU_STARVED


def test_cold_starts_that_connect_to_somebody_or_start_quickly_are_another_matter() -> None:
    assert find(cold(last="connecting to orders-db.internal:5432")) is None
    assert find(cold("nodejs20.x", init=250)) is None


def test_a_processor_that_waits_in_json_logs_is_seen_too() -> None:
    evidence = in_json(tiny('{"msg": "bcrypt", "wall_ms": 4100, "cpu_ms": 280}')).evidence()
    assert need_of(find(evidence)).memory_mb >= 512


def test_without_slow_invocations_nothing_is_found() -> None:
    log = Logbook(memory_mb=128)
    log.succeed(100, 120, 90)
    assert find(log.evidence()) is None
    assert find(Logbook().evidence()) is None


@pytest.mark.parametrize(
    ("memory_mb", "duration_ms", "target_ms", "least", "most"),
    [
        (128, 9000, 3000, 512, 1792),
        (256, 15_000, 7500, 1024, 1792),
        (512, 21_000, 6000, 1024, 1792),
        (1024, 12_000, 8000, 1792, 1792),
        (1700, 60_000, 1000, 1792, 1792),
    ],
)
def test_the_size_follows_the_duration_within_one_processor(
    memory_mb: int, duration_ms: float, target_ms: float, least: int, most: int
) -> None:
    size = processor_size_mb(memory_mb, duration_ms=duration_ms, target_ms=target_ms)
    assert least <= size <= most


@pytest.mark.parametrize(
    "text",
    [
        "done in 4100 ms",
        "cpu 97%",
        "wall_ms=0 cpu_ms=0",
        "user 12345 total 99 s",
        "",
        "wall_ms=5",
        "user 42 signed in 4100 ms",
        "in 4100 ms on 2 cpus",
        "cpu 250 ms for 10 in 4 batches",
    ],
)
def test_a_share_wants_both_clocks(text: str) -> None:
    assert processor_share(text) is None


@pytest.mark.parametrize("text", ["cpu 12%", "cpu limit 2", "error rate 99%", "cpus: 6"])
def test_an_idle_processor_is_not_busy(text: str) -> None:
    assert not is_busy(LogLine(id="l", at=START, stream="s", message=text))


def test_a_lowered_size_is_cleared_by_what_was_well_after_it_or_waits_for_others() -> None:
    change = changed("memory_mb", 1024, 256, at=START - timedelta(days=5))
    log = Logbook(memory_mb=256, timeout_s=10)
    log.succeed(*[200] * 8, used_mb=90)
    for _ in range(4):
        log.time_out([(0.1, "quote asked for")], used_mb=90)
    assert find(log.evidence(changes=[change])) is None
    waiting = Logbook(memory_mb=256, timeout_s=10)
    for _ in range(4):
        waiting.time_out([(0.1, "calling the carrier")], used_mb=90)
    assert find(waiting.evidence(changes=[change])) is None


def test_work_that_counts_towards_an_end_is_left_to_the_timeout() -> None:
    log = Logbook(memory_mb=256, timeout_s=10)
    log.succeed(8000, 8500, 9000, used_mb=90)
    for _ in range(4):
        log.time_out([(4.0, "rendered page 3 of 9"), (9.0, "rendered page 7 of 9")], used_mb=90)
    assert find(log.evidence()) is None


def test_reading_and_writing_at_a_small_size_is_not_starved() -> None:
    log = Logbook(memory_mb=128, timeout_s=30)
    log.succeed(22_000, 25_000, 28_000, used_mb=80)
    for _ in range(4):
        log.time_out([(0.1, "importing orders.csv"), (28.0, "sorted 2800 rows")], used_mb=80)
    assert find(log.evidence()) is None
