"""The lab's own calls: those by which it sets up and watches, told from everybody else's."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

from autorepair_lab.account.call import Call

_HEADER = "X-Lab-Own"


def mark(params: dict[str, Any], **_: object) -> None:
    """Mark a request as the lab's own; a handler of botocore's event ``before-call``."""
    params["headers"][_HEADER] = "1"


def is_own(call: Call) -> bool:
    """Whether the lab itself made the call."""
    return _HEADER in call.headers


class OwnCalls:
    """Interceptor that answers nothing and counts the lab's own calls."""

    def __init__(self) -> None:
        self._counted: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def handle(self, call: Call) -> None:
        """Count the call if it is the lab's own, and let it through."""
        if is_own(call) and not call.internal:
            with self._lock:
                self._counted[call.service, call.operation] += 1

    def without(self, calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Give counted calls less those of the lab, most frequent first."""
        with self._lock:
            own = self._counted.copy()
        left = [
            {**one, "count": one["count"] - own[one["service"], one["operation"]]} for one in calls
        ]
        kept = [one for one in left if one["count"] > 0]
        return sorted(kept, key=lambda one: one["count"], reverse=True)
