"""A target function: its configuration, what is published and declared of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from autorepair.domain.change import Change
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.evidence import AccountConcurrency, Alias, DeclaredVariable, PublishedVersion
from autorepair.domain.incident import Target
from autorepair.domain.snapshot import Snapshot, SnapshotReason


class Functions(Protocol):
    """Reads and changes the configuration of target functions."""

    def read(self, target: Target) -> FunctionConfiguration:
        """Read the configuration of `$LATEST`, its tags and its reserved concurrency.

        Of a target that names an alias, also to which version that sends its traffic.

        Raises:
            TargetNotFoundError: There is no such function.
            AccessDeniedError: The role may not read it.
            TransientServiceError: Throttled or unavailable.
        """
        ...

    def tags(self, target: Target) -> dict[str, str]:
        """Read the function's tags: one call, where `read` takes three.

        Raises:
            TargetNotFoundError, AccessDeniedError, TransientServiceError: As for `read`.
        """
        ...

    def apply(self, change: Change) -> FunctionConfiguration:
        """Make the change by compare-and-swap and wait until it has settled.

        Applied twice it does no harm: a function that already stands where the change leads is
        given back as it is. Environment values are looked up and merged here and never leave.

        Returns:
            The settled configuration; its fingerprint is where the change led.

        Raises:
            StaleConfigurationError: The function is neither as planned on nor as planned.
            UpdateInProgressError: Another update did not settle in time.
            UpdateFailedError: Lambda reported LastUpdateStatus Failed.
            EnvironmentUnreadableError: The environment map cannot be read.
            UndeclaredValueError: A variable's source is missing or unreadable.
            ChangeRefusedError: Lambda refused the values.
            TargetNotFoundError, AccessDeniedError, TransientServiceError: As for `read`.
        """
        ...


@dataclass(frozen=True)
class Releases:
    """What is published of a function: its aliases, and the newest of its versions."""

    aliases: tuple[Alias, ...]
    versions: tuple[PublishedVersion, ...]


class ReleaseList(Protocol):
    """Knows the published versions of a function."""

    def read(self, target: Target) -> Releases:
        """List aliases and versions.

        Raises:
            AccessDeniedError, TransientServiceError: They cannot be read.
        """
        ...


class Concurrency(Protocol):
    """Knows the limits of the account."""

    def of_account(self) -> AccountConcurrency:
        """Read how much may run at once.

        Raises:
            AccessDeniedError, TransientServiceError: It cannot be read.
        """
        ...


class Snapshots(Protocol):
    """Remembers configurations; what is needed to go back to one is sealed beside it."""

    def keep(self, configuration: FunctionConfiguration, reason: SnapshotReason) -> None:
        """Remember the configuration as the function's latest of its kind, and seal its values.

        Raises:
            StaleConfigurationError: The function is no longer configured like this.
            TargetNotFoundError: There is no such function.
            AccessDeniedError, TransientServiceError: It cannot be kept.
        """
        ...

    def of(self, target: Target) -> tuple[Snapshot, ...]:
        """Give what is remembered of a function, without any value.

        Raises:
            AccessDeniedError, TransientServiceError: It cannot be read.
        """
        ...


class KnownConfig(Protocol):
    """The operator's declarations of environment variables."""

    def declared(self, configuration: FunctionConfiguration) -> tuple[DeclaredVariable, ...]:
        """List what is declared for the function: names and kinds, never values.

        Raises:
            AccessDeniedError, TransientServiceError: The declarations cannot be read.
        """
        ...
