"""Reads $.incident, $.evidence, $.diagnosis, $.change, $.verification. Writes $.verification.

Raises EvidenceMissingError, TargetNotFoundError, AccessDeniedError, TransientServiceError.
"""

from autorepair.steps.verify_repair import VerifyRepairInput, verify_repair
from autorepair.wiring import handler_for

handler = handler_for(
    VerifyRepairInput,
    verify_repair,
    uses=("dynamodb", "events", "kms", "lambda", "logs", "s3", "ssm"),
)
