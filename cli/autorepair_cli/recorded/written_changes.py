"""A change of the evidence, written as a recording tells it."""

from __future__ import annotations

from typing import Any

from autorepair.domain.evidence import RecentChange
from autorepair.domain.masking import Masker

_MEMBERS = {
    "architecture": "architectures",
    "code_sha256": "codeSha256",
    "ephemeral_storage_mb": "ephemeralStorage",
    "function_version": "functionVersion",
    "handler": "handler",
    "kms_key_arn": "kmsKeyArn",
    "layers": "layers",
    "log_group": "logGroup",
    "memory_mb": "memorySize",
    "package_type": "packageType",
    "reserved_concurrency": "reservedConcurrentExecutions",
    "runtime": "runtime",
    "timeout_s": "timeout",
}
"""What a field of FunctionConfiguration is called in Lambda's API; any other keeps its name."""


def written_change(change: RecentChange, masker: Masker) -> dict[str, Any]:
    """Give the change in the case format, with the one member more that says where it was seen."""
    summary: dict[str, Any] = {
        _MEMBERS.get(setting.name, setting.name): {"before": setting.before, "after": setting.after}
        for setting in change.settings
    }
    if change.writes_environment or change.variables:
        summary["environment"] = {
            kind: [v.name for v in change.variables if v.kind == kind]
            for kind in ("added", "removed", "changed")
        }
    if change.alias is not None:
        summary["name"] = change.alias
    if change.note:
        summary["note"] = change.note
    return {
        "time": change.at.isoformat(),
        "event": change.event,
        "principal": change.principal and masker.mask(change.principal),
        "summary": summary,
        "source": change.source,
    }
