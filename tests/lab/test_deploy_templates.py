"""The project's own templates hold nothing that the lab would have to refuse."""

from __future__ import annotations

from pathlib import Path

import pytest

from autorepair_lab.deploy import template
from autorepair_lab.deploy.nested import NestedStack
from autorepair_lab.deploy.resources import REGISTRY
from autorepair_lab.deploy.resources.recorded import RECORDED_ONLY
from autorepair_lab.deploy.stack import STACK_TYPE

ROOT = Path(__file__).parents[2]
TEMPLATES = ("template.yaml", "stacks/main.yaml", "stacks/functions.yaml", "stacks/monitoring.yaml")
LOCAL_PATHS = ("../functions", "../layers/core", "../statemachine/repair.asl.json")


def expanded(name: str) -> template.Template:
    body = (ROOT / name).read_text()
    for path in LOCAL_PATHS:
        body = body.replace(f"Uri: {path}", "Uri: s3://bucket/key")
    source = template.read(body)
    given = {key: str(spec.get("Default", "x")) for key, spec in source.parameters.items()}
    return source.expand(given, "us-east-1")


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_type_and_property_of_our_templates_is_known(name: str) -> None:
    unknown = []
    for logical_id, resource in expanded(name).resources.items():
        kind = resource["Type"]
        known = NestedStack if kind == STACK_TYPE else REGISTRY.get(kind)
        if known is None:
            unknown.append(f"{logical_id}: {kind}")
        else:
            extra = set(resource.get("Properties", {})) - known.properties
            unknown.extend(f"{logical_id}: {kind}.{one}" for one in sorted(extra))
    assert unknown == []


def test_every_recorded_type_gives_its_reason() -> None:
    assert all(recorded.why for recorded in RECORDED_ONLY.values())


def test_what_changes_in_place_is_a_known_property() -> None:
    for kind in REGISTRY.values():
        assert kind.mutable <= kind.properties | {"*"}, kind.type
        assert kind.named_by is None or kind.named_by in kind.properties, kind.type
        assert kind.tags is None or "Tags" in kind.properties, kind.type
