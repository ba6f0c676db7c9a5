"""The configuration of a function, as far as diagnosis and repair look at it."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from autorepair.domain.value import Instant, Value

# Classic functions; the API model allows more for managed instances (Lambda quotas page).
MIN_TIMEOUT_S, MAX_TIMEOUT_S = 1, 900
MIN_MEMORY_MB, MAX_MEMORY_MB = 128, 10_240
MIN_EPHEMERAL_STORAGE_MB, MAX_EPHEMERAL_STORAGE_MB = 512, 10_240
MAX_ENVIRONMENT_BYTES = 4096


class VariableDigest(Value):
    """What may be said of an environment variable's value: its size and a keyed digest."""

    name: str
    size_bytes: int
    digest: str


class ProductVariant(StrEnum):
    """What else than a plain function it is, where that makes its settings mean something else.

    Tenant isolation (TenancyConfig) and a runtime of the customer's own (RuntimeConfig) are not
    among them: time, memory, environment and concurrency are set, charged and run out as ever.
    """

    EDGE_REPLICA = "edge_replica"
    """A copy that Lambda@Edge made of a function of another Region (MasterArn)."""
    MANAGED_INSTANCES = "managed_instances"
    """It runs on the customer's own instances, many calls in one environment."""
    DURABLE = "durable"
    """One execution is many invocations, replayed; an invocation is no unit of work."""
    ACCELERATED = "accelerated"
    """It has a graphics processor beside its memory: other limits, other prices."""


class FunctionConfiguration(Value):
    """One reading of a function's configuration, without a single environment value.

    ``fingerprint`` is a keyed digest over everything that a change could collide with (settings,
    environment values, code, layers, role); equal fingerprints mean an equal configuration.
    ``revision_id`` is only good for the next write: it moves once more when an update settles.
    """

    function_name: str
    function_arn: str
    version: str
    package_type: Literal["Zip", "Image"] = "Zip"
    runtime: str | None = None
    handler: str | None = None
    role_arn: str | None = None
    """The execution role."""
    variants: tuple[ProductVariant, ...] = ()
    """Why repairs made for plain functions do not fit; empty for a plain one."""
    architecture: str = "x86_64"
    memory_mb: int
    timeout_s: int
    ephemeral_storage_mb: int = 512
    env_names: tuple[str, ...] = ()
    env_digests: tuple[VariableDigest, ...] = ()
    is_env_unreadable: bool = False
    kms_key_arn: str | None = None
    layers: tuple[str, ...] = ()
    image_command: tuple[str, ...] = ()
    """What overrides the image's CMD; empty for a zip, or where nothing does."""
    image_entry_point: tuple[str, ...] = ()
    has_file_system: bool = False
    """Whether an EFS file system is mounted."""
    state_reason: str = ""
    """Why it is not Active, or why its last update failed, in Lambda's own code and words."""
    has_vpc: bool = False
    has_snap_start: bool = False
    log_group: str
    log_format: Literal["Text", "JSON"] = "Text"
    state: str = "Active"
    last_update_status: str = "Successful"
    code_sha256: str = ""
    last_modified: Instant | None = None
    revision_id: str
    fingerprint: str
    description: str = ""
    """What its owner wrote of it: words of others, no part of the fingerprint."""
    tags: dict[str, str] = Field(default_factory=dict)
    reserved_concurrency: int | None = None
    alias_version: str | None = None
    """The version to which the target's alias sends all traffic; None for no alias, or several."""

    @property
    def is_enrolled(self) -> bool:
        """Whether the owner asked for this function to be looked after."""
        return self.tags.get(ENROLMENT_TAG) == ENROLMENT_VALUE


ENROLMENT_TAG, ENROLMENT_VALUE = "auto-repair", "enabled"
SERVICE_PREFIX = "lambda-auto-repair-"
"""Functions of the service itself begin with this; they are never repaired."""
