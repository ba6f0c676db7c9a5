"""What the traffic of a function runs on: `$LATEST`, or the version that an alias is on."""

from __future__ import annotations

from autorepair.domain.change import Change
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.ports import Ports


def running(
    configuration: FunctionConfiguration, change: Change, ports: Ports
) -> FunctionConfiguration:
    """Give the configuration by which the setting of a change is judged.

    ``configuration`` is that of `$LATEST`. It is given back unless the change was published for an
    alias that is on another version than the change has put it on.

    Raises:
        AutoRepairError: The version cannot be read.
    """
    move, version = change.release, configuration.alias_version
    if move is None or version is None or version in {move.published, configuration.version}:
        return configuration
    found = ports.functions.read_version(change.target, version)
    return found.model_copy(update={"alias_version": version, "tags": configuration.tags})
