"""Reserved concurrency and aliases, which the configuration's fingerprint does not hold."""

from __future__ import annotations

from datetime import timedelta

import pytest

from autorepair.domain.change import (
    AliasSetting,
    Change,
    ChangeRecord,
    EphemeralStorageSetting,
    ReservedConcurrencySetting,
    Setting,
)
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.diagnosis import (
    ConcurrencyNeed,
    Diagnosis,
    Need,
    RootCause,
    StorageNeed,
    VersionNeed,
)
from autorepair.domain.errors import TransientServiceError
from autorepair.domain.evidence import (
    AccountConcurrency,
    Evidence,
    Invocation,
    MetricSeries,
    RecentChange,
    SettingChange,
)
from autorepair.domain.standing import standing, with_setting
from autorepair.domain.verification import Verdict, Verification
from autorepair.steps.planning import plan_step
from autorepair.steps.roll_back_repair import RollBackRepairInput, roll_back_repair
from autorepair.steps.verify_repair import VerifyRepairInput, verify_repair
from unit.builders import (
    AUTO,
    DIAGNOSIS,
    INCIDENT,
    TARGET,
    decision,
    evidence,
    invocations,
    verification,
)
from unit.executing import executed
from unit.fake_functions import edited
from unit.fakes import NOW, FakeFunctions, FakePolicies, World, configuration

Figures = tuple[float, float, float]

FIVE, TWENTY = (ReservedConcurrencySetting(reserved_concurrency=n) for n in (5, 20))
BAD, GOOD = (AliasSetting(alias="live", version=v) for v in ("42", "41"))
SMALL, LARGE = (EphemeralStorageSetting(ephemeral_storage_mb=mb) for mb in (512, 2048))
AT_FIVE = configuration(reserved_concurrency=5)
AT_BAD = configuration(alias_version="42")
ALIAS = TARGET.model_copy(update={"qualifier": "live"})


def diagnosed(cause: RootCause, need: Need) -> Diagnosis:
    return DIAGNOSIS.model_copy(update={"root_cause": cause, "need": need})


THROTTLED = diagnosed(RootCause.CONCURRENCY_LIMITED, ConcurrencyNeed(executions=8))
BROKEN = diagnosed(
    RootCause.BAD_DEPLOYMENT, VersionNeed(alias="live", bad_version="42", good_version="41")
)
FULL = diagnosed(RootCause.EPHEMERAL_STORAGE_FULL, StorageNeed(storage_mb=800, basis="observed"))


def change(before: Setting, after: Setting, at: FunctionConfiguration) -> Change:
    target = ALIAS if isinstance(after, AliasSetting) else TARGET
    return Change(target=target, before=before, after=after, planned_on=standing(at, before))


RESERVE, MOVE = change(FIVE, TWENTY, AT_FIVE), change(BAD, GOOD, AT_BAD)
GROW = change(SMALL, LARGE, configuration())
KINDS = pytest.mark.parametrize(
    ("plan", "diagnosis", "at"),
    [(RESERVE, THROTTLED, AT_FIVE), (MOVE, BROKEN, AT_BAD), (GROW, FULL, configuration())],
    ids=["reserved", "alias", "storage"],
)


def world_at(at: FunctionConfiguration) -> World:
    return World(functions=FakeFunctions(at), policies=FakePolicies(AUTO))


def made(world: World, plan: Change, diagnosis: Diagnosis) -> ChangeRecord:
    decided = decision(change=plan, plan_hash=plan.plan_hash)
    return executed(world, decision=decided, diagnosis=diagnosis)


def now(world: World) -> FunctionConfiguration:
    return world.functions.read(TARGET)


def taken_back(world: World, record: ChangeRecord) -> str:
    worse = verification(verdict=Verdict.WORSE, next="roll_back")
    given = RollBackRepairInput(incident=INCIDENT, change=record, verification=worse)
    return roll_back_repair(given, world.ports).status


@KINDS
def test_a_change_is_made_and_taken_back_exactly(
    plan: Change, diagnosis: Diagnosis, at: FunctionConfiguration
) -> None:
    world = world_at(at)
    record = made(world, plan, diagnosis)
    assert record.status == "applied"
    assert now(world) == edited(at, plan.after)
    assert record.change is not None
    assert record.change.leads_to == standing(now(world), plan.after) != plan.planned_on
    assert taken_back(world, record) == "restored"
    assert now(world) == at
    assert taken_back(world, record) == "already_restored"
    assert world.functions.writes == 2


@KINDS
def test_made_again_after_a_lost_answer_it_writes_once(
    plan: Change, diagnosis: Diagnosis, at: FunctionConfiguration
) -> None:
    world = world_at(at)
    world.functions.fails_after_write = TransientServiceError("the answer was lost")
    with pytest.raises(TransientServiceError):
        made(world, plan, diagnosis)
    assert made(world, plan, diagnosis).status == "applied"
    assert world.functions.writes == 1


@pytest.mark.parametrize(
    ("plan", "diagnosis", "theirs", "told"),
    [
        (RESERVE, THROTTLED, {"reserved_concurrency": 7}, "was 5 and is 7"),
        (RESERVE, THROTTLED, {"reserved_concurrency": 5, "memory_mb": 512}, "not as it was"),
        (MOVE, BROKEN, {"alias_version": "43"}, "was at version 42 and is at version 43"),
        (MOVE, BROKEN, {"alias_version": None}, "is gone or divided"),
    ],
)
def test_what_somebody_changed_before_the_write_is_left_alone(
    plan: Change, diagnosis: Diagnosis, theirs: dict[str, object], told: str
) -> None:
    world = world_at(configuration().model_copy(update=theirs))
    world.functions.somebody_changes(**theirs)
    record = made(world, plan, diagnosis)
    assert record.status == "stale"
    assert told in record.reason
    assert world.functions.writes == 0


@pytest.mark.parametrize(
    ("plan", "diagnosis", "at", "theirs"),
    [
        (RESERVE, THROTTLED, AT_FIVE, {"reserved_concurrency": 50}),
        (RESERVE, THROTTLED, AT_FIVE, {"memory_mb": 1024}),
        (MOVE, BROKEN, AT_BAD, {"alias_version": "43"}),
    ],
)
def test_what_somebody_changed_before_the_rollback_is_handed_over(
    plan: Change, diagnosis: Diagnosis, at: FunctionConfiguration, theirs: dict[str, object]
) -> None:
    world = world_at(at)
    record = made(world, plan, diagnosis)
    world.functions.somebody_changes(**theirs)
    left = now(world)
    assert taken_back(world, record) == "conflict"
    assert now(world) == left


def test_new_code_in_latest_does_not_keep_an_alias_from_going_back() -> None:
    world = world_at(AT_BAD)
    world.functions.somebody_changes(code_sha256="the mended code")
    record = made(world, MOVE, BROKEN)
    assert (record.status, now(world).alias_version) == ("applied", "41")


def by_the_minute(figures: dict[int, Figures]) -> tuple[MetricSeries, ...]:
    """Give (invocations, errors, throttles) by the minute after NOW."""
    return tuple(
        MetricSeries(
            id=f"metric/{name}/Sum",
            namespace="AWS/Lambda",
            metric_name=name,
            statistic="Sum",
            period_s=60,
            points=tuple((NOW + timedelta(minutes=m), row[n]) for m, row in figures.items()),
        )
        for n, name in enumerate(("Invocations", "Errors", "Throttles"))
    )


SHORT: dict[int, Figures] = {-4: (900, 0, 0), -3: (300, 0, 150), -2: (300, 0, 150), -1: (300, 3, 0)}


def verified(
    world: World, plan: Change, diagnosis: Diagnosis, before: Evidence, **keys: object
) -> Verification:
    leads_to = standing(now(world), plan.after)
    settled = ChangeRecord(
        status="applied",
        reason="it is so",
        change=plan.model_copy(update={"leads_to": leads_to}),
        applied_at=NOW + timedelta(seconds=5),
        window_s=600,
    )
    state = {
        "incident": INCIDENT,
        "evidence": world.evidence.put(before),
        "diagnosis": diagnosis,
        "change": settled,
        **keys,
    }
    return verify_repair(VerifyRepairInput.model_validate(state), world.ports)


def relieved(after: dict[int, Figures], elapsed_s: int = 600) -> Verification:
    world = world_at(with_setting(AT_FIVE, TWENTY))
    world.clock.advance(elapsed_s)
    world.metrics.series = by_the_minute(after)
    before = evidence(configured=AT_FIVE).model_copy(update={"metrics": by_the_minute(SHORT)})
    return verified(world, RESERVE, THROTTLED, before)


def test_calls_that_are_no_longer_refused_show_that_more_at_once_helped() -> None:
    result = relieved({1: (450, 0, 0), 2: (450, 1, 0)})
    assert (result.verdict, result.next) == (Verdict.IMPROVED, "done")
    # From the first refused call on: what ran before it was short of nothing.
    assert (result.before.invocations, result.before.same_cause) == (1200, 300)
    assert (result.after.invocations, result.after.failures) == (900, 1)


def test_calls_that_are_refused_more_rarely_ask_for_a_further_step() -> None:
    result = relieved({1: (400, 0, 60), 2: (400, 0, 60)})
    assert (result.verdict, result.next) == (Verdict.STILL_SHORT, "step")


def test_a_further_step_takes_no_more_than_the_first_one_left_the_account() -> None:
    account = AccountConcurrency(limit=1000, unreserved=140)
    before = evidence(configured=AT_FIVE).model_copy(update={"concurrency": account})
    there = with_setting(AT_FIVE, TWENTY)
    planned = plan_step(TARGET, there, THROTTLED, AUTO, before, step=2)
    assert isinstance(planned, Change)
    # 140 were left beside 5, so 125 beside 20, and Lambda keeps 100 of them.
    assert planned.after == ReservedConcurrencySetting(reserved_concurrency=45)


def test_calls_that_are_refused_as_often_as_before_take_it_back() -> None:
    result = relieved({1: (300, 0, 150), 2: (300, 0, 150)})
    assert result.next == "roll_back"


def test_more_at_once_that_only_makes_calls_fail_is_taken_back() -> None:
    result = relieved({1: (450, 200, 0), 2: (450, 200, 0)})
    assert (result.verdict, result.next) == (Verdict.WORSE, "roll_back")


def test_before_whole_minutes_of_metrics_are_in_nothing_is_said() -> None:
    result = relieved({1: (450, 0, 0)}, elapsed_s=60)
    assert (result.next, result.after.invocations) == ("wait", 0)


def of_version(version: str, seen: list[Invocation]) -> list[Invocation]:
    return [i.model_copy(update={"version": version}) for i in seen]


def gone_back(*after: Invocation) -> Verification:
    world = world_at(with_setting(AT_BAD, GOOD))
    world.clock.advance(600)
    world.logs.invocations = list(after)
    failing = of_version("42", invocations(8, "error", stream="bad"))
    old = of_version("41", invocations(20, "success", stream="good"))
    return verified(world, MOVE, BROKEN, evidence(*failing, *old, configured=AT_BAD))


LATER = NOW + timedelta(seconds=60)


def test_after_a_rollback_only_the_good_version_counts() -> None:
    result = gone_back(
        # An environment that was there before the alias was moved.
        *of_version("41", invocations(12, "success", at=LATER, stream="good")),
        *of_version("42", invocations(1, "error", at=NOW + timedelta(seconds=9), stream="bad")),
    )
    assert (result.before.invocations, result.before.failures) == (8, 8)
    assert (result.after.invocations, result.after.failures) == (12, 0)
    assert (result.verdict, result.next) == (Verdict.IMPROVED, "done")


def test_calls_of_the_bad_version_that_go_on_by_another_way_are_no_cure() -> None:
    result = gone_back(
        *of_version("41", invocations(12, "success", at=LATER, stream="good")),
        *of_version("42", invocations(40, "error", at=LATER, stream="bad")),
    )
    assert (result.verdict, result.next) == (Verdict.INSUFFICIENT_TRAFFIC, "wait")
    assert "40 calls of version 42 have failed since" in result.reason


def test_traffic_that_the_good_version_had_all_along_shows_nothing() -> None:
    world = world_at(with_setting(AT_BAD, GOOD))
    world.clock.advance(600)
    world.logs.invocations = of_version("41", invocations(12, "success", at=LATER, stream="other"))
    earlier = [NOW - timedelta(minutes=10), NOW - timedelta(minutes=5)]
    failing = of_version("42", invocations(8, "error", at=earlier[0], stream="bad"))
    theirs = of_version("41", invocations(12, "success", at=earlier[1], stream="other"))
    before = evidence(*failing, *theirs, configured=AT_BAD)
    result = verified(world, MOVE, BROKEN, before)
    assert (result.verdict, result.after.invocations) == (Verdict.INSUFFICIENT_TRAFFIC, 0)


@pytest.mark.parametrize(
    ("is_recorded", "verdict"), [(True, Verdict.IMPROVED), (False, Verdict.INSUFFICIENT_TRAFFIC)]
)
def test_what_the_alias_itself_sent_before_it_was_moved_is_not_taken_for_anothers(
    is_recorded: bool,  # noqa: FBT001 - a parameter of the test
    verdict: Verdict,
) -> None:
    world = world_at(with_setting(AT_BAD, GOOD))
    world.clock.advance(600)
    world.logs.invocations = of_version("41", invocations(12, "success", at=LATER, stream="other"))
    minutes = [NOW - timedelta(minutes=m) for m in (14, 8, 4)]
    tested = of_version("42", invocations(1, "success", at=minutes[0], stream="test"))
    through_it = of_version("41", invocations(30, "success", at=minutes[1], stream="good"))
    failing = of_version("42", invocations(8, "error", at=minutes[2], stream="bad"))
    moved = RecentChange(
        id="change-1",
        at=minutes[2],
        source="cloudtrail",
        event="UpdateAlias20150331",
        alias="live",
        settings=(SettingChange(name="function_version", before="41", after="42"),),
    )
    before = evidence(*tested, *through_it, *failing, configured=AT_BAD)
    before = before.model_copy(update={"changes": (moved,) if is_recorded else ()})
    assert verified(world, MOVE, BROKEN, before).verdict is verdict


def test_more_at_once_that_makes_the_calls_fail_is_worse() -> None:
    result = relieved({1: (450, 40, 0), 2: (450, 40, 0)})
    assert (result.verdict, result.next) == (Verdict.WORSE, "roll_back")
    assert "80 of 900 since" in result.reason


@pytest.mark.parametrize("missing", ["Errors", "Throttles"])
def test_figures_that_are_missing_are_no_figures_of_nothing(missing: str) -> None:
    world = world_at(with_setting(AT_FIVE, TWENTY))
    world.clock.advance(600)
    series = by_the_minute({1: (450, 0, 0), 2: (450, 0, 0)})
    world.metrics.series = tuple(s for s in series if s.metric_name != missing)
    before = evidence(configured=AT_FIVE).model_copy(update={"metrics": by_the_minute(SHORT)})
    result = verified(world, RESERVE, THROTTLED, before)
    assert (result.verdict, result.next) == (Verdict.INSUFFICIENT_TRAFFIC, "wait")


def test_a_good_version_that_fails_as_well_was_not_the_cure() -> None:
    result = gone_back(*of_version("41", invocations(12, "error", at=LATER, stream="good")))
    assert (result.verdict, result.next) == (Verdict.UNCHANGED, "roll_back")


def test_a_good_version_says_nothing_of_latest() -> None:
    world = world_at(with_setting(AT_BAD, GOOD))
    world.clock.advance(600)
    world.logs.invocations = of_version("41", invocations(12, "success", at=LATER))
    failing = of_version("42", invocations(8, "error", stream="bad"))
    assert verified(world, MOVE, BROKEN, evidence(*failing)).verdict is Verdict.IMPROVED
    assert world.snapshots.of(TARGET) == ()


def test_an_alias_that_was_moved_on_since_is_left_to_them() -> None:
    world = world_at(configuration(alias_version="43"))
    moved = MOVE.model_copy(update={"leads_to": standing(with_setting(AT_BAD, GOOD), GOOD)})
    settled = ChangeRecord(status="applied", reason="r", change=moved, applied_at=NOW)
    result = verified(world, MOVE, BROKEN, evidence(), change=settled)
    assert (result.verdict, result.next) == (Verdict.OVERTAKEN, "done")


def test_the_window_of_a_reservation_lets_whole_minutes_of_metrics_come_in() -> None:
    quick = AUTO.model_copy(
        update={"verification": AUTO.verification.model_copy(update={"window_s": 5})}
    )
    world = World(functions=FakeFunctions(AT_FIVE), policies=FakePolicies(quick))
    assert made(world, RESERVE, THROTTLED).window_s >= 240
