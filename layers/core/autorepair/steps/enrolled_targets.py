"""Which of the functions that an alarm is about are this service's to look after."""

from __future__ import annotations

from autorepair.domain.configuration import ENROLMENT_TAG, ENROLMENT_VALUE, SERVICE_PREFIX
from autorepair.domain.errors import TargetNotFoundError
from autorepair.domain.incident import Target
from autorepair.ports import Ports
from autorepair.steps.alarm_event import FunctionReference, Sighting
from autorepair.steps.alarm_targets import MOST_FUNCTIONS, functions_named

STACK_TAG = "aws:cloudformation:stack-name"
"""CloudFormation puts it on every function; the service's own stacks begin with its prefix."""


class NotOursError(Exception):
    """The alarm leads to no incident; the message says why. Never leaves ParseAlarmEvent."""

    def __init__(self, reason: str, target: Target | None = None) -> None:
        super().__init__(reason)
        self.target = target


def require_this_account(sighting: Sighting, ports: Ports) -> None:
    """Refuse what another account or Region speaks of: a namesake here is another function.

    Raises:
        NotOursError: The alarm, or a metric that it watches, is not of here.
    """
    strangers = sorted(sighting.accounts - {ports.account_id})
    if strangers:
        raise NotOursError(f"the alarm belongs to another account: {', '.join(strangers)}")
    if sighting.region is not None and sighting.region != ports.region:
        raise NotOursError(f"the alarm belongs to another Region: {sighting.region}")


def target_named(sighting: Sighting, ports: Ports) -> Target | None:
    """Give the first function that the event itself names, for the record of an ignored alarm."""
    names = sorted(sighting.functions, key=lambda one: one.function_name)
    return target_of(names[0], sighting, ports) if names else None


def enrolled_targets(sighting: Sighting, ports: Ports) -> tuple[Target, ...]:
    """Give the enrolled functions that the alarm is about, in the order of their names.

    Raises:
        NotOursError: There is none; the message says why of each function.
        MalformedEventError: A metric names a function by no function's name.
        AccessDeniedError, TransientServiceError: It cannot be told.
    """
    references = functions_named(sighting, ports)
    if not references:
        raise NotOursError(_why_nobody(sighting))
    looked_at = references[:MOST_FUNCTIONS]
    targets = [target_of(reference, sighting, ports) for reference in looked_at]
    faults = [_fault(t, r, ports) for t, r in zip(targets, looked_at, strict=True)]
    enrolled = tuple(t for t, fault in zip(targets, faults, strict=True) if fault is None)
    if not enrolled:
        raise NotOursError("; ".join(fault for fault in faults if fault), targets[0])
    return enrolled


def _why_nobody(sighting: Sighting) -> str:
    if sighting.rule is not None:
        return "no alarm below the composite alarm that stands in ALARM names a Lambda function"
    return (
        f"no metric of the alarm ({sighting.alarm.namespace or 'no namespace'}) has a FunctionName "
        "dimension in AWS/Lambda, and none is made by a metric filter of a function's log"
    )


def _fault(target: Target, reference: FunctionReference, ports: Ports) -> str | None:
    """Say why the function is not looked after, if it is not."""
    name = target.function_name
    if name.startswith(SERVICE_PREFIX):
        return f"{name} belongs to this service itself"
    try:
        tags = ports.functions.tags(target)
        if tags.get(STACK_TAG, "").startswith(SERVICE_PREFIX):
            return f"{name} belongs to this service itself (stack {tags[STACK_TAG]})"
        if tags.get(ENROLMENT_TAG) != ENROLMENT_VALUE:
            return f"{name} does not carry the tag {ENROLMENT_TAG}={ENROLMENT_VALUE}"
        if reference.log_group is not None:
            writes_to = ports.functions.read(target).log_group
            if writes_to != reference.log_group:
                return f"{name} does not write to the log group {reference.log_group}"
    except TargetNotFoundError:
        return f"there is no function {name}"
    return None


def target_of(function: FunctionReference, sighting: Sighting, ports: Ports) -> Target:
    """Give the function of this account and Region that goes by the name."""
    partition = _partition(sighting.alarm.arn, ports.region)
    arn = f"arn:{partition}:lambda:{ports.region}:{ports.account_id}:function"
    return Target(
        function_name=function.function_name,
        function_arn=f"{arn}:{function.function_name}",
        account_id=ports.account_id,
        region=ports.region,
        qualifier=function.qualifier,
    )


def _partition(alarm_arn: str, region: str) -> str:
    if alarm_arn.startswith("arn:"):
        return alarm_arn.split(":")[1]
    prefixes = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
    return next((p for start, p in prefixes.items() if region.startswith(start)), "aws")
