"""Root causes, findings, and the diagnosis that is made of them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from autorepair.domain.value import Value


class RootCause(StrEnum):
    """The catalogue's labels; `unknown` is said when nothing proves any of them."""

    TIMEOUT_TOO_LOW = "timeout_too_low"
    MEMORY_EXHAUSTED = "memory_exhausted"
    CPU_STARVED = "cpu_starved"
    MISSING_ENV_VAR = "missing_env_var"
    WRONG_ENV_VAR = "wrong_env_var"
    EPHEMERAL_STORAGE_FULL = "ephemeral_storage_full"
    READ_ONLY_FILESYSTEM = "read_only_filesystem"
    FILE_PERMISSION = "file_permission"
    DEPENDENCY_MISSING = "dependency_missing"
    HANDLER_MISCONFIGURED = "handler_misconfigured"
    ARCHITECTURE_MISMATCH = "architecture_mismatch"
    INIT_TIMEOUT = "init_timeout"
    PERMISSION_DENIED = "permission_denied"
    CONCURRENCY_LIMITED = "concurrency_limited"
    DOWNSTREAM_UNAVAILABLE = "downstream_unavailable"
    DOWNSTREAM_SLOW = "downstream_slow"
    DOWNSTREAM_THROTTLED = "downstream_throttled"
    DOWNSTREAM_CONNECTIONS_EXHAUSTED = "downstream_connections_exhausted"
    NETWORK_UNREACHABLE = "network_unreachable"
    BAD_DEPLOYMENT = "bad_deployment"
    CODE_BUG = "code_bug"
    POISON_EVENT = "poison_event"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    MEMORY_LEAK = "memory_leak"
    CREDENTIALS_EXPIRED = "credentials_expired"
    RESOURCE_EXHAUSTED_FDS_THREADS = "resource_exhausted_fds_threads"
    RECURSIVE_LOOP = "recursive_loop"
    IMAGE_UNUSABLE = "image_unusable"
    FALSE_ALARM = "false_alarm"
    INSUFFICIENT_EVIDENCE = "insufficient_evidence"
    UNKNOWN = "unknown"


Confidence = Annotated[float, Field(ge=0.0, le=1.0)]


class TimeoutNeed(Value):
    """How long the work needs, in milliseconds, and how that was found."""

    kind: Literal["timeout"] = "timeout"
    duration_ms: float
    basis: Literal["fitted", "doubled", "observed"]
    seen_at_timeout_s: int | None = None
    """The timeout under which the failures were seen; a different one since then voids the plan."""


class MemoryNeed(Value):
    """How much memory the work needs, in megabytes, and how that was found."""

    kind: Literal["memory"] = "memory"
    memory_mb: float
    basis: Literal["doubled", "observed", "formerly_sufficient", "processor"]
    """``processor``: the size that gives the work the processor it lacks; the target itself."""
    seen_at_memory_mb: int | None = None
    """The size under which the failures were seen; a different one since then voids the plan."""


class EnvironmentNeed(Value):
    """Which variables have to be given their declared value, or removed."""

    kind: Literal["environment"] = "environment"
    names: tuple[str, ...]


class StorageNeed(Value):
    """How much of /tmp one job was seen to need, in megabytes, and how that was found."""

    kind: Literal["storage"] = "storage"
    storage_mb: float
    basis: Literal["observed", "doubled"]
    """``observed``: told by the log; ``doubled``: all there is was used, so the need is unknown."""
    seen_at_storage_mb: int | None = None


class ConcurrencyNeed(Value):
    """How many executions at once the demand asks for, throttled calls included."""

    kind: Literal["concurrency"] = "concurrency"
    executions: float
    seen_at_reserved: int | None = None


class VersionNeed(Value):
    """The alias whose new version is bad, and the version before that was good."""

    kind: Literal["version"] = "version"
    alias: str
    bad_version: str
    good_version: str


Need = Annotated[
    TimeoutNeed | MemoryNeed | EnvironmentNeed | StorageNeed | ConcurrencyNeed | VersionNeed,
    Field(discriminator="kind"),
]


class Finding(Value):
    """One rule that matched: the cause, why the evidence proves it, and which evidence."""

    cause: RootCause
    confidence: Confidence
    why: str
    cites: tuple[str, ...]
    need: Need | None = None
    is_repairable: bool = True
    """False where the rule itself knows that no configuration cures this (a hang, a leak)."""


class ModelUse(Value):
    """What asking the model took."""

    model_id: str
    input_tokens: int
    output_tokens: int
    latency_ms: int
    """As the caller saw it: retries are in it."""
    cost_usd: float | None = None
    """An estimate by a dated price list; None for a model that is not on it."""
    runbooks: Literal["knowledge_base", "package"] = "package"
    """Where the passages came from that the model was given."""


class Consultation(Value):
    """That an advisor was asked, what became of its answer, and why."""

    named: RootCause
    """What it named; `unknown` where it named nothing, or could not be asked."""
    is_heard: bool
    reason: str
    use: ModelUse | None = None
    """None where no answer came."""


class Diagnosis(Value):
    """The conclusion: `$.diagnosis`."""

    root_cause: RootCause
    confidence: Confidence
    source: Literal["rules", "model", "none"]
    confidence_interval: tuple[Confidence, Confidence] | None = None
    """Where the true share of right diagnoses at this confidence lies, at 95%; None if unknown."""
    why: str
    cites: tuple[str, ...] = ()
    quotes: tuple[str, ...] = ()
    """What the cited evidence says, in its own masked words; few and short, for messages."""
    need: Need | None = None
    is_repairable: bool = False
    findings: tuple[Finding, ...] = ()
    failing_versions: tuple[str, ...] = ()
    """The versions of the function whose invocations failed; a repair reaches `$LATEST` only."""
    consultation: Consultation | None = None
    """What an advisor said, where the rules left the cause open and one was asked."""


class Advice(Value):
    """What an advisor (a model) says when rules leave the cause open; never more than advice."""

    root_cause: RootCause
    why: str
    cites: tuple[str, ...] = ()
    use: ModelUse | None = None
