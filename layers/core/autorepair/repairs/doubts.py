"""What makes a change one that a person has to agree to, whatever its mode."""

from __future__ import annotations

from autorepair.domain.change import ReservedConcurrencySetting, TimeoutSetting
from autorepair.domain.decision import RefusalCode
from autorepair.domain.deliberate import said_deliberate
from autorepair.repairs.case import Case, Doubt
from autorepair.repairs.cost import unknown_cost
from autorepair.repairs.deployment import changed_since_evidence, recent_deployment
from autorepair.repairs.fitness import unknown_edge
from autorepair.repairs.headroom import unknown_headroom


def _storm(case: Case) -> str | None:
    """What strikes many functions at once is seldom cured function by function."""
    trip = case.history.ledger.of_account.trip
    if trip is None:
        return None
    return f"the storm breaker has tripped, for this is one incident upstream: {trip.told()}"


def _unseen_callers(case: Case) -> str | None:
    """A limit that could not be read is not the absence of one."""
    unseen = [gap for gap in case.seen.gaps if gap.source.split("/")[0] == "callers"]
    if not unseen or not isinstance(case.change.after, TimeoutSetting):
        return None
    return (
        "not everybody who calls the function could be read, so a longer timeout may be more than "
        f"one of them waits for: {unseen[0].reason}"
    )


def _unseen_headroom(case: Case) -> str | None:
    """What one function reserves is taken from all others."""
    unseen = [gap for gap in case.seen.gaps if gap.source.split("/")[0] == "concurrency"]
    if not unseen or not isinstance(case.change.after, ReservedConcurrencySetting):
        return None
    return (
        f"how much the account has left for other functions could not be read: {unseen[0].reason}"
    )


def _of_purpose(case: Case) -> str | None:
    """What an owner set on purpose is changed by somebody who knows the purpose."""
    told = said_deliberate(case.configuration)
    if told is None:
        return None
    return f"{told}, so somebody who knows what its settings are meant for decides"


DOUBTS: tuple[tuple[Doubt, RefusalCode], ...] = (
    (_storm, RefusalCode.BREAKER),
    (changed_since_evidence, RefusalCode.RECENT_DEPLOYMENT),
    (recent_deployment, RefusalCode.RECENT_DEPLOYMENT),
    (unknown_edge, RefusalCode.PRODUCT_VARIANT),
    (_of_purpose, RefusalCode.DELIBERATE_LIMIT),
    (_unseen_callers, RefusalCode.CALLER_LIMIT),
    (_unseen_headroom, RefusalCode.NO_HEADROOM),
    (unknown_cost, RefusalCode.ADDED_COST),
    (unknown_headroom, RefusalCode.NO_HEADROOM),
)
"""Each with the code of its refusal; the first that speaks is told."""
