"""What became of an incident on which the service itself failed."""

from __future__ import annotations

from typing import Literal

from autorepair.domain.value import Value

Undo = Literal["nothing_to_undo", "undone", "handed_over", "undo_failed"]


class Failure(Value):
    """`$.failure`, once HandleFailure has dealt with it.

    ``undo`` says what became of a half-done change; ``troubles`` lists what else went wrong while
    cleaning up.
    """

    error: str
    undo: Undo
    reason: str
    message_id: str | None = None
    troubles: tuple[str, ...] = ()
