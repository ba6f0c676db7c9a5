"""What else a change does: new failures, refused calls, longer durations, room that is left."""

from __future__ import annotations

from datetime import timedelta

from autorepair.domain.change import Change, MemorySetting
from autorepair.domain.diagnosis import Diagnosis, MemoryNeed, RootCause, TimeoutNeed
from autorepair.domain.errors import AccessDeniedError
from autorepair.domain.evidence import Invocation, LogLine, MetricSeries
from autorepair.domain.masked_evidence import masked
from autorepair.domain.masking import Masker
from autorepair.domain.verification import Verdict, Verification
from autorepair.steps.planning import plan_step
from autorepair.steps.verify_repair import VerifyRepairInput, verify_repair
from unit.aftermath import since, verified, world_after
from unit.builders import (
    AUTO,
    DIAGNOSIS,
    INCIDENT,
    TARGET,
    applied,
    evidence,
    invocations,
    memory_change,
)
from unit.fakes import NOW, World, configuration

HUNGRY = DIAGNOSIS.model_copy(
    update={
        "root_cause": RootCause.MEMORY_EXHAUSTED,
        "need": MemoryNeed(memory_mb=384, basis="doubled"),
    }
)
LONG_PAST = [
    *invocations(20, "success", at=NOW - timedelta(minutes=9), duration_ms=2600.0),
    *invocations(20),
]
VOID = "ValueError: row {} is void"
LARGER = configuration(memory_mb=384)
GROWN = memory_change().model_copy(update={"leads_to": LARGER.fingerprint})


def lines_of(failed: list[Invocation], words: str) -> list[LogLine]:
    return [
        LogLine(
            id=f"line-{n}",
            at=i.started_at,
            stream=i.stream,
            message=f"[ERROR] {words.format(n)}\nTraceback (most recent call last):\n  File x",
            request_id=i.request_id,
        )
        for n, i in enumerate(failed)
    ]


def with_lines(world: World, failed: list[Invocation], words: str) -> World:
    world.logs.lines += lines_of(failed, words)
    return world


def counted(calls: int, throttled: int) -> tuple[MetricSeries, ...]:
    """The metrics of one minute."""
    return tuple(
        MetricSeries(
            id=name,
            namespace="AWS/Lambda",
            metric_name=name,
            statistic="Sum",
            period_s=60,
            points=((NOW + timedelta(minutes=2), float(count)),),
        )
        for name, count in (
            ("Invocations", calls - throttled),
            ("Errors", 0),
            ("Throttles", throttled),
        )
    )


def judged(
    world: World,
    *,
    before: list[Invocation] | None = None,
    lines: list[LogLine] | None = None,
    metrics: tuple[MetricSeries, ...] = (),
    **changed: object,
) -> Verification:
    """Verify with more evidence of the time before than the failures."""
    seen = evidence(*(before or LONG_PAST), lines=tuple(lines or ()))
    state = {
        "incident": INCIDENT,
        "evidence": world.evidence.put(seen.model_copy(update={"metrics": metrics})),
        "diagnosis": DIAGNOSIS,
        "change": applied(**changed),
    }
    return verify_repair(VerifyRepairInput.model_validate(state), world.ports)


def failing_since() -> tuple[World, list[Invocation]]:
    failed = since(12, "error", duration_ms=4000.0)
    return with_lines(world_after(*since(12), *failed), failed, VOID), failed


def test_failures_in_words_not_heard_before_the_change_are_worse() -> None:
    world, _ = failing_since()
    result = judged(world)
    assert (result.verdict, result.next) == (Verdict.WORSE, "roll_back")
    assert (result.after.unseen, result.after.unseen_kinds) == (12, 1)
    assert "12 fail in a way not seen before" in result.reason


def test_failures_in_words_of_the_evidence_are_not_new() -> None:
    world, _ = failing_since()
    earlier = invocations(3, "error", at=NOW - timedelta(minutes=5))
    result = judged(world, before=[*LONG_PAST, *earlier], lines=lines_of(earlier, VOID))
    assert (result.verdict is Verdict.WORSE, result.after.unseen) == (False, 0)


def test_failures_in_words_heard_while_somebody_was_asked_are_not_new() -> None:
    world, failed = failing_since()
    asked = [i.model_copy(update={"request_id": f"a{n}"}) for n, i in enumerate(failed)]
    world.logs.invocations = [*asked, *later(failed, minutes=5), *later(since(12), minutes=5)]
    world.logs.lines = [*lines_of(asked, VOID), *lines_of(later(failed, minutes=5), VOID)]
    result = judged(world, applied_at=NOW + timedelta(minutes=1))
    assert (result.after.invocations, result.after.unseen) == (24, 0)


def later(seen: list[Invocation], *, minutes: int) -> list[Invocation]:
    moved = timedelta(minutes=minutes)
    return [
        i.model_copy(update={"started_at": i.started_at + moved, "stream": "newer"}) for i in seen
    ]


def test_failures_each_in_words_of_its_own_are_no_new_kind_by_number() -> None:
    failed = since(3, "error", duration_ms=4000.0)
    world = world_after(*since(17), *failed)
    for one, words in zip(failed, ("KeyError", "TypeError", "OSError"), strict=True):
        with_lines(world, [one], f"{words}: no")
    after = verified(world).after
    assert (after.unseen, after.unseen_kinds) == (1, 3)


def test_the_incidents_own_mark_is_never_a_new_kind() -> None:
    cut = [
        one.model_copy(update={"request_id": f"00000000-0000-4000-8000-{n:012}"})
        for n, one in enumerate(since(6, "timeout", duration_ms=6000.0))
    ]
    world = world_after(*since(6), *cut)
    world.logs.lines += [
        LogLine(
            id=f"line-{one.request_id}",
            at=one.started_at,
            stream=one.stream,
            message=(
                f"2026-03-04T12:00:20.000Z {one.request_id} Task timed out after 6.00 seconds"
            ),
            request_id=one.request_id,
        )
        for one in cut
    ]
    result = verified(world)
    assert (result.verdict, result.after.unseen) == (Verdict.STILL_SHORT, 0)


def test_calls_refused_since_the_change_are_worse() -> None:
    world = world_after(*since(20))
    world.metrics.series = counted(100, 30)
    result = judged(world, metrics=counted(100, 0))
    assert (result.verdict, result.next) == (Verdict.WORSE, "roll_back")
    assert (result.after.calls, result.after.throttled) == (100, 30)
    assert "0 of 100 calls before, 30 of 100 since" in result.reason


def test_calls_refused_as_before_the_change_are_not_held_against_it() -> None:
    world = world_after(*since(20))
    world.metrics.series = counted(100, 30)
    assert judged(world, metrics=counted(100, 28)).verdict is Verdict.IMPROVED


def test_calls_refused_of_which_nothing_is_known_before_prove_nothing() -> None:
    world = world_after(*since(20))
    world.metrics.series = counted(100, 30)
    assert judged(world).verdict is Verdict.IMPROVED


def test_a_verdict_does_not_fail_for_the_metrics_and_says_that_they_are_missing() -> None:
    world = world_after(*since(20))
    world.metrics.error = AccessDeniedError("cloudwatch:GetMetricData was denied")
    result = verified(world)
    assert result.verdict is Verdict.IMPROVED
    assert "whether calls were refused is not known" in result.reason


def test_work_that_takes_longer_where_it_may_is_not_worse() -> None:
    quick = invocations(40, "success", duration_ms=900.0, stream="quick")
    before = [*quick, *invocations(8)]
    result = verified(world_after(*since(30, duration_ms=5900.0)), before=before)
    assert (result.verdict, result.next) == (Verdict.IMPROVED, "done")


def hungry(world: World, diagnosis: Diagnosis = HUNGRY, **keys: object) -> Verification:
    died = invocations(6, "out_of_memory", used_mb=128, duration_ms=900.0)
    given = {"change": applied(change=GROWN), **keys}
    return verified(world, diagnosis, before=died, usual=None, **given)


def filled(*used_mb: int) -> list[Invocation]:
    return [
        one.model_copy(
            update={"max_memory_used_mb": used, "memory_mb": 384, "stream": f"new-{used}"}
        )
        for one, used in zip(since(len(used_mb)), used_mb, strict=True)
    ]


def test_memory_that_nearly_fills_the_new_size_asks_for_what_it_needs() -> None:
    world = world_after(*filled(200, 210, 190, 205, 200, 360), configured=LARGER)
    result = hungry(world)
    assert (result.verdict, result.next) == (Verdict.STILL_SHORT, "step")
    assert result.need == MemoryNeed(memory_mb=360, basis="observed", seen_at_memory_mb=384)
    further = plan_step(TARGET, LARGER, HUNGRY, AUTO, evidence(), step=2, seen=result.need)
    assert isinstance(further, Change)
    assert further.after == MemorySetting(memory_mb=512)


def test_memory_with_room_to_spare_is_improved() -> None:
    world = world_after(*filled(200, 210, 190, 205, 200, 350), configured=LARGER)
    result = hungry(world)
    assert (result.verdict, result.next, result.need) == (Verdict.IMPROVED, "done", None)


def test_memory_that_is_always_full_tells_nothing() -> None:
    world = world_after(*filled(380, 381, 382, 383, 384, 380), configured=LARGER)
    assert hungry(world).verdict is Verdict.IMPROVED


def test_without_a_further_step_a_tight_fit_is_kept_and_said() -> None:
    world = world_after(*filled(200, 210, 190, 205, 200, 360), configured=LARGER)
    result = hungry(world, change=applied(change=GROWN, step=3))
    assert (result.verdict, result.next) == (Verdict.IMPROVED, "done")
    assert "no further step is left" in result.reason


def test_a_leak_gets_no_further_step_for_what_it_holds() -> None:
    climbing = [one.model_copy(update={"stream": "new"}) for one in filled(*range(168, 372, 12))]
    assert hungry(world_after(*climbing, configured=LARGER)).next == "done"


def test_what_has_ended_since_tells_how_much_longer_the_next_step_has_to_be() -> None:
    """Half was cut at 3 s; at 6 s enough ends to fit the durations of all."""
    ended = [
        one.model_copy(update={"duration_ms": 1500.0 + 75.0 * n, "request_id": f"ended-{n}"})
        for n, one in enumerate(since(56))
    ]
    cut = since(6, "timeout", duration_ms=6000.0)
    result = verified(world_after(*ended, *cut))
    assert (result.verdict, result.next) == (Verdict.STILL_SHORT, "step")
    assert isinstance(result.need, TimeoutNeed)
    assert result.need.basis == "fitted"
    assert 9_000 < result.need.duration_ms < 24_000


def test_a_failure_that_was_stored_masked_is_the_same_in_the_log_since() -> None:
    words = "LoginError: no login with password=hunter2hunter, row {}"
    side = invocations(12, "error", at=NOW - timedelta(minutes=5), duration_ms=20.0, stream="side")
    cut = invocations(60, "timeout", at=NOW - timedelta(minutes=9))
    said = tuple(lines_of(side, words))
    stored = masked(evidence(*cut, *side, lines=said), Masker(b"a key"))
    still = since(12, "error", duration_ms=20.0, stream="new side")
    world = with_lines(world_after(*since(88), *still), still, words)
    state = {
        "incident": INCIDENT,
        "evidence": world.evidence.put(stored),
        "diagnosis": DIAGNOSIS,
        "change": applied(),
    }
    found = verify_repair(VerifyRepairInput.model_validate(state), world.ports)
    assert (found.verdict, found.after.unseen) == (Verdict.IMPROVED, 0)
