"""A repair behind an alias beside other hands: retries, other aliases, and edits of `$LATEST`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from autorepair.domain.audit import RecordKind
from autorepair.domain.change import Change, ChangeRecord
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.errors import (
    PolicyUnreadableError,
    StaleConfigurationError,
    TransientServiceError,
)
from autorepair.domain.evidence import Alias, Invocation
from autorepair.domain.verification import Verdict, Verification
from autorepair.ports import Releases
from autorepair.ports.function import unguarded
from autorepair.steps.undoing import undo
from autorepair.steps.verify_repair import VerifyRepairInput, verify_repair
from unit.aftermath import remembered_status, since, verified, world_after
from unit.builders import INCIDENT, TARGET, evidence, invocations, slow_invocations
from unit.executing import executed, timeout_now
from unit.fakes import NAME, FakeFunctions, World, configuration
from unit.test_steps_release import DECISION, DONE, FAILING, MOVE, ON_EIGHT, PLAN, applied, on
from unit.test_steps_release import world_on as _world_on

HALF_MADE = configuration(alias_version="7", timeout_s=6)
THEIRS = configuration(alias_version="8", timeout_s=6, memory_mb=512)


def begun(found: FunctionConfiguration) -> World:
    world = _world_on(found)
    planned = ChangeRecord(status="planned", reason="slow", change=PLAN)
    world.state.remember_change(INCIDENT, planned)
    return world


def paused(world: World) -> None:
    world.state.has_pause = True


def recovered(world: World) -> None:
    world.alarms.recovered = {"patient-slow-invoice-errors"}


def without_policy(world: World) -> None:
    world.policies.error = PolicyUnreadableError("gone")


@pytest.mark.parametrize(
    ("meanwhile", "status"),
    [(paused, "paused"), (recovered, "recovered"), (without_policy, "refused")],
)
def test_a_retry_that_has_only_written_latest_asks_the_guards_again_and_puts_it_back(
    meanwhile: Callable[[World], None], status: str
) -> None:
    world = begun(HALF_MADE)
    meanwhile(world)
    record = executed(world, decision=DECISION)
    assert (record.status, record.in_place) == (status, None)
    assert world.functions.applied == [PLAN.inverse()]
    now = world.functions.by_name[NAME]
    assert (now.timeout_s, now.alias_version) == (3, "7")
    assert remembered_status(world) == status


def test_what_is_put_back_is_in_the_record_before_and_after() -> None:
    world = begun(HALF_MADE)
    paused(world)
    record = executed(world, decision=DECISION)
    ahead, withheld = (one.entry for one in world.audit.chain_of(INCIDENT.id))
    assert (ahead.kind, withheld.kind) == (RecordKind.ROLLBACK_PLANNED, RecordKind.REPAIR_WITHHELD)
    assert ahead.data == {"change": PLAN.inverse().as_json()}
    assert "what was written to $LATEST: restored" in withheld.summary
    assert record.reason in withheld.summary


def test_where_nothing_was_written_nothing_is_said_to_be_put_back() -> None:
    world = begun(configuration(alias_version="7"))
    paused(world)
    assert "$LATEST" not in executed(world, decision=DECISION).reason
    assert world.kinds(INCIDENT) == [RecordKind.REPAIR_WITHHELD]


def test_a_retry_that_has_only_written_latest_goes_on_where_nothing_forbids_it() -> None:
    world = begun(HALF_MADE)
    record = executed(world, decision=DECISION)
    assert (record.status, record.change) == ("applied", DONE)


@pytest.mark.parametrize("meanwhile", [paused, recovered, without_policy])
def test_a_retry_that_has_moved_the_alias_is_finished_whatever_the_guards_say(
    meanwhile: Callable[[World], None],
) -> None:
    world = begun(ON_EIGHT)
    meanwhile(world)
    assert executed(world, decision=DECISION).status == "applied"
    assert world.functions.writes == 0


def test_what_a_person_added_to_a_half_made_change_is_left_to_them_and_told() -> None:
    world = begun(configuration(alias_version="7", timeout_s=6, memory_mb=512))
    paused(world)
    record = executed(world, decision=DECISION)
    assert (record.status, record.in_place, record.window_s) == ("applied", PLAN, 0)
    assert "somebody changed the function since" in record.reason
    assert timeout_now(world) == 6
    assert world.state.remembered_change(INCIDENT) == record


def test_a_half_made_change_that_a_person_replaced_is_withheld_and_theirs() -> None:
    theirs = configuration(alias_version="7", timeout_s=60)
    world = begun(theirs)
    paused(world)
    assert executed(world, decision=DECISION).status == "paused"
    assert world.functions.by_name[NAME] == theirs


def test_putting_a_half_made_change_back_waits_for_somebody_elses_lease() -> None:
    world = begun(HALF_MADE)
    paused(world)
    world.state.acquire_lease(TARGET, holder="reconcile", seconds=300)
    with pytest.raises(TransientServiceError, match="lease"):
        executed(world, decision=DECISION)
    assert remembered_status(world) == "planned"


class Weighted(FakeFunctions):
    """As the adapter does where the alias divides its traffic: `$LATEST` is put back."""

    def apply(
        self, change: Change, *, guard: Callable[[], None] = unguarded
    ) -> FunctionConfiguration:
        guard()
        self.applied.append(change)
        self.somebody_changes(timeout_s=3)
        raise StaleConfigurationError("the alias live divides its traffic by now")


@pytest.mark.parametrize("alias_version", [None, "8"])
def test_an_alias_that_was_touched_after_it_may_have_been_moved_is_handed_over_and_told(
    alias_version: str | None,
) -> None:
    world = begun(ON_EIGHT)
    world.functions = Weighted(configuration(alias_version=alias_version, timeout_s=6))
    record = executed(world, decision=DECISION)
    assert (record.status, record.in_place, record.window_s) == ("applied", PLAN, 0)
    assert "divides its traffic" in record.reason
    state = {"incident": INCIDENT, "evidence": world.evidence.put(evidence()), "change": record}
    given = VerifyRepairInput.model_validate({**state, "diagnosis": FAILING})
    assert verify_repair(given, world.ports).verdict is Verdict.OVERTAKEN


def test_an_alias_that_somebody_moved_in_the_first_run_makes_the_plan_stale() -> None:
    world = _world_on()
    world.functions = Weighted(configuration(alias_version="7"))
    world.functions.somebody_changes(alias_version="7")
    assert executed(world, decision=DECISION).status == "stale"


def mixed(version: str, failed: int, succeeded: int) -> list[Invocation]:
    return on(
        version,
        [
            *invocations(failed, "timeout", stream="o1"),
            *invocations(succeeded, "success", stream="o2", duration_ms=500.0),
        ],
    )


def useless() -> list[Invocation]:
    return on(
        "8",
        [*since(4, "timeout", duration_ms=6000.0), *since(96, "success", duration_ms=500.0)],
    )


def test_the_failures_of_an_alias_that_stays_make_no_improvement_of_another_ones() -> None:
    move = MOVE.model_copy(update={"staying": ("beta",), "published": "8"})
    done = DONE.model_copy(update={"release": move})
    world = world_after(*useless(), configured=ON_EIGHT)
    found = verified(world, FAILING, before=mixed("7", 100, 100), change=applied(done))
    assert (found.verdict, found.next) == (Verdict.INSUFFICIENT_TRAFFIC, "wait")
    assert "version 7 is also called by beta" in found.reason


def verified_beside(
    *aliases: Alias,
    before: list[Invocation],
    after: list[Invocation],
    configured: FunctionConfiguration = ON_EIGHT,
) -> Verification:
    world = world_after(*after, configured=configured)
    seen = evidence(*before).model_copy(update={"aliases": aliases})
    state = {
        "incident": INCIDENT,
        "evidence": world.evidence.put(seen),
        "diagnosis": FAILING,
        "change": applied(),
    }
    return verify_repair(VerifyRepairInput.model_validate(state), world.ports)


LIVE_THEN = Alias(name="live", version="7", differs=())
FAILED = on("7", slow_invocations())


HEALTHY = on("8", since(9))


@pytest.mark.parametrize(
    "beta",
    [
        Alias(name="beta", version="8", differs=()),
        Alias(name="beta", version="6", also={"8": 0.1}, differs=()),
    ],
)
def test_an_alias_on_the_version_before_it_was_published_leaves_improvement_open(
    beta: Alias,
) -> None:
    alone = verified_beside(LIVE_THEN, before=FAILED, after=HEALTHY)
    assert alone.verdict is Verdict.IMPROVED
    found = verified_beside(LIVE_THEN, beta, before=FAILED, after=HEALTHY)
    assert found.verdict is Verdict.INSUFFICIENT_TRAFFIC
    assert "version 8 is also called by beta" in found.reason


@pytest.mark.parametrize(
    "beta", [Alias(name="beta", version="8"), Alias(name="beta", version="6", also={"8": 0.1})]
)
def test_an_alias_that_was_moved_to_the_version_since_leaves_improvement_open(beta: Alias) -> None:
    world = world_after(*HEALTHY, configured=ON_EIGHT)
    world.releases.releases = Releases(aliases=(Alias(name="live", version="8"), beta), versions=())
    found = verified(world, FAILING, before=FAILED, change=applied())
    assert (found.verdict, found.next) == (Verdict.INSUFFICIENT_TRAFFIC, "wait")
    assert "version 8 is also called by beta" in found.reason


def test_aliases_that_cannot_be_listed_leave_improvement_open() -> None:
    world = world_after(*HEALTHY, configured=ON_EIGHT)
    world.releases.error = TransientServiceError("lambda:ListAliases")
    found = verified(world, FAILING, before=FAILED, change=applied())
    assert (found.verdict, found.next) == (Verdict.INSUFFICIENT_TRAFFIC, "wait")
    assert "who else calls the version cannot be told" in found.reason


def test_calls_of_the_version_before_it_was_published_leave_improvement_open() -> None:
    by_number = [*FAILED, *on("8", invocations(1, "success", stream="o8"))]
    found = verified_beside(LIVE_THEN, before=by_number, after=HEALTHY)
    assert found.verdict is Verdict.INSUFFICIENT_TRAFFIC
    assert "version 8 is also called by others" in found.reason


@pytest.mark.parametrize(
    ("changed", "following"),
    # A further step would start from `$LATEST`, and that is somebody else's.
    [({}, "step"), ({"memory_mb": 512}, "done"), ({"timeout_s": 30}, "done")],
)
def test_an_edit_of_latest_does_not_end_the_verification_of_a_version(
    changed: dict[str, object], following: str
) -> None:
    now = configuration(alias_version="8", **{"timeout_s": 6, **changed})
    short = on("8", [*since(3, "timeout", duration_ms=6000.0), *since(4)])
    found = verified_beside(LIVE_THEN, before=FAILED, after=short, configured=now)
    assert (found.verdict, found.next) == (Verdict.STILL_SHORT, following)


@pytest.mark.parametrize("changed", [{"memory_mb": 512}, {"timeout_s": 30}])
def test_harm_to_a_version_is_seen_beside_an_edit_of_latest(changed: dict[str, object]) -> None:
    now = configuration(alias_version="8", **{"timeout_s": 6, **changed})
    harmed = on("8", since(30, "timeout", duration_ms=6000.0))
    found = verified(world_after(*harmed, configured=now), FAILING, before=FAILED, change=applied())
    assert (found.verdict, found.next) == (Verdict.WORSE, "roll_back")


def test_what_somebody_makes_of_latest_is_not_remembered_as_healthy() -> None:
    alone = world_after(*HEALTHY, configured=ON_EIGHT)
    beside = world_after(*HEALTHY, configured=THEIRS)
    for world in (alone, beside):
        found = verified(world, FAILING, before=FAILED, change=applied())
        assert (found.verdict, found.next) == (Verdict.IMPROVED, "done")
    assert (len(alone.snapshots.kept), len(beside.snapshots.kept)) == (1, 0)


def test_the_alias_goes_back_where_only_latest_is_somebody_elses() -> None:
    world = _world_on(THEIRS)
    found = undo(DONE, INCIDENT, world.ports)
    assert found.status == "restored"
    assert "somebody has changed $LATEST since" in found.reason
    assert "the alias live is on version 7" in found.reason
    assert world.functions.by_name[NAME] == THEIRS.model_copy(update={"alias_version": "7"})
