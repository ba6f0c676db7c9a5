"""The catalogue of causes, as one explicit tuple."""

from __future__ import annotations

from autorepair.causes.cause import Cause
from autorepair.causes.environment import MISSING_ENV_VAR
from autorepair.causes.memory import MEMORY_EXHAUSTED, MEMORY_LEAK
from autorepair.causes.timing import TIMEOUT_TOO_LOW

CAUSES: tuple[Cause, ...] = (
    MISSING_ENV_VAR,
    MEMORY_LEAK,
    MEMORY_EXHAUSTED,
    TIMEOUT_TOO_LOW,
)
