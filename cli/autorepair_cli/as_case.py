"""`autorepair show --as-case`: an incident as a case that `autorepair evaluate` can run."""

from __future__ import annotations

import json
import secrets
from typing import TypeVar

from pydantic import ValidationError

from autorepair.domain.audit import AuditRecord, RecordKind
from autorepair.domain.decision import Decision
from autorepair.domain.diagnosis import Diagnosis
from autorepair.domain.errors import EvidenceMissingError, RecordUnreadableError
from autorepair.domain.evidence import EvidenceSummary
from autorepair.domain.incident import Target
from autorepair.domain.masking import Masker
from autorepair.domain.value import Value
from autorepair_cli.recorded.from_incident import case_of
from autorepair_cli.service import Service

ValueT = TypeVar("ValueT", bound=Value)
_KEY_BYTES = 32


def case_text(service: Service, records: tuple[AuditRecord, ...]) -> str:
    """Write the case of an incident as JSON; what others wrote in it is masked.

    Raises:
        EvidenceMissingError: The incident ended before it had evidence, a diagnosis and a
            decision, or the evidence is gone.
        RecordUnreadableError: A record is not what this version of the service writes.
        AccessDeniedError, TransientServiceError: The evidence cannot be read.
    """
    summary = _first(records, RecordKind.EVIDENCE_COLLECTED, EvidenceSummary)
    case = case_of(
        service.evidence_of(summary),
        _first(records, RecordKind.DIAGNOSIS_MADE, Diagnosis),
        _first(records, RecordKind.ACTION_DECIDED, Decision),
        _first(records, RecordKind.INCIDENT_OPENED, Target, member="target"),
        # A key for this one file: equal values look equal in it, and nowhere else.
        masker=Masker(secrets.token_bytes(_KEY_BYTES)),
    )
    return json.dumps(case, indent=1, ensure_ascii=False)


def _first(
    records: tuple[AuditRecord, ...],
    kind: RecordKind,
    model: type[ValueT],
    *,
    member: str | None = None,
) -> ValueT:
    """Give what was recorded first of a kind: later steps rest on a changed function."""
    found = next((record for record in records if record.entry.kind is kind), None)
    if found is None:
        raise EvidenceMissingError(
            f"incident {records[0].entry.incident_id} has no record {kind.value}: it ended before, "
            "so there is no case to make of it"
        )
    told = found.entry.data if member is None else found.entry.data.get(member)
    try:
        return model.model_validate(told)
    except ValidationError as error:
        raise RecordUnreadableError(
            f"record {found.seq} of incident {found.entry.incident_id} holds no "
            f"{model.__name__} as this version writes it ({error.error_count()} faults)"
        ) from None
