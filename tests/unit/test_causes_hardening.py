"""Words that strangers, clocks and careless loggers write must not lead to a repair."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from autorepair.causes.weighing import diagnose
from autorepair.domain.diagnosis import Diagnosis, EnvironmentNeed, RootCause
from autorepair.domain.evidence import Evidence, Gap, MetricSeries
from autorepair.repairs.guardrails import UNATTENDED_CONFIDENCE
from unit.logbook import START, Logbook

WARNING = "CACHE_URL is not set, using the default"
DIVISION = '[ERROR] ZeroDivisionError: no\nTraceback (most recent call last):\n  File "a", line 1'
KEY_ERROR = "[ERROR] KeyError: 'id'\nTraceback (most recent call last):\n  File \"a\", line 1"
EXIT_1 = "RequestId: {id} Error: Runtime exited with error: exit status 1\nRuntime.ExitError"
KILL = "RequestId: {id} Error: Runtime exited with error: signal: killed\nRuntime.ExitError"
EXITED = "Status: error\tError Type: Runtime.ExitError"


def may_act_unattended(diagnosis: Diagnosis) -> bool:
    return diagnosis.is_repairable and diagnosis.confidence >= UNATTENDED_CONFIDENCE


def test_a_warning_that_successes_print_too_names_no_missing_variable() -> None:
    log = Logbook()
    for _ in range(20):
        log.call(300, says=[(0.1, WARNING)])
    for _ in range(4):
        log.call(4, says=[(0.001, WARNING), (0.002, DIVISION)])
    diagnosis = diagnose(log.evidence(declared=["CACHE_URL"]))
    assert diagnosis.root_cause is not RootCause.MISSING_ENV_VAR


def test_a_crash_that_names_what_successes_lack_as_well_has_another_cause() -> None:
    log = Logbook()
    log.call(300, says=[(0.1, WARNING)])
    log.call(4, says=[(0.001, WARNING)], status=EXITED, last_words=EXIT_1)
    diagnosis = diagnose(log.evidence())
    assert diagnosis.root_cause is not RootCause.MISSING_ENV_VAR


def test_a_warning_in_time_outs_does_not_outrank_the_proven_time_out() -> None:
    log = Logbook(timeout_s=10)
    log.succeed(*[9000] * 6)
    for _ in range(6):
        log.time_out(says=[(0.1, WARNING)])
    diagnosis = diagnose(log.evidence(declared=["CACHE_URL"]))
    assert diagnosis.root_cause is RootCause.TIMEOUT_TOO_LOW


def test_a_flood_of_names_is_no_list_of_missing_variables() -> None:
    log = Logbook()
    for call in range(40):
        names = " ".join(f"{'Q' * 20}_{call}_{n} is required" for n in range(200))
        log.fail(f"[ERROR] ValueError: bad input\nTraceback {names}")
    diagnosis = diagnose(log.evidence())
    assert diagnosis.root_cause is not RootCause.MISSING_ENV_VAR
    assert len(diagnosis.model_dump_json()) < 5000


def test_of_a_flood_of_names_the_declared_ones_are_believed() -> None:
    log = Logbook()
    names = " ".join(f"Q_{n} is required" for n in range(50))
    log.fail(f"[ERROR] ValueError: {names}\nTraceback")
    declared = [f"Q_{n}" for n in range(30)]
    diagnosis = diagnose(log.evidence(declared=declared))
    assert isinstance(diagnosis.need, EnvironmentNeed)
    assert set(diagnosis.need.names) == set(declared)
    assert "and 20 more" in diagnosis.why


HEAVY = {
    "names": "environment variable A_B is not se ",
    "capitals": "ABCDEFGH_" * 13 + " ",
    "lack": "X_Y ",
    "articles": "required the ",
    "endless article": " the",
    "missing": "missing required the ",
    "quotes": "`A",
    "variables": "env var ",
    "node": "process.env.AAA ",
    "fractions": "1 of 2 of ",
    "heap": "<--- ",
    "tracebacks": "[ERROR] A: Traceback\n ",
    "ids": "RequestId: 00000000-0000-4000-8000-0000000000aa Error: ",
}


@pytest.mark.parametrize("words", HEAVY.values(), ids=HEAVY)
def test_megabytes_of_the_worst_words_are_searched_in_seconds(words: str) -> None:
    log = Logbook(timeout_s=10)
    for call in range(5):
        text = words * (20_000 // len(words))
        says = [(0.001 * n, f"{text} {call} {n}") for n in range(20)]
        if call % 2:
            log.call(900, says=[*says, (0.03, DIVISION)])
        else:
            log.time_out(says=says)
    began = time.process_time()
    diagnose(log.evidence())
    assert time.process_time() - began < 300


def test_a_strangers_word_for_exhausted_memory_raises_none() -> None:
    log = Logbook(memory_mb=256)
    log.succeed(*[300] * 10, used_mb=210)
    agent = "INFO user agent: java.lang.OutOfMemoryError"
    for _ in range(4):
        log.call(4, used_mb=210, says=[(0.001, agent), (0.002, KEY_ERROR)])
    assert diagnose(log.evidence()).root_cause is not RootCause.MEMORY_EXHAUSTED


@pytest.mark.parametrize(
    "words",
    [
        "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
        "java.lang.OutOfMemoryError: Java heap space",
    ],
)
def test_the_last_words_of_another_runtime_prove_nothing(words: str) -> None:
    log = Logbook(memory_mb=256)
    for _ in range(4):
        log.call(4, used_mb=230, says=[(0.001, words)], status=EXITED, last_words=EXIT_1)
    python = diagnose(log.evidence(runtime="python3.12"))
    assert python.root_cause is not RootCause.MEMORY_EXHAUSTED
    own = "nodejs20.x" if "FATAL" in words else "java21"
    assert diagnose(log.evidence(runtime=own)).root_cause is RootCause.MEMORY_EXHAUSTED


def test_an_exception_is_known_by_its_type_and_not_by_what_it_quotes() -> None:
    log = Logbook(memory_mb=256)
    for _ in range(4):
        words = "[ERROR] ValueError: got 'MemoryError'\nTraceback (most recent call last):\n  F"
        log.fail(words, used_mb=230)
    assert diagnose(log.evidence()).root_cause is not RootCause.MEMORY_EXHAUSTED


def test_an_exit_with_a_memory_that_is_always_full_is_not_about_memory() -> None:
    log = Logbook(memory_mb=256)
    log.succeed(*[300] * 20, used_mb=255)
    for _ in range(4):
        log.call(4, used_mb=255, status=EXITED, last_words=EXIT_1)
    assert diagnose(log.evidence()).root_cause is not RootCause.MEMORY_EXHAUSTED


def test_only_a_process_that_was_killed_was_killed_by_its_memory() -> None:
    exited, killed = Logbook(memory_mb=256), Logbook(memory_mb=256)
    for _ in range(3):
        exited.call(4, used_mb=250, status=EXITED, last_words=EXIT_1)
        killed.call(4, used_mb=250, status=EXITED, last_words=KILL)
    assert diagnose(exited.evidence()).root_cause is not RootCause.MEMORY_EXHAUSTED
    assert diagnose(killed.evidence()).root_cause is RootCause.MEMORY_EXHAUSTED


@pytest.mark.parametrize("marks", [(90, 170), (150,)])
def test_a_leak_that_is_too_fast_to_be_proven_is_for_a_person_to_decide(
    marks: tuple[int, ...],
) -> None:
    log = Logbook(memory_mb=256)
    for life in range(3):
        log.enter(f"life{life}")
        for used in marks:
            log.succeed(300, used_mb=used)
        log.be_killed()
    diagnosis = diagnose(log.evidence())
    assert not may_act_unattended(diagnosis)
    assert "leak" in diagnosis.why


def counting(words: str) -> list[tuple[float, str]]:
    return [(float(n), words.format(n)) for n in range(1, 10)]


@pytest.mark.parametrize(
    "words",
    [
        "lock held by another worker, {} s elapsed",
        "health: alive, uptime={}",
        '{{"message": "alive", "uptime": {}}}',
        "tick {}",
        "elapsed: {}.5",
    ],
)
def test_a_clock_that_runs_on_is_no_progress(words: str) -> None:
    log = Logbook(timeout_s=10)
    log.succeed(*[300] * 10)
    for _ in range(4):
        log.time_out(says=counting(words))
    assert not diagnose(log.evidence()).is_repairable


@pytest.mark.parametrize(
    ("words", "is_sure"),
    [
        ("rendered page {} of 12 of invoice 7", True),
        ("step {}/12", True),
        ("{}0% done", True),
        ("seen {} of 9 of 12", True),
        ("stored row {}", False),
        ("{} of 3 nodes answer", False),
    ],
)
def test_only_steps_towards_a_known_end_are_reason_to_act_unattended(
    words: str,
    *,
    is_sure: bool,
) -> None:
    log = Logbook(timeout_s=10)
    for _ in range(4):
        log.time_out(says=counting(words))
    diagnosis = diagnose(log.evidence())
    assert diagnosis.root_cause is RootCause.TIMEOUT_TOO_LOW
    assert may_act_unattended(diagnosis) is is_sure


def test_steps_of_different_kinds_are_progress() -> None:
    log = Logbook(timeout_s=10)
    for _ in range(4):
        log.time_out(says=[(3, "rows loaded"), (6, "rows sorted"), (9, "rows written")])
    assert may_act_unattended(diagnose(log.evidence()))


def test_a_log_read_in_part_is_never_reason_enough_to_act_unattended() -> None:
    log = Logbook(memory_mb=256)
    log.be_killed()
    log.be_killed()
    assert may_act_unattended(diagnose(log.evidence()))
    part = diagnose(log.evidence(gaps=[Gap(source="logs", reason="left out")]))
    assert part.root_cause is RootCause.MEMORY_EXHAUSTED
    assert not may_act_unattended(part)


def counted(log: Logbook, *, invocations: float, errors: float) -> Evidence:
    series = [
        MetricSeries(
            id=f"metric/{name}/Sum",
            namespace="AWS/Lambda",
            metric_name=name,
            statistic="Sum",
            period_s=60,
            points=tuple((START + timedelta(minutes=n), value / 10) for n in range(10)),
        )
        for name, value in (("Invocations", invocations), ("Errors", errors))
    ]
    late = START + timedelta(hours=1)
    return log.evidence().model_copy(update={"metrics": tuple(series), "collected_at": late})


def test_a_log_that_tells_of_more_than_the_metrics_count_is_not_acted_on_unattended() -> None:
    log = Logbook(memory_mb=256)
    for _ in range(20):
        log.be_killed()
    assert may_act_unattended(diagnose(counted(log, invocations=20, errors=20)))
    assert may_act_unattended(diagnose(counted(log, invocations=900, errors=700)))
    for made_up in ({"invocations": 5, "errors": 5}, {"invocations": 40, "errors": 1}):
        diagnosis = diagnose(counted(log, **made_up))
        assert not may_act_unattended(diagnosis)
        assert "metrics" in diagnosis.why


def test_metrics_that_have_not_settled_contradict_nothing() -> None:
    log = Logbook(memory_mb=256)
    for _ in range(20):
        log.be_killed()
    fresh = counted(log, invocations=1, errors=1).model_copy(update={"collected_at": START})
    assert may_act_unattended(diagnose(fresh))
