from __future__ import annotations

from datetime import timedelta

import pytest

from autorepair.domain.audit import Entry, RecordKind, chain
from autorepair.domain.change import (
    AliasSetting,
    Change,
    EnvironmentSetting,
    EphemeralStorageSetting,
    MemorySetting,
    ReservedConcurrencySetting,
    Setting,
    TimeoutSetting,
)
from autorepair.domain.cost import CostEstimate, estimated, most_affordable
from autorepair.domain.measured_traffic import measured_traffic
from autorepair.domain.prices import PRICES_OF, PRICES_USD, is_listed, memory_usd, storage_usd
from autorepair.domain.traffic import Traffic
from autorepair.views.cost import cost_in_words
from autorepair.views.story import story_of
from autorepair.views.texts import CHINESE
from autorepair.views.traffic import traffic_in_words
from unit.builders import decision, invocations
from unit.fake_evidence import by_the_hour
from unit.fakes import NOW
from unit.logbook import START, TARGET, configured, summed_up

BUSY = Traffic(
    since=START - timedelta(days=30),
    until=START,
    invocations_month=3_000_000.0,
    mean_ms=2000.0,
    peak_per_s=10.0,
    peak_concurrency=20.0,
    cut_off_share=0.1,
)
MEMORY = (MemorySetting(memory_mb=512), MemorySetting(memory_mb=1024))
TIMEOUT = (TimeoutSetting(timeout_s=10), TimeoutSetting(timeout_s=20))
STORAGE = (
    EphemeralStorageSetting(ephemeral_storage_mb=512),
    EphemeralStorageSetting(ephemeral_storage_mb=2560),
)


def change(before: Setting, after: Setting, *, region: str = "eu-west-1") -> Change:
    target = TARGET.model_copy(update={"region": region})
    return Change(target=target, before=before, after=after, planned_on="f1")


def cost(
    settings: tuple[Setting, Setting],
    traffic: Traffic | None = BUSY,
    *,
    region: str = "eu-west-1",
    **configuration: object,
) -> CostEstimate:
    return estimated(change(*settings, region=region), traffic, configured(**configuration))


def test_more_memory_costs_its_gb_seconds() -> None:
    # 0.5 GB x 2 s x 3,000,000 calls x 0.0000166667 USD
    assert cost(MEMORY).added_usd_month == pytest.approx(50.0)
    assert cost(MEMORY).usd_per_million == pytest.approx(16.67)
    assert "512 MB more for calls of 2 s" in cost(MEMORY).basis
    assert "3,000,000 calls a month, as in the last 30 days" in cost(MEMORY).basis


def test_what_only_dies_early_is_priced_as_if_it_ran_until_the_timeout() -> None:
    hours = (
        by_the_hour("Invocations", "Sum", 1400.0),
        by_the_hour("Errors", "Sum", 1400.0),
        by_the_hour("Duration", "Average", 300.0),
    )
    dead = invocations(8, "out_of_memory", duration_ms=300.0)
    traffic = measured_traffic(hours, (), dead, since=NOW, until=NOW)
    # 0.5 GB x 60 s x 1,400 x 720 calls x 0.0000166667 USD
    dying = cost(MEMORY, traffic, timeout_s=60)
    assert dying.added_usd_month == pytest.approx(504.0)
    assert "at most 60 s" in dying.basis


def test_on_arm_it_costs_a_fifth_less() -> None:
    assert cost(MEMORY, architecture="arm64").added_usd_month == pytest.approx(40.0)


def test_a_longer_timeout_costs_what_is_cut_off_and_runs_on() -> None:
    # 10% of 3,000,000 calls x 10 s x 0.25 GB x 0.0000166667 USD
    assert cost(TIMEOUT).added_usd_month == pytest.approx(12.5)


def test_where_nobody_knows_what_is_cut_off_all_of_it_may_be() -> None:
    unknown = BUSY.model_copy(update={"cut_off_share": None})
    assert cost(TIMEOUT, unknown).added_usd_month == pytest.approx(125.0)


def test_storage_costs_next_to_nothing() -> None:
    # 2 GB x 2 s x 3,000,000 calls x 0.000000034 USD
    assert cost(STORAGE).added_usd_month == pytest.approx(0.41)


@pytest.mark.parametrize(
    "settings",
    [
        (
            ReservedConcurrencySetting(reserved_concurrency=5),
            ReservedConcurrencySetting(reserved_concurrency=10),
        ),
        (AliasSetting(alias="live", version="2"), AliasSetting(alias="live", version="1")),
        (EnvironmentSetting(variables={}), EnvironmentSetting(variables={})),
        MEMORY[::-1],
        TIMEOUT[::-1],
    ],
)
@pytest.mark.parametrize("traffic", [BUSY, None])
def test_what_is_not_charged_or_is_lowered_costs_nothing_whatever_the_traffic(
    settings: tuple[Setting, Setting], traffic: Traffic | None
) -> None:
    assert cost(settings, traffic).added_usd_month == 0


def test_without_traffic_the_cost_is_told_by_the_million_calls_at_their_longest() -> None:
    unknown = cost(MEMORY, None, timeout_s=10)
    assert unknown.added_usd_month is None
    # 0.5 GB x 10 s x 1,000,000 calls
    assert unknown.usd_per_million == pytest.approx(83.33)
    assert "at most 10 s" in unknown.basis
    assert "how often it is called is not known" in unknown.basis


def test_where_the_price_is_not_known_the_dearest_is_taken_and_it_is_said() -> None:
    assert not is_listed("xx-new-1")
    everywhere = [memory_usd(region, "x86_64") for region in PRICES_USD]
    assert memory_usd("xx-new-1", "x86_64") == max(everywhere)
    assert storage_usd("xx-new-1") == max(prices.storage for prices in PRICES_USD.values())
    assert "xx-new-1 is not on the price list" in cost(MEMORY, region="xx-new-1").basis
    assert "price list" not in cost(MEMORY).basis


def test_arm_is_cheaper_and_storage_far_cheaper_than_memory_in_every_region() -> None:
    for prices in PRICES_USD.values():
        assert 0.79 < prices.arm64 / prices.x86_64 < 0.81
        assert prices.storage < prices.arm64 / 100


@pytest.mark.parametrize("cap", [0.0, 0.01, 1.0, 12.34, 50.0])
@pytest.mark.parametrize("settings", [MEMORY, TIMEOUT, STORAGE])
def test_the_most_that_is_affordable_is_within_the_cap_and_one_cent_more_is_not(
    settings: tuple[Setting, Setting], cap: float
) -> None:
    before, _ = settings
    most = most_affordable(before, cap, BUSY, configured(), "eu-west-1")
    assert most is not None
    field = next(name for name in type(before).model_fields if name != "kind")
    at_most = before.model_copy(update={field: most})
    within = cost((before, at_most)).added_usd_month
    assert within is not None
    assert within <= cap
    steps = max(1, round(0.02 / (cost(settings).added_usd_month or 1) * 2048))
    above = cost((before, before.model_copy(update={field: most + steps}))).added_usd_month
    assert above is not None
    assert above > cap


def test_nothing_limits_what_costs_nothing_or_what_nobody_knows() -> None:
    never = BUSY.model_copy(update={"cut_off_share": 0.0})
    assert most_affordable(TIMEOUT[0], 0, never, configured(), "eu-west-1") is None
    assert most_affordable(MEMORY[0], 0, None, configured(), "eu-west-1") is None
    alias = AliasSetting(alias="live", version="1")
    assert most_affordable(alias, 0, BUSY, configured(), "eu-west-1") is None


def test_a_cost_is_told_as_a_bound_with_its_basis_and_the_date_of_the_prices() -> None:
    told = cost_in_words(cost(MEMORY))
    assert told.startswith("up to 50.00 USD a month (512 MB more")
    assert told.endswith(f"prices of {PRICES_OF})")
    assert cost_in_words(cost(MEMORY), CHINESE).startswith("每月最多 50.00 美元")


def test_a_cost_of_nothing_of_less_than_a_cent_or_unknown_is_told_as_such() -> None:
    assert cost_in_words(cost(MEMORY[::-1])) == "none (it changes nothing that is charged for)"
    rarely = BUSY.model_copy(update={"invocations_month": 3.0})
    assert cost_in_words(cost(MEMORY, rarely)).startswith("less than a cent a month (512 MB")
    assert cost_in_words(cost(MEMORY, None)).startswith(
        "not known by the month; up to 83.33 USD for a million calls ("
    )


def test_the_story_of_an_incident_tells_what_its_plan_adds_to_the_bill() -> None:
    decided = decision(cost=cost(MEMORY))
    entry = Entry(
        incident_id="inc-1",
        function_name=TARGET.function_name,
        at=START,
        kind=RecordKind.ACTION_DECIDED,
        key="determine_action/1",
        summary="apply",
        data=decided.as_json(),
    )
    (told,) = story_of((chain(entry, after=None),))
    assert any(fact.startswith("added cost: up to 50.00 USD a month (") for fact in told.facts)


def test_the_story_of_an_incident_tells_how_much_the_function_is_called() -> None:
    assert traffic_in_words(BUSY) == (
        "3,000,000 times a month, for 2 s, up to 10 a second, 20 at once "
        "(since 2026-02-02 05:06 UTC)"
    )
    unknown = Traffic(since=START, until=START)
    assert traffic_in_words(unknown).startswith("it is not known how often (since ")
    entry = Entry(
        incident_id="inc-1",
        function_name=TARGET.function_name,
        at=START,
        kind=RecordKind.EVIDENCE_COLLECTED,
        key="collect_metrics_and_logs",
        summary="10 invocations",
        data=summed_up(traffic=BUSY).as_json(),
    )
    (told,) = story_of((chain(entry, after=None),))
    assert f"called: {traffic_in_words(BUSY)}" in told.facts
