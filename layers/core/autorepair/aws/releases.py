"""Published versions and aliases of a function, and how much the account may run at once."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from autorepair.aws.errors import aws_call
from autorepair.aws.latest import READ, Latest
from autorepair.aws.publish import provisioned
from autorepair.aws.reading import Reading
from autorepair.domain.errors import AccessDeniedError, ConfigurationError, TargetNotFoundError
from autorepair.domain.evidence import AccountConcurrency, Alias, PublishedVersion
from autorepair.domain.incident import Target
from autorepair.ports import Releases

if TYPE_CHECKING:
    from types_boto3_lambda import LambdaClient
    from types_boto3_lambda.type_defs import FunctionConfigurationTypeDef

_log = logging.getLogger(__name__)
_LATEST = "$LATEST"
_MOST_VERSIONS, _MOST_COMPARED = 10, 5


class LambdaReleases:
    """Lists the newest versions: Lambda tells them oldest first, so all pages are read."""

    permissions: ClassVar[Mapping[str, frozenset[str]]] = {
        "read": frozenset(
            {
                READ,
                "lambda:ListAliases",
                "lambda:ListProvisionedConcurrencyConfigs",
                "lambda:ListVersionsByFunction",
            }
        ),
        "aliases": frozenset({"lambda:ListAliases"}),
    }

    def __init__(self, client: LambdaClient) -> None:
        self._lambda = client
        self._latest = Latest(client)

    def read(self, target: Target) -> Releases:
        """List the aliases and the ten newest versions; say what hangs on each alias's version.

        The versions of the first five aliases (the target's own before others) are compared with
        `$LATEST`.

        Raises:
            TargetNotFoundError: There is no such function.
            AccessDeniedError, TransientServiceError, ConfigurationError: They cannot be read.
        """
        return Releases(
            aliases=self._compared(target, self.aliases(target)), versions=self._versions(target)
        )

    def aliases(self, target: Target) -> tuple[Alias, ...]:
        """List the aliases: one call, where `read` takes more.

        Raises:
            TargetNotFoundError: There is no such function.
            AccessDeniedError, TransientServiceError, ConfigurationError: They cannot be read.
        """
        arn = target.function_arn
        with aws_call("lambda:ListAliases", arn, missing=TargetNotFoundError):
            pages = self._lambda.get_paginator("list_aliases").paginate(FunctionName=arn)
            found = [alias for page in pages for alias in page["Aliases"]]
        return tuple(
            Alias(
                name=alias["Name"],
                version=alias["FunctionVersion"],
                also=dict(alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})),
            )
            for alias in found
        )

    def _compared(self, target: Target, aliases: tuple[Alias, ...]) -> tuple[Alias, ...]:
        """Add what a repair of `$LATEST` has to know before it is published for an alias.

        Who may not read that learns the rest all the same: nothing is published then.
        """
        if not aliases:
            return ()
        try:
            return self._comparison(target, aliases)
        except (AccessDeniedError, ConfigurationError) as error:
            _log.warning("versions were not compared with $LATEST: %s", error)
            return aliases

    def _comparison(self, target: Target, aliases: tuple[Alias, ...]) -> tuple[Alias, ...]:
        arn = target.function_arn
        ordered = sorted(aliases, key=lambda alias: alias.name != target.qualifier)
        wanted = {alias.version for alias in ordered[:_MOST_COMPARED]} - {_LATEST}
        latest = self._latest.reading(arn)
        readings = {version: self._latest.reading(arn, version) for version in sorted(wanted)}
        kept_warm = provisioned(self._lambda, arn)
        return tuple(_compared(alias, latest, readings, kept_warm) for alias in aliases)

    def _versions(self, target: Target) -> tuple[PublishedVersion, ...]:
        arn = target.function_arn
        with aws_call("lambda:ListVersionsByFunction", arn, missing=TargetNotFoundError):
            pages = self._lambda.get_paginator("list_versions_by_function").paginate(
                FunctionName=arn
            )
            # The answer holds the environment of every version: only what is needed is kept.
            found = [_version(one) for page in pages for one in page["Versions"]]
        published = [version for version in found if version.version != _LATEST]
        return tuple(sorted(published, key=_number)[-_MOST_VERSIONS:])


class LambdaConcurrency:
    """Reads the account's limits."""

    permissions: ClassVar[Mapping[str, frozenset[str]]] = {
        "of_account": frozenset({"lambda:GetAccountSettings"}),
    }

    def __init__(self, client: LambdaClient) -> None:
        self._lambda = client

    def of_account(self) -> AccountConcurrency:
        """Read how much may run at once.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be read.
        """
        with aws_call("lambda:GetAccountSettings", "the account"):
            limit = self._lambda.get_account_settings()["AccountLimit"]
        return AccountConcurrency(
            limit=limit["ConcurrentExecutions"], unreserved=limit["UnreservedConcurrentExecutions"]
        )


def _compared(
    alias: Alias, latest: Reading, readings: Mapping[str, Reading], kept_warm: frozenset[str]
) -> Alias:
    found = {"has_provisioned_concurrency": bool({alias.name, alias.version} & kept_warm)}
    reading = readings.get(alias.version)
    if reading is None:
        return alias.model_copy(update=found)
    compared = {
        "differs": reading.differences(latest),
        "has_snap_start": reading.has_snap_start,
    }
    return alias.model_copy(update=found | compared)


def _version(told: FunctionConfigurationTypeDef) -> PublishedVersion:
    return PublishedVersion.model_validate(
        {
            "version": told["Version"],
            "code_sha256": told.get("CodeSha256", ""),
            "timeout_s": told["Timeout"],
            "memory_mb": told["MemorySize"],
            "last_modified": told.get("LastModified") or None,
        }
    )


def _number(version: PublishedVersion) -> int:
    return int(version.version) if version.version.isdecimal() else 0
