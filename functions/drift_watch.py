"""Runs on a schedule. Raises UnsettledError."""

from autorepair.steps.drift_watch import DriftWatchInput, drift_watch
from autorepair.wiring import handler_for

handler = handler_for(DriftWatchInput, drift_watch, uses=("dynamodb", "lambda"))
