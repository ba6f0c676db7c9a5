"""Where the values of environment variables come from when they are written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Protocol

from autorepair.aws.known_config import SsmKnownConfig
from autorepair.aws.reading import Reading
from autorepair.aws.snapshots import Snapshots
from autorepair.domain.change import (
    Absent,
    DeclaredSource,
    EnvironmentSetting,
    SealedValue,
    VariableSource,
)
from autorepair.domain.errors import ChangeRefusedError


class VariableValues(Protocol):
    """Looks values up, and keeps the ones that a change is about to replace."""

    def of(self, reading: Reading, name: str, source: VariableSource) -> str | None:
        """Give the value that ``source`` stands for; None when it stands for no value.

        Raises:
            UndeclaredValueError: The source is missing or cannot be read.
        """
        ...

    def keep(self, reading: Reading, undo: EnvironmentSetting) -> None:
        """Keep what the function has now, as far as ``undo`` says that it will be needed.

        Raises:
            ChangeRefusedError: ``undo`` needs a value that the function does not have.
        """
        ...


class StoredVariableValues:
    """Declared values from the known configuration, former ones from sealed snapshots."""

    permissions: ClassVar[Mapping[str, frozenset[str]]] = {
        "of": SsmKnownConfig.permissions["resolve"] | Snapshots.permissions["open"],
        "keep": Snapshots.permissions["seal"],
    }

    def __init__(self, known_config: SsmKnownConfig, snapshots: Snapshots) -> None:
        self._known_config = known_config
        self._snapshots = snapshots

    def of(self, reading: Reading, name: str, source: VariableSource) -> str | None:
        """Give the value that ``source`` stands for; None when it stands for no value.

        Raises:
            UndeclaredValueError: The source is missing or cannot be read.
            AccessDeniedError, TransientServiceError: The source cannot be reached.
        """
        match source:
            case Absent():
                return None
            case DeclaredSource():
                return self._known_config.resolve(reading.function_name, name)
            case SealedValue(snapshot_id=snapshot_id):
                return self._snapshots.open(snapshot_id, reading.arn, name)

    def keep(self, reading: Reading, undo: EnvironmentSetting) -> None:
        """Seal what the function has now, as far as ``undo`` says that it will be needed.

        Raises:
            ChangeRefusedError: ``undo`` needs a value that the function does not have.
            AccessDeniedError, TransientServiceError: It cannot be sealed.
        """
        env = reading.env
        for name, source in undo.variables.items():
            if not isinstance(source, SealedValue):
                continue
            if name not in env:
                raise ChangeRefusedError(
                    f"the change of {reading.arn} would be undone by giving {name} its former "
                    "value, but the function has none; the plan has to say `absent`"
                )
            self._snapshots.seal(source.snapshot_id, reading.arn, name, env[name])
