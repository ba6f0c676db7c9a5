"""Reads the task token and the whole state data. Writes nothing (the answer comes by the token).

Raises AccessDeniedError, TransientServiceError.
"""

from autorepair.steps.request_approval import RequestApprovalInput, request_approval
from autorepair.wiring import handler_for

handler = handler_for(RequestApprovalInput, request_approval, uses=("dynamodb", "events", "sns"))
