"""A further step of an incident: what it is made on, and what stays of those before it."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from autorepair.domain.change import ChangeRecord
from autorepair.domain.decision import Decision, RefusalCode
from autorepair.domain.errors import TransientServiceError, UpdateFailedError, UpdateInProgressError
from autorepair.domain.failure import Failure
from autorepair.domain.policy import Policy
from autorepair.domain.verification import Verdict
from autorepair.steps.determine_action import DetermineActionInput, determine_action
from unit.builders import (
    ASK,
    AUTO,
    DIAGNOSIS,
    INCIDENT,
    applied,
    change,
    decision,
    kept,
    verification,
)
from unit.executing import YES, executed, timeout_now
from unit.failing import handled
from unit.fakes import NAME, FakeFunctions, FakePolicies, World, configuration
from unit.test_steps_surroundings import UPDATING

HELPED = verification(verdict=Verdict.STILL_SHORT, next="step", without_step="keep")
NO_HELP = verification(verdict=Verdict.STILL_SHORT, next="step", without_step="roll_back")


@dataclass
class Second:
    """The timeout went from 3 to 6 s, which is still short; now the second step is decided."""

    verified: object = HELPED
    policy: Policy = AUTO
    world: World = field(init=False)
    decision: Decision = field(init=False)

    def __post_init__(self) -> None:
        functions = FakeFunctions(configuration(timeout_s=6))
        self.world = World(functions=functions, policies=FakePolicies(self.policy))
        self.world.own_alarms.duration_ms[NAME] = 800.0 * 6
        status = "kept" if self.verified is HELPED else "applied"
        self.world.state.remember_change(INCIDENT, applied(status=status))
        self.state: dict[str, object] = {
            "evidence": kept(self.world),
            "diagnosis": DIAGNOSIS,
            "verification": self.verified,
        }
        self.decision = self.decided(change=applied(), decision=decision())
        assert self.decision.change is not None
        assert self.decision.change.after == change(6, 12).after

    def decided(self, **keys: object) -> Decision:
        given = self.state | {"incident": INCIDENT} | keys
        return determine_action(DetermineActionInput.model_validate(given), self.world.ports)

    def executed(self) -> ChangeRecord:
        answer = {"approval": YES} if self.decision.action == "ask" else {}
        known = {"change": applied(), "decision": self.decision}
        return executed(self.world, **self.state, **known, **answer)

    def failed(self, record: ChangeRecord | None = None) -> Failure:
        left = {"change": record or applied(), "decision": self.decision}
        return handled(self.world, incident=INCIDENT, **left)

    def remembered(self) -> ChangeRecord:
        found = self.world.state.remembered_change(INCIDENT)
        assert found is not None
        return found


# --------------------------------------------------------------------- what it is made on


@pytest.mark.parametrize("policy", [AUTO, ASK], ids=["unattended", "approved"])
@pytest.mark.parametrize("theirs", [3, 20], ids=["put back", "passed"])
def test_a_setting_that_somebody_set_since_the_last_step_is_left_to_them(
    policy: Policy, theirs: int
) -> None:
    second = Second(policy=policy)
    second.world.functions.somebody_changes(timeout_s=theirs)
    overtaken = second.executed()
    assert overtaken.status == "stale"
    again = second.decided(change=overtaken, decision=second.decision)
    assert again.refusal is not None
    assert (again.action, again.refusal.code) == ("decline", RefusalCode.PUT_BACK)
    assert f"it is timeout_s {theirs} by now" in again.reason
    assert timeout_now(second.world) == theirs


# ------------------------------------------------------- what stays of the steps before it


def test_what_helped_stays_where_the_write_of_the_next_step_fails() -> None:
    second = Second()
    second.world.functions.refusals = [UpdateFailedError("EniLimitExceeded")]
    with pytest.raises(UpdateFailedError):
        second.executed()
    assert (second.failed().undo, timeout_now(second.world)) == ("undone", 6)
    assert (second.remembered().status, second.remembered().step) == ("kept", 2)
    assert second.remembered().in_place == change(is_applied=True)


def test_what_helped_stays_where_the_next_step_was_written_and_is_taken_back() -> None:
    second = Second()
    second.world.functions.fails_after_write = UpdateInProgressError("has not settled within 60 s")
    with pytest.raises(UpdateInProgressError):
        second.executed()
    assert timeout_now(second.world) == 12
    assert (second.failed().undo, timeout_now(second.world)) == ("undone", 6)
    assert second.world.own_alarms.duration_ms[NAME] == 800.0 * 6


def test_what_helped_stays_where_the_execution_dies_after_the_next_step_was_withheld() -> None:
    second = Second()
    second.world.stacks.stacks = (UPDATING,)
    overtaken = second.executed()
    assert overtaken.status == "stale"
    assert second.failed(overtaken).undo == "nothing_to_undo"
    assert timeout_now(second.world) == 6


def test_what_had_not_helped_goes_back_with_the_next_step_and_the_alarm_follows() -> None:
    second = Second(NO_HELP)
    second.world.functions.fails_after_write = UpdateInProgressError("has not settled within 60 s")
    with pytest.raises(UpdateInProgressError):
        second.executed()
    assert (second.failed().undo, timeout_now(second.world)) == ("undone", 3)
    assert second.world.own_alarms.duration_ms[NAME] == 800.0 * 3


def test_what_had_not_helped_goes_back_where_the_next_step_was_withheld() -> None:
    second = Second(NO_HELP)
    second.world.stacks.stacks = (UPDATING,)
    assert (second.failed(second.executed()).undo, timeout_now(second.world)) == ("undone", 3)


def test_an_undoing_that_was_cut_short_between_two_steps_goes_on_where_it_stood() -> None:
    second = Second(NO_HELP)
    assert second.executed().status == "applied"
    undone = second.world.functions.apply

    def dies_at_the_first_step(whole: object, **how: object) -> object:
        if timeout_now(second.world) == 6:
            raise TransientServiceError("throttled")
        return undone(whole, **how)  # type: ignore[arg-type]  # as Functions.apply is called

    second.world.functions.apply = dies_at_the_first_step  # type: ignore[method-assign,assignment]
    with pytest.raises(TransientServiceError, match="not undone yet"):
        second.failed()
    assert timeout_now(second.world) == 6
    second.world.functions.apply = undone  # type: ignore[method-assign]
    assert (second.failed().undo, timeout_now(second.world)) == ("undone", 3)
    assert second.world.own_alarms.duration_ms[NAME] == 800.0 * 3
