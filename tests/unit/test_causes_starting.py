from __future__ import annotations

import json
from datetime import timedelta

import pytest

from autorepair.causes.starting import INIT_TIMEOUT
from autorepair.causes.weighing import diagnose
from autorepair.domain.diagnosis import Finding, MemoryNeed, RootCause
from autorepair.domain.evidence import Evidence
from unit.around import changed, with_alarm
from unit.logbook import START, Logbook, cites_exist

IMPORTS = ("importing numpy 2.1s", "importing torch 4.8s", "loading model weights")
SPRING = ("Starting OrdersApplication", "Bootstrapping Spring Data JPA repositories")


def find(evidence: Evidence) -> Finding | None:
    return INIT_TIMEOUT.diagnose(evidence)


def need_of(finding: Finding | None) -> MemoryNeed:
    assert finding is not None
    assert finding.cause is RootCause.INIT_TIMEOUT
    assert isinstance(finding.need, MemoryNeed)
    return finding.need


def is_for_people(finding: Finding | None) -> bool:
    assert finding is not None
    assert finding.cause is RootCause.INIT_TIMEOUT
    return not finding.is_repairable and finding.need is None


def cut_starts(
    *said: str, memory_mb: int = 256, used_mb: int = 150, count: int = 4, is_json: bool = False
) -> Logbook:
    log = Logbook(memory_mb=memory_mb, timeout_s=15)
    for n in range(count):
        log.enter(f"env{n}")
        for at, words in enumerate(said):
            log.write(words, after_s=2.0 * at + 1)
        log.now += timedelta(seconds=10)
        log.write(_report(9997.4, "init", is_json=is_json))
        log.is_cold = False
        log.time_out([(2.0 * at + 1, words) for at, words in enumerate(said)], used_mb=used_mb)
        log.write(_report(15003.0, "invoke", is_json=is_json), after_s=-4.99)
    return log


def _report(init_ms: float, phase: str, *, is_json: bool) -> str:
    if not is_json:
        return f"INIT_REPORT Init Duration: {init_ms:.2f} ms\tPhase: {phase}\tStatus: timeout"
    record = {"status": "timeout", "phase": phase, "metrics": {"durationMs": init_ms}}
    return json.dumps({"type": "platform.initReport", "record": record})


@pytest.mark.parametrize("said", [IMPORTS, SPRING, ("Loading EF Core model", "JIT compiling")])
@pytest.mark.parametrize("is_json", [False, True])
def test_a_start_that_loads_until_it_is_cut_wants_processor(
    said: tuple[str, ...],
    is_json: bool,  # noqa: FBT001 (a case of the table)
) -> None:
    evidence = cut_starts(*said, is_json=is_json).evidence()
    finding = find(evidence)
    assert 768 <= need_of(finding).memory_mb <= 1792
    assert finding is not None
    assert finding.confidence >= 0.8
    assert cites_exist(finding, evidence)
    assert diagnose(evidence).root_cause is RootCause.INIT_TIMEOUT


def test_a_size_that_was_lowered_is_gone_back_to() -> None:
    change = changed("memory_mb", 1024, 256, at=START - timedelta(hours=1))
    assert need_of(find(cut_starts(*IMPORTS).evidence(changes=[change]))).memory_mb == 1024


@pytest.mark.parametrize(
    "last",
    [
        "connecting to vault.internal:8200",
        "fetching secret prod/db from secretsmanager",
        "GET https://config.example/app.json",
        "redis: reconnecting, retry 4",
        "Error: connect ETIMEDOUT 10.0.3.4:5432",
    ],
)
def test_a_start_that_hangs_on_somebody_else_is_for_people(last: str) -> None:
    evidence = cut_starts("booting", last).evidence()
    assert is_for_people(find(evidence))


def test_a_start_that_says_nothing_or_has_a_whole_processor_is_for_people() -> None:
    assert is_for_people(find(cut_starts().evidence()))
    assert is_for_people(find(cut_starts(*IMPORTS, memory_mb=3008).evidence()))


def test_starts_that_others_nearly_took_as_long_for_are_slow() -> None:
    log = cut_starts()
    for n in range(6):
        log.enter(f"fine{n}")
        log.call(90)
    log.events = [
        type(e)(e.id, e.at, e.stream, e.message.replace("Duration: 120.00", "Duration: 9400.00"))
        for e in log.events
    ]
    assert need_of(find(log.evidence())).memory_mb >= 768


@pytest.mark.parametrize(
    "report",
    [
        "RESTORE_REPORT Restore Duration: 10011.20 ms\tStatus: timeout",
        (
            '{"type": "platform.restoreReport", "record": {"status": "timeout", '
            '"metrics": {"durationMs": 10011.2}}}'
        ),
    ],
)
def test_a_restore_hook_that_takes_too_long_is_for_people(report: str) -> None:
    log = Logbook(memory_mb=512)
    for n in range(3):
        log.enter(f"env{n}", version="7")
        log.is_cold = False
        log.write("afterRestore: importing caches")
        log.now += timedelta(seconds=10)
        log.write(report)
        log.call(
            10,
            used_mb=4,
            status="Status: error\tError Type: SnapStartTimeoutException",
            last_words="RequestId: {id} Error: Restore phase timed out.",
        )
    assert is_for_people(find(log.evidence()))


def test_a_start_whose_memory_is_full_is_left_to_memory() -> None:
    assert find(cut_starts(*IMPORTS, used_mb=256).evidence()) is None


def test_cut_starts_that_explain_few_of_the_failures_are_no_cause() -> None:
    log = cut_starts(*IMPORTS, count=1)
    log.enter("z")
    for _ in range(8):
        log.fail("[ERROR] KeyError: 'x'\nTraceback (most recent call last):\n  File x")
    assert find(log.evidence()) is None


def test_cut_starts_that_were_made_good_bear_on_an_alarm_about_time() -> None:
    log = Logbook(memory_mb=256, timeout_s=60)
    for n in range(3):
        log.enter(f"env{n}")
        log.write("importing tensorflow", after_s=1)
        log.write("loading model", after_s=6)
        log.now += timedelta(seconds=10)
        log.write(_report(9999.1, "init", is_json=False))
        log.is_cold = False
        log.call(21_000, used_mb=150)
        log.succeed(80, 90)
    finding = find(with_alarm(log.evidence(), "Duration"))
    assert need_of(finding).memory_mb >= 768


def test_a_report_that_the_function_printed_is_not_believed() -> None:
    log = Logbook(timeout_s=15)
    for _ in range(4):
        log.time_out([(1.0, "INIT_REPORT Init Duration: 9999.00 ms\tPhase: init\tStatus: timeout")])
    assert find(log.evidence()) is None


def test_without_cut_starts_nothing_is_found() -> None:
    log = Logbook()
    log.succeed(100, 90)
    log.time_out()
    assert find(log.evidence()) is None
    assert find(Logbook().evidence()) is None


@pytest.mark.parametrize("is_json", [False, True])
def test_a_start_that_is_made_again_within_the_invocation_is_counted_once(*, is_json: bool) -> None:
    finding = find(cut_starts(*SPRING, count=9, is_json=is_json).evidence())
    assert finding is not None
    assert finding.why.startswith("9 cold starts were cut")


def test_starts_that_were_cut_twice_in_one_environment_are_two() -> None:
    log = cut_starts(*SPRING, count=1)
    log.now += timedelta(seconds=10)
    log.write(_report(9998.0, "init", is_json=False))
    finding = find(log.evidence())
    assert finding is not None
    assert finding.why.startswith("2 cold starts were cut")
