"""Reads $.incident, $.evidence, $.diagnosis, $.decision, $.change, $.verification.

Writes $.decision.
Raises EvidenceMissingError, AccessDeniedError, TransientServiceError, ConfigurationError.
"""

from autorepair.steps.determine_action import DetermineActionInput, determine_action
from autorepair.wiring import handler_for

handler = handler_for(
    DetermineActionInput, determine_action, uses=("dynamodb", "kms", "lambda", "s3", "ssm")
)
