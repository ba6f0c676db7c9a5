"""A repair by publish and move, as the steps see it: planned, made, verified, taken back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from autorepair.domain.change import AliasMove, Change, ChangeRecord, TimeoutSetting
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.decision import Decision, RefusalCode
from autorepair.domain.errors import AccessDeniedError, StaleConfigurationError
from autorepair.domain.evidence import Alias, Evidence, Invocation
from autorepair.domain.verification import Verdict, Verification
from autorepair.ports import Releases
from autorepair.ports.function import unguarded
from autorepair.steps.determine_action import DetermineActionInput, determine_action
from autorepair.steps.undoing import undo, undo_remembered
from unit.aftermath import since, verified, world_after
from unit.builders import DIAGNOSIS, INCIDENT, TARGET, decision, evidence, slow_invocations
from unit.executing import executed, timeout_now, world_under
from unit.fakes import NAME, NOW, FakeFunctions, World, configuration

LIVE = TARGET.model_copy(update={"qualifier": "live"})
MOVE = AliasMove(alias="live", former="7")
ON_SEVEN = configuration(alias_version="7")
ON_EIGHT = configuration(alias_version="8", timeout_s=6)
FAILING = DIAGNOSIS.model_copy(update={"failing_versions": ("7",)})
PLAN = Change(
    target=LIVE,
    before=TimeoutSetting(timeout_s=3),
    after=TimeoutSetting(timeout_s=6),
    planned_on=ON_SEVEN.fingerprint,
    release=MOVE,
)
DONE = PLAN.led(leads_to=ON_EIGHT.fingerprint, version="8")
DECISION = decision(change=PLAN, plan_hash=PLAN.plan_hash)


def world_on(found: FunctionConfiguration = ON_SEVEN) -> World:
    world = world_under()
    world.functions = FakeFunctions(found)
    return world


def applied(change: Change = DONE, **changes: object) -> ChangeRecord:
    record = ChangeRecord(status="applied", reason="slow", change=change, applied_at=NOW)
    return record.model_copy(update=changes)


def on(version: str, seen: list[Invocation]) -> list[Invocation]:
    return [i.model_copy(update={"version": version}) for i in seen]


def test_what_was_made_is_recorded_with_the_version_that_was_published() -> None:
    world = world_on()
    record = executed(world, decision=DECISION)
    assert (record.status, record.change) == ("applied", DONE)
    assert timeout_now(world) == 6


def test_an_alias_that_was_moved_since_makes_the_plan_stale_and_nothing_is_written() -> None:
    world = world_on(configuration(alias_version="9"))
    record = executed(world, decision=DECISION)
    assert (record.status, world.functions.writes) == ("stale", 0)
    assert "its alias live was on version 7 and is on version 9 by now" in record.reason


def test_an_alias_that_divides_its_traffic_by_now_makes_the_plan_stale() -> None:
    record = executed(world_on(configuration(alias_version=None)), decision=DECISION)
    assert "gone or divides its traffic" in record.reason


class Deployed(FakeFunctions):
    """A deployment came in between the write to `$LATEST` and the move, and took it along."""

    def apply(
        self, change: Change, *, guard: Callable[[], None] = unguarded
    ) -> FunctionConfiguration:
        self.somebody_changes(alias_version="9", timeout_s=6, memory_mb=512)
        return super().apply(change, guard=guard)


def test_what_a_deployment_took_along_counts_as_overtaken() -> None:
    world = world_under()
    world.functions = Deployed(ON_SEVEN)
    record = executed(world, decision=DECISION)
    assert record.status == "applied"
    assert record.change is not None
    assert record.change.leads_to is None
    assert "it is left to them" in record.reason


class Unanswered(FakeFunctions):
    """The alias is moved, and Lambda refuses the very move, since its first answer was lost."""

    def apply(
        self, change: Change, *, guard: Callable[[], None] = unguarded
    ) -> FunctionConfiguration:
        guard()
        self.applied.append(change)
        self.somebody_changes(alias_version="8")
        raise StaleConfigurationError("PreconditionFailedException")


def test_a_refused_move_that_left_the_alias_elsewhere_is_not_taken_for_never_written() -> None:
    world = world_under()
    world.functions = Unanswered(ON_SEVEN)
    record = executed(world, decision=DECISION)
    assert (record.status, record.in_place) == ("applied", PLAN)
    assert "may have been written" in record.reason


def test_what_was_put_back_behind_a_refusal_is_refused_and_not_overtaken() -> None:
    world = world_on()
    world.functions.refusals.append(AccessDeniedError("no lambda:PublishVersion"))
    record = executed(world, decision=DECISION)
    assert record.status == "refused"
    assert "PublishVersion" in record.reason


def test_the_undo_says_where_the_alias_is_and_what_stays() -> None:
    world = world_on(ON_EIGHT)
    found = undo(DONE, INCIDENT, world.ports)
    assert found.status == "restored"
    assert "alias live is on version 7" in found.reason
    assert "version 8 stays published" in found.reason
    assert world.functions.by_name[NAME] == ON_SEVEN


@pytest.mark.parametrize(
    "theirs",
    [
        configuration(alias_version="9", timeout_s=6),
        configuration(alias_version=None, timeout_s=6),
    ],
)
def test_the_undo_touches_nothing_of_a_persons(theirs: FunctionConfiguration) -> None:
    world = world_on(theirs)
    found = undo(DONE, INCIDENT, world.ports)
    assert (found.status, world.functions.by_name[NAME]) == ("conflict", theirs)


def test_an_undo_of_what_is_restored_already_writes_nothing() -> None:
    world = world_on(ON_SEVEN)
    assert undo(DONE, INCIDENT, world.ports).status == "already_restored"
    assert world.functions.applied == []


def test_of_what_was_cut_short_the_reading_of_an_alias_is_not_believed_by_the_step() -> None:
    world = world_on(ON_SEVEN)
    record = applied(PLAN, status="planned", applied_at=None)
    undone, _ = undo_remembered(record, INCIDENT, world.ports, ahead=lambda _: None)
    assert (undone, world.functions.applied) == ("undone", [PLAN.inverse()])
    assert world.functions.writes == 0


def verified_on(*traffic: Invocation) -> Verification:
    world = world_after(*traffic, configured=ON_EIGHT)
    return verified(
        world,
        FAILING,
        before=on("7", slow_invocations()),
        change=applied(),
    )


def test_only_invocations_on_the_published_version_count() -> None:
    healthy, elsewhere = on("8", since(9)), on("$LATEST", since(9, "timeout", stream="latest"))
    found = verified_on(*healthy, *elsewhere)
    assert found.verdict is Verdict.IMPROVED
    assert found.after.invocations == 9
    assert found.before.failures == 4
    before = verified_on(*on("7", since(9)))
    assert before.after.invocations == 0


def test_an_alias_moved_by_somebody_has_overtaken_the_repair() -> None:
    moved = configuration(alias_version="9", timeout_s=6)
    world = world_after(*on("8", since(9)), configured=moved)
    found = verified(world, FAILING, before=on("7", slow_invocations()), change=applied())
    assert found.verdict is Verdict.OVERTAKEN


def published(*aliases: Alias) -> Evidence:
    return evidence(*on("7", slow_invocations())).model_copy(update={"aliases": aliases})


def determined(world: World, seen: Evidence, **state: object) -> Decision:
    given = {
        "incident": INCIDENT,
        "evidence": world.evidence.put(seen),
        "diagnosis": FAILING,
        **state,
    }
    return determine_action(DetermineActionInput.model_validate(given), world.ports)


def test_the_plan_goes_by_what_is_published_now_and_not_by_what_was() -> None:
    then = Alias(name="live", version="7", differs=())
    world = world_on()
    world.releases.releases = Releases(aliases=(then,), versions=())
    found = determined(world, published(then))
    assert found.action == "apply", found
    assert found.change == PLAN
    now = then.model_copy(update={"differs": ("code",)})
    later = world_on()
    later.releases.releases = Releases(aliases=(now,), versions=())
    refused = determined(later, published(then))
    assert refused.refusal is not None
    assert refused.refusal.code is RefusalCode.LATEST_DIFFERS


def test_a_further_step_is_planned_for_the_version_that_the_first_one_published() -> None:
    world = world_on(ON_EIGHT)
    # The list still shows what was there when the evidence was collected.
    stale = Alias(name="live", version="7", differs=("Timeout",))
    world.releases.releases = Releases(aliases=(stale,), versions=())
    found = determined(
        world,
        published(stale),
        change=applied(),
        verification={
            "verdict": "still_short",
            "next": "step",
            "reason": "too low",
            "before": {"invocations": 8, "failures": 4, "same_cause": 4},
            "after": {"invocations": 8, "failures": 2, "same_cause": 2},
            "windows_used": 1,
            "observed_until": NOW + timedelta(minutes=10),
        },
    )
    assert found.change is not None, found
    move = found.change.release
    assert move == AliasMove(alias="live", former="8")
    assert found.change.before == TimeoutSetting(timeout_s=6)
