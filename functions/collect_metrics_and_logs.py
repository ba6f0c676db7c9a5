"""Reads $.incident. Writes $.evidence.

Raises TargetNotFoundError, AccessDeniedError, TransientServiceError.
"""

from autorepair.steps.collect_metrics_and_logs import (
    CollectMetricsAndLogsInput,
    collect_metrics_and_logs,
)
from autorepair.wiring import handler_for

handler = handler_for(
    CollectMetricsAndLogsInput,
    collect_metrics_and_logs,
    uses=("cloudwatch", "dynamodb", "kms", "lambda", "logs", "s3", "ssm"),
)
