"""CloudFormation's intrinsic functions, resolved against one stack's scope."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autorepair_lab.deploy.aws import text
from autorepair_lab.deploy.errors import TemplateError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

NO_VALUE = "AWS::NoValue"
_PLACEHOLDER = re.compile(r"\$\{(!?)([^}]*)\}")
_DYNAMIC = re.compile(r"\{\{resolve:(ssm|ssm-secure|secretsmanager):([^}]+)\}\}")
_CONDITION_FUNCTIONS = ("Fn::And", "Fn::Or", "Fn::Not", "Fn::Equals", "Condition")


@dataclass(frozen=True)
class Scope:
    """Everything a value in a template may refer to.

    ``ref`` and ``attribute`` answer for resources and raise TemplateError for unknown ones;
    ``dynamic`` reads a dynamic reference: (service, reference) -> value.
    """

    parameters: Mapping[str, object]
    mappings: Mapping[str, Any]
    conditions: Mapping[str, bool]
    ref: Callable[[str], object]
    attribute: Callable[[str, str], object]
    import_value: Callable[[str], object]
    dynamic: Callable[[str, str], str]


class _NoValue:
    """Marks a property that is to be left out."""


_ABSENT = _NoValue()


def resolve(value: object, scope: Scope) -> Any:  # noqa: ANN401 - any JSON value may come out
    """Return the value with every intrinsic function and dynamic reference resolved.

    Raises TemplateError for unknown functions, references, mapping keys and wrong arguments.
    """
    result = _resolve(value, scope)
    return None if isinstance(result, _NoValue) else result


def evaluate_conditions(
    declared: Mapping[str, object], parameters: Mapping[str, object], mappings: Mapping[str, Any]
) -> dict[str, bool]:
    """Evaluate a template's Conditions section. Raises TemplateError on a cycle."""
    conditions = _Conditions(declared, parameters, mappings)
    return {name: conditions.named(name, ()) for name in declared}


class _Conditions:
    """Evaluates conditions that may name each other."""

    def __init__(
        self,
        declared: Mapping[str, object],
        parameters: Mapping[str, object],
        mappings: Mapping[str, Any],
    ) -> None:
        self._declared = declared
        self._known: dict[str, bool] = {}
        out = self._out_of_reach
        self._scope = Scope(parameters, mappings, self._known, out, out, out, out)

    @staticmethod
    def _out_of_reach(name: str, *_: str) -> str:
        raise TemplateError(f"Template error: condition refers to {name}, not a parameter")

    def named(self, name: str, seen: tuple[str, ...]) -> bool:
        if name in seen or name not in self._declared:
            raise TemplateError(f"Template error: unresolved condition dependency {name}")
        if name not in self._known:
            self._known[name] = self._truth(self._declared[name], (*seen, name))
        return self._known[name]

    def _truth(self, value: object, seen: tuple[str, ...]) -> bool:
        name, argument = _single(value)
        if name == "Condition":
            return self.named(str(argument), seen)
        if name == "Fn::Equals":
            left, right = (_resolve(item, self._scope) for item in _list(argument, name, 2))
            return text(left) == text(right)
        parts = _list(argument, name)
        if name == "Fn::Not":
            return not self._truth(parts[0], seen)
        if name not in ("Fn::And", "Fn::Or"):
            raise TemplateError(f"Template error: {name} is no condition function")
        values = [self._truth(part, seen) for part in parts]
        return all(values) if name == "Fn::And" else any(values)


def choose(value: object, conditions: Mapping[str, bool]) -> Any:  # noqa: ANN401 - any JSON value
    """Replace every Fn::If by its taken branch, so that only live references remain."""
    if isinstance(value, list):
        return [choose(item, conditions) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"Fn::If"}:
        return choose(_branch(value["Fn::If"], conditions), conditions)
    return {key: choose(item, conditions) for key, item in value.items()}


def references(value: object) -> set[str]:
    """Return the names that a value refers to by Ref, Fn::GetAtt and Fn::Sub."""
    return set(_references(value))


def _references(value: object) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _references(item)
    elif isinstance(value, dict):
        if len(value) == 1:
            name, argument = next(iter(value.items()))
            if name == "Ref":
                yield str(argument)
            elif name == "Fn::GetAtt":
                yield _attribute_path(argument)[0]
            elif name == "Fn::Sub":
                yield from _sub_references(argument)
        for item in value.values():
            yield from _references(item)


def _sub_references(argument: object) -> Iterator[str]:
    template, variables = _sub_parts(argument)
    for match in _PLACEHOLDER.finditer(template):
        name = match[2].strip()
        if not match[1] and name not in variables:
            yield name.split(".", 1)[0]


def _resolve(value: object, scope: Scope) -> object:
    if isinstance(value, str):
        return _DYNAMIC.sub(lambda match: scope.dynamic(match[1], match[2]), value)
    if isinstance(value, list):
        items = (_resolve(item, scope) for item in value)
        return [item for item in items if not isinstance(item, _NoValue)]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        name, argument = next(iter(value.items()))
        if name == "Ref" or name.startswith("Fn::"):
            return _call(name, argument, scope)
    resolved = {str(key): _resolve(item, scope) for key, item in value.items()}
    return {key: item for key, item in resolved.items() if not isinstance(item, _NoValue)}


def _call(name: str, argument: object, scope: Scope) -> object:
    function = _FUNCTIONS.get(name)
    if function is None:
        raise TemplateError(f"Template error: {name} is not supported here")
    return function(argument, scope)


def _ref(argument: object, scope: Scope) -> object:
    name = str(argument)
    if name == NO_VALUE:
        return _ABSENT
    if name in scope.parameters:
        return scope.parameters[name]
    return scope.ref(name)


def _get_att(argument: object, scope: Scope) -> object:
    logical_id, attribute = _attribute_path(argument)
    return scope.attribute(logical_id, str(_resolve(attribute, scope)))


def _attribute_path(argument: object) -> tuple[str, Any]:
    if isinstance(argument, str) and "." in argument:
        logical_id, attribute = argument.split(".", 1)
        return logical_id, attribute
    first, *rest = _list(argument, "Fn::GetAtt")
    if not rest:
        raise TemplateError("Template error: Fn::GetAtt needs a resource and an attribute")
    return str(first), rest[0] if len(rest) == 1 else ".".join(str(part) for part in rest)


def _sub_parts(argument: object) -> tuple[str, dict[str, object]]:
    if isinstance(argument, str):
        return argument, {}
    parts = _list(argument, "Fn::Sub", 2)
    if not isinstance(parts[0], str) or not isinstance(parts[1], dict):
        raise TemplateError("Template error: Fn::Sub needs a string and a map of variables")
    return parts[0], parts[1]


def _sub(argument: object, scope: Scope) -> object:
    template, variables = _sub_parts(argument)

    def replace(match: re.Match[str]) -> str:
        name = match[2].strip()
        if match[1]:
            return "${" + match[2] + "}"
        if name in variables:
            found = _resolve(variables[name], scope)
        elif "." in name:
            found = _get_att(name, scope)
        else:
            found = _ref(name, scope)
        if isinstance(found, list | dict | _NoValue):
            raise TemplateError(f"Template error: ${{{name}}} in Fn::Sub is not a string")
        return text(found)

    return _resolve(_PLACEHOLDER.sub(replace, template), scope)


def _join(argument: object, scope: Scope) -> object:
    separator, items = _list(argument, "Fn::Join", 2)
    found = _resolve(items, scope)
    if not isinstance(separator, str) or not isinstance(found, list):
        raise TemplateError("Template error: Fn::Join needs a string and a list")
    return separator.join(text(item) for item in found)


def _select(argument: object, scope: Scope) -> object:
    index, items = _list(argument, "Fn::Select", 2)
    found = _resolve(items, scope)
    if isinstance(found, str):
        found = found.split(",")
    try:
        position = int(text(_resolve(index, scope)))
    except ValueError as error:
        raise TemplateError("Template error: Fn::Select needs a whole number") from error
    if not isinstance(found, list) or not 0 <= position < len(found):
        raise TemplateError(f"Template error: Fn::Select cannot select index {position}")
    return found[position]


def _split(argument: object, scope: Scope) -> object:
    separator, source = _list(argument, "Fn::Split", 2)
    return text(_resolve(source, scope)).split(text(_resolve(separator, scope)))


def _find_in_map(argument: object, scope: Scope) -> object:
    parts = _list(argument, "Fn::FindInMap")
    keys = [text(_resolve(part, scope)) for part in parts[:3]]
    found: Any = scope.mappings
    for key in keys:
        if not isinstance(found, dict) or key not in found:
            default = parts[-1] if isinstance(parts[-1], dict) else {}
            if "DefaultValue" in default:
                return _resolve(default["DefaultValue"], scope)
            raise TemplateError(f"Template error: Unable to get mapping for {'::'.join(keys)}")
        found = found[key]
    return _resolve(found, scope)


def _if(argument: object, scope: Scope) -> object:
    return _resolve(_branch(argument, scope.conditions), scope)


def _branch(argument: object, conditions: Mapping[str, bool]) -> object:
    name, when_true, when_false = _list(argument, "Fn::If", 3)
    if name not in conditions:
        raise TemplateError(f"Template error: unresolved condition {name} in Fn::If")
    return when_true if conditions[str(name)] else when_false


def _import_value(argument: object, scope: Scope) -> object:
    return scope.import_value(text(_resolve(argument, scope)))


def _base64(argument: object, scope: Scope) -> object:
    return base64.b64encode(text(_resolve(argument, scope)).encode()).decode()


def _to_json(argument: object, scope: Scope) -> object:
    return json.dumps(resolve(argument, scope), separators=(",", ":"))


def _length(argument: object, scope: Scope) -> object:
    found = resolve(argument, scope)
    if not isinstance(found, list):
        raise TemplateError("Template error: Fn::Length needs a list")
    return len(found)


def _single(value: object) -> tuple[str, object]:
    if not isinstance(value, dict) or len(value) != 1:
        raise TemplateError(
            f"Template error: a condition is one of {', '.join(_CONDITION_FUNCTIONS)}"
        )
    name, argument = next(iter(value.items()))
    return str(name), argument


def _list(argument: object, name: str, length: int | None = None) -> list[Any]:
    if not isinstance(argument, list) or (length is not None and len(argument) != length):
        wanted = "a list" if length is None else f"a list of {length}"
        raise TemplateError(f"Template error: {name} needs {wanted}")
    return argument


_FUNCTIONS: dict[str, Callable[[object, Scope], object]] = {
    "Ref": _ref,
    "Fn::GetAtt": _get_att,
    "Fn::Sub": _sub,
    "Fn::Join": _join,
    "Fn::Select": _select,
    "Fn::Split": _split,
    "Fn::FindInMap": _find_in_map,
    "Fn::If": _if,
    "Fn::ImportValue": _import_value,
    "Fn::Base64": _base64,
    "Fn::ToJsonString": _to_json,
    "Fn::Length": _length,
}
