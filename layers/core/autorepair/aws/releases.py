"""Published versions and aliases of a function, and how much the account may run at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from autorepair.aws.errors import aws_call
from autorepair.domain.errors import TargetNotFoundError
from autorepair.domain.evidence import AccountConcurrency, Alias, PublishedVersion
from autorepair.domain.incident import Target
from autorepair.ports import Releases

if TYPE_CHECKING:
    from types_boto3_lambda import LambdaClient
    from types_boto3_lambda.type_defs import FunctionConfigurationTypeDef

_LATEST = "$LATEST"
_MOST_VERSIONS, _MOST_ALIASES = 10, 50


class LambdaReleases:
    """Lists the newest versions: Lambda tells them oldest first, so all pages are read."""

    permissions: ClassVar[Mapping[str, frozenset[str]]] = {
        "read": frozenset({"lambda:ListAliases", "lambda:ListVersionsByFunction"}),
    }

    def __init__(self, client: LambdaClient) -> None:
        self._lambda = client

    def read(self, target: Target) -> Releases:
        """List the aliases and the ten newest versions.

        Raises:
            TargetNotFoundError: There is no such function.
            AccessDeniedError, TransientServiceError, ConfigurationError: They cannot be read.
        """
        return Releases(aliases=self._aliases(target), versions=self._versions(target))

    def _aliases(self, target: Target) -> tuple[Alias, ...]:
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
            for alias in found[:_MOST_ALIASES]
        )

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
