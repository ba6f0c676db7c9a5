"""Runs on a schedule and when an execution ends badly. Raises UnsettledError."""

from autorepair.steps.reconcile import ReconcileInput, reconcile
from autorepair.wiring import handler_for

handler = handler_for(ReconcileInput, reconcile, uses=("dynamodb", "stepfunctions"))
