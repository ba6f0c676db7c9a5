"""That people were told, and what."""

from __future__ import annotations

from autorepair.domain.incident import Outcome
from autorepair.domain.value import Value


class Notification(Value):
    """`$.notification`: how the incident ended and the message that said so."""

    outcome: Outcome
    message_id: str | None
    """None: the message could not be sent; it is kept, and reconcile sends it."""
    head_hash: str
    """The hash of the record that closed the incident; it stands for the whole chain."""


class ApprovalRequest(Value):
    """That a person was asked; the answer comes by the task token."""

    message_id: str
    plan_hash: str | None
