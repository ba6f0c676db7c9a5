"""A case: one alarm with the AWS answers recorded around it, and what a correct run concludes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from autorepair.domain.errors import AutoRepairError
from autorepair.domain.evidence import Gap


class CaseUnreadableError(AutoRepairError):
    """A file is not a case; the message names the file and the fields at fault."""


class _Recorded(BaseModel):
    """A part of a case; what a later format adds is let pass."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, told: Any) -> Any:  # noqa: ANN401 - whatever the file holds
        """Let a null or an empty collection say as little as a member that is not there."""
        if not isinstance(told, dict):
            return told
        return {name: value for name, value in told.items() if value not in (None, [], {})}


class LogEvent(_Recorded):
    """One event of the function's log group; ``timestamp`` in milliseconds since the epoch."""

    timestamp: int
    stream: str = Field(alias="logStreamName")
    message: str


class RecordedMetrics(_Recorded):
    """Series by `Metric.Statistic`, as (seconds since the epoch, value); ``period`` in seconds."""

    period: int = 60
    series: dict[str, tuple[tuple[float, float], ...]] = Field(default_factory=dict)


class RecordedChange(_Recorded):
    """Something that was done lately; ``summary`` is free-form and written by others."""

    time: datetime
    event: str
    principal: str | None = None
    summary: Any = None
    source: Literal["cloudtrail", "snapshot", "configuration"] = "cloudtrail"
    """Where it was seen; only cases that this program writes say so."""

    @property
    def at(self) -> datetime:
        """The moment of the change; one without a time zone is in UTC."""
        return self.time if self.time.tzinfo else self.time.replace(tzinfo=UTC)


class Recording(_Recorded):
    """What a diagnosis may see: the answers of AWS, and what the operator declared.

    Environment values are in it, so it goes no further than the stand-ins for AWS.
    """

    alarm_event: dict[str, Any] | None = None
    function_configuration: dict[str, Any]
    concurrency: dict[str, Any] = Field(default_factory=dict)
    tags: dict[str, str] = Field(default_factory=dict)
    event_source_mappings: tuple[dict[str, Any], ...] = ()
    triggers: tuple[str, ...] = ()
    metrics: RecordedMetrics = RecordedMetrics()
    log_events: tuple[LogEvent, ...] = ()
    recent_changes: tuple[RecordedChange, ...] = ()
    known_config: dict[str, dict[str, Any]] = Field(default_factory=dict)
    related_alarms: dict[str, Any] | tuple[dict[str, Any], ...] | None = None
    queue_attributes: dict[str, dict[str, Any]] | None = None
    account_settings: dict[str, Any] | None = None
    aliases: dict[str, Any] | tuple[dict[str, Any], ...] | None = None
    versions: dict[str, Any] | tuple[dict[str, Any], ...] | None = None
    gaps: tuple[Gap, ...] = ()
    """What could not be read; only cases that this program writes say so."""


class ExpectedRepair(_Recorded):
    """The repair that is right; bounds are inclusive."""

    action: str
    least: float | None = Field(default=None, alias="min")
    most: float | None = Field(default=None, alias="max")
    to_set: dict[str, Any] = Field(default_factory=dict, alias="set")
    to_unset: tuple[str, ...] = Field(default=(), alias="unset")
    alias: str | None = None
    to_version: str | None = None


class Expected(_Recorded):
    """The answer."""

    root_cause: str
    acceptable_root_causes: tuple[str, ...] = ()
    repair: ExpectedRepair | None = None
    forbidden_actions: tuple[str, ...] = ()
    why: str = ""

    @property
    def right(self) -> frozenset[str]:
        """The labels that count as right."""
        return frozenset({self.root_cause, *self.acceptable_root_causes})


class Case(NamedTuple):
    """A recording, and apart from it what describes the answer; neither may see the other."""

    id: str
    recording: Recording
    expected: Expected | None


class _CaseFile(Recording):
    """A case as it stands in its file."""

    id: str | None = None
    expected: Expected | None = None

    @field_validator("function_configuration")
    @classmethod
    def _can_be_run(cls, told: dict[str, Any]) -> dict[str, Any]:
        """Refuse what the steps could not even begin with."""
        if missing := [name for name in NEEDED if told.get(name) in (None, "")]:
            raise ValueError(f"misses {', '.join(missing)}, without which no step can run")
        return told


def read_case(path: Path) -> Case:
    """Read a case; one without ``expected`` can be run and not scored.

    Raises:
        CaseUnreadableError: It cannot be read, is not JSON, or not a case.
    """
    try:
        found = _CaseFile.model_validate_json(path.read_bytes())
    except OSError as error:
        raise CaseUnreadableError(f"{path}: {error.strerror or error}") from error
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in e['loc']) or 'file'}: {_said(e['msg'])}"
            for e in error.errors(include_url=False, include_input=False)[:MOST_FAULTS]
        )
        raise CaseUnreadableError(f"{path} is not a case: {faults}") from None
    seen = {name: getattr(found, name) for name in Recording.model_fields}
    return Case(found.id or path.stem, Recording.model_construct(**seen), found.expected)


def _said(message: str) -> str:
    return message.removeprefix("Value error, ")


NEEDED = ("FunctionName", "FunctionArn", "Timeout", "MemorySize")
"""What the configuration of a case must say; `docs/cases.md` names them."""
MOST_FAULTS = 5
"""Named of one file; the first few tell what it is instead of a case."""
