"""Waiting for what a running lab does by itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

PATIENCE_S = 600


def until(condition: Callable[[], Any], what: str, *, patience_s: float = PATIENCE_S) -> Any:  # noqa: ANN401 - whatever is found
    """Give what the condition finds; a busy machine takes its time."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError(f"in vain waited for {what}")
