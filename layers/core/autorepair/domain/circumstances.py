"""What decides whether a function may be changed now, and stands in no configuration."""

from __future__ import annotations

from autorepair.domain.value import Value


class EnvironmentKey(Value):
    """The customer's key that seals a function's environment, and whether it may be used."""

    arn: str
    state: str = "unknown"
    """As DescribeKey names it; only an `Enabled` key seals and opens."""
    is_enrolled: bool = False
    """Whether it carries the enrolment tag, without which no role of this service may use it."""
    trouble: str | None = None
    """Why nothing could be read of it; None where it could."""


class ChangedSince(Value):
    """What others have changed of a function since the evidence was collected."""

    told: str
    """In words, without values."""
    is_code: bool
    """Whether it changed what is run."""


class Circumstances(Value):
    """Read afresh for every ruling: a deployment may have begun a moment ago."""

    deployments: tuple[str, ...] = ()
    """The deployments under way, each in words: whose, and how far."""
    unread_deployments: str | None = None
    """Why it cannot be told whether one is under way; None where it can."""
    key: EnvironmentKey | None = None
    """None where the environment is sealed by no customer's key, or is not written."""
    is_edge: bool = False
    """Whether the function is made for Lambda@Edge: its role lets edge servers take it on."""
    unread_role: str | None = None
    """Why it cannot be told whether it is; None where it can."""
    changed_since: ChangedSince | None = None
    """None where the function is as the evidence shows it, but for what the incident changed."""
