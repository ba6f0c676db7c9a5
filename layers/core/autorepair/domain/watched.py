"""What is watched after an incident has closed: repairs that stay, and repairs that were not made.

A repair changes the function, not the template it is deployed from: the next deployment puts the
template's value back, or has taken the repair over. A repair that was only asked for, or only would
have been made, is compared with what happened next.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from autorepair.domain.change import Change, Setting
from autorepair.domain.incident import Incident
from autorepair.domain.value import Instant, Value

WATCHED_FOR = timedelta(days=90)
REMIND_AFTER = timedelta(days=14)
LOOK_AGAIN_AFTER = timedelta(minutes=15)
"""A repair is looked at in every run, as far as one run's share goes."""
OUTCOME_AFTER = (timedelta(hours=1), timedelta(hours=24))
"""When after its end it is looked what became of an incident in which nothing was changed."""
_MOST_EARLIER = 5

Withheld = Literal["observe", "rejected", "expired"]


class WatchedRepair(Value):
    """A change that was kept, and lives outside the template until a deployment takes it over."""

    what: Literal["repair"] = "repair"
    incident: Incident
    change: Change
    applied_at: Instant
    since: Instant
    due_at: Instant
    earlier: tuple[Setting, ...] = ()
    """What the setting was before repairs that nothing had adopted when this one was made."""
    judged_at: Instant | None = None
    """The last modification of the function up to which nobody had written the setting."""
    digests_before: dict[str, str | None] | None = None
    """Keyed digests of the repaired variables, None for one that was not set."""
    digests_after: dict[str, str | None] | None = None
    is_reminded: bool = False
    is_handed_over: bool = False
    """Somebody changed the function before traffic could tell; not looked at since."""

    def after_repair_of(self, former: WatchedRepair | None) -> WatchedRepair:
        """Give the watch that goes on from a former repair of the same setting, if there is one.

        What a deployment puts back is what the template says, which no repair has changed.
        """
        if former is None:
            return self
        earlier = dict.fromkeys((*former.earlier, former.change.before))
        others = tuple(one for one in earlier if one != self.change.before)
        return self.model_copy(update={"earlier": others[-_MOST_EARLIER:]})


class WatchedOutcome(Value):
    """A change that was not made, and what became of the function without it."""

    what: Literal["outcome"] = "outcome"
    incident: Incident
    change: Change
    withheld: Withheld
    closed_at: Instant
    due_at: Instant
    looks: int = 0

    @property
    def next_look(self) -> WatchedOutcome | None:
        """The same after one look more; None after the last."""
        looks = self.looks + 1
        if looks >= len(OUTCOME_AFTER):
            return None
        due_at = self.closed_at + OUTCOME_AFTER[looks]
        return self.model_copy(update={"looks": looks, "due_at": due_at})


Watched = Annotated[WatchedRepair | WatchedOutcome, Field(discriminator="what")]


class Drifted(StrEnum):
    """What became of a repair that was kept."""

    ADOPTED = "adopted"
    REVERTED = "reverted"
    REPLACED = "replaced"
    GONE = "gone"


Writer = Literal["deployment", "person", "unknown"]
"""Of a function of no stack a pipeline cannot be told from a person, so there it is unknown."""


class Drift(Value):
    """How a watch ended, by whom and when as far as that is known, and how it can be told."""

    became: Drifted
    why: str
    now: str
    """The setting as it stands, in words; empty where the function is gone."""
    by: str | None = None
    writer: Writer = "unknown"
    at: Instant | None = None
    incident_id: str
    change: Change


class Aftermath(StrEnum):
    """What became of a function on which nothing was changed."""

    RECOVERED = "recovered"
    """Without anybody changing the function."""
    FIXED_OTHERWISE = "fixed_otherwise"
    """It recovered after somebody changed something else."""
    SAME_VALUE = "same_value"
    OTHER_VALUE = "other_value"
    STILL_FAILING = "still_failing"
    REPAIRED_HERE = "repaired_here"
    """A later incident of this service has made the change."""
    GONE = "gone"
    UNKNOWN = "unknown"


class Observed(Value):
    """One look at what happened after an incident in which nothing was changed."""

    aftermath: Aftermath
    why: str
    look: int
    """Which look this is: the first, or the last."""
    withheld: Withheld
    change: Change
    is_same_way: bool = False
    """Whether another value lies on the side to which the change would have gone."""
    by: str | None = None
    at: Instant | None = None
