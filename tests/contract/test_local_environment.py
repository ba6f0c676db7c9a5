"""events/env.json gives `sam local invoke` what the templates give each function."""

from __future__ import annotations

import json
import re

import pytest

from autorepair.wiring import Settings
from contract import templates

GIVEN: dict[str, dict[str, str]] = json.loads((templates.ROOT / "events/env.json").read_text())
STACK = templates.load("stacks/functions.yaml")


def test_every_function_has_its_variables() -> None:
    assert set(GIVEN) == set(templates.functions(STACK))


@pytest.mark.parametrize("name", list(templates.functions(STACK)))
def test_a_function_has_every_variable_that_the_template_sets(name: str) -> None:
    own = templates.functions(STACK)[name].get("Environment", {}).get("Variables", {})
    assert set(GIVEN[name]) == set(templates.environment_of(STACK)) | set(own)


@pytest.mark.parametrize("name", list(GIVEN))
def test_the_service_takes_the_variables_as_settings(name: str) -> None:
    settings = Settings.from_environment({"AWS_REGION": "us-east-1", **GIVEN[name]})
    assert settings.environment == "dev"


def test_the_tables_and_the_machine_have_the_names_that_the_stacks_give_them() -> None:
    main = templates.load("stacks/main.yaml")
    names = {
        re.sub(r"\$\{Environment\}", "dev", resource["Properties"]["TableName"]["Fn::Sub"])
        for resource in templates.resources(main, "AWS::DynamoDB::Table").values()
    }
    for variables in GIVEN.values():
        assert {variables["AUDIT_TABLE"], variables["STATE_TABLE"]} == names
        assert variables["STATE_MACHINE_ARN"].endswith(":lambda-auto-repair-dev")
