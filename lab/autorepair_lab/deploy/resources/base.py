"""What a resource type is to the engine: how it is made, changed and removed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from autorepair_lab.deploy.errors import ResourceError
from autorepair_lab.deploy.stack import suffix

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autorepair_lab.deploy.aws import Aws

Properties = dict[str, Any]
ALL: frozenset[str] = frozenset({"*"})


@dataclass(frozen=True)
class Made:
    """What exists now: Ref gives the physical id, Fn::GetAtt the attributes."""

    physical_id: str
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass
class Work:
    """One resource to be made or changed; ``properties`` are resolved and checked."""

    aws: Aws
    stack_name: str
    stack_arn: str
    logical_id: str
    properties: Properties
    adopted: Made | None = None

    def get(self, name: str) -> Any:  # noqa: ANN401 - a property holds any JSON value
        """Return a property, None if it is not given."""
        return self.properties.get(name)

    def require(self, name: str) -> Any:  # noqa: ANN401 - a property holds any JSON value
        """Return a property. Raises ResourceError if it is not given."""
        if name not in self.properties:
            raise ResourceError(f"Property {name} cannot be empty.")
        return self.properties[name]

    def pick(self, *names: str) -> Properties:
        """Return those of the named properties that are given."""
        return {name: self.properties[name] for name in names if name in self.properties}

    def name(self, property_name: str, limit: int = 64) -> str:
        """Return the given name, or one generated from the stack's and the resource's names."""
        given = self.properties.get(property_name)
        if given:
            return str(given)
        room = limit - 14
        logical = self.logical_id[: max(24, room - len(self.stack_name))]
        return f"{self.stack_name[: room - len(logical)]}-{logical}-{suffix()}"

    def adopt(self, physical_id: str, **attributes: object) -> Made:
        """Note what exists already, so that it is removed should the rest of the work fail."""
        self.adopted = Made(physical_id, attributes)
        return self.adopted


class ResourceType(ABC):
    """One CloudFormation resource type.

    ``properties`` are the ones it knows: any other is refused. ``mutable`` are those it changes
    in place ("*": all): a change of any other replaces the resource. ``named_by`` is the property
    that names it. A ``stateful`` resource is never replaced unless the template retains the old.
    """

    type: ClassVar[str]
    properties: ClassVar[frozenset[str]]
    mutable: ClassVar[frozenset[str]] = frozenset()
    named_by: ClassVar[str | None] = None
    stateful: ClassVar[bool] = False
    tags: ClassVar[Literal["list", "map"] | None] = None  # how its Tags property is written

    @abstractmethod
    def create(self, work: Work) -> Made:
        """Make the resource. Raises ResourceError when the account refuses."""

    def update(self, work: Work, made: Made, before: Properties) -> Made:
        """Change the resource in place. Raises ResourceError when the account refuses."""
        raise NotImplementedError(f"{self.type} has no properties that change in place")

    @abstractmethod
    def delete(self, work: Work, made: Made) -> None:
        """Remove the resource; one that is gone already is no error."""

    def replaces(self, changed: frozenset[str]) -> bool:
        """Tell whether a change of these properties needs a new resource."""
        return "*" not in self.mutable and not changed <= self.mutable

    def check(self, properties: Mapping[str, object]) -> None:
        """Raise ResourceError for a property that this type does not know."""
        unknown = sorted(set(properties) - self.properties)
        if unknown:
            raise ResourceError(
                f"Encountered unsupported property {', '.join(unknown)} of {self.type}: "
                "the lab would have to ignore it; teach it in autorepair_lab/deploy/resources"
            )


def tag_map(tags: object) -> dict[str, str]:
    """Return tags as a map, however they are written."""
    if isinstance(tags, dict):
        return {str(key): str(value) for key, value in tags.items()}
    if isinstance(tags, list):
        return {str(tag["Key"]): str(tag["Value"]) for tag in tags}
    return {}


def tag_list(tags: object) -> list[dict[str, str]] | None:
    """Return tags as a list of Key and Value, None if there are none."""
    return [{"Key": key, "Value": value} for key, value in tag_map(tags).items()] or None


def tag_changes(before: object, after: object) -> tuple[dict[str, str], list[str]]:
    """Return the tags to set and the names of those to take away."""
    old, new = tag_map(before), tag_map(after)
    changed = {key: value for key, value in new.items() if old.get(key) != value}
    return changed, sorted(set(old) - set(new))


def lower_first(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Write the keys of an object in camelCase, as several APIs want them, at every depth."""
    if isinstance(value, list):
        return [lower_first(item) for item in value]
    if isinstance(value, dict):
        return {key[:1].lower() + key[1:]: lower_first(item) for key, item in value.items()}
    return value
