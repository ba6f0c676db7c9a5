"""Who CloudTrail names when a step of the service writes: what the change log knows it by."""

from __future__ import annotations

import re

import pytest

from contract import templates

# CloudFormation cuts logical ids that are longer in the names it makes of them.
LONGEST_LOGICAL_ID = 24


def _writing() -> list[str]:
    """Name the functions that may write targets."""
    template = templates.load("stacks/functions.yaml")
    return [
        name
        for name, function in templates.functions(template).items()
        if any(
            "lambda:UpdateFunctionConfiguration" in statement["Action"]
            for statement in templates.statements(template, templates.role_of(function))
            if statement["Effect"] == "Allow"
        )
    ]


@pytest.mark.parametrize("name", _writing())
def test_whoever_writes_targets_is_known_by_role_and_session(name: str) -> None:
    template = templates.load("stacks/functions.yaml")
    function = templates.functions(template)[name]
    step = name.removesuffix("Function")
    dashed = re.sub(r"(?<!^)(?=[A-Z])", "-", step).lower()
    session = f"lambda-auto-repair-{dashed}-${{Environment}}"
    assert function["FunctionName"]["Fn::Sub"] == session
    role = templates.role_of(function)
    assert role == f"{step}Role"
    assert len(role) <= LONGEST_LOGICAL_ID
    properties = template["Resources"][role]["Properties"]
    assert "RoleName" not in properties, "a name of its own would not hold the logical id"


def test_four_steps_write_targets() -> None:
    assert set(_writing()) == {
        "ExecuteRepairFunction",
        "RollBackRepairFunction",
        "HandleFailureFunction",
        "ReconcileFunction",
    }
