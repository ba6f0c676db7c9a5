"""Whether there is room for calls that take longer: needed at once = rate x duration."""

from __future__ import annotations

import math
from dataclasses import dataclass

from autorepair.domain.change import Change, TimeoutSetting
from autorepair.domain.configuration import MAX_TIMEOUT_S, FunctionConfiguration
from autorepair.domain.decision import Refusal, RefusalCode
from autorepair.domain.evidence import AccountConcurrency
from autorepair.domain.traffic import Traffic
from autorepair.repairs.case import Case
from autorepair.repairs.limit import Limit
from autorepair.repairs.planner import Surroundings, of_same_kind, refused
from autorepair.repairs.set_reserved_concurrency import KEPT_UNRESERVED


@dataclass(frozen=True, slots=True)
class _Room:
    """How many executions there may be at once, and how many a longer timeout may bring about."""

    executions: int
    whose: str
    busiest: float
    cut_off_per_s: float

    @property
    def longer_s(self) -> int:
        """How many whole seconds more the calls that are cut off may run; as many as matter."""
        free = max(0.0, self.executions - self.busiest)
        if free >= self.cut_off_per_s * MAX_TIMEOUT_S:
            return MAX_TIMEOUT_S
        return math.floor(free / self.cut_off_per_s)

    def told(self, more_s: int) -> str:
        """Say what so many seconds more would take, and what there is."""
        needed = math.ceil(self.busiest + self.cut_off_per_s * more_s)
        return (
            f"with {self.busiest:,.0f} executions at once at the peak and "
            f"{self.cut_off_per_s:,.2g} calls a second that are cut off, {more_s} s more may take "
            f"{needed:,} at once; {self.whose} leaves {self.executions:,}"
        )


def no_headroom(case: Case) -> Refusal | None:
    """Refuse a longer timeout that may take more executions at once than there are."""
    longer_s = _longer_s(case)
    room = _room(case.configuration, case.seen.traffic, case.seen.concurrency)
    if longer_s == 0 or room is None or longer_s <= room.longer_s:
        return None
    return refused(
        RefusalCode.NO_HEADROOM,
        f"{room.told(longer_s)}: reserve more for the function, or make the work shorter",
    )


def unknown_headroom(case: Case) -> str | None:
    """Ask where a longer timeout may meet a limit that cannot be told to be far."""
    if _longer_s(case) == 0:
        return None
    reserved = case.configuration.reserved_concurrency
    if _is_known(case.seen.traffic):
        return _unread_account(case) if reserved is None else None
    room = "the account has left"
    if reserved is not None:
        room = f"the {reserved} that are reserved for the function"
    return (
        "how many executions at once it takes is not known, so a longer timeout may need more "
        f"than {room}"
    )


def headroom_limit(configuration: FunctionConfiguration, around: Surroundings) -> Limit | None:
    """Give the longest timeout that there is room for, in seconds; None for no such limit.

    The traffic was measured before the first step of the incident, so what the steps before this
    one added takes room too.
    """
    room = _room(configuration, around.traffic, around.account)
    if room is None:
        return None
    present = TimeoutSetting(timeout_s=configuration.timeout_s)
    most = _measured_with(around.origin, present).timeout_s + room.longer_s
    return Limit(most, RefusalCode.NO_HEADROOM, room.told(room.longer_s + 1))


def _longer_s(case: Case) -> int:
    """How much longer a call may run than when the traffic was measured; 0 for no longer."""
    before, after = case.change.before, case.change.after
    if not (isinstance(before, TimeoutSetting) and isinstance(after, TimeoutSetting)):
        return 0
    if after.timeout_s <= before.timeout_s:
        return 0
    return max(0, after.timeout_s - _measured_with(case.history.origin, before).timeout_s)


def _measured_with(origin: Change | None, present: TimeoutSetting) -> TimeoutSetting:
    """Give the timeout before the first step of the incident."""
    first = of_same_kind(origin, present)
    if first is None or not isinstance(first.before, TimeoutSetting):
        return present
    return first.before


def _is_known(traffic: Traffic | None) -> bool:
    return traffic is not None and None not in {traffic.busiest, traffic.peak_per_s}


def _unread_account(case: Case) -> str | None:
    """Without a reservation it is the account's own limit that counts."""
    unread = [gap for gap in case.seen.gaps if gap.source.split("/")[0] == "concurrency"]
    if not unread:
        return None
    return (
        "how many executions at once the account has left for longer calls could not be read: "
        f"{unread[0].reason}"
    )


def _room(
    configuration: FunctionConfiguration,
    traffic: Traffic | None,
    account: AccountConcurrency | None,
) -> _Room | None:
    """Reckon the room; None where nothing would run longer, or too little is known.

    Only what is cut off now runs longer: at most its rate x the seconds added, beside what there
    is at the peak. Without a reservation the room is what the account has unreserved, less the
    100 that Lambda keeps for other functions as well; in a small account less the half of it.
    """
    if traffic is None or traffic.busiest is None or traffic.peak_per_s is None:
        return None
    share = 1.0 if traffic.cut_off_share is None else traffic.cut_off_share
    cut_off_per_s, reserved = traffic.peak_per_s * share, configuration.reserved_concurrency
    if cut_off_per_s == 0 or (reserved is None and account is None):
        return None
    if reserved is not None:
        return _Room(reserved, "its reservation", traffic.busiest, cut_off_per_s)
    free = account.unreserved if account else 0
    kept = min(KEPT_UNRESERVED, free // 2)
    return _Room(free - kept, "the account's limit", traffic.busiest, cut_off_per_s)
