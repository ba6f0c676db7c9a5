"""Reads $.failure, $.incident. Writes $.failure. Raises TransientServiceError."""

from autorepair.steps.handle_failure import HandleFailureInput, handle_failure
from autorepair.wiring import handler_for

handler = handler_for(
    HandleFailureInput, handle_failure, uses=("dynamodb", "events", "kms", "lambda", "sns")
)
