from __future__ import annotations

import json

import pytest

from autorepair.causes.leak import MEMORY_LEAK
from autorepair.causes.memory import MEMORY_EXHAUSTED
from autorepair.domain.diagnosis import Finding, MemoryNeed, RootCause
from autorepair.domain.evidence import Evidence
from unit.around import changed, in_json, with_alarm
from unit.logbook import Logbook, cites_exist


def exhausted(evidence: Evidence) -> Finding | None:
    return MEMORY_EXHAUSTED.diagnose(evidence)


def leak(evidence: Evidence) -> Finding | None:
    return MEMORY_LEAK.diagnose(evidence)


def test_invocations_killed_at_the_limit_exhausted_the_memory() -> None:
    log = Logbook(memory_mb=256)
    log.succeed(500, 600, used_mb=240)
    for _ in range(3):
        log.be_killed()
    evidence = log.evidence()
    finding = exhausted(evidence)
    assert finding is not None
    assert finding.cause is RootCause.MEMORY_EXHAUSTED
    assert finding.need == MemoryNeed(memory_mb=512, basis="doubled", seen_at_memory_mb=256)
    assert finding.confidence >= 0.9
    assert cites_exist(finding, evidence)


@pytest.mark.parametrize(
    "words",
    [
        "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
        "Metaspace: java.lang.OutOfMemoryError\njava.lang.OutOfMemoryError: Metaspace\n\tat x",
        "[ERROR] MemoryError\nTraceback (most recent call last):\n  File app.py",
        json.dumps({"errorType": "System.OutOfMemoryException", "errorMessage": "x"}),
    ],
)
def test_a_runtime_that_gives_up_near_the_limit_exhausted_it(words: str) -> None:
    log = Logbook(memory_mb=512)
    for _ in range(3):
        log.call(
            900, used_mb=500, says=[(0.5, words)], status="Status: error\tError Type: Runtime.X"
        )
    evidence = log.evidence()
    finding = exhausted(evidence)
    assert finding is not None
    assert finding.confidence >= 0.8
    assert cites_exist(finding, evidence)


def test_an_absurd_allocation_far_below_the_limit_is_a_bug() -> None:
    log = Logbook(memory_mb=512)
    log.fail("[ERROR] MemoryError: Unable to allocate 74.5 GiB\nTraceback", used_mb=90)
    assert exhausted(log.evidence()) is None


def test_words_about_memory_in_a_successful_invocation_prove_nothing() -> None:
    log = Logbook(memory_mb=512)
    log.call(900, used_mb=500, says=[(0.5, "caught java.lang.OutOfMemoryError, going on")])
    assert exhausted(log.evidence()) is None


def test_time_outs_at_the_memory_limit_are_exhausted_memory_in_disguise() -> None:
    log = Logbook(memory_mb=192, timeout_s=10)
    log.succeed(400, 500, used_mb=120)
    for _ in range(3):
        log.time_out(used_mb=192)
    evidence = log.evidence()
    finding = exhausted(evidence)
    assert finding is not None
    assert finding.confidence >= 0.8
    assert "guise" in finding.why
    assert cites_exist(finding, evidence)


def test_a_single_time_out_at_the_limit_is_no_more_than_a_suspicion() -> None:
    log = Logbook(memory_mb=192, timeout_s=10)
    log.time_out(used_mb=192)
    finding = exhausted(log.evidence())
    assert finding is not None
    assert finding.confidence < 0.8


def test_time_outs_with_memory_to_spare_are_not_about_memory() -> None:
    log = Logbook(memory_mb=192, timeout_s=10)
    for _ in range(3):
        log.time_out(used_mb=150)
    assert exhausted(log.evidence()) is None


def test_kills_at_a_size_that_has_been_changed_since_are_history() -> None:
    log = Logbook(memory_mb=256)
    log.be_killed()
    log.be_killed()
    assert exhausted(log.evidence(memory_mb=1024)) is None


def test_what_sufficed_before_the_size_was_lowered_is_what_is_needed() -> None:
    log = Logbook(memory_mb=1024)
    log.succeed(500, 500, used_mb=600)
    log.enter("b")
    log.memory_mb = 512
    log.be_killed()
    finding = exhausted(log.evidence())
    assert finding is not None
    assert finding.need == MemoryNeed(
        memory_mb=600, basis="formerly_sufficient", seen_at_memory_mb=512
    )


def test_without_figures_or_without_a_log_nothing_is_found() -> None:
    log = Logbook()
    assert exhausted(log.evidence()) is None
    assert leak(log.evidence()) is None
    log.write("RequestId: 00000000-0000-4000-8000-000000000001 Error: signal: killed")
    assert exhausted(log.evidence()) is None


def saw_tooth(log: Logbook, *, lives: int = 3, step_mb: int = 20) -> None:
    for life in range(lives):
        log.enter(f"life{life}")
        for used in range(100, log.memory_mb, step_mb):
            log.succeed(30, used_mb=used)
        log.be_killed()


def test_memory_that_climbs_in_each_environment_until_the_limit_is_a_leak() -> None:
    log = Logbook(memory_mb=256)
    saw_tooth(log)
    evidence = log.evidence()
    finding = leak(evidence)
    assert finding is not None
    assert (finding.cause, finding.is_repairable) == (RootCause.MEMORY_LEAK, False)
    assert cites_exist(finding, evidence)


def test_a_leak_is_seen_where_the_same_stream_starts_again() -> None:
    log = Logbook(memory_mb=256)
    for _ in range(2):
        for used in range(100, 256, 20):
            log.succeed(30, used_mb=used)
        log.be_killed()
    assert leak(log.evidence()) is not None


def test_one_environment_is_not_enough_to_be_sure_of_a_leak() -> None:
    log = Logbook(memory_mb=256)
    saw_tooth(log, lives=1)
    finding = leak(log.evidence())
    assert finding is not None
    assert finding.confidence < 0.8


def test_growing_inputs_whose_fresh_environments_die_at_once_are_no_leak() -> None:
    log = Logbook(memory_mb=256)
    for used in range(100, 256, 20):
        log.succeed(30, used_mb=used)
    for _ in range(4):
        log.be_killed()
    evidence = log.evidence()
    assert leak(evidence) is None
    assert exhausted(evidence) is not None


def test_a_high_water_mark_that_rises_now_and_then_is_no_leak() -> None:
    log = Logbook(memory_mb=256)
    for life in range(3):
        log.enter(f"life{life}")
        for used in (100, 100, 140, 140, 140, 150, 150, 200):
            log.succeed(30, used_mb=used)
        log.be_killed()
    assert leak(log.evidence()) is None


def test_a_single_jump_among_small_steps_is_no_leak() -> None:
    log = Logbook(memory_mb=1024)
    for life in range(3):
        log.enter(f"life{life}")
        for used in (100, 101, 102, 400, 401, 700):
            log.succeed(30, used_mb=used)
        log.be_killed()
    assert leak(log.evidence()) is None


def test_a_climb_that_has_not_reached_the_limit_is_not_called_a_leak() -> None:
    log = Logbook(memory_mb=1024)
    for used in range(100, 400, 20):
        log.succeed(30, used_mb=used)
    log.fail("[ERROR] TypeError: no\nTraceback", used_mb=400)
    assert leak(log.evidence()) is None


@pytest.mark.parametrize(
    "words",
    [
        (
            "2026-03-04T05:06:07Z\tid\tERROR\tInvoke Error \t"
            '{"errorType": "Error", "errorMessage": "Worker terminated due to reaching memory '
            'limit: JS heap out of memory", "code": "ERR_WORKER_OUT_OF_MEMORY"}'
        ),
        (
            "[ERROR] CalledProcessError: Command died with <Signals.SIGKILL: 9>.\n"
            "Traceback (most recent call last):\n  File x"
        ),
        (
            "[ERROR] BrokenProcessPool: A process in the process pool was terminated abruptly\n"
            "Traceback (most recent call last):\n  File x"
        ),
        (
            "[ERROR] OSError: [Errno 12] Cannot allocate memory\n"
            "Traceback (most recent call last):\n  File x"
        ),
        json.dumps({"errorType": "NoMemoryError", "errorMessage": "failed to allocate memory"}),
        json.dumps({"errorType": "OutOfMemoryException", "errorMessage": "Exception of type"}),
    ],
    ids=["worker", "child", "pool", "errno", "ruby", "dotnet"],
)
def test_a_failure_that_tells_of_memory_with_the_memory_full(words: str) -> None:
    log = Logbook(memory_mb=512)
    log.succeed(400, used_mb=300)
    for n in range(3):
        log.enter(f"env{n}")
        log.fail(words, used_mb=500)
    assert exhausted(log.evidence()) is not None
    idle = Logbook(memory_mb=512)
    for _ in range(3):
        idle.fail(words, used_mb=120)
    finding = exhausted(idle.evidence())
    assert finding is None or finding.need is None


def test_a_heap_that_is_full_in_an_idle_memory_is_capped_by_an_option() -> None:
    log = Logbook(memory_mb=2048)
    for _ in range(3):
        log.fail(
            "Java heap space: java.lang.OutOfMemoryError\njava.lang.OutOfMemoryError: Java heap "
            "space\n\tat com.acme.App.load(App.java:12)",
            used_mb=330,
        )
    finding = exhausted(log.evidence())
    assert finding is not None
    assert finding.confidence < 0.6
    assert not finding.is_repairable


def test_a_lack_of_threads_in_the_guise_of_memory_is_not_memory() -> None:
    log = Logbook(memory_mb=512)
    words = (
        "unable to create native thread: java.lang.OutOfMemoryError\n"
        "java.lang.OutOfMemoryError: unable to create native thread\n\tat java.lang.Thread"
    )
    for _ in range(3):
        log.fail(words, used_mb=490)
    assert exhausted(log.evidence()) is None


def test_a_size_that_was_lowered_is_gone_back_to() -> None:
    log = Logbook(memory_mb=256)
    for _ in range(3):
        log.be_killed()
    finding = exhausted(log.evidence(changes=[changed("memory_mb", 1024, 256)]))
    assert finding is not None
    assert finding.need == MemoryNeed(
        memory_mb=0.8 * 1024, basis="formerly_sufficient", seen_at_memory_mb=256
    )
    raised = exhausted(log.evidence(changes=[changed("memory_mb", 128, 256)]))
    assert raised is not None
    assert isinstance(raised.need, MemoryNeed)
    assert raised.need.basis == "doubled"


def test_the_largest_size_there_is_cannot_be_raised() -> None:
    log = Logbook(memory_mb=10_240)
    log.be_killed()
    finding = exhausted(log.evidence())
    assert finding is not None
    assert finding.need is None
    assert not finding.is_repairable


def test_kills_in_the_json_format_are_the_same() -> None:
    log = Logbook(memory_mb=256)
    log.succeed(400, used_mb=200)
    for _ in range(3):
        log.be_killed()
    finding = exhausted(in_json(log).evidence())
    assert finding is not None
    assert finding.confidence >= 0.9


def test_an_alarm_on_memory_that_is_nearly_full_asks_for_more() -> None:
    log = Logbook(memory_mb=512)
    for used in (470, 480, 484, 486):
        log.enter(f"env{used}")
        log.succeed(400, used_mb=used)
    finding = exhausted(with_alarm(log.evidence(), "memory_utilization"))
    assert finding is not None
    assert finding.need == MemoryNeed(memory_mb=486, basis="observed", seen_at_memory_mb=512)
    assert finding.confidence < 0.8
    assert exhausted(with_alarm(log.evidence(), "Errors")) is None


def climbing(*marks: int, lives: int = 3, ends: bool = True) -> Logbook:
    log = Logbook(memory_mb=512)
    for n in range(lives):
        log.enter(f"env{n}")
        for used in marks:
            log.call(90, used_mb=used)
        if ends:
            log.be_killed()
    return log


def test_a_leak_that_only_some_calls_feed_is_one() -> None:
    marks = [100, 100, 160, 160, 225, 225, 290, 350, 350, 410, 475]
    assert leak(climbing(*marks).evidence()) is not None


def test_a_straight_climb_that_has_not_ended_yet_is_a_leak() -> None:
    log = climbing(*range(120, 460, 30), ends=False)
    finding = leak(with_alarm(log.evidence(), "memory_utilization"))
    assert finding is not None
    assert not finding.is_repairable
    low = climbing(*range(120, 160, 4), ends=False)
    assert leak(low.evidence()) is None


def test_a_mark_that_chance_pushes_up_is_no_leak() -> None:
    assert leak(climbing(120, 300, 380, 410, 425, 430, 432, 433).evidence()) is None
    assert leak(climbing(200, 200, 200, 200, 200, 200, 480).evidence()) is None


NUMPY = json.dumps({
    "errorType": "numpy._core._exceptions._ArrayMemoryError", "stackTrace": [],
    "errorMessage": "Unable to allocate {} GiB for an array with shape (9, 9)",
})  # fmt: skip


@pytest.mark.parametrize(("asked_gib", "needed_mb"), [("0.5", 762), ("2.25", 2554)])
def test_what_was_asked_for_and_refused_tells_how_much_is_needed(
    asked_gib: str, needed_mb: float
) -> None:
    log = Logbook(memory_mb=512)
    for _ in range(3):
        log.fail(NUMPY.replace("{}", asked_gib), used_mb=250)
    finding = exhausted(log.evidence())
    assert finding is not None
    assert finding.need == MemoryNeed(memory_mb=needed_mb, basis="observed", seen_at_memory_mb=512)


@pytest.mark.parametrize("asked_gib", ["0.1", "900"])
def test_what_would_fit_or_what_nothing_could_hold_is_no_want_of_memory(asked_gib: str) -> None:
    log = Logbook(memory_mb=512)
    for _ in range(3):
        log.fail(NUMPY.replace("{}", asked_gib), used_mb=250)
    assert exhausted(log.evidence()) is None


def test_a_jvm_elsewhere_that_ran_out_of_memory_is_not_this_function() -> None:
    log = Logbook(memory_mb=512)
    for _ in range(3):
        log.fail(
            "[ERROR] JobFailed: step 1 failed: java.lang.OutOfMemoryError: Java heap space\n"
            "Traceback (most recent call last):\n  File x",
            used_mb=90,
        )
    assert exhausted(log.evidence(runtime="python3.12")) is None
