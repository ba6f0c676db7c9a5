"""Reading what decides whether a function may be changed now, beyond its configuration."""

from __future__ import annotations

from collections.abc import Iterator

from autorepair.domain.change import (
    AliasSetting,
    Change,
    ReservedConcurrencySetting,
    TimeoutSetting,
)
from autorepair.domain.circumstances import Circumstances, EnvironmentKey
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.decision import Refusal
from autorepair.domain.errors import AutoRepairError, TargetNotFoundError
from autorepair.domain.evidence import EvidenceSummary
from autorepair.domain.incident import Target
from autorepair.ports import Ports

EDGE_REGION = "us-east-1"
"""Functions for Lambda@Edge are made here and nowhere else."""
EDGE_SERVICE = "edgelambda.amazonaws.com"
"""The execution role of each of them has to trust this service, or no edge server can run it.

"Restrictions on Lambda@Edge" in CloudFront's developer guide. The permission that replication adds
to the resource policy of each numbered version would tell as well, at a call for each version.
"""


def circumstances_of(
    planned: Change | Refusal, configuration: FunctionConfiguration, ports: Ports
) -> Circumstances:
    """Read them afresh; where nothing is planned nothing is read.

    What cannot be read is said so in the value: it is for the guardrails to make of it what they
    will.

    Raises:
        TargetNotFoundError: The function is gone.
    """
    if isinstance(planned, Refusal):
        return Circumstances()
    deployments, unread = _deployments(planned, configuration, ports)
    is_edge, unread_role = _edge(configuration, ports)
    return Circumstances(
        deployments=deployments,
        unread_deployments=unread,
        key=_key(planned, configuration, ports),
        is_edge=is_edge,
        unread_role=unread_role,
    )


def impatient_caller(planned: Change, seen: EvidenceSummary, ports: Ports) -> str | None:
    """Say who calls the function by now and waits for less than the timeout that is planned.

    Days may lie between the evidence and the write. One that can be read no more may be such a
    caller; whatever could not be read then either is known to whoever decided.
    """
    if not isinstance(planned.after, TimeoutSetting):
        return None
    reading = ports.callers.read(planned.target)
    for caller in reading.callers:
        limit_s = caller.timeout_limit_s
        if limit_s is not None and limit_s < planned.after.timeout_s:
            return f"{caller.kind} {caller.source} allows at most {limit_s:g} s by now"
    known = {gap.source for gap in seen.gaps}
    unread = next((gap for gap in reading.gaps if gap.source not in known), None)
    return None if unread is None else f"who calls it cannot be read by now: {unread.reason}"


def with_room_now(planned: Change, seen: EvidenceSummary, ports: Ports) -> EvidenceSummary:
    """Give what was seen, with what the account has left now for calls that last longer.

    Raises:
        AccessDeniedError, TransientServiceError, ConfigurationError: It was read then and cannot
            be read now.
    """
    if seen.concurrency is None or not isinstance(planned.after, TimeoutSetting):
        return seen
    return seen.model_copy(update={"concurrency": ports.concurrency.of_account()})


def _deployments(
    planned: Change, configuration: FunctionConfiguration, ports: Ports
) -> tuple[tuple[str, ...], str | None]:
    found: list[str] = []
    unread: str | None = None
    for source in (_stacks_in_progress(configuration, ports), _divided(planned.target, ports)):
        try:
            found += source
        except TargetNotFoundError:
            raise
        except AutoRepairError as error:
            unread = str(error)
    return tuple(found), unread


def _stacks_in_progress(configuration: FunctionConfiguration, ports: Ports) -> Iterator[str]:
    for stack in ports.stacks.owning(configuration):
        if stack.is_in_progress:
            yield f"its stack {stack.name} is {stack.status}"


def _divided(target: Target, ports: Ports) -> Iterator[str]:
    """Find the aliases that share out their traffic, as a gradual deployment does."""
    for alias in ports.releases.aliases(target):
        if alias.also:
            shares = ", ".join(f"{share:.0%} to {version}" for version, share in alias.also.items())
            yield f"its alias {alias.name} sends {shares} beside version {alias.version}"


def _key(
    planned: Change, configuration: FunctionConfiguration, ports: Ports
) -> EnvironmentKey | None:
    """Look at the key only where the environment is sealed anew: by what Lambda keeps with it."""
    if isinstance(planned.after, AliasSetting | ReservedConcurrencySetting):
        return None
    arn = configuration.kms_key_arn
    return None if arn is None else ports.environment_keys.read(arn)


def _edge(configuration: FunctionConfiguration, ports: Ports) -> tuple[bool, str | None]:
    """Tell whether edge servers may run the function, as far as its role says."""
    is_elsewhere = configuration.function_arn.split(":")[3] != EDGE_REGION
    if is_elsewhere or configuration.role_arn is None:
        return False, None
    try:
        return EDGE_SERVICE in ports.roles.trusted_by(configuration.role_arn), None
    except AutoRepairError as error:
        return False, str(error)
