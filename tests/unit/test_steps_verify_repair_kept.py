"""What stays of a change when the policy, or the step after it, fails."""

from __future__ import annotations

from autorepair.domain.errors import PolicyUnreadableError
from autorepair.domain.policy import MAX_WINDOWS
from autorepair.domain.verification import Verdict
from autorepair.steps.undoing import undo_remembered
from unit.aftermath import remembered_status, since, verified, world_after
from unit.builders import INCIDENT, applied, auto, invocations, verification
from unit.executing import timeout_now
from unit.fakes import World

WAITING = {"verdict": Verdict.INSUFFICIENT_TRAFFIC, "next": "wait"}


def unreadable(world: World) -> World:
    world.policies.error = PolicyUnreadableError("throttled")
    return world


def test_without_a_policy_the_windows_do_not_end() -> None:
    rules = auto(max_windows=30, unverified="roll_back")
    sixth = verification(**WAITING, windows_used=5)
    found = verified(unreadable(world_after(policy=rules)), verification=sixth)
    assert (found.verdict, found.next, found.windows_used) == (
        Verdict.INSUFFICIENT_TRAFFIC,
        "wait",
        6,
    )


def test_without_a_policy_what_traffic_shows_is_said_all_the_same() -> None:
    assert verified(unreadable(world_after(*since(6)))).verdict is Verdict.IMPROVED


def test_even_without_a_policy_the_windows_end_somewhere() -> None:
    last = verification(**WAITING, windows_used=MAX_WINDOWS - 1)
    assert verified(unreadable(world_after()), verification=last).next == "done"


def half_cured() -> World:
    """Of the work that was cut at 3 s most fits into 6 s, and a part does not."""
    return world_after(
        *since(60, duration_ms=4500.0), *since(40, "timeout", duration_ms=6000.0, stream="second")
    )


def test_a_step_that_has_helped_stays_though_the_next_one_fails() -> None:
    world = half_cured()
    world.state.remember_change(INCIDENT, applied())
    before = [*invocations(90), *invocations(10, "success", duration_ms=2700.0, stream="o2")]
    found = verified(world, before=before)
    assert (found.next, found.without_step, remembered_status(world)) == ("step", "keep", "kept")
    remembered = world.state.remembered_change(INCIDENT)
    undo_remembered(remembered, INCIDENT, world.ports, ahead=lambda _: None)
    assert timeout_now(world) == 6
