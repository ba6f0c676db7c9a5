"""Which Lambda runtime the lab has: that of the interpreter it runs on."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from types_boto3_lambda.literals import RuntimeType


def runtime() -> RuntimeType:
    """Name the Lambda runtime of the running interpreter, which is the only one of the lab."""
    return cast("RuntimeType", f"python{sys.version_info.major}.{sys.version_info.minor}")
