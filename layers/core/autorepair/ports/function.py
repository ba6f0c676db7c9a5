"""A target function: its configuration, what is published and declared of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from autorepair.domain.change import Change
from autorepair.domain.circumstances import EnvironmentKey
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.deployment import Stack
from autorepair.domain.evidence import AccountConcurrency, Alias, DeclaredVariable, PublishedVersion
from autorepair.domain.incident import Target
from autorepair.domain.snapshot import Snapshot, SnapshotReason


def unguarded() -> None:
    """Let a write go ahead: for whoever holds no lease that could be lost."""


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

    def read_version(self, target: Target, version: str) -> FunctionConfiguration:
        """Read the configuration of a published version: its settings, no tags nor reservation.

        Raises:
            TargetNotFoundError, AccessDeniedError, TransientServiceError: As for `read`.
        """
        ...

    def tags(self, target: Target) -> dict[str, str]:
        """Read the function's tags: one call, where `read` takes three.

        Raises:
            TargetNotFoundError, AccessDeniedError, TransientServiceError: As for `read`.
        """
        ...

    def apply(
        self, change: Change, *, guard: Callable[[], None] = unguarded
    ) -> FunctionConfiguration:
        """Make the change by compare-and-swap and wait until it has settled.

        Applied twice it does no harm: a function that already stands where the change leads is
        given back as it is. Environment values are looked up and merged here and never leave.
        A change with a release is published and its alias moved; what was only begun when
        somebody else came in between is put back, as far as it is not theirs by then. ``guard``
        is called right before every write call, after the last reading; what it raises is raised.

        Returns:
            The settled configuration; its fingerprint is where the change led, and with a release
            its ``alias_version`` is the version that was published.

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

    def aliases(self, target: Target) -> tuple[Alias, ...]:
        """List the aliases only: one call, where `read` takes more.

        Raises:
            TargetNotFoundError: There is no such function.
            AccessDeniedError, TransientServiceError: They cannot be read.
        """
        ...


class Stacks(Protocol):
    """Knows the CloudFormation stacks that own a function."""

    def owning(self, configuration: FunctionConfiguration) -> tuple[Stack, ...]:
        """Give the stack that made the function, and the one at the top where that is nested.

        Raises:
            AccessDeniedError, TransientServiceError: They cannot be read.
        """
        ...


class EnvironmentKeys(Protocol):
    """Knows the customers' keys that seal environments."""

    def read(self, key_arn: str) -> EnvironmentKey:
        """Read whether the key is enabled and enrolled; one that cannot be read says why."""
        ...


class Roles(Protocol):
    """Knows the execution roles of functions."""

    def trusted_by(self, role_arn: str) -> frozenset[str]:
        """Name the AWS services that may take the role on.

        Raises:
            AccessDeniedError, TransientServiceError: It cannot be read.
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
