"""The longest policy that validates fits what an execution of the state machine can hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from autorepair.domain.policy import (
    EVENTS_OF_A_LOOK,
    MAX_EVENTS_OF_LOOKS,
    MAX_STEPS,
    MAX_VERIFICATION_S,
    Limits,
    Policy,
    VerificationRules,
)
from autorepair.steps.watch_window import LONGEST_UNSEEN_S
from contract import asl_graph as graph

PROJECT = Path(__file__).parents[2]
LONGEST_HISTORY = 25_000
# https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html
EVENTS_OF = {"Wait": 2, "Choice": 2, "Task": 5}
EVENTS_OF_ANOTHER_TRY = 3


@pytest.fixture(scope="module")
def definition() -> graph.Definition:
    found: dict[str, Any] = json.loads((PROJECT / "statemachine" / "repair.asl.json").read_text())
    return found


def looks_of(definition: graph.Definition) -> list[str]:
    """The states that one look goes through and that lead back to the next one."""
    states = graph.states_of(definition)
    first = "WaitForMoreTraffic"
    path = [first]
    while path[-1] != first or len(path) == 1:
        following = [to for to, caught in graph.successors(states[path[-1]]) if caught is None]
        path.append(first if first in following else following[0])
    return path[:-1]


def test_a_look_is_a_wait_a_task_and_a_choice(definition: graph.Definition) -> None:
    states = graph.states_of(definition)
    kinds = [states[name]["Type"] for name in looks_of(definition)]
    assert kinds == ["Wait", "Task", "Choice"]


def test_a_look_has_as_many_events_as_the_policy_reckons_with(
    definition: graph.Definition,
) -> None:
    states = graph.states_of(definition)
    events = sum(EVENTS_OF[states[name]["Type"]] for name in looks_of(definition))
    assert events + EVENTS_OF_ANOTHER_TRY == EVENTS_OF_A_LOOK


def test_a_look_comes_every_hour_as_the_policy_reckons() -> None:
    assert LONGEST_UNSEEN_S == 3600


@pytest.mark.parametrize(("steps", "windows"), [(MAX_STEPS, 40), (6, 100), (1, 100)])
def test_the_longest_policies_leave_much_room_in_the_history(steps: int, windows: int) -> None:
    rules = VerificationRules(window_s=60, max_windows=windows)
    policy = Policy(limits=Limits(steps_per_incident=steps), verification=rules)
    looks = policy.verification.max_windows + MAX_VERIFICATION_S // LONGEST_UNSEEN_S
    assert steps * looks * EVENTS_OF_A_LOOK <= MAX_EVENTS_OF_LOOKS <= 0.8 * LONGEST_HISTORY


@pytest.mark.parametrize(("steps", "windows"), [(MAX_STEPS, 41), (7, 100), (MAX_STEPS + 1, 1)])
def test_no_policy_is_longer_than_that(steps: int, windows: int) -> None:
    with pytest.raises(ValidationError):
        Policy(
            limits=Limits(steps_per_incident=steps),
            verification=VerificationRules(window_s=60, max_windows=windows),
        )
