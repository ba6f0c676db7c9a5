"""AWS::CloudFormation::Stack: a stack as a resource of another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autorepair_lab.deploy.aws import text
from autorepair_lab.deploy.errors import ResourceError
from autorepair_lab.deploy.resources.base import Made, Properties, ResourceType, Work, tag_map
from autorepair_lab.deploy.stack import STACK_TYPE, Stack, suffix

if TYPE_CHECKING:
    from autorepair_lab.deploy.stacks import Stacks


class NestedStack(ResourceType):
    """A nested stack; Ref gives its ARN, Outputs.Name its outputs."""

    type = STACK_TYPE
    properties = frozenset(
        {"NotificationARNs", "Parameters", "Tags", "TemplateURL", "TimeoutInMinutes"}
    )
    mutable = frozenset({"NotificationARNs", "Parameters", "Tags", "TemplateURL"})
    stateful = True
    tags = "list"

    def __init__(self, stacks: Stacks) -> None:
        self._stacks = stacks

    def create(self, work: Work) -> Made:
        """Create the stack and wait for it. Raises ResourceError if it had to roll back."""
        parent = self._stacks.find(work.stack_arn)
        name = f"{work.stack_name}-{work.logical_id}-{suffix()}"
        target = self._stacks.prepare(
            self._stacks.fetch(str(work.require("TemplateURL"))),
            _parameters(work),
            tag_map(work.get("Tags")),
            parent.capabilities,
        )
        stack = self._stacks.add(name, "CREATE_IN_PROGRESS", parent=parent)
        stack.is_rollback_disabled = parent.is_rollback_disabled
        stack.capabilities = parent.capabilities
        made = work.adopt(stack.arn)
        self._stacks.engine.create(stack, target)
        if stack.status != "CREATE_COMPLETE":
            raise ResourceError(_why(stack, "created"))
        made.attributes.update(_outputs(stack))
        return made

    def update(self, work: Work, made: Made, before: Properties) -> Made:  # noqa: ARG002 - whole
        """Update the stack and wait for it. Raises ResourceError if it had to roll back."""
        stack = self._stacks.find(made.physical_id)
        parent = self._stacks.find(work.stack_arn)
        target = self._stacks.prepare(
            self._stacks.fetch(str(work.require("TemplateURL"))),
            _parameters(work),
            tag_map(work.get("Tags")),
            parent.capabilities,
        )
        stack.is_rollback_disabled = parent.is_rollback_disabled
        stack.capabilities = parent.capabilities
        self._stacks.engine.update(stack, target)
        if stack.status != "UPDATE_COMPLETE":
            raise ResourceError(_why(stack, "updated"))
        return Made(stack.arn, _outputs(stack))

    def delete(self, work: Work, made: Made) -> None:  # noqa: ARG002 - known by its ARN
        """Delete the stack. Raises ResourceError if something in it could not be."""
        stack = self._stacks.find(made.physical_id)
        if stack.is_deleted:
            return
        self._stacks.engine.delete(stack)
        if not stack.is_deleted:
            raise ResourceError(_why(stack, "deleted"))


def _parameters(work: Work) -> dict[str, str]:
    given: dict[str, Any] = work.get("Parameters") or {}
    return {
        name: ",".join(text(item) for item in value) if isinstance(value, list) else text(value)
        for name, value in given.items()
    }


def _outputs(stack: Stack) -> dict[str, Any]:
    return {f"Outputs.{output.key}": output.value for output in stack.outputs}


def _why(stack: Stack, verb: str) -> str:
    failures = (
        f"{event.logical_id}: {event.reason}"
        for event in stack.events
        if event.status.endswith("_FAILED") and event.reason
    )
    first = next(failures, stack.reason)
    return f"Embedded stack {stack.arn} was not successfully {verb}: {first}"
