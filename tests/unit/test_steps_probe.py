"""A probe: the operator's own test event, where traffic is too little to tell."""

from __future__ import annotations

from datetime import timedelta

import pytest

from autorepair.domain.audit import RecordKind
from autorepair.domain.diagnosis import RootCause
from autorepair.domain.errors import (
    AccessDeniedError,
    ConfigurationError,
    TargetNotFoundError,
    TransientServiceError,
)
from autorepair.domain.evidence import Invocation, LogLine
from autorepair.domain.incident import Incident
from autorepair.domain.policy import Policy
from autorepair.domain.probe import Probe
from autorepair.domain.verification import Verdict, Verification
from autorepair.ports.probe import ProbeAnswer
from autorepair.steps.verify_repair import VerifyRepairInput, verify_repair
from unit.aftermath import since, verified, world_after
from unit.builders import AUTO, DIAGNOSIS, INCIDENT, applied, auto, change, evidence, invocations
from unit.fakes import World, configuration

PROBE = Probe(payload={"order": "test"}, expect_status=200)
ALLOWED = auto(probe=True)
FINE = ProbeAnswer("probe-1", is_error=False, status=200, invocation=None, lines=())
CUT = ProbeAnswer(
    "probe-1",
    is_error=True,
    status=None,
    invocation=since(1, "timeout", duration_ms=6000.0)[0],
    lines=(),
)


def failing(words: str) -> ProbeAnswer:
    seen = since(1, "error", duration_ms=20.0)[0]
    line = LogLine(
        id="probe-0",
        at=seen.started_at,
        stream="probe",
        message=f"[ERROR] {words}\nTraceback (most recent call last):",
        request_id=seen.request_id,
    )
    return ProbeAnswer("probe-1", is_error=True, status=None, invocation=seen, lines=(line,))


def probing(
    *traffic: Invocation, answer: ProbeAnswer = FINE, policy: Policy = ALLOWED, **configured: object
) -> World:
    settings = {"timeout_s": 6, **configured}
    world = world_after(*traffic, policy=policy, configured=configuration(**settings))
    world.probes.probe, world.probes.answer = PROBE, answer
    return world


def last_window(world: World) -> Verification:
    waiting = verified(world).model_copy(update={"windows_used": 5, "probes": ()})
    world.probes.sent.clear()
    return verified(world, verification=waiting)


def test_a_probe_that_passes_is_said_and_proves_nothing() -> None:
    world = probing()
    result = verified(world)
    assert (result.verdict, result.next) == (Verdict.INSUFFICIENT_TRAFFIC, "wait")
    assert result.reason.endswith("; the probe passed")
    assert [one.outcome for one in result.probes] == ["passed"]
    assert world.probes.sent == [(PROBE, None)]


def test_what_stays_unverified_says_that_the_probe_passed() -> None:
    result = last_window(probing())
    assert (result.verdict, result.next) == (Verdict.INSUFFICIENT_TRAFFIC, "done")
    assert "all 6 windows are used up; the probe passed" in result.reason


def test_a_probe_that_fails_the_way_the_incident_did_takes_the_change_back() -> None:
    result = verified(probing(answer=CUT))
    assert (result.verdict, result.next) == (Verdict.UNCHANGED, "roll_back")
    assert result.reason.startswith("the probe failed the way the incident did")
    assert result.window_s == 0


def test_the_policy_may_keep_what_a_probe_shows_to_be_useless() -> None:
    result = verified(probing(answer=CUT, policy=auto(probe=True, unchanged="keep")))
    assert (result.verdict, result.next) == (Verdict.UNCHANGED, "done")


def test_a_probe_that_fails_in_other_words_decides_nothing() -> None:
    result = verified(probing(answer=failing("ValueError: no such order")))
    assert (result.verdict, result.next) == (Verdict.INSUFFICIENT_TRAFFIC, "wait")
    assert "not the way the incident did" in result.reason


@pytest.mark.parametrize(
    ("words", "verdict"),
    [("KeyError: 'TOPIC'", Verdict.UNCHANGED), ("KeyError: 'ELSE'", Verdict.INSUFFICIENT_TRAFFIC)],
)
def test_what_bears_no_mark_of_its_own_is_known_by_its_words(words: str, verdict: Verdict) -> None:
    world = probing(answer=failing(words))
    failed = invocations(6, "error")
    lines = tuple(
        LogLine(
            id=f"line-{n}",
            at=one.started_at,
            stream=one.stream,
            message="[ERROR] KeyError: 'TOPIC'\nTraceback (most recent call last):",
            request_id=one.request_id,
        )
        for n, one in enumerate(failed)
    )
    state = {
        "incident": INCIDENT,
        "evidence": world.evidence.put(evidence(*failed, lines=lines)),
        "diagnosis": DIAGNOSIS.model_copy(update={"root_cause": RootCause.MISSING_ENV_VAR}),
        "change": applied(),
    }
    found = verify_repair(VerifyRepairInput.model_validate(state), world.ports)
    assert found.verdict is verdict


@pytest.mark.parametrize(("status", "told"), [(500, "status 500"), (None, "no status")])
def test_a_probe_with_another_status_than_declared_has_not_passed(
    status: int | None, told: str
) -> None:
    answer = ProbeAnswer("probe-1", is_error=False, status=status, invocation=None, lines=())
    result = verified(probing(answer=answer))
    assert f"the probe was answered with {told}" in result.reason
    assert [one.outcome for one in result.probes] == ["failed_otherwise"]


@pytest.mark.parametrize("policy", [AUTO, auto(probe=False)], ids=["by default", "not allowed"])
def test_nothing_is_sent_unless_the_policy_allows_it(policy: Policy) -> None:
    world = probing(policy=policy)
    assert (verified(world).probes, world.probes.sent) == ((), [])


def test_no_tag_switches_probes_on() -> None:
    tags = {"auto-repair": "enabled", "auto-repair-probe": "true", "probe": "true"}
    tightened = AUTO.tightened_by(tags, is_approval_required=False)
    assert not tightened.verification.probe
    world = probing(policy=AUTO, tags=tags)
    assert (verified(world).probes, world.probes.sent) == ((), [])


def test_nothing_is_sent_where_nothing_is_declared() -> None:
    world = probing()
    world.probes.probe = None
    assert (verified(world).probes, world.probes.sent) == ((), [])


def test_nothing_is_sent_to_a_function_that_is_no_longer_enrolled() -> None:
    world = probing(tags={})
    assert (verified(world).probes, world.probes.sent) == ((), [])


def test_nothing_is_sent_during_a_pause() -> None:
    world = probing()
    world.state.has_pause = True
    assert (verified(world).probes, world.probes.sent) == ((), [])


def test_nothing_is_sent_to_a_function_that_cannot_be_waited_for() -> None:
    world = probing(timeout_s=61)
    longer = change(3, 61, is_applied=True)
    verified(world, change=applied(change=longer))
    assert world.probes.sent == []


def test_nothing_is_sent_where_traffic_tells() -> None:
    world = probing(*since(6))
    assert verified(world).verdict is Verdict.IMPROVED
    assert world.probes.sent == []


def test_nothing_is_sent_where_traffic_comes_that_cannot_tell_yet() -> None:
    world = probing(*since(6, duration_ms=900.0))
    rarely = [*invocations(30, "success", duration_ms=900.0), *invocations(1)]
    result = verified(world, before=rarely)
    assert (result.verdict, world.probes.sent) == (Verdict.INSUFFICIENT_TRAFFIC, [])


def test_nothing_is_sent_for_a_limit_that_one_call_does_not_reach() -> None:
    world = probing()
    throttled = DIAGNOSIS.model_copy(update={"root_cause": RootCause.CONCURRENCY_LIMITED})
    verified(world, throttled)
    assert world.probes.sent == []


def test_a_retry_of_the_same_window_does_not_send_it_again() -> None:
    world = probing()
    world.audit.fails_on = RecordKind.REPAIR_VERIFIED
    with pytest.raises(TransientServiceError):
        verified(world)
    world.audit.fails_on = None
    world.clock.advance(30)
    result = verified(world)
    assert len(world.probes.sent) == 1
    assert [one.outcome for one in result.probes] == ["unanswered"]
    assert "the answer to a probe was lost" in result.reason
    assert result.probes[0].at < world.clock.now()
    assert world.kinds(INCIDENT) == [RecordKind.PROBE_SENT, RecordKind.REPAIR_VERIFIED]


def test_each_window_may_send_one_and_earlier_ones_are_remembered() -> None:
    world = probing()
    first = verified(world)
    second = verified(world, verification=first)
    assert len(world.probes.sent) == len(second.probes) == 2


def test_a_probe_is_no_traffic() -> None:
    world = probing(*since(2))
    first = verified(world)
    own = since(1)[0].model_copy(update={"request_id": "probe-1", "stream": "new"})
    world.logs.invocations.append(own)
    second = verified(world, verification=first)
    assert (first.after.invocations, second.after.invocations) == (2, 2)


def test_of_a_probe_without_an_answer_a_success_is_left_out_in_its_place() -> None:
    world = probing()
    world.probes.error = TransientServiceError("the connection broke")
    first = verified(world)
    assert [one.outcome for one in first.probes] == ["unanswered"]
    world.logs.invocations = [
        i.model_copy(update={"started_at": first.probes[0].at + timedelta(seconds=n)})
        for n, i in enumerate(since(3))
    ]
    world.clock.advance(60)
    assert verified(world, verification=first).after.invocations == 2


def test_a_probe_whose_answer_was_lost_is_never_what_proves_a_repair() -> None:
    """The step dies after the probe, and the probe is the only call that was long enough."""
    fast = since(6, "success", duration_ms=200.0)
    world = probing(*fast[:3])
    world.audit.fails_on = RecordKind.REPAIR_VERIFIED
    with pytest.raises(TransientServiceError):
        verified(world)
    world.audit.fails_on = None
    (own,) = since(1, request_id="own", duration_ms=3500.0, started_at=world.clock.now())
    world.clock.advance(30)
    world.logs.invocations = [*fast[:3], own]
    waiting = verified(world)
    # What a customer's call did since may stand before the probe in the log.
    late = [one.model_copy(update={"started_at": own.started_at}) for one in fast[3:]]
    world.logs.invocations = [*fast[:3], *late, own]
    result = verified(world, verification=waiting)
    assert result.verdict is Verdict.INSUFFICIENT_TRAFFIC
    assert (result.after.invocations, result.after.rescued) == (6, 0)


@pytest.mark.parametrize("status", ["timeout", "unfinished"])
def test_a_probe_without_an_answer_that_did_not_succeed_is_no_traffic_either(status: str) -> None:
    world = probing()
    world.probes.error = TransientServiceError("the connection broke")
    first = verified(world)
    own = since(1, status)[0].model_copy(update={"started_at": first.probes[0].at})
    world.logs.invocations = [own]
    world.clock.advance(60)
    after = verified(world, verification=first).after
    assert (after.invocations, after.pending) == (0, 0)


@pytest.mark.parametrize(
    "error", [AccessDeniedError("no"), TargetNotFoundError("gone"), ConfigurationError("odd")]
)
def test_a_verdict_does_not_fail_for_a_probe(error: Exception) -> None:
    world = probing()
    world.probes.error = error
    assert verified(world).verdict is Verdict.INSUFFICIENT_TRAFFIC
    unreadable = probing()
    unreadable.probes.reading_error = error
    assert verified(unreadable).verdict is Verdict.INSUFFICIENT_TRAFFIC
    assert unreadable.probes.sent == []


def test_neither_what_is_sent_nor_what_is_answered_is_recorded() -> None:
    world = probing(answer=failing("ValueError: secret-in-the-answer"))
    verified(world)
    told = world.audit.told()
    assert "secret-in-the-answer" not in told
    assert "order" not in told


def test_a_function_called_by_an_alias_is_probed_by_it() -> None:
    world = probing()
    target = INCIDENT.subject.model_copy(update={"qualifier": "live"})
    aliased: Incident = INCIDENT.model_copy(update={"target": target})
    plan = change(is_applied=True).model_copy(update={"target": target})
    verified(world, incident=aliased, change=applied(change=plan))
    assert world.probes.sent == [(PROBE, "live")]
