"""The templates as the tests read them: functions, roles and what roles may do."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from cfnlint.decode import cfn_yaml  # type: ignore[import-untyped]  # cfn-lint ships no types

ROOT = Path(__file__).parents[2]
TEMPLATES = ("template.yaml", "stacks/main.yaml", "stacks/functions.yaml", "stacks/monitoring.yaml")

Template = dict[str, Any]
Statement = dict[str, Any]


@cache
def _read(name: str) -> str:
    return json.dumps(cfn_yaml.load(str(ROOT / name)))


def load(name: str) -> Template:
    """A template with its short forms spelled out ({"Ref": ...}); a copy of one's own."""
    template: Template = json.loads(_read(name))
    return template


def resources(template: Template, kind: str) -> dict[str, dict[str, Any]]:
    return {n: r for n, r in template["Resources"].items() if r["Type"] == kind}


def functions(template: Template | None = None) -> dict[str, dict[str, Any]]:
    """The properties of each function of the service."""
    found = resources(template or load("stacks/functions.yaml"), "AWS::Serverless::Function")
    return {name: resource["Properties"] for name, resource in found.items()}


def environment_of(template: Template) -> dict[str, Any]:
    variables: dict[str, Any] = template["Globals"]["Function"]["Environment"]["Variables"]
    return variables


def role_of(function: Mapping[str, Any]) -> str:
    """The logical id of a function's role."""
    role = function["Role"]["Fn::GetAtt"]
    return str(role[0] if isinstance(role, list) else role.split(".")[0])


def statements(template: Template, role: str) -> Iterator[Statement]:
    """Every statement that a role carries, its own, conditional and shared ones."""
    properties = template["Resources"][role]["Properties"]
    for policy in properties.get("Policies", []):
        own = policy["Fn::If"][1] if "Fn::If" in policy else policy
        yield from own["PolicyDocument"]["Statement"]
    for managed in properties.get("ManagedPolicyArns", []):
        if "Ref" in managed:
            shared = template["Resources"][managed["Ref"]]["Properties"]
            yield from shared["PolicyDocument"]["Statement"]


def actions(statement: Statement) -> frozenset[str]:
    listed = statement["Action"]
    return frozenset([listed] if isinstance(listed, str) else listed)


def mentions(node: object, text: str) -> bool:
    return text in json.dumps(node)


def allowed(template: Template, role: str) -> Iterator[Statement]:
    return (s for s in statements(template, role) if s["Effect"] == "Allow")
