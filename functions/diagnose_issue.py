"""Reads $.incident, $.evidence. Writes $.diagnosis.

Raises EvidenceMissingError, AccessDeniedError, TransientServiceError.
"""

from autorepair.steps.diagnose_issue import DiagnoseIssueInput, diagnose_issue
from autorepair.wiring import handler_for

handler = handler_for(DiagnoseIssueInput, diagnose_issue, uses=("dynamodb", "s3"))
