"""A planned edit of a function's configuration that knows its own undoing."""

from __future__ import annotations

import hashlib
import json
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from autorepair.domain.incident import Target
from autorepair.domain.value import Instant, Value


class RepairKind(StrEnum):
    """The kinds of repair; each has a mode in the policy."""

    SET_TIMEOUT = "set_timeout"
    SET_MEMORY = "set_memory"
    SET_ENV = "set_env"
    SET_EPHEMERAL_STORAGE = "set_ephemeral_storage"
    SET_RESERVED_CONCURRENCY = "set_reserved_concurrency"
    ROLLBACK_VERSION = "rollback_version"


class DeclaredSource(Value):
    """The variable takes the value that the operator declared for it."""

    kind: Literal["declared"] = "declared"


class SealedValue(Value):
    """The variable takes the value that a sealed snapshot holds."""

    kind: Literal["sealed"] = "sealed"
    snapshot_id: str
    digest: str | None = None
    """The value's keyed digest, by which it is known again in another configuration."""

    def is_value_of(self, other: VariableSource) -> bool:
        """Whether another source is known to give the same value."""
        if not isinstance(other, SealedValue):
            return False
        if self.digest is None or other.digest is None:
            return self.snapshot_id == other.snapshot_id
        return self.digest == other.digest


class Absent(Value):
    """The variable is not set."""

    kind: Literal["absent"] = "absent"


VariableSource = Annotated[DeclaredSource | SealedValue | Absent, Field(discriminator="kind")]


class TimeoutSetting(Value):
    """The timeout, in seconds."""

    kind: Literal["set_timeout"] = "set_timeout"
    timeout_s: int


class MemorySetting(Value):
    """The memory size, in megabytes."""

    kind: Literal["set_memory"] = "set_memory"
    memory_mb: int


class EnvironmentSetting(Value):
    """Where the named variables take their values from; all others stay as they are."""

    kind: Literal["set_env"] = "set_env"
    variables: dict[str, VariableSource]


class EphemeralStorageSetting(Value):
    """The size of /tmp, in megabytes."""

    kind: Literal["set_ephemeral_storage"] = "set_ephemeral_storage"
    ephemeral_storage_mb: int


class ReservedConcurrencySetting(Value):
    """How many executions are reserved for the function; None for no reservation."""

    kind: Literal["set_reserved_concurrency"] = "set_reserved_concurrency"
    reserved_concurrency: int | None


class AliasSetting(Value):
    """The published version that an alias points at, with all of its traffic."""

    kind: Literal["rollback_version"] = "rollback_version"
    alias: str
    version: str


Setting = Annotated[
    TimeoutSetting
    | MemorySetting
    | EnvironmentSetting
    | EphemeralStorageSetting
    | ReservedConcurrencySetting
    | AliasSetting,
    Field(discriminator="kind"),
]


def figure_of(setting: Setting | None) -> int | None:
    """Give the figure of a setting that has one, in its own unit; None for every other."""
    match setting:
        case TimeoutSetting():
            return setting.timeout_s
        case MemorySetting():
            return setting.memory_mb
        case EphemeralStorageSetting():
            return setting.ephemeral_storage_mb
        case ReservedConcurrencySetting():
            return setting.reserved_concurrency
        case _:
            return None


class AliasMove(Value):
    """How an edit of `$LATEST` gets to the traffic of an alias: published, and the alias moved.

    ``former`` is the version the alias was on before the repair, with all of its traffic, and
    ``published`` the one it is on after it, None until that is known. Both stay as they are in the
    inverse, which only goes the other way (``is_back``).
    """

    alias: str
    former: str
    published: str | None = None
    is_back: bool = False
    passed: tuple[str, ...] = ()
    """Versions that earlier steps of the incident published, the alias may still be on them."""
    staying: tuple[str, ...] = ()
    """Other aliases on ``former``; they are left where they are."""

    @property
    def start(self) -> str | None:
        """The version that the alias is on before this move."""
        return self.published if self.is_back else self.former

    @property
    def end(self) -> str | None:
        """The version that the alias is on after this move."""
        return self.former if self.is_back else self.published

    def inverse(self) -> AliasMove:
        """Give the move that undoes this one."""
        return self.model_copy(update={"is_back": not self.is_back})

    def after_step(self, origin: AliasMove | None) -> AliasMove:
        """Give the move that ``origin`` and then this one amount to."""
        if origin is None:
            return self
        between = () if origin.published is None else (origin.published,)
        return self.model_copy(
            update={"former": origin.former, "passed": (*origin.passed, *between)}
        )


class Change(Value):
    """One planned edit: from ``before`` to ``after``, on one exact configuration.

    ``planned_on`` is the fingerprint of the configuration the plan was made on; ``leads_to`` the
    fingerprint of the configuration after the edit, None until it has been applied. Of what is
    kept beside the configuration, both are what `standing` says. The target of a change of an
    alias names that alias, and so does that of a change with a ``release``: one that is published
    and that an alias is moved to, since the failing traffic does not run on `$LATEST`.
    """

    target: Target
    before: Setting
    after: Setting
    planned_on: str | None
    leads_to: str | None = None
    release: AliasMove | None = None

    @property
    def kind(self) -> RepairKind:
        """The kind of repair this is."""
        return RepairKind(self.after.kind)

    @property
    def plan_hash(self) -> str:
        """The SHA-256 (hex) of the plan; applying it does not alter it, anything else does.

        Without a release it is what it was before there were any.
        """
        left_out = {"leads_to": True, "release": {"published"} if self.release else True}
        body = self.model_dump(mode="json", exclude=left_out)
        canonical = json.dumps(body, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    def inverse(self) -> Change:
        """Give the change that undoes this one; the inverse of the inverse is the change."""
        return self.model_copy(
            update={
                "before": self.after,
                "after": self.before,
                "planned_on": self.leads_to,
                "leads_to": self.planned_on,
                "release": None if self.release is None else self.release.inverse(),
            }
        )

    def after_step(self, origin: Change | None) -> Change:
        """Give the change that ``origin`` and then this one amount to; undoing it undoes both."""
        if origin is None:
            return self
        moved = origin.release if self.release is None else self.release.after_step(origin.release)
        return self.model_copy(
            update={
                "before": origin.before,
                "planned_on": origin.planned_on,
                "release": moved,
            }
        )

    def led(self, *, leads_to: str, version: str | None) -> Change:
        """Give the change as it is known once made: where it led, and what version was published.

        ``version`` is the one the alias is on, of which only a change with a release knows.
        """
        release = self.release
        if release is not None and not release.is_back:
            release = release.model_copy(update={"published": version})
        return self.model_copy(update={"leads_to": leads_to, "release": release})


class ChangeRecord(Value):
    """What ExecuteRepair did: `$.change`; also what is remembered beside the state data.

    ``planned`` is only ever remembered, before the write; ``kept``, ``rolled_back`` and
    ``handed_over`` (somebody changed the function, so it was left to them) only after
    verification: whoever has to clean up behind a dead execution leaves those alone.
    """

    status: Literal[
        "planned",
        "applied",
        "stale",
        "recovered",
        "refused",
        "paused",
        "kept",
        "rolled_back",
        "handed_over",
    ]
    reason: str
    change: Change | None
    applied_at: Instant | None = None
    window_s: int = 0
    step: int = 1
    origin: Change | None = None
    """In a further step: the change that the steps before it amount to, still in place."""
    fence: int | None = None
    """The number of the lease under which it was written; None in older records."""
    accepted_at: Instant | None = None
    """When the write was sent that led to what stands; None where an earlier run sent it."""
    is_origin_kept: bool = False
    """Whether the steps before this one have helped, and stay whatever becomes of this one."""
    notes: tuple[str, ...] = ()
    """What went wrong beside the change and is no reason to take it back; told to people."""

    @property
    def in_place(self) -> Change | None:
        """The change from before the incident to where the function was left, if any.

        One that was only planned may have been written all the same, so it counts.
        """
        if self.status in {"planned", "applied", "kept"} and self.change is not None:
            return self.change.after_step(self.origin)
        return None if self.status in {"rolled_back", "handed_over"} else self.origin

    def without_step(self) -> ChangeRecord:
        """Give the record as it is without this step, of which nothing is in place (any more)."""
        if not self.is_origin_kept or self.origin is None:
            return self
        return self.model_copy(update={"status": "kept", "change": self.origin, "origin": None})

    @property
    def is_unsettled(self) -> bool:
        """Whether something may be in place that has neither been kept nor taken back."""
        return self.status != "kept" and self.in_place is not None


class RollbackRecord(Value):
    """What RollBackRepair did: `$.rollback`."""

    status: Literal["restored", "already_restored", "conflict"]
    reason: str
    change: Change
    restored_at: Instant | None = None
