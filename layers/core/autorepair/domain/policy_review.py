"""What a person who edits the policy is told: each fault with its path, and what would differ."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, JsonValue, ValidationError

from autorepair.domain.policy import Override, Policy, names_said_twice
from autorepair.domain.value import Value

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

LARGEST_POLICY_BYTES = 4096
"""What a standard SSM parameter holds."""
ORDER_OF_OVERRIDES = "overrides, their order"

_Values = dict[str, JsonValue]
"""What a policy says, by path."""


class Fault(Value):
    """One thing that is wrong with a policy."""

    path: str
    what: str
    remedy: str


class Difference(Value):
    """One value of the policy that would be another; as JSON reads it."""

    path: str
    before: JsonValue
    after: JsonValue


def faults_of(text: str) -> tuple[Fault, ...]:
    """Give everything that is wrong with a policy; nothing if the service could act under it."""
    if twice := names_said_twice(text):
        return tuple(
            Fault(path=name, what="stands there twice", remedy="leave one of the two")
            for name in twice
        )
    try:
        Policy.model_validate_json(text, strict=True)
    except ValidationError as error:
        faults = [_fault(one) for one in error.errors(include_url=False, include_input=False)]
        return tuple(_in_an_override(faults) if _is_sound_without_overrides(text) else faults)
    return ()


def _is_sound_without_overrides(text: str) -> bool:
    try:
        given = json.loads(text)
        Policy.model_validate_json(
            json.dumps({k: v for k, v in given.items() if k != "overrides"}), strict=True
        )
    except (ValueError, AttributeError):
        return False
    return True


def _in_an_override(faults: list[Fault]) -> list[Fault]:
    """Name the place: what an override makes of the policy is validated as a policy of its own."""
    return [
        one
        if one.path.startswith("overrides")
        else one.model_copy(update={"path": f"overrides, as a policy: {one.path}"})
        for one in faults
    ]


def differences(before: Policy, after: Policy) -> tuple[Difference, ...]:
    """Give what would be in force in another way, defaults included, by path.

    Overrides are told value by value, each under its pattern, and their order where it differs.
    """
    old, new = (
        dict(_flat(one.model_dump(mode="json", exclude={"overrides"}))) for one in (before, after)
    )
    return (*_between(old, new), *_between_overrides(before.overrides, after.overrides))


def _between(old: _Values, new: _Values) -> tuple[Difference, ...]:
    paths = [*old, *(path for path in new if path not in old)]
    return tuple(
        Difference(path=path, before=old.get(path), after=new.get(path))
        for path in paths
        if old.get(path) != new.get(path)
    )


def _between_overrides(
    before: tuple[Override, ...], after: tuple[Override, ...]
) -> tuple[Difference, ...]:
    old, new = _by_name(before), _by_name(after)
    found = _between(_values_of(old), _values_of(new))
    order: list[JsonValue] = [name for name in old if name in new]
    order_now: list[JsonValue] = [name for name in new if name in old]
    if order == order_now:
        return found
    return (*found, Difference(path=ORDER_OF_OVERRIDES, before=order, after=order_now))


def _by_name(overrides: tuple[Override, ...]) -> dict[str, Override]:
    """Name each override by its pattern; the second of one pattern has its number beside it."""
    named: dict[str, Override] = {}
    seen: Counter[str] = Counter()
    for one in overrides:
        seen[one.functions] += 1
        number = f" #{seen[one.functions]}" if seen[one.functions] > 1 else ""
        named[f"overrides[{one.functions}{number}]"] = one
    return named


def _values_of(overrides: dict[str, Override]) -> _Values:
    values: _Values = {}
    for name, one in overrides.items():
        values |= dict(_flat(one.policy, name)) or {name: {}}
    return values


def _flat(value: dict[str, Any], path: str = "") -> Iterator[tuple[str, JsonValue]]:
    """Give each value by its path; a list is one value, for its order is a part of it."""
    for key, below in value.items():
        name = f"{path}.{key}" if path else str(key)
        if isinstance(below, dict):
            yield from _flat(below, name)
        else:
            yield name, below


def _fault(error: ErrorDetails) -> Fault:
    path = ".".join(str(part) for part in error["loc"]) or "policy"
    kind, context = error["type"], error.get("ctx", {})
    what = error["msg"].removeprefix("Value error, ")
    return Fault(path=path, what=what, remedy=_remedy(kind, context, error["loc"]))


def _remedy(kind: str, context: dict[str, Any], where: tuple[int | str, ...]) -> str:
    if kind == "extra_forbidden":
        return f"remove it or correct its name; here the policy knows {_known(where[:-1])}"
    if kind == "json_invalid":
        return "mend the JSON there; `python3 -m json.tool FILE` shows the place"
    for bound, words in _BOUNDS.items():
        if bound in context:
            return f"take a value {words} {context[bound]}"
    if "expected" in context:
        return f"take one of {context['expected']}"
    if kind == "missing":
        return "add it"
    return _REMEDIES.get(kind, "see the section The policy of docs/operations.md")


_BOUNDS = {"ge": "of at least", "le": "of at most", "gt": "above", "lt": "below"}
_REMEDIES = {
    "value_error": "change it so that this holds",
    "timezone_aware": "add the offset, as in 2026-12-24T00:00:00+00:00",
    "int_parsing": "take a whole number, without quotation marks",
    "int_type": "take a whole number, without quotation marks",
    "int_from_float": "take a whole number",
    "float_parsing": "take a number, without quotation marks",
    "float_type": "take a number, without quotation marks",
    "model_type": "take an object: {...}",
    "dict_type": "take an object: {...}",
    "tuple_type": "take a list: [...]",
    "string_type": "take a text in quotation marks",
}


def _known(where: tuple[int | str, ...]) -> str:
    """Name the keys that the policy knows at a place."""
    model: type[BaseModel] = Policy
    for part in where:
        field = model.model_fields.get(str(part))
        below = field.annotation if field is not None else None
        if not (isinstance(below, type) and issubclass(below, BaseModel)):
            return "other keys (docs/operations.md, The policy)"
        model = below
    return ", ".join(model.model_fields)
