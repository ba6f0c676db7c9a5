"""What a rule's target receives: the event, a part of it, a constant, or a transformed input."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_PLACEHOLDER = re.compile(r"<([\w.-]+)>")
_STEP = re.compile(r"\.([\w-]+)|\['([^']+)'\]|\[(\d+)\]")


def target_input(target: Mapping[str, Any], rule_arn: str, event: Mapping[str, Any]) -> str:
    """The text that is handed to a target, honouring Input, InputPath, InputTransformer."""
    if target.get("Input"):
        return str(target["Input"])
    if target.get("InputPath"):
        return json.dumps(select(event, target["InputPath"]))
    transformer = target.get("InputTransformer")
    if transformer:
        paths = transformer.get("InputPathsMap") or {}
        values = {name: select(event, path) for name, path in paths.items()}
        values["aws.events.event"] = event
        values["aws.events.event.json"] = event
        values["aws.events.rule-arn"] = rule_arn
        values["aws.events.rule-name"] = rule_arn.rpartition("/")[2]
        values["aws.events.event.ingestion-time"] = event.get("time", "")
        return _transformed(transformer["InputTemplate"], values)
    return json.dumps(event)


def select(document: Any, path: str) -> Any:  # noqa: ANN401 - any JSON
    """The value at a JSON path of plain steps (``$.a.b[0]``); None if there is none."""
    found = document
    for name, quoted, index in _STEP.findall(path.removeprefix("$")):
        if index:
            is_there = isinstance(found, list) and int(index) < len(found)
            found = found[int(index)] if is_there else None
        else:
            found = found.get(name or quoted) if isinstance(found, Mapping) else None
    return found


def _transformed(template: str, values: Mapping[str, Any]) -> str:
    """Fill in placeholders: as JSON where they stand alone, as text inside a quoted string."""

    def fill(match: re.Match[str]) -> str:
        if match[1] not in values:
            return match[0]
        value = values[match[1]]
        is_quoted = _is_inside_string(template, match.start())
        if is_quoted:
            text = value if isinstance(value, str) else json.dumps(value)
            return json.dumps(text)[1:-1]
        return json.dumps(value)

    return _PLACEHOLDER.sub(fill, template)


def _is_inside_string(template: str, position: int) -> bool:
    return len(re.findall(r'(?<!\\)"', template[:position])) % 2 == 1
