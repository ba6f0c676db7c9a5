"""The link by which a person comes to a question: what it is bound to, and until when it leads."""

from __future__ import annotations

from autorepair.domain.value import Instant, Value


class ApprovalLink(Value):
    """One question, and the very plan that was asked about; the link's token is not part of it."""

    incident_id: str
    plan_hash: str
    fingerprint: str
    """That of the configuration which the plan was made on."""
    expires_at: Instant
