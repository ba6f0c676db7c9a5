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


class Change(Value):
    """One planned edit: from ``before`` to ``after``, on one exact configuration.

    ``planned_on`` is the fingerprint of the configuration the plan was made on; ``leads_to`` the
    fingerprint of the configuration after the edit, None until it has been applied. Of what is
    kept beside the configuration, both are what `standing` says. The target of a change of an
    alias names that alias.
    """

    target: Target
    before: Setting
    after: Setting
    planned_on: str | None
    leads_to: str | None = None

    @property
    def kind(self) -> RepairKind:
        """The kind of repair this is."""
        return RepairKind(self.after.kind)

    @property
    def plan_hash(self) -> str:
        """The SHA-256 (hex) of the plan; applying it does not alter it, anything else does."""
        body = self.model_dump(mode="json", exclude={"leads_to"})
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
            }
        )

    def after_step(self, origin: Change | None) -> Change:
        """Give the change that ``origin`` and then this one amount to; undoing it undoes both."""
        if origin is None:
            return self
        return self.model_copy(update={"before": origin.before, "planned_on": origin.planned_on})


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

    @property
    def in_place(self) -> Change | None:
        """The change from before the incident to where the function was left, if any.

        One that was only planned may have been written all the same, so it counts.
        """
        if self.status in {"planned", "applied", "kept"} and self.change is not None:
            return self.change.after_step(self.origin)
        return None if self.status in {"rolled_back", "handed_over"} else self.origin

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
