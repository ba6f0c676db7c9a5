"""Who may be asked where the rules leave a cause open."""

from __future__ import annotations

import os
from typing import Literal

from autorepair import wiring
from autorepair.aws.clients import Clients
from autorepair.aws.unknown_advisor import UnknownAdvisor
from autorepair.ports import Advisor

AdvisorName = Literal["none", "bedrock"]


def advisor_named(name: AdvisorName) -> Advisor:
    """Give nobody, or the model that the environment variables describe (AWS_REGION at least).

    Raises:
        ConfigurationError: Variables are missing or wrong.
    """
    if name == "none":
        return UnknownAdvisor()
    given = wiring.AdvisorSettings.from_environment(os.environ)
    return wiring.model_advisor(given, Clients(given.region))
