"""The planners of processor, /tmp and reserved concurrency, and what they refuse."""

from __future__ import annotations

import pytest

from autorepair.domain.change import (
    Change,
    EphemeralStorageSetting,
    MemorySetting,
    ReservedConcurrencySetting,
    TimeoutSetting,
)
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.decision import Refusal, RefusalCode
from autorepair.domain.diagnosis import (
    ConcurrencyNeed,
    Diagnosis,
    MemoryNeed,
    RootCause,
    StorageNeed,
    TimeoutNeed,
)
from autorepair.domain.evidence import AccountConcurrency, Caller
from autorepair.domain.policy import Caps, Policy
from autorepair.domain.standing import standing
from autorepair.repairs.planner import Surroundings
from autorepair.repairs.registry import plan
from unit.logbook import TARGET, configured, diagnosed

ROOMY = AccountConcurrency(limit=1000, unreserved=880)
LARGEST = Policy(caps=Caps(memory_mb=10_240, ephemeral_storage_mb=10_240))


def full(storage_mb: float = 512, basis: str = "doubled", seen: int | None = 512) -> Diagnosis:
    need = StorageNeed.model_validate(
        {"storage_mb": storage_mb, "basis": basis, "seen_at_storage_mb": seen}
    )
    return diagnosed(RootCause.EPHEMERAL_STORAGE_FULL, need)


def throttled(executions: float, seen: int | None = None) -> Diagnosis:
    need = ConcurrencyNeed(executions=executions, seen_at_reserved=seen)
    return diagnosed(RootCause.CONCURRENCY_LIMITED, need, failing_versions=())


def starved(memory_mb: float, seen: int | None = None) -> Diagnosis:
    need = MemoryNeed(memory_mb=memory_mb, basis="processor", seen_at_memory_mb=seen)
    return diagnosed(RootCause.CPU_STARVED, need)


def planned(
    configuration: FunctionConfiguration,
    diagnosis: Diagnosis,
    policy: Policy | None = None,
    *,
    account: AccountConcurrency | None = ROOMY,
    qualifier: str | None = None,
    callers: tuple[Caller, ...] = (),
) -> Change | Refusal:
    target = TARGET.model_copy(update={"qualifier": qualifier})
    around = Surroundings(target, callers, account=account)
    return plan(configuration, diagnosis, policy or Policy(), around)


def refused(result: Change | Refusal) -> RefusalCode:
    assert isinstance(result, Refusal)
    assert result.why
    return result.code


def storage(result: Change | Refusal) -> int:
    assert isinstance(result, Change)
    assert isinstance(result.after, EphemeralStorageSetting)
    return result.after.ephemeral_storage_mb


def reserved(result: Change | Refusal) -> int | None:
    assert isinstance(result, Change)
    assert isinstance(result.after, ReservedConcurrencySetting)
    return result.after.reserved_concurrency


def memory(result: Change | Refusal) -> int:
    assert isinstance(result, Change)
    assert isinstance(result.after, MemorySetting)
    return result.after.memory_mb


@pytest.mark.parametrize(
    ("needed_mb", "present_mb", "expected_mb"),
    [(800, 512, 1600), (1382, 1024, 2816), (530, 512, 1088), (100, 512, 1024)],
)
def test_tmp_gets_twice_what_a_job_was_seen_to_need_and_what_there_is(
    needed_mb: float, present_mb: int, expected_mb: int
) -> None:
    there = configured(ephemeral_storage_mb=present_mb)
    assert storage(planned(there, full(needed_mb, "observed", present_mb))) == expected_mb


@pytest.mark.parametrize(("present_mb", "expected_mb"), [(512, 2048), (1024, 3072), (700, 2112)])
def test_a_tmp_that_was_all_used_is_tripled(present_mb: int, expected_mb: int) -> None:
    there = configured(ephemeral_storage_mb=present_mb)
    assert storage(planned(there, full(present_mb, seen=present_mb))) == expected_mb


def test_tmp_stops_at_the_cap_but_not_below_what_a_job_needs() -> None:
    assert storage(planned(configured(ephemeral_storage_mb=2048), full(2048, seen=2048))) == 4096
    assert storage(planned(configured(), full(3000, "observed"))) == 4096
    assert refused(planned(configured(), full(4000, "observed"))) is RefusalCode.AT_CAP
    assert storage(planned(configured(), full(4000, "observed"), LARGEST)) == 8000
    assert refused(planned(configured(), full(9_500, "observed"), LARGEST)) is RefusalCode.AT_CAP


def test_a_tmp_near_the_cap_is_not_raised_by_next_to_nothing() -> None:
    there = configured(ephemeral_storage_mb=3000)
    assert refused(planned(there, full(3000, seen=3000))) is RefusalCode.AT_CAP


def test_a_tmp_that_was_changed_since_is_looked_at_anew() -> None:
    there = configured(ephemeral_storage_mb=2048)
    assert refused(planned(there, full(seen=512))) is RefusalCode.NO_EFFECT


def test_what_is_reserved_holds_two_and_a_half_times_the_demand() -> None:
    there = configured(reserved_concurrency=5)
    result = planned(there, throttled(7.6, seen=5))
    assert reserved(result) == 19
    assert isinstance(result, Change)
    assert result.before == ReservedConcurrencySetting(reserved_concurrency=5)
    assert result.planned_on == standing(there, result.before) != there.fingerprint
    assert reserved(planned(there, throttled(3))) == 10


def test_a_reservation_is_raised_whatever_version_the_traffic_goes_to() -> None:
    there = configured(reserved_concurrency=5)
    assert reserved(planned(there, throttled(6), qualifier="live")) == 15


def test_a_reservation_stays_within_the_cap_and_what_the_account_has_left() -> None:
    there = configured(reserved_concurrency=100)
    assert reserved(planned(there, throttled(110))) == 200
    tight = AccountConcurrency(limit=1000, unreserved=140)
    assert reserved(planned(there, throttled(110), account=tight)) == 140
    assert refused(planned(there, throttled(130), account=tight)) is RefusalCode.NO_HEADROOM
    low = Policy(caps=Caps(reserved_concurrency=120))
    assert refused(planned(there, throttled(110), low)) is RefusalCode.AT_CAP


def test_an_account_with_nothing_left_gives_nothing() -> None:
    there = configured(reserved_concurrency=5)
    for unreserved in (100, 40):
        empty = AccountConcurrency(limit=1000, unreserved=unreserved)
        assert refused(planned(there, throttled(5), account=empty)) is RefusalCode.NO_HEADROOM


def test_an_account_that_could_not_be_read_gives_the_double_at_most() -> None:
    there = configured(reserved_concurrency=5)
    assert reserved(planned(there, throttled(7), account=None)) == 10
    assert refused(planned(there, throttled(9), account=None)) is RefusalCode.NO_HEADROOM


def test_without_a_reservation_it_is_the_account_that_is_short() -> None:
    assert refused(planned(configured(), throttled(900))) is RefusalCode.NOT_REPAIRABLE


def test_a_function_that_was_stopped_on_purpose_stays_stopped() -> None:
    there = configured(reserved_concurrency=0)
    assert refused(planned(there, throttled(1))) is RefusalCode.DELIBERATE_LIMIT


def test_a_reservation_that_was_changed_since_is_looked_at_anew() -> None:
    there = configured(reserved_concurrency=50)
    assert refused(planned(there, throttled(9, seen=5))) is RefusalCode.NO_EFFECT


def test_a_need_of_processor_is_the_size_itself_rounded_up_and_capped() -> None:
    there = configured(memory_mb=128)
    assert memory(planned(there, starved(1000))) == 1024
    assert memory(planned(there, starved(5000))) == 3008
    assert memory(planned(there, starved(5000), LARGEST)) == 5056


def test_too_little_more_processor_is_refused() -> None:
    there = configured(memory_mb=2560)
    assert refused(planned(there, starved(6000))) is RefusalCode.AT_CAP
    assert memory(planned(there, starved(2800))) == 2816


def test_processor_that_is_there_by_now_is_not_added() -> None:
    assert refused(planned(configured(memory_mb=2048), starved(1024))) is RefusalCode.NO_EFFECT
    assert refused(planned(configured(memory_mb=512), starved(1024, 128))) is RefusalCode.NO_EFFECT


def test_an_initialisation_that_lacks_processor_gets_it() -> None:
    need = MemoryNeed(memory_mb=1024, basis="processor")
    slow = diagnosed(RootCause.INIT_TIMEOUT, need)
    assert memory(planned(configured(memory_mb=256), slow)) == 1024


def longer(duration_ms: float, basis: str, limit_s: float, present_s: int) -> Change | Refusal:
    need = TimeoutNeed.model_validate({"duration_ms": duration_ms, "basis": basis})
    caller = Caller(kind="apigateway", source="api", timeout_limit_s=limit_s)
    slow = diagnosed(RootCause.TIMEOUT_TOO_LOW, need)
    return planned(configured(timeout_s=present_s), slow, callers=(caller,))


def test_a_caller_may_take_only_what_a_fitted_need_has_to_spare() -> None:
    result = longer(34_000, "fitted", 29, 10)
    assert isinstance(result, Change)
    assert result.after == TimeoutSetting(timeout_s=29)
    assert refused(longer(35_000, "fitted", 29, 10)) is RefusalCode.CALLER_LIMIT
    assert refused(longer(34_000, "observed", 29, 10)) is RefusalCode.CALLER_LIMIT


def test_a_caller_that_waits_little_longer_leaves_nothing_that_matters() -> None:
    assert refused(longer(0, "doubled", 29, 25)) is RefusalCode.CALLER_LIMIT
