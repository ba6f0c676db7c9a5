"""The CloudFormation stacks that own a function."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from autorepair.aws.errors import AWS_FAILURES, code_of, translated
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.deployment import STACK_TAGS, Stack

if TYPE_CHECKING:
    from types_boto3_cloudformation import CloudFormationClient
    from types_boto3_cloudformation.type_defs import StackTypeDef

_ACTION = "cloudformation:DescribeStacks"
_INVALID = "ValidationError"


class CloudFormationStacks:
    """Knows a stack by the tags that CloudFormation puts on the function."""

    permissions: ClassVar[Mapping[str, frozenset[str]]] = {"owning": frozenset({_ACTION})}

    def __init__(self, client: CloudFormationClient) -> None:
        self._cloudformation = client

    def owning(self, configuration: FunctionConfiguration) -> tuple[Stack, ...]:
        """Give the stack that made the function, and the one at the top where that is nested.

        Of a function without the tags, or whose stack is gone, nothing: nothing deploys it.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: They cannot be read.
        """
        named = next((configuration.tags[t] for t in STACK_TAGS if t in configuration.tags), None)
        own = None if named is None else self._described(named)
        if own is None:
            return ()
        root = None if own.root_id in {None, own.stack_id} else self._described(str(own.root_id))
        return (own,) if root is None else (own, root)

    def _described(self, stack: str) -> Stack | None:
        """Describe one stack; None if there is none (any more)."""
        try:
            found = self._cloudformation.describe_stacks(StackName=stack)["Stacks"]
        except AWS_FAILURES as error:
            if _is_gone(error):
                return None
            raise translated(error, action=_ACTION, on=stack) from error
        return _stack(found[0]) if found else None


def _is_gone(error: Exception) -> bool:
    """CloudFormation has no code of its own for a stack that does not exist."""
    return code_of(error) == _INVALID and "does not exist" in str(error)


def _stack(told: StackTypeDef) -> Stack:
    return Stack(
        stack_id=told.get("StackId") or told["StackName"],
        name=told["StackName"],
        status=told["StackStatus"],
        updated_at=told.get("LastUpdatedTime"),
        root_id=told.get("RootId"),
    )
