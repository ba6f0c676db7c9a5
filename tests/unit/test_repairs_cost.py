"""The cap on added cost, and the room for calls that take longer: planners and guardrails."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from autorepair.domain.change import (
    Change,
    DeclaredSource,
    EnvironmentSetting,
    MemorySetting,
    RepairKind,
    Setting,
    TimeoutSetting,
)
from autorepair.domain.circumstances import Circumstances
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.decision import Decision, Refusal, RefusalCode
from autorepair.domain.diagnosis import (
    Diagnosis,
    MemoryNeed,
    RootCause,
    StorageNeed,
    TimeoutNeed,
)
from autorepair.domain.evidence import AccountConcurrency, Gap
from autorepair.domain.ledger import History
from autorepair.domain.policy import Caps, Mode, Policy
from autorepair.domain.traffic import Traffic
from autorepair.repairs.guardrails import decide
from autorepair.repairs.planner import Surroundings
from autorepair.repairs.registry import plan
from unit.logbook import QUIET, START, TARGET, configured, diagnosed, summed_up

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
CLEAN = History(incident_id="inc-1")
ACCOUNT = AccountConcurrency(limit=1000, unreserved=900)
BUSY = Traffic(
    since=START - timedelta(days=30),
    until=START,
    invocations_month=3_000_000.0,
    mean_ms=2000.0,
    peak_per_s=10.0,
    peak_concurrency=20.0,
    cut_off_share=0.5,
)
LONGER = (TimeoutSetting(timeout_s=10), TimeoutSetting(timeout_s=20))
LARGER = (MemorySetting(memory_mb=256), MemorySetting(memory_mb=512))


def policy(cap_usd: float = 50.0, *, mode: Mode = Mode.AUTO) -> Policy:
    return Policy(modes=dict.fromkeys(RepairKind, mode), caps=Caps(added_cost_usd_month=cap_usd))


def decided(
    settings: tuple[Setting, Setting],
    traffic: Traffic | None = BUSY,
    *,
    under: Policy | None = None,
    account: AccountConcurrency | None = ACCOUNT,
    gaps: tuple[Gap, ...] = (),
    history: History = CLEAN,
    configuration: FunctionConfiguration | None = None,
) -> Decision:
    return decide(
        Change(target=TARGET, before=settings[0], after=settings[1], planned_on="f1"),
        diagnosed(),
        under or policy(1000),
        configuration or configured(),
        step=1,
        history=history,
        seen=summed_up(traffic=traffic, concurrency=account, gaps=gaps),
        circumstances=Circumstances(),
        now=NOON,
    )


def told(decision: Decision) -> tuple[str, RefusalCode | None]:
    return decision.action, decision.refusal.code if decision.refusal else None


def test_a_change_that_costs_more_than_the_cap_is_declined_with_the_figures() -> None:
    decision = decided(LARGER, under=policy(20))
    assert told(decision) == ("decline", RefusalCode.ADDED_COST)
    assert "25.00 USD a month" in decision.reason
    assert "cap of 20 USD" in decision.reason
    assert "3,000,000 calls a month" in decision.reason


@pytest.mark.parametrize("settings", [LARGER, LONGER])
@pytest.mark.parametrize("mode", [Mode.AUTO, Mode.ASK, Mode.OBSERVE])
def test_the_cap_holds_in_every_mode(settings: tuple[Setting, Setting], mode: Mode) -> None:
    assert told(decided(settings, under=policy(1, mode=mode))) == (
        "decline",
        RefusalCode.ADDED_COST,
    )


def test_a_change_within_the_cap_is_applied_and_its_cost_is_in_the_decision() -> None:
    decision = decided(LARGER, under=policy(25))
    assert told(decision) == ("apply", None)
    assert decision.cost is not None
    assert decision.cost.added_usd_month == pytest.approx(25.0)


@pytest.mark.parametrize("under", [policy(1), policy(mode=Mode.OBSERVE), policy(mode=Mode.ASK)])
def test_what_is_declined_observed_or_asked_tells_its_cost_too(under: Policy) -> None:
    cost = decided(LARGER, under=under).cost
    assert cost is not None
    assert cost.added_usd_month == pytest.approx(25.0)


@pytest.mark.parametrize("settings", [LARGER, LONGER])
def test_where_the_traffic_is_not_known_a_person_decides(
    settings: tuple[Setting, Setting],
) -> None:
    decision = decided(settings, None)
    assert told(decision) == ("ask", RefusalCode.ADDED_COST)
    assert "USD for a million calls" in decision.reason
    assert decision.cost is not None
    assert decision.cost.added_usd_month is None


def test_what_costs_nothing_is_done_whatever_the_traffic_and_the_cap() -> None:
    named = EnvironmentSetting(variables={"TABLE": DeclaredSource()})
    decision = decided((named, named), None, under=policy(0))
    assert told(decision) == ("apply", None)
    assert decision.cost is not None
    assert decision.cost.added_usd_month == 0


def test_the_steps_of_an_incident_cost_together() -> None:
    origin = Change(target=TARGET, before=LARGER[0], after=LARGER[1], planned_on="f0")
    further = (MemorySetting(memory_mb=512), MemorySetting(memory_mb=768))
    history = CLEAN.model_copy(update={"origin": origin})
    alone = decided(further, under=policy(30))
    assert told(alone) == ("apply", None)
    decision = decided(further, under=policy(30), history=history)
    assert told(decision) == ("decline", RefusalCode.ADDED_COST)
    assert decision.cost is not None
    assert decision.cost.added_usd_month == pytest.approx(50.0)


def test_a_longer_timeout_that_fills_the_reservation_is_declined_with_the_figures() -> None:
    # 10 calls a second x 50% cut off x 10 s more, beside 20 at once
    decision = decided(LONGER, configuration=configured(reserved_concurrency=69))
    assert told(decision) == ("decline", RefusalCode.NO_HEADROOM)
    for figure in ("20 executions at once", "5 calls a second", "70 at once", "leaves 69"):
        assert figure in decision.reason
    enough = decided(LONGER, configuration=configured(reserved_concurrency=70))
    assert told(enough) == ("apply", None)


def test_the_steps_of_an_incident_take_their_room_together() -> None:
    origin = Change(target=TARGET, before=LONGER[0], after=LONGER[1], planned_on="f0")
    further = (TimeoutSetting(timeout_s=20), TimeoutSetting(timeout_s=30))
    history = CLEAN.model_copy(update={"origin": origin})
    # 5 calls a second x 20 s more since the first step, beside 20 at once
    full = configured(timeout_s=20, reserved_concurrency=119)
    assert told(decided(further, configuration=full)) == ("apply", None)
    decision = decided(further, configuration=full, history=history)
    assert told(decision) == ("decline", RefusalCode.NO_HEADROOM)
    assert "20 s more may take 120 at once" in decision.reason
    enough = configured(timeout_s=20, reserved_concurrency=120)
    assert told(decided(further, configuration=enough, history=history)) == ("apply", None)


def test_without_a_reservation_the_account_has_to_hold_it_and_keeps_a_hundred_for_others() -> None:
    full = decided(LONGER, account=AccountConcurrency(limit=200, unreserved=169))
    assert told(full) == ("apply", None), "in a small account half of it is kept"
    short = decided(LONGER, account=AccountConcurrency(limit=200, unreserved=138))
    assert told(short) == ("decline", RefusalCode.NO_HEADROOM)
    assert "the account's limit leaves 69" in short.reason
    many = BUSY.model_copy(update={"peak_concurrency": 770.0})
    assert told(decided(LONGER, many)) == ("decline", RefusalCode.NO_HEADROOM)
    assert told(decided(LONGER, many.model_copy(update={"peak_concurrency": 750.0}))) == (
        "apply",
        None,
    )


@pytest.mark.parametrize(
    ("settings", "ending"),
    [(LARGER, ("apply", None)), (LONGER[::-1], ("decline", RefusalCode.NO_EFFECT))],
)
def test_only_a_longer_timeout_needs_headroom(
    settings: tuple[Setting, Setting], ending: tuple[str, RefusalCode | None]
) -> None:
    full = configured(reserved_concurrency=20)
    assert told(decided(settings, configuration=full)) == ending


def test_where_nothing_is_cut_off_nothing_runs_longer() -> None:
    spared = BUSY.model_copy(update={"cut_off_share": 0.0})
    full = configured(reserved_concurrency=1)
    assert told(decided(LONGER, spared, configuration=full)) == ("apply", None)


UNKNOWN = BUSY.model_copy(update={"peak_concurrency": None, "peak_per_s": None, "mean_ms": None})


@pytest.mark.parametrize(
    ("reserved", "room"), [(30, "the 30 that are reserved"), (None, "than the account has left")]
)
def test_a_longer_timeout_with_unknown_traffic_asks(reserved: int | None, room: str) -> None:
    here = configured(reserved_concurrency=reserved)
    decision = decided(LONGER, UNKNOWN, configuration=here)
    assert told(decision) == ("ask", RefusalCode.NO_HEADROOM)
    assert room in decision.reason
    named = EnvironmentSetting(variables={"TABLE": DeclaredSource()})
    assert told(decided((named, named), UNKNOWN, configuration=here)) == ("apply", None)


@pytest.mark.parametrize("figure", ["peak_per_s", "peak_concurrency"])
def test_half_of_the_figures_are_too_few_to_tell_the_room(figure: str) -> None:
    half = BUSY.model_copy(update={figure: None, "mean_ms": None})
    assert told(decided(LONGER, half)) == ("ask", RefusalCode.NO_HEADROOM)


def test_an_account_that_cannot_be_read_asks_unless_the_function_has_its_own_reservation() -> None:
    gaps = (Gap(source="concurrency", reason="AccessDeniedError: no"),)
    decision = decided(LONGER, account=None, gaps=gaps)
    assert told(decision) == ("ask", RefusalCode.NO_HEADROOM)
    assert "AccessDeniedError: no" in decision.reason
    reserved = configured(reserved_concurrency=500)
    assert told(decided(LONGER, account=None, gaps=gaps, configuration=reserved)) == (
        "apply",
        None,
    )
    assert told(decided(LARGER, account=None, gaps=gaps)) == ("apply", None)


def planned(
    diagnosis: Diagnosis,
    traffic: Traffic | None = BUSY,
    *,
    cap_usd: float = 1000.0,
    account: AccountConcurrency | None = ACCOUNT,
    configuration: FunctionConfiguration | None = None,
    origin: Change | None = None,
) -> Change | Refusal:
    around = Surroundings(TARGET, account=account, traffic=traffic, origin=origin)
    return plan(configuration or configured(), diagnosis, policy(cap_usd), around)


def needs_memory(memory_mb: float) -> Diagnosis:
    need = MemoryNeed(memory_mb=memory_mb, basis="observed")
    return diagnosed(RootCause.MEMORY_EXHAUSTED, need)


DOUBLED = diagnosed(
    RootCause.MEMORY_EXHAUSTED, MemoryNeed(memory_mb=512, basis="doubled", seen_at_memory_mb=256)
)
SLOW = diagnosed(RootCause.TIMEOUT_TOO_LOW, TimeoutNeed(duration_ms=20_000, basis="doubled"))


def after(change: Change | Refusal) -> Setting:
    assert isinstance(change, Change), change
    return change.after


def test_memory_is_raised_no_further_than_the_cap_pays_for_if_that_meets_the_need() -> None:
    # 256 MB more cost 25 USD a month; 400 MB are needed, and 500 would give room to spare.
    assert after(planned(needs_memory(400))) == MemorySetting(memory_mb=512)
    assert after(planned(needs_memory(400), cap_usd=20)) == MemorySetting(memory_mb=460)
    assert after(planned(DOUBLED, cap_usd=20)) == MemorySetting(memory_mb=460)


def test_what_earlier_steps_added_is_not_paid_for_twice() -> None:
    origin = Change(
        target=TARGET,
        before=MemorySetting(memory_mb=128),
        after=MemorySetting(memory_mb=256),
        planned_on="f0",
    )
    # 100 USD pay for 1,024 MB more, of which the step before took 128.
    further = planned(needs_memory(1000), cap_usd=100, origin=origin)
    assert after(further) == MemorySetting(memory_mb=1152)
    assert after(planned(needs_memory(1000), cap_usd=100)) == MemorySetting(memory_mb=1280)
    other = Change(target=TARGET, before=LONGER[0], after=LONGER[1], planned_on="f0")
    assert after(planned(needs_memory(1000), cap_usd=100, origin=other)) == MemorySetting(
        memory_mb=1280
    )


@pytest.mark.parametrize("share", [5e-324, 2e-308, 1e-12])
def test_what_hardly_ever_happens_limits_nothing(share: float) -> None:
    rarely = BUSY.model_copy(update={"cut_off_share": share})
    full = configured(reserved_concurrency=21)
    assert after(planned(SLOW, rarely, configuration=full)) == TimeoutSetting(timeout_s=20)
    assert told(decided(LONGER, rarely, configuration=full)) == ("apply", None)


@pytest.mark.parametrize("diagnosis", [needs_memory(450), DOUBLED])
def test_memory_is_not_raised_where_the_cap_does_not_pay_for_what_is_needed(
    diagnosis: Diagnosis,
) -> None:
    refusal = planned(diagnosis, cap_usd=1)
    assert isinstance(refusal, Refusal)
    assert refusal.code is RefusalCode.ADDED_COST
    assert "caps.added_cost_usd_month of the policy is 1 USD" in refusal.why


def test_a_processor_is_not_half_bought() -> None:
    need = MemoryNeed(memory_mb=1024, basis="processor", seen_at_memory_mb=256)
    starved = diagnosed(RootCause.CPU_STARVED, need)
    assert after(planned(starved, cap_usd=13)) == MemorySetting(memory_mb=389)
    refusal = planned(starved, cap_usd=12)
    assert isinstance(refusal, Refusal)
    assert refusal.code is RefusalCode.ADDED_COST


def test_a_timeout_is_no_longer_than_the_cap_pays_for() -> None:
    # One second more for half of 3,000,000 calls with 256 MB costs 6.25 USD.
    assert after(planned(SLOW, cap_usd=1000)) == TimeoutSetting(timeout_s=20)
    assert after(planned(SLOW, cap_usd=20)) == TimeoutSetting(timeout_s=13)
    refusal = planned(SLOW, cap_usd=10)
    assert isinstance(refusal, Refusal)
    assert refusal.code is RefusalCode.ADDED_COST


def test_a_timeout_is_no_longer_than_there_is_room_for() -> None:
    roomy = configured(reserved_concurrency=50)
    assert after(planned(SLOW, configuration=roomy)) == TimeoutSetting(timeout_s=16)
    refusal = planned(SLOW, configuration=configured(reserved_concurrency=25))
    assert isinstance(refusal, Refusal)
    assert refusal.code is RefusalCode.NO_HEADROOM
    assert "its reservation leaves 25" in refusal.why


def test_no_step_goes_beyond_what_there_was_room_for_before_the_first() -> None:
    roomy = configured(reserved_concurrency=75)
    paths: list[int] = []
    origin: Change | None = None
    for _ in range(3):
        present = paths[-1] if paths else roomy.timeout_s
        need = TimeoutNeed(duration_ms=present * 2000, basis="doubled")
        change = planned(
            diagnosed(RootCause.TIMEOUT_TOO_LOW, need),
            configuration=roomy.model_copy(update={"timeout_s": present}),
            origin=origin,
        )
        if isinstance(change, Refusal):
            assert change.code is RefusalCode.NO_HEADROOM
            break
        assert isinstance(change.after, TimeoutSetting)
        paths.append(change.after.timeout_s)
        origin = change.after_step(origin)
    # 55 at once are free, which 5 calls a second fill in 11 s more than the first 10.
    assert paths == [20]


def test_storage_is_no_larger_than_the_cap_pays_for() -> None:
    full = diagnosed(
        RootCause.EPHEMERAL_STORAGE_FULL, StorageNeed(storage_mb=1000, basis="observed")
    )
    assert isinstance(planned(full), Change)
    refusal = planned(full, cap_usd=0)
    assert isinstance(refusal, Refusal)
    assert refusal.code is RefusalCode.ADDED_COST


@pytest.mark.parametrize("diagnosis", [DOUBLED, SLOW, needs_memory(400)])
@pytest.mark.parametrize("traffic", [QUIET, None])
def test_a_quiet_function_is_planned_for_as_if_there_were_no_cap(
    diagnosis: Diagnosis, traffic: Traffic | None
) -> None:
    assert planned(diagnosis, traffic, cap_usd=1) == planned(diagnosis, traffic, cap_usd=1e9)
