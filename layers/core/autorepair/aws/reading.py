"""One raw reading of a function's configuration, values included; it never leaves this package."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autorepair.aws.digests import Digester
from autorepair.domain.configuration import (
    FunctionConfiguration,
    ProductVariant,
    VariableDigest,
)

FINGERPRINTED = frozenset(
    {
        "AcceleratorConfig",
        "Architectures",
        "CapacityProviderConfig",
        "CodeSha256",
        "DeadLetterConfig",
        "DurableConfig",
        "Environment",
        "EphemeralStorage",
        "FileSystemConfigs",
        "Handler",
        "ImageConfigResponse",
        "KMSKeyArn",
        "Layers",
        "LoggingConfig",
        "MemorySize",
        "PackageType",
        "Role",
        "Runtime",
        "RuntimeConfig",
        "SnapStart",
        "TenancyConfig",
        "Timeout",
        "TracingConfig",
        "VpcConfig",
    }
)
"""The members of GetFunctionConfiguration's answer that a change could collide with."""

NOT_FINGERPRINTED = frozenset(
    {
        "CodeSize",  # follows from CodeSha256
        "ConfigSha256",  # follows from the rest
        "Description",  # nothing runs by it
        "FunctionArn",  # names the function; the digest's key is its own anyway
        "FunctionName",
        "LastModified",  # moves with every write, also with one that changed nothing
        "LastUpdateStatus",
        "LastUpdateStatusReason",
        "LastUpdateStatusReasonCode",
        "MasterArn",  # Lambda@Edge only
        "RevisionId",  # moves once more when an update settles
        "RuntimeVersionConfig",  # Lambda moves it by itself, also because of an update of ours
        "SigningJobArn",  # follows from the code
        "SigningProfileVersionArn",
        "State",  # idle functions change state by themselves
        "StateReason",
        "StateReasonCode",
        "Version",  # always $LATEST here
    }
)
"""The members that say nothing about whether two configurations are the same."""

_DEFAULTS: dict[str, Any] = {
    "Architectures": ["x86_64"],
    "EphemeralStorage": {"Size": 512},
    "PackageType": "Zip",
    "TracingConfig": {"Mode": "PassThrough"},
}
# The members of the answer that only a variant of the product has.
_VARIANTS: dict[str, ProductVariant] = {
    "AcceleratorConfig": ProductVariant.ACCELERATED,
    "CapacityProviderConfig": ProductVariant.MANAGED_INSTANCES,
    "DurableConfig": ProductVariant.DURABLE,
    "MasterArn": ProductVariant.EDGE_REPLICA,
}
_LONGEST_REASON = 500
# Lambda API reference, CreateFunction: Description.
_LONGEST_DESCRIPTION = 256
_WORDS = {"CodeSha256": "code", "ImageConfigResponse": "ImageConfig", "KMSKeyArn": "KMSKey"}


@dataclass(frozen=True, repr=False)
class Reading:
    """GetFunctionConfiguration's answer.

    It holds environment values, so it has no repr: none can slip into a message through it.
    """

    raw: Mapping[str, Any]

    @property
    def arn(self) -> str:
        """The unqualified ARN of the function."""
        return ":".join(str(self.raw["FunctionArn"]).split(":")[:7])

    @property
    def function_name(self) -> str:
        """The function's name."""
        return str(self.raw["FunctionName"])

    @property
    def revision_id(self) -> str:
        """What the next write has to name to be accepted."""
        return str(self.raw.get("RevisionId", ""))

    @property
    def timeout_s(self) -> int:
        """The timeout in seconds."""
        return int(self.raw["Timeout"])

    @property
    def memory_mb(self) -> int:
        """The memory size in megabytes."""
        return int(self.raw["MemorySize"])

    @property
    def storage_mb(self) -> int:
        """The size of /tmp in megabytes; Lambda leaves the least one out of old answers."""
        return int(self.raw.get("EphemeralStorage", _DEFAULTS["EphemeralStorage"])["Size"])

    @property
    def env(self) -> dict[str, str]:
        """A copy of the environment map."""
        return dict(self.raw.get("Environment", {}).get("Variables", {}))

    @property
    def is_env_unreadable(self) -> bool:
        """Whether Lambda could not decrypt the environment map."""
        return "Error" in self.raw.get("Environment", {})

    @property
    def code_sha256(self) -> str:
        """The digest of the code, as Lambda tells it."""
        return str(self.raw.get("CodeSha256", ""))

    @property
    def version(self) -> str:
        """The version that this is: a number, or `$LATEST`."""
        return str(self.raw.get("Version", "$LATEST"))

    @property
    def state(self) -> str:
        """Pending, Active, Inactive or Failed."""
        return str(self.raw.get("State") or "Active")

    @property
    def has_snap_start(self) -> bool:
        """Whether versions are started from a snapshot of their memory."""
        return bool(self.raw.get("SnapStart", {}).get("ApplyOn", "None") != "None")

    @property
    def update_status(self) -> str:
        """Successful, InProgress or Failed."""
        return str(self.raw.get("LastUpdateStatus", "Successful"))

    @property
    def update_failure(self) -> str:
        """The reason code of a failed update."""
        return str(self.raw.get("LastUpdateStatusReasonCode", "no reason code"))

    def replaced(self, **members: object) -> Reading:
        """Give the reading as it would be with these members."""
        return Reading({**self.raw, **members})

    def fingerprint(self, digester: Digester) -> str:
        """Digest everything that a change could collide with."""
        return digester.of_settings(self.arn, self._settings())

    def differences(self, other: Reading) -> tuple[str, ...]:
        """Name what a version would freeze that differs, of the environment the variables.

        The runtime's own version counts where both tell it: it may have been pinned.
        """
        mine, theirs = self._settings(), other._settings()
        names = sorted(
            _WORDS.get(name, name)
            for name in (mine.keys() | theirs.keys()) - {"Environment"}
            if mine.get(name) != theirs.get(name)
        )
        runtimes = {self._runtime_version, other._runtime_version} - {""}
        if len(runtimes) > 1:
            names.append("RuntimeVersion")
        return (*names, *self._differing_variables(other))

    def _differing_variables(self, other: Reading) -> tuple[str, ...]:
        if self.is_env_unreadable or other.is_env_unreadable:
            return ("Environment (unreadable)",)
        mine, theirs = self.env, other.env
        return tuple(
            f"variable {name}"
            for name in sorted(mine.keys() | theirs.keys())
            if mine.get(name) != theirs.get(name)
        )

    @property
    def _runtime_version(self) -> str:
        return str(self.raw.get("RuntimeVersionConfig", {}).get("RuntimeVersionArn", ""))

    def _settings(self) -> dict[str, Any]:
        """Bring what is fingerprinted into one form; what is absent or empty says nothing."""
        raw = {**_DEFAULTS, **self.raw}
        vpc, snap_start = raw.get("VpcConfig", {}), raw.get("SnapStart", {})
        settings = {name: raw.get(name) for name in FINGERPRINTED} | {
            "Environment": "unreadable" if self.is_env_unreadable else self.env,
            "Layers": [layer["Arn"] for layer in raw.get("Layers", [])],
            "LoggingConfig": {"LogFormat": self._log_format, "LogGroup": self._log_group}
            | {k: v for k, v in raw.get("LoggingConfig", {}).items() if k.endswith("LogLevel")},
            # Whether a version has been optimised already is not configuration.
            "SnapStart": snap_start.get("ApplyOn", "None"),
            "VpcConfig": {
                "SubnetIds": sorted(vpc.get("SubnetIds", [])),
                "SecurityGroupIds": sorted(vpc.get("SecurityGroupIds", [])),
                "Ipv6AllowedForDualStack": vpc.get("Ipv6AllowedForDualStack", False),
            },
        }
        return {name: value for name, value in settings.items() if value}

    @property
    def _log_group(self) -> str:
        default = f"/aws/lambda/{self.function_name}"
        return str(self.raw.get("LoggingConfig", {}).get("LogGroup") or default)

    @property
    def _log_format(self) -> str:
        return str(self.raw.get("LoggingConfig", {}).get("LogFormat") or "Text")

    def _image(self, member: str) -> tuple[str, ...]:
        """Give what overrides a member of a container image's own configuration."""
        told = self.raw.get("ImageConfigResponse", {}).get("ImageConfig", {})
        return tuple(told.get(member) or ())

    @property
    def _state_reason(self) -> str:
        """Say why the function is not Active, its last update failed, or its image is refused."""
        reasons = [_reason(self.raw, "State")] if self.raw.get("State") != "Active" else []
        if self.update_status == "Failed":
            reasons.append(_reason(self.raw, "LastUpdateStatus"))
        error = self.raw.get("ImageConfigResponse", {}).get("Error", {})
        if error:
            reasons.append(f"{error.get('ErrorCode', '?')}: {error.get('Message', '')}")
        return "; ".join(reason for reason in reasons if reason)[:_LONGEST_REASON]

    def configuration(
        self, digester: Digester, *, tags: dict[str, str], reserved_concurrency: int | None
    ) -> FunctionConfiguration:
        """Give the reading as the domain knows it: without a single value."""
        raw = {**_DEFAULTS, **self.raw}
        return FunctionConfiguration.model_validate(
            {
                "function_name": self.function_name,
                "function_arn": self.arn,
                "version": raw.get("Version", "$LATEST"),
                "package_type": raw["PackageType"],
                "runtime": raw.get("Runtime") or None,
                "handler": raw.get("Handler") or None,
                "role_arn": raw.get("Role") or None,
                "variants": tuple(v for member, v in _VARIANTS.items() if raw.get(member)),
                "architecture": raw["Architectures"][0],
                "memory_mb": self.memory_mb,
                "timeout_s": self.timeout_s,
                "ephemeral_storage_mb": raw["EphemeralStorage"]["Size"],
                "env_names": tuple(sorted(self.env)),
                "env_digests": self._digests(digester),
                "is_env_unreadable": self.is_env_unreadable,
                "kms_key_arn": raw.get("KMSKeyArn") or None,
                "layers": tuple(layer["Arn"] for layer in raw.get("Layers", [])),
                "image_command": self._image("Command"),
                "image_entry_point": self._image("EntryPoint"),
                "has_file_system": bool(raw.get("FileSystemConfigs")),
                "state_reason": self._state_reason,
                "has_vpc": bool(raw.get("VpcConfig", {}).get("SubnetIds")),
                "has_snap_start": self.has_snap_start,
                "log_group": self._log_group,
                "log_format": self._log_format,
                "state": raw.get("State") or "Active",
                "last_update_status": self.update_status,
                "code_sha256": raw.get("CodeSha256", ""),
                "last_modified": raw.get("LastModified") or None,
                "revision_id": self.revision_id,
                "fingerprint": self.fingerprint(digester),
                "description": str(raw.get("Description") or "")[:_LONGEST_DESCRIPTION],
                "tags": tags,
                "reserved_concurrency": reserved_concurrency,
            }
        )

    def _digests(self, digester: Digester) -> tuple[VariableDigest, ...]:
        return tuple(
            VariableDigest(
                name=name,
                size_bytes=len(value.encode()),
                digest=digester.of_value(self.arn, name, value),
            )
            for name, value in sorted(self.env.items())
        )


def _reason(raw: Mapping[str, Any], of: str) -> str:
    code, words = raw.get(f"{of}ReasonCode"), raw.get(f"{of}Reason")
    return ": ".join(str(part) for part in (code, words) if part)


def environment_size(env: Mapping[str, str]) -> int:
    """Measure an environment map as Lambda does: the bytes of its JSON."""
    return len(json.dumps(env, separators=(",", ":"), ensure_ascii=False).encode())
