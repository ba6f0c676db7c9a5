"""`autorepair show --as-case`: an incident as a case that `autorepair evaluate` can run."""

from __future__ import annotations

import json
import secrets

from autorepair.domain.audit import AuditRecord, RecordKind
from autorepair.domain.decision import Decision
from autorepair.domain.diagnosis import Diagnosis
from autorepair.domain.evidence import EvidenceSummary
from autorepair.domain.incident import Target
from autorepair.domain.masking import Masker
from autorepair_cli.recorded.from_incident import case_of
from autorepair_cli.recorded_values import first_of
from autorepair_cli.service import Service

_KEY_BYTES = 32


def case_text(service: Service, records: tuple[AuditRecord, ...]) -> str:
    """Write the case of an incident as JSON; what others wrote in it is masked.

    Raises:
        EvidenceMissingError: The incident ended before it had evidence, a diagnosis and a
            decision, or the evidence is gone.
        RecordUnreadableError: A record is not what this version of the service writes.
        AccessDeniedError, TransientServiceError: The evidence cannot be read.
    """
    summary = first_of(records, RecordKind.EVIDENCE_COLLECTED, EvidenceSummary)
    case = case_of(
        service.evidence_of(summary),
        first_of(records, RecordKind.DIAGNOSIS_MADE, Diagnosis),
        first_of(records, RecordKind.ACTION_DECIDED, Decision),
        first_of(records, RecordKind.INCIDENT_OPENED, Target, member="target"),
        # A key for this one file: equal values look equal in it, and nowhere else.
        masker=Masker(secrets.token_bytes(_KEY_BYTES)),
    )
    return json.dumps(case, indent=1, ensure_ascii=False)
