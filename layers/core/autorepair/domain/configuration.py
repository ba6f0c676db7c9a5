"""The configuration of a function, as far as diagnosis and repair look at it."""

from __future__ import annotations

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
