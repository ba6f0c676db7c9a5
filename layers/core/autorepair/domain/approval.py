"""A person's answer to a plan."""

from __future__ import annotations

from typing import Literal

from autorepair.domain.value import Value


class Approval(Value):
    """`$.approval`."""

    answer: Literal["approved", "rejected", "expired"]
    by: str | None = None
    comment: str | None = None
