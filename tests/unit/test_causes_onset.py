from __future__ import annotations

from datetime import timedelta

from autorepair.causes.calibration import interval_at
from autorepair.causes.onset import onset_with
from autorepair.domain.evidence import Evidence
from unit.failing_words import DEPLOYED, changed, healthy_then, measured, python
from unit.logbook import Logbook

WORDS = python("ValueError", "no")


def test_failures_that_begin_at_once_after_healthy_calls_began_with_the_change() -> None:
    log, changes = healthy_then(WORDS, change=lambda log: changed(log, DEPLOYED))
    assert onset_with(log.evidence(), changes[0]) == "surely"
    assert onset_with(measured(log.evidence()), changes[0]) == "surely"


def test_healthy_calls_since_the_change_acquit_it() -> None:
    log, changes = healthy_then(WORDS, change=lambda log: changed(log, DEPLOYED), clean=30)
    assert onset_with(log.evidence(), changes[0]) is None


def test_failures_of_before_acquit_a_change() -> None:
    log = Logbook()
    for _ in range(6):
        log.fail(WORDS)
    change = changed(log)
    log.fail(WORDS)
    assert onset_with(log.evidence(), change) is None


def test_a_function_that_was_not_seen_before_is_only_possibly_broken_by_the_change() -> None:
    log = Logbook()
    change = changed(log)
    for _ in range(4):
        log.fail(WORDS)
    assert onset_with(log.evidence(), change) == "possibly"


def test_a_change_without_failures_after_it_began_nothing() -> None:
    log = Logbook()
    log.succeed(10, 20, 30)
    change = changed(log)
    log.succeed(10)
    assert onset_with(log.evidence(), change) is None


def test_the_metrics_count_the_healthy_calls_that_the_log_leaves_out() -> None:
    log, changes = healthy_then(WORDS, change=lambda log: changed(log, DEPLOYED))
    evidence = measured(log.evidence())
    busy = changes[0].at + timedelta(minutes=1)
    series = tuple(
        m.model_copy(update={"points": (*m.points, *extra)})
        for m in evidence.metrics
        if m.metric_name in {"Invocations", "Errors"}
        for extra in [_minutes(m.metric_name, evidence)]
    )
    late = evidence.model_copy(update={"metrics": series})
    moved = changes[0].model_copy(update={"at": busy + timedelta(hours=1)})
    assert onset_with(late, moved) is None


def _minutes(metric: str, evidence: Evidence) -> list[tuple[object, float]]:
    start = evidence.window_end + timedelta(hours=2)
    value = 500.0 if metric == "Invocations" else 0.0
    return [(start + timedelta(minutes=n), value) for n in range(5)]


def test_a_confidence_is_reported_with_what_was_measured_in_its_band() -> None:
    surest = interval_at(0.95)
    assert surest is not None
    assert surest[0] >= 0.95
    assert interval_at(0.9) == surest != interval_at(0.85)


def test_the_surer_a_diagnosis_that_may_act_the_oftener_it_was_right() -> None:
    unattended, surest, guess = interval_at(0.85), interval_at(0.95), interval_at(0.1)
    assert unattended is not None
    assert surest is not None
    assert guess is not None
    assert surest[0] > unattended[0] > guess[1]
