"""What a target wants, in which order, and how that differs from what a stack has."""

from __future__ import annotations

from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

from autorepair_lab.deploy.aws import text
from autorepair_lab.deploy.errors import ResourceError, TemplateError
from autorepair_lab.deploy.intrinsics import Scope, choose, references, resolve
from autorepair_lab.deploy.resources.base import tag_map
from autorepair_lab.deploy.stack import STACK_TYPE, Change, Stack, StackResource, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from autorepair_lab.deploy.resources.base import Properties, ResourceType

PSEUDO = (
    "AWS::AccountId",
    "AWS::NoValue",
    "AWS::NotificationARNs",
    "AWS::Partition",
    "AWS::Region",
    "AWS::StackId",
    "AWS::StackName",
    "AWS::URLSuffix",
)


@dataclass(frozen=True)
class Surroundings:
    """What a scope takes from outside its stack."""

    region: str
    account_id: str
    import_value: Callable[[str], object]
    dynamic: Callable[[str, str], str]


@dataclass(frozen=True)
class Wanted:
    """One resource the target declares and whose condition holds."""

    logical_id: str
    type: str
    raw: dict[str, Any]
    depends_on: frozenset[str]
    deletion_policy: object
    replace_policy: object


def wanted(target: Target) -> dict[str, Wanted]:
    """Return the active resources. Raises TemplateError for references that lead nowhere."""
    declared = target.expanded.resources
    active = {
        logical_id: resource
        for logical_id, resource in declared.items()
        if "Condition" not in resource or _holds(target, str(resource["Condition"]))
    }
    result = {}
    for logical_id, resource in active.items():
        raw = choose(resource.get("Properties") or {}, target.conditions)
        explicit = resource.get("DependsOn") or []
        explicit = {explicit} if isinstance(explicit, str) else set(explicit)
        mentioned = references(raw) - set(target.parameters) - set(PSEUDO)
        _must_exist(mentioned, active, f"the Resources block of the template ({logical_id})")
        _must_exist(explicit, declared, f"the Resources block of the template ({logical_id})")
        result[logical_id] = Wanted(
            logical_id,
            str(resource["Type"]),
            raw,
            frozenset(mentioned | (explicit & set(active))),
            choose(resource.get("DeletionPolicy", "Delete"), target.conditions),
            choose(resource.get("UpdateReplacePolicy", "Delete"), target.conditions),
        )
    return result


def _holds(target: Target, condition: str) -> bool:
    if condition not in target.conditions:
        raise TemplateError(f"Template format error: Unresolved condition dependency {condition}")
    return target.conditions[condition]


def _must_exist(names: set[str], known: Mapping[str, object], where: str) -> None:
    missing = sorted(names - set(known))
    if missing:
        raise TemplateError(
            f"Template format error: Unresolved resource dependencies [{', '.join(missing)}] "
            f"in {where}"
        )


def sorter(resources: Mapping[str, Iterable[str]]) -> TopologicalSorter[str]:
    """Return a sorter over dependencies. Raises TemplateError for a circle."""
    graph: TopologicalSorter[str] = TopologicalSorter(
        {name: [d for d in needs if d in resources] for name, needs in resources.items()}
    )
    try:
        graph.prepare()
    except CycleError as error:
        circle = ", ".join(sorted(set(error.args[1])))
        raise TemplateError(f"Circular dependency between resources: [{circle}]") from error
    return graph


def ordered(resources: Mapping[str, Iterable[str]]) -> list[str]:
    """Return the names, each after those it depends on. Raises TemplateError for a circle."""
    graph, order = sorter(resources), list[str]()
    while graph.is_active():
        ready = graph.get_ready()
        order.extend(ready)
        graph.done(*ready)
    return order


def scope_of(
    stack: Stack,
    target: Target,
    around: Surroundings,
    find: Callable[[str], StackResource | None],
) -> Scope:
    """Return the scope of a stack on its way to the target; ``find`` gives what exists."""
    pseudo: dict[str, object] = {
        "AWS::AccountId": around.account_id,
        "AWS::NotificationARNs": [],
        "AWS::Partition": "aws",
        "AWS::Region": around.region,
        "AWS::StackId": stack.arn,
        "AWS::StackName": stack.name,
        "AWS::URLSuffix": "amazonaws.com",
    }

    def ref(logical_id: str) -> object:
        found = find(logical_id)
        return unknown(logical_id) if found is None else found.physical_id

    def attribute(logical_id: str, name: str) -> object:
        found = find(logical_id)
        if found is None:
            return unknown(logical_id)
        if name not in found.attributes:
            raise TemplateError(
                f"Template error: resource {logical_id} does not support attribute type {name} "
                "in Fn::GetAtt"
            )
        return found.attributes[name]

    given = {name: bound.value for name, bound in target.parameters.items()}
    return Scope(
        {**pseudo, **given},
        target.expanded.mappings,
        target.conditions,
        ref,
        attribute,
        around.import_value,
        around.dynamic,
    )


def unknown(logical_id: str) -> str:
    """Return what stands for a value that is only known once its resource exists."""
    return f"{{known after {logical_id}}}"


def properties_of(
    one: Wanted, kind: ResourceType, scope: Scope, tags: dict[str, str]
) -> Properties:
    """Resolve a resource's properties, with the stack's tags laid under its own."""
    resolved: Properties = resolve(one.raw, scope)
    if kind.tags is not None and tags:
        merged = {**tags, **tag_map(resolved.get("Tags"))}
        as_list = [{"Key": key, "Value": value} for key, value in merged.items()]
        resolved["Tags"] = merged if kind.tags == "map" else as_list
    return resolved


def differing(before: Properties, after: Properties) -> frozenset[str]:
    """Return the names of the properties that differ."""
    names = set(before) | set(after)
    return frozenset(name for name in names if before.get(name) != after.get(name))


def policy(value: object, scope: Scope) -> str:
    """Resolve a deletion policy, which may hang on a parameter."""
    return text(resolve(value, scope) or "Delete")


def changes(
    stack: Stack, target: Target, around: Surroundings, registry: Mapping[str, ResourceType]
) -> list[Change]:
    """Return what executing the target would do, additions first as they would be made.

    Raises TemplateError for a template that cannot be resolved.
    """
    everything = wanted(target)
    dirty: set[str] = set()
    found: list[Change] = []

    def find(logical_id: str) -> StackResource | None:
        return None if logical_id in dirty else stack.resources.get(logical_id)

    scope = scope_of(stack, target, around, find)
    for logical_id in ordered({name: one.depends_on for name, one in everything.items()}):
        one, existing = everything[logical_id], stack.resources.get(logical_id)
        kind = registry[one.type]
        properties = properties_of(one, kind, scope, target.tags)
        if existing is None:
            found.append(Change("Add", logical_id, None, one.type, None))
            continue
        different = differing(existing.properties, properties)
        if not different and existing.type == one.type:
            continue
        replaced = existing.type != one.type or kind.replaces(different)
        if replaced or one.type == STACK_TYPE:
            dirty.add(logical_id)
        word = "True" if replaced else "False"
        found.append(
            Change(
                "Modify", logical_id, existing.physical_id, one.type, word, tuple(sorted(different))
            )
        )
    found.extend(
        Change("Remove", name, old.physical_id, old.type, None)
        for name, old in stack.resources.items()
        if name not in everything
    )
    return found


def check_replacement(kind: ResourceType, existing: StackResource, after: Properties) -> None:
    """Raise ResourceError where a replacement would lose data or collide with itself."""
    if kind.stateful and existing.replace_policy != "Retain":
        raise ResourceError(
            f"{existing.logical_id} ({kind.type}) would have to be replaced, losing what it holds; "
            f"changed: {', '.join(sorted(differing(existing.properties, after)))}. "
            "Set UpdateReplacePolicy: Retain and a new name if that is meant"
        )
    name = kind.named_by
    if name and name in after and existing.properties.get(name) == after[name]:
        raise ResourceError(
            "CloudFormation cannot update a stack when a custom-named resource requires replacing. "
            f"Rename {after[name]} and update the stack again."
        )
