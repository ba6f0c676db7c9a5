"""Reads $.incident, $.change, $.verification. Writes $.rollback.

Raises AutoRepairError, TransientServiceError.
"""

from autorepair.steps.roll_back_repair import RollBackRepairInput, roll_back_repair
from autorepair.wiring import handler_for

handler = handler_for(
    RollBackRepairInput, roll_back_repair, uses=("dynamodb", "events", "kms", "lambda")
)
