"""What has to hold of every decision: nothing that is stricter ever leads to more."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from autorepair.domain.change import Change, RepairKind
from autorepair.domain.circumstances import Circumstances
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.decision import Decision
from autorepair.domain.diagnosis import Diagnosis, RootCause
from autorepair.domain.ledger import History, Sighting
from autorepair.domain.policy import Breaker, Mode, Policy
from autorepair.repairs.planner import Surroundings
from autorepair.repairs.registry import plan
from property.generated import (
    ACTIONS,
    AROUND,
    CIRCUMSTANCES,
    CONFIGURATIONS,
    DIAGNOSES,
    HISTORIES,
    NOON,
    OPEN_POLICIES,
    POLICIES,
    freedom,
    ruled,
    size,
    stricter,
)

WISHES = st.sampled_from([*Mode, "AUTO", "never", ""])
"""What owners write into the tag that tightens; the last three are no modes."""
STEPS = st.integers(1, 5)


def changed(decision: Decision) -> int:
    """Give the size of what would be written, with consent; 0 where nothing would be."""
    if decision.action not in {"apply", "ask"} or decision.change is None:
        return 0
    return size(decision.change.after) or 1


@given(CONFIGURATIONS, DIAGNOSES, AROUND, POLICIES, POLICIES, HISTORIES, STEPS)
def test_a_stricter_policy_never_leads_to_a_larger_change_or_a_freer_decision(  # noqa: PLR0917
    configuration: FunctionConfiguration,
    diagnosis: Diagnosis,
    around: Surroundings,
    policy: Policy,
    other: Policy,
    history: History,
    step: int,
) -> None:
    def decided(rules: Policy) -> Decision:
        planned = plan(configuration, diagnosis, rules, around)
        return ruled(planned, diagnosis, rules, configuration, around, history, step)

    strict, loose = decided(stricter(policy, other)), decided(policy)
    if strict.action in {"apply", "ask"}:
        assert freedom(strict) <= freedom(loose)
        assert changed(strict) <= changed(loose)


@given(CONFIGURATIONS, DIAGNOSES, AROUND, POLICIES, HISTORIES, STEPS, CIRCUMSTANCES)
def test_whatever_happens_or_happened_never_frees_what_was_not_free_without_it(  # noqa: PLR0917
    configuration: FunctionConfiguration,
    diagnosis: Diagnosis,
    around: Surroundings,
    policy: Policy,
    history: History,
    step: int,
    circumstances: Circumstances,
) -> None:
    planned = plan(configuration, diagnosis, policy, around)
    blank = ruled(planned, diagnosis, policy, configuration, around, None, step)
    after = ruled(planned, diagnosis, policy, configuration, around, history, step, circumstances)
    assert freedom(after) <= freedom(blank)
    if history.pause is not None:
        assert after.action == "decline"
    has_tripped = history.ledger.of_account.trip is not None
    if has_tripped or (circumstances != Circumstances() and circumstances.key is None):
        assert after.action != "apply"


@given(CONFIGURATIONS, DIAGNOSES, AROUND, POLICIES, HISTORIES)
def test_nothing_is_written_in_a_freeze_or_cooldown_beyond_a_limit_or_for_the_third_time(
    configuration: FunctionConfiguration,
    diagnosis: Diagnosis,
    around: Surroundings,
    policy: Policy,
    history: History,
) -> None:
    planned = plan(configuration, diagnosis, policy, around)
    decision = ruled(planned, diagnosis, policy, configuration, around, history)
    if decision.action not in {"apply", "ask"} or decision.change is None:
        return
    schedule, limits = policy.schedule, policy.limits
    assert not any(one.start <= NOON < one.end for one in schedule.freeze)
    # Noon, by the offsets of March.
    hour = {"UTC": 12, "Europe/Berlin": 13, "Asia/Shanghai": 20}[schedule.timezone]
    first, last = schedule.allowed_hours or (0, 24)
    assert first <= hour < last if first < last else hour >= first or hour < last

    earlier, cooldown = history.ledger.of_function, timedelta(seconds=limits.cooldown_s)
    assert all(NOON - one.written_at >= cooldown for one in earlier)
    day = [one for one in earlier if NOON - one.booked_at < timedelta(days=1)]
    assert len(day) < limits.repairs_per_function_day
    hourly = [w for w in history.ledger.of_account.writes if NOON - w.at < timedelta(hours=1)]
    assert len(hourly) < limits.repairs_per_account_hour
    week = [one for one in earlier if NOON - one.booked_at < timedelta(days=7)]
    assert sum(one.kind is decision.change.kind for one in week) < 2


@given(CONFIGURATIONS, DIAGNOSES, AROUND, POLICIES, st.booleans(), st.none() | WISHES)
def test_tags_and_the_deployment_only_ever_tighten(  # noqa: PLR0917
    configuration: FunctionConfiguration,
    diagnosis: Diagnosis,
    around: Surroundings,
    policy: Policy,
    is_approval_required: bool,  # noqa: FBT001 - generated
    wish: str | None,
) -> None:
    tags = {} if wish is None else {"auto-repair-mode": wish}
    tightened = policy.tightened_by(tags, is_approval_required=is_approval_required)
    assert tightened == tightened.tightened_by(tags, is_approval_required=is_approval_required)
    assert tightened.model_copy(update={"modes": policy.modes}) == policy
    modes = list(Mode)
    for kind in RepairKind:
        limit = Mode(wish) if wish in set(Mode) else Mode.AUTO if wish is None else Mode.OBSERVE
        limit = limit.tightened_to(Mode.ASK if is_approval_required else Mode.AUTO)
        assert tightened.mode_of(kind) is min(policy.mode_of(kind), limit, key=modes.index)
    planned = plan(configuration, diagnosis, policy, around)
    assert planned == plan(configuration, diagnosis, tightened, around)
    strict = ruled(planned, diagnosis, tightened, configuration, around)
    assert freedom(strict) <= freedom(ruled(planned, diagnosis, policy, configuration, around))


@given(CONFIGURATIONS, DIAGNOSES, AROUND, OPEN_POLICIES, st.sampled_from(Mode))
def test_no_mode_goes_further_than_it_says(
    configuration: FunctionConfiguration,
    diagnosis: Diagnosis,
    around: Surroundings,
    caps: Policy,
    mode: Mode,
) -> None:
    policy = caps.model_copy(update={"modes": dict.fromkeys(RepairKind, mode)})
    planned = plan(configuration, diagnosis, policy, around)
    decision = ruled(planned, diagnosis, policy, configuration, around)
    most = {Mode.OFF: "observe", Mode.OBSERVE: "observe", Mode.ASK: "ask", Mode.AUTO: "apply"}
    assert freedom(decision) <= ACTIONS.index(most[mode])
    # What would have been done is told all the same.
    assert (decision.change is None) is not isinstance(planned, Change)


@given(
    HISTORIES,
    st.lists(
        st.tuples(st.integers(1, 12), st.integers(0, 900), st.sampled_from(list(RootCause)[:3])),
        min_size=1,
        max_size=15,
    ),
    st.integers(1, 6),
    st.integers(0, 4),
)
def test_a_breaker_that_trips_sooner_trips_whenever_the_other_does(
    history: History, seen: list[tuple[int, int, RootCause]], allowed: int, less: int
) -> None:
    loose = Breaker(repairs=allowed, same_cause_functions=allowed)
    fewer = max(1, allowed - less)
    strict = Breaker(repairs=fewer, same_cause_functions=fewer)
    ledgers = {False: history.ledger, True: history.ledger}
    for number, after_s, cause in sorted(seen, key=lambda one: one[1]):
        sighting = Sighting(
            function_name=f"f-{number}", cause=cause, at=NOON + timedelta(seconds=after_s)
        )
        for is_strict, rules in ((False, loose), (True, strict)):
            ledgers[is_strict] = ledgers[is_strict].watched(sighting, rules, f"inc-{number}")
        if ledgers[False].of_account.trip is not None:
            assert ledgers[True].of_account.trip is not None
