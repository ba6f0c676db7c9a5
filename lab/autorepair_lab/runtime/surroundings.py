"""What a Lambda process finds around it: environment variables, import path, log stream."""

from __future__ import annotations

import json
import secrets
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from autorepair_lab.runtime.model import FunctionSpec

PYTHON_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
# The pool keeps the time itself; the emulator's own limit is only there in case the pool cannot.
_EMULATOR_GRACE_S = 3600
# What the emulator puts into the process's environment and AWS does not.
_HIDDEN = ("AWS_LAMBDA_FUNCTION_TIMEOUT",)


@dataclass(frozen=True)
class Host:
    """What all environments of one runtime have in common."""

    emulator: Path
    runtime_dir: Path
    endpoint_url: str
    extra_env: Mapping[str, str]
    init_limit_s: float


def new_log_stream(version: str) -> str:
    """Name a log stream as AWS does: date, version, 32 hexadecimal digits."""
    return f"{datetime.now(UTC):%Y/%m/%d}/[{version}]{secrets.token_hex(16)}"


def function_path(spec: FunctionSpec) -> list[str]:
    """Return the import path before PYTHONPATH: the task, then the layers, the last one first.

    AWS unpacks layers over each other in order, so that files of a later layer win.
    """
    layers = [layer / "python" for layer in reversed(spec.layer_dirs)]
    site_packages = [
        layer / "lib" / f"python{PYTHON_VERSION}" / "site-packages" for layer in layers
    ]
    return [str(spec.code_dir), *map(str, site_packages), *map(str, layers)]


def process_environment(
    host: Host, spec: FunctionSpec, *, log_stream: str, folder: Path, private: Mapping[str, object]
) -> dict[str, str]:
    """Return the whole environment of an emulator and of the Lambda process below it.

    Nothing is inherited from the lab. ``folder`` is the home and the temporary folder, so that
    nobody's AWS profile is read. The function's own variables lie on top; ``private`` is the
    launcher's and never reaches the function.
    """
    runtime_dir = str(host.runtime_dir)
    environment = {
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "lab-secret",
        "AWS_SESSION_TOKEN": "lab-session",
        "AWS_DEFAULT_REGION": spec.region,
        "AWS_REGION": spec.region,
        "AWS_ENDPOINT_URL": host.endpoint_url,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{PYTHON_VERSION}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(spec.memory_mb),
        "AWS_LAMBDA_FUNCTION_NAME": spec.name,
        "AWS_LAMBDA_FUNCTION_VERSION": spec.version,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": spec.log_group,
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "HOME": str(folder),
        "LAMBDA_RUNTIME_DIR": runtime_dir,
        "LAMBDA_TASK_ROOT": str(spec.code_dir),
        "LANG": "C.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": runtime_dir,
        "TMPDIR": str(folder),
        "TZ": ":UTC",
    }
    if spec.log_format == "JSON":
        environment |= {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "INFO"}
    environment |= host.extra_env
    environment |= dict(spec.env)
    settings = {
        "arn": spec.arn,
        "timeout_ms": spec.timeout_s * 1000,
        "path": function_path(spec),
        "runtime_dir": runtime_dir,
        "hidden": _HIDDEN,
        **private,
    }
    environment |= {
        "_HANDLER": spec.handler,
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(spec.timeout_s + _EMULATOR_GRACE_S),
        "_LAB_ENVIRONMENT": json.dumps(settings),
    }
    return environment
