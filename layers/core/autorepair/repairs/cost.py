"""What a repair may add to the bill: declined above the cap, asked where it is not known."""

from __future__ import annotations

from autorepair.domain.change import Setting
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.cost import CostEstimate, estimated, most_affordable
from autorepair.domain.decision import Refusal, RefusalCode
from autorepair.domain.policy import Policy
from autorepair.repairs.case import Case
from autorepair.repairs.limit import Limit
from autorepair.repairs.planner import Surroundings, of_same_kind, refused

_UNITS = {"set_timeout": "s", "set_memory": "MB", "set_ephemeral_storage": "MB"}


def added_cost(case: Case) -> CostEstimate:
    """Say what the incident's changes add to the bill, this one and those before it together."""
    whole = case.change.after_step(of_same_kind(case.history.origin, case.change.before))
    return estimated(whole, case.seen.traffic, case.configuration)


def too_costly(case: Case) -> Refusal | None:
    """Refuse what would add more to the bill than the policy's cap."""
    cost, cap = added_cost(case), case.policy.caps.added_cost_usd_month
    if cost.added_usd_month is None or cost.added_usd_month <= cap:
        return None
    return refused(
        RefusalCode.ADDED_COST,
        f"it would add up to {cost.added_usd_month:,.2f} USD a month ({cost.basis}; prices of "
        f"{cost.prices_of}), above the cap of {cap:,g} USD: make the work cheaper or raise the cap",
    )


def unknown_cost(case: Case) -> str | None:
    """Ask where nobody can say what it will cost."""
    cost = added_cost(case)
    if cost.added_usd_month is not None:
        return None
    return (
        "what it adds to the bill by the month cannot be told: up to "
        f"{cost.usd_per_million:,.2f} USD for a million calls ({cost.basis}; prices of "
        f"{cost.prices_of})"
    )


def cost_limit(
    present: Setting, configuration: FunctionConfiguration, policy: Policy, around: Surroundings
) -> Limit | None:
    """Give the most of a setting that the cap on added cost pays for; None for any amount.

    What the steps before this one added counts too.
    """
    cap, region = policy.caps.added_cost_usd_month, around.target.region
    origin = of_same_kind(around.origin, present)
    before = present if origin is None else origin.before
    most = most_affordable(before, cap, around.traffic, configuration, region)
    if most is None:
        return None
    why = (
        f"caps.added_cost_usd_month of the policy is {cap:,g} USD, and that pays for no more than "
        f"{most:,} {_UNITS[present.kind]} (raise it if that is too little)"
    )
    return Limit(most, RefusalCode.ADDED_COST, why)
