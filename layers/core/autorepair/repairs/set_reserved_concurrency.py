"""Reserves more executions for a function that its own reservation holds back."""

from __future__ import annotations

import math
from dataclasses import dataclass

from autorepair.domain.change import Change, RepairKind, ReservedConcurrencySetting
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.decision import Refusal, RefusalCode
from autorepair.domain.deliberate import said_deliberate
from autorepair.domain.diagnosis import ConcurrencyNeed, Diagnosis, RootCause
from autorepair.domain.evidence import AccountConcurrency
from autorepair.domain.policy import Policy
from autorepair.repairs.planner import Repair, Surroundings, planned, refused

# Lambda keeps this many for the functions without a reservation (developer guide, "Configuring
# reserved concurrency") and refuses what would leave fewer.
KEPT_UNRESERVED = 100
_TIMES_DEMAND, _TIMES_PRESENT = 2.5, 2
# What is allowed has to hold the demand with this much to spare, or calls go on being refused.
_LEAST_ROOM = 1.2


@dataclass(frozen=True, slots=True)
class _Bound:
    """The most that may be reserved, and what sets it."""

    executions: int
    code: RefusalCode
    why: str


def plan_reserved_concurrency(
    configuration: FunctionConfiguration,
    diagnosis: Diagnosis,
    policy: Policy,
    surroundings: Surroundings,
) -> Change | Refusal:
    """Plan a larger reservation, in executions at once.

    Two and a half times the demand, refused calls included, and at least twice what is reserved (2
    to 4 times the peak or the refused demand is the rule of practice). Within the cap, and within
    what the account has left; where that is not known, at most twice what is reserved, and the
    guardrails ask. Without a reservation there is none to raise: the account's own limit is what
    is short. A reservation of 0 is how people stop a function, so it stays.
    """
    need, present = diagnosis.need, configuration.reserved_concurrency
    if not isinstance(need, ConcurrencyNeed):
        return refused(RefusalCode.NOT_REPAIRABLE, "nothing tells how many executions are needed")
    if (refusal := _unfit(present, need)) is not None or present is None:
        return refusal or _unreserved()
    if (told := said_deliberate(configuration)) is not None:
        return refused(RefusalCode.DELIBERATE_LIMIT, f"{told}: ask whoever set the reservation")
    bound = _bound(present, policy, surroundings.account)
    if bound.executions < max(need.executions * _LEAST_ROOM, present + 1):
        return refused(
            bound.code,
            f"the demand is for {need.executions:.0f} executions at once and {present} are "
            f"reserved: {bound.why}; ask for a higher quota, free reservations elsewhere, or "
            "make the work shorter",
        )
    wanted = max(math.ceil(_TIMES_DEMAND * need.executions), _TIMES_PRESENT * present)
    return planned(
        configuration,
        surroundings,
        ReservedConcurrencySetting(reserved_concurrency=present),
        ReservedConcurrencySetting(reserved_concurrency=min(wanted, bound.executions)),
    )


def _unfit(present: int | None, need: ConcurrencyNeed) -> Refusal | None:
    """Refuse where the reservation is none that a raise would cure."""
    if present is None:
        return _unreserved()
    if present == 0:
        return refused(
            RefusalCode.DELIBERATE_LIMIT,
            "a reservation of 0 stops a function on purpose: ask whoever set it",
        )
    if need.seen_at_reserved not in {None, present}:
        return refused(
            RefusalCode.NO_EFFECT,
            f"calls were refused at a reservation of {need.seen_at_reserved} and it is {present} "
            "by now: see first whether that was enough",
        )
    return None


def _unreserved() -> Refusal:
    return refused(
        RefusalCode.NOT_REPAIRABLE,
        "nothing is reserved for the function, so it is the account's limit that is short: ask "
        "for a higher quota, or see which function takes it all",
    )


def _bound(present: int, policy: Policy, account: AccountConcurrency | None) -> _Bound:
    cap = policy.caps.reserved_concurrency
    capped = _Bound(cap, RefusalCode.AT_CAP, f"the policy allows at most {cap}")
    if account is None:
        left = _Bound(
            _TIMES_PRESENT * present,
            RefusalCode.NO_HEADROOM,
            "what the account has left could not be read, so at most the double is tried",
        )
    else:
        free = max(0, account.unreserved - KEPT_UNRESERVED)
        left = _Bound(
            present + free,
            RefusalCode.NO_HEADROOM,
            f"the account has {account.unreserved} unreserved, of which Lambda keeps "
            f"{KEPT_UNRESERVED}",
        )
    return min(capped, left, key=lambda bound: bound.executions)


SET_RESERVED_CONCURRENCY = Repair(
    RepairKind.SET_RESERVED_CONCURRENCY,
    (RootCause.CONCURRENCY_LIMITED,),
    ConcurrencyNeed,
    plan_reserved_concurrency,
    reaches_versions=True,
)
