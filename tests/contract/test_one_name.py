"""One name in every spelling: state, resource, function, step and sample event."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from contract import asl_graph as graph
from contract import templates

ROOT = Path(__file__).parents[2]
# Functions that no state calls.
WITHOUT_STATE = frozenset({"approval_page", "drift_watch", "reconcile"})


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


STATES = tuple(graph.tasks_of(json.loads((ROOT / "statemachine" / "repair.asl.json").read_text())))


@pytest.mark.parametrize("state", STATES)
def test_a_state_has_its_function_resource(state: str) -> None:
    function = templates.functions()[f"{state}Function"]
    snake = _snake(state)
    assert function["Handler"] == f"{snake}.handler"
    dashed = snake.replace("_", "-")
    assert function["FunctionName"]["Fn::Sub"] == f"lambda-auto-repair-{dashed}-${{Environment}}"


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(
    "place",
    ["functions/{}.py", "layers/core/autorepair/steps/{}.py", "events/{}.json"],
)
def test_a_state_has_its_file(place: str, state: str) -> None:
    path = place.format(_snake(state))
    assert (ROOT / path).is_file(), f"{path} is missing"


def test_every_function_resource_has_a_state_or_is_a_named_exception() -> None:
    names = {_snake(name.removesuffix("Function")) for name in templates.functions()}
    assert names - {_snake(s) for s in STATES} <= WITHOUT_STATE


def test_every_function_file_has_a_state_or_is_a_named_exception() -> None:
    names = {path.stem for path in (ROOT / "functions").glob("*.py")}
    assert names - {_snake(s) for s in STATES} <= WITHOUT_STATE
