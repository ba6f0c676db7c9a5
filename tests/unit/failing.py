"""What HandleFailure is given when a state of an execution has failed."""

from __future__ import annotations

import json

from autorepair.domain.failure import Failure
from autorepair.steps.handle_failure import HandleFailureInput, handle_failure
from unit.builders import INCIDENT
from unit.fakes import NOW, World

CAUGHT = {
    "Error": "UpdateFailedError",
    "Cause": json.dumps({"errorMessage": "EniLimitExceeded", "errorType": "UpdateFailedError"}),
}


def handled(world: World, execution: str = INCIDENT.execution_arn, /, **state: object) -> Failure:
    """Handle the failure of a state that had this state data."""
    given = {
        "execution_arn": execution,
        "started_at": NOW,
        "state": {"failure": CAUGHT, **state},
    }
    return handle_failure(HandleFailureInput.model_validate(given), world.ports)
