"""The catalogue of causes, as one explicit tuple."""

from __future__ import annotations

from autorepair.causes.access import CREDENTIALS_EXPIRED, PERMISSION_DENIED
from autorepair.causes.architecture import ARCHITECTURE_MISMATCH
from autorepair.causes.cause import Cause
from autorepair.causes.code import CODE_BUG
from autorepair.causes.concurrency import CONCURRENCY_LIMITED
from autorepair.causes.deployment import BAD_DEPLOYMENT
from autorepair.causes.downstream import DOWNSTREAM_UNAVAILABLE
from autorepair.causes.entry import HANDLER_MISCONFIGURED, IMAGE_UNUSABLE
from autorepair.causes.environment import MISSING_ENV_VAR
from autorepair.causes.false_alarm import FALSE_ALARM
from autorepair.causes.files import FILE_PERMISSION, READ_ONLY_FILESYSTEM
from autorepair.causes.handles import RESOURCE_EXHAUSTED_FDS_THREADS
from autorepair.causes.insufficient import INSUFFICIENT_EVIDENCE
from autorepair.causes.leak import MEMORY_LEAK
from autorepair.causes.memory import MEMORY_EXHAUSTED
from autorepair.causes.network import NETWORK_UNREACHABLE
from autorepair.causes.packages import DEPENDENCY_MISSING
from autorepair.causes.payload import PAYLOAD_TOO_LARGE
from autorepair.causes.poison import POISON_EVENT
from autorepair.causes.recursion import RECURSIVE_LOOP
from autorepair.causes.refusals import (
    DOWNSTREAM_CONNECTIONS_EXHAUSTED,
    DOWNSTREAM_THROTTLED,
)
from autorepair.causes.slowness import DOWNSTREAM_SLOW
from autorepair.causes.starting import INIT_TIMEOUT
from autorepair.causes.starvation import CPU_STARVED
from autorepair.causes.storage import EPHEMERAL_STORAGE_FULL
from autorepair.causes.timing import TIMEOUT_TOO_LOW
from autorepair.causes.wrong_value import WRONG_ENV_VAR

CAUSES: tuple[Cause, ...] = (
    MISSING_ENV_VAR,
    WRONG_ENV_VAR,
    MEMORY_LEAK,
    MEMORY_EXHAUSTED,
    DOWNSTREAM_CONNECTIONS_EXHAUSTED,
    DOWNSTREAM_THROTTLED,
    NETWORK_UNREACHABLE,
    DOWNSTREAM_SLOW,
    DOWNSTREAM_UNAVAILABLE,
    INIT_TIMEOUT,
    CPU_STARVED,
    TIMEOUT_TOO_LOW,
    EPHEMERAL_STORAGE_FULL,
    RESOURCE_EXHAUSTED_FDS_THREADS,
    RECURSIVE_LOOP,
    CONCURRENCY_LIMITED,
    ARCHITECTURE_MISMATCH,
    HANDLER_MISCONFIGURED,
    IMAGE_UNUSABLE,
    READ_ONLY_FILESYSTEM,
    FILE_PERMISSION,
    DEPENDENCY_MISSING,
    CREDENTIALS_EXPIRED,
    PERMISSION_DENIED,
    PAYLOAD_TOO_LARGE,
    POISON_EVENT,
    BAD_DEPLOYMENT,
    CODE_BUG,
    FALSE_ALARM,
    INSUFFICIENT_EVIDENCE,
)
