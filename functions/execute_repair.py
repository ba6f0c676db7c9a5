"""Reads $.incident, $.evidence, $.diagnosis, $.decision, $.approval, $.change. Writes $.change.

Raises UpdateFailedError, UpdateInProgressError, AccessDeniedError, TransientServiceError.
"""

from autorepair.steps.execute_repair import ExecuteRepairInput, execute_repair
from autorepair.wiring import handler_for

handler = handler_for(
    ExecuteRepairInput,
    execute_repair,
    uses=("cloudwatch", "dynamodb", "events", "kms", "lambda", "ssm"),
)
