"""Reads the event, $$.Execution.Id and $$.Execution.StartTime. Writes $.incident.

Raises AccessDeniedError, TransientServiceError, RecordConflictError.
"""

from autorepair.steps.parse_alarm_event import ParseAlarmEventInput, parse_alarm_event
from autorepair.wiring import handler_for

handler = handler_for(
    ParseAlarmEventInput,
    parse_alarm_event,
    uses=("cloudwatch", "dynamodb", "events", "lambda", "sns", "ssm"),
)
