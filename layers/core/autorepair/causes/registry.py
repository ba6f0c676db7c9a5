"""The catalogue of causes, as one explicit tuple."""

from __future__ import annotations

from autorepair.causes.cause import Cause
from autorepair.causes.code import CODE_BUG
from autorepair.causes.downstream import DOWNSTREAM_UNAVAILABLE
from autorepair.causes.environment import MISSING_ENV_VAR
from autorepair.causes.memory import MEMORY_EXHAUSTED, MEMORY_LEAK
from autorepair.causes.timing import TIMEOUT_TOO_LOW
from autorepair.causes.wrong_value import WRONG_ENV_VAR

CAUSES: tuple[Cause, ...] = (
    MISSING_ENV_VAR,
    WRONG_ENV_VAR,
    MEMORY_LEAK,
    MEMORY_EXHAUSTED,
    DOWNSTREAM_UNAVAILABLE,
    TIMEOUT_TOO_LOW,
    CODE_BUG,
)
