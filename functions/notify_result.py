"""Reads the whole state data. Writes $.notification.

Raises AccessDeniedError, TransientServiceError, RecordConflictError.
"""

from autorepair.steps.notify_result import NotifyResultInput, notify_result
from autorepair.wiring import handler_for

handler = handler_for(NotifyResultInput, notify_result, uses=("dynamodb", "events", "sns"))
