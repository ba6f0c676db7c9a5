"""The link by which a person comes to a question: what it is bound to, and until when it leads."""

from __future__ import annotations

from datetime import datetime, timedelta

from autorepair.domain.value import Instant, Value

READABLE_FOR = timedelta(days=7)
"""How long after its question's end a link still tells what became of it, and takes no answer.

Whoever comes back after a weekend or a few days off still learns how it went.
"""
BY_THE_LINK = ", by the link"
"""What the record adds to the name of a person who answered on the page."""


class ApprovalLink(Value):
    """One question, and the very plan that was asked about; the link's token is not part of it."""

    incident_id: str
    plan_hash: str
    fingerprint: str
    """That of the configuration which the plan was made on."""
    expires_at: Instant
    """When the question ends; from then on nothing is answered by the link."""

    @property
    def readable_until(self) -> datetime:
        """Give the moment from which on the link leads nowhere."""
        return self.expires_at + READABLE_FOR
