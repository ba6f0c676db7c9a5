"""Reads back the values that the steps put into the record."""

from __future__ import annotations

from typing import TypeVar

from pydantic import ValidationError

from autorepair.domain.audit import AuditRecord, RecordKind
from autorepair.domain.errors import EvidenceMissingError, RecordUnreadableError
from autorepair.domain.value import Value

ValueT = TypeVar("ValueT", bound=Value)


def first_of(
    records: tuple[AuditRecord, ...],
    kind: RecordKind,
    model: type[ValueT],
    *,
    member: str | None = None,
) -> ValueT:
    """Give what was recorded first of a kind: later steps rest on a changed function.

    Raises:
        EvidenceMissingError: The incident ended before there was such a record.
        RecordUnreadableError: The record is not what this version of the service writes.
    """
    found = next((record for record in records if record.entry.kind is kind), None)
    if found is None:
        raise EvidenceMissingError(
            f"incident {records[0].entry.incident_id} has no record {kind.value}: it ended before, "
            "so there is nothing to show of it"
        )
    told = found.entry.data if member is None else found.entry.data.get(member)
    try:
        return model.model_validate(told)
    except ValidationError as error:
        raise RecordUnreadableError(
            f"record {found.seq} of incident {found.entry.incident_id} holds no "
            f"{model.__name__} as this version writes it ({error.error_count()} faults)"
        ) from None
