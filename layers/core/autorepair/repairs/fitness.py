"""Guards on the function itself: whether it is one that may be changed, and may be changed now."""

from __future__ import annotations

from autorepair.domain.change import AliasSetting, ReservedConcurrencySetting
from autorepair.domain.circumstances import EnvironmentKey
from autorepair.domain.configuration import (
    ENROLMENT_TAG,
    ENROLMENT_VALUE,
    SERVICE_PREFIX,
    FunctionConfiguration,
    ProductVariant,
)
from autorepair.domain.decision import Refusal, RefusalCode
from autorepair.repairs.case import Case, Guardrail
from autorepair.repairs.planner import refused

_VARIANTS: dict[ProductVariant, str] = {
    ProductVariant.EDGE_REPLICA: (
        "it is a copy that Lambda@Edge made, and whatever is set here is lost with the next copy: "
        "change the function it was made of in us-east-1, publish a version and send the "
        "distribution to that"
    ),
    ProductVariant.MANAGED_INSTANCES: (
        "it runs on managed instances, where one environment serves many calls at once, memory "
        "comes with processors by the instance, and only a published version is run: size it by "
        "its capacity provider and publish"
    ),
    ProductVariant.DURABLE: (
        "it is a durable function, of which one execution is many invocations that are replayed: "
        "an invocation says little of the work, and a setting that changes between two of them may "
        "break the replay. Look at the durable executions, and change it with a version"
    ),
    ProductVariant.ACCELERATED: (
        "it has a graphics processor, so its limits and prices are not those that repairs are "
        "sized by: change it in its template"
    ),
}
_EDGE = (
    "its role lets edge servers run it (edgelambda.amazonaws.com), so it is one for Lambda@Edge: "
    "CloudFront runs copies of a numbered version, which a change of the function never reaches. "
    "Change it yourself, publish a version and send the distribution to that; if it is none, take "
    "edgelambda.amazonaws.com out of the trust of its role"
)
_ENABLED = "Enabled"


def own_function(configuration: FunctionConfiguration) -> Refusal | None:
    """Refuse to touch the service itself, whatever was planned."""
    if not configuration.function_name.startswith(SERVICE_PREFIX):
        return None
    return refused(
        RefusalCode.OWN_FUNCTION,
        f"{configuration.function_name} is part of this service, which never repairs itself",
    )


def _not_enrolled(case: Case) -> Refusal | None:
    if case.configuration.is_enrolled:
        return None
    return refused(
        RefusalCode.NOT_ENROLLED,
        f"the function has no tag {ENROLMENT_TAG}={ENROLMENT_VALUE}: its owner has not asked",
    )


def _product_variant(case: Case) -> Refusal | None:
    """What is known of plain functions must not be done to what only looks like one."""
    name = case.configuration.function_name
    for variant in case.configuration.variants:
        return refused(RefusalCode.PRODUCT_VARIANT, f"{name} is left alone: {_VARIANTS[variant]}")
    if case.circumstances.is_edge:
        return refused(RefusalCode.PRODUCT_VARIANT, f"{name} is left alone: {_EDGE}")
    return None


def _not_settled(case: Case) -> Refusal | None:
    state, update = case.configuration.state, case.configuration.last_update_status
    if state == "Active" and update == "Successful":
        return None
    return refused(
        RefusalCode.NOT_ACTIVE,
        f"the function is {state} and its last update {update}: what would be changed is not "
        "what is running",
    )


def _key_without_grants(case: Case) -> Refusal | None:
    """Refuse a write that would seal the environment with a key that may not be used.

    UpdateFunctionConfiguration seals it whatever else it sets. Aliases and reserved concurrency
    are kept elsewhere.
    """
    if isinstance(case.change.after, AliasSetting | ReservedConcurrencySetting):
        return None
    key = case.circumstances.key
    trouble = None if key is None else _trouble_with(key)
    if trouble is None:
        return None
    return refused(
        RefusalCode.KEY_WITHOUT_GRANTS,
        f"a customer's key seals the function's environment, and {trouble}",
    )


def _trouble_with(key: EnvironmentKey) -> str | None:
    tagging = (
        f"aws kms tag-resource --key-id {key.arn} "
        f"--tags TagKey={ENROLMENT_TAG},TagValue={ENROLMENT_VALUE}"
    )
    if key.trouble is not None:
        return (
            f"nobody can tell whether {key.arn} may be used ({key.trouble}). It has to be a key of "
            f"this account and Region, with the enrolment tag: {tagging}"
        )
    if not key.is_enrolled:
        return (
            f"{key.arn} is not enrolled, so no role of this service may use it: a write would "
            f"fail, or lose the environment. Enrol it: {tagging}"
        )
    if key.state != _ENABLED:
        return (
            f"{key.arn} is {key.state}, so nothing can be sealed with it: bring it back first (aws "
            f"kms enable-key --key-id {key.arn}, or cancel-key-deletion before that)"
        )
    return None


FITNESS: tuple[Guardrail, ...] = (
    _not_enrolled,
    _product_variant,
    _not_settled,
    _key_without_grants,
)
"""In the order in which they are asked."""


def unknown_edge(case: Case) -> str | None:
    """Give the doubt whether the function is one for Lambda@Edge."""
    if case.circumstances.unread_role is None:
        return None
    return (
        "whether the function is one for Lambda@Edge, which no change would reach, cannot be told: "
        f"{case.circumstances.unread_role}"
    )
