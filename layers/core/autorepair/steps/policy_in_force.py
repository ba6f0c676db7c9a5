"""The policy as it applies to one function: tightened by its tags and by the deployment."""

from __future__ import annotations

from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.errors import PolicyUnreadableError
from autorepair.domain.policy import Policy
from autorepair.ports import Ports


def policy_for(configuration: FunctionConfiguration, ports: Ports, *, is_fresh: bool) -> Policy:
    """Read the policy in force for the function.

    Raises:
        PolicyUnreadableError: It cannot be read or does not validate.
    """
    policy = ports.policies.current(is_fresh=is_fresh).for_function(configuration.function_name)
    return policy.tightened_by(configuration.tags, is_approval_required=ports.is_approval_required)


def policy_or_strictest(
    configuration: FunctionConfiguration, ports: Ports
) -> tuple[Policy, str | None]:
    """Read the policy; if that fails give the strictest one, which only observes, and why."""
    try:
        return policy_for(configuration, ports, is_fresh=True), None
    except PolicyUnreadableError as error:
        return Policy(), str(error)
