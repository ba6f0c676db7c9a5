"""Who the credentials of this process belong to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from autorepair.aws.clients import CallerIdentityClient
from autorepair.aws.errors import aws_call


class StsIdentity:
    """Asks STS, which answers anybody who has valid credentials."""

    permissions: ClassVar[Mapping[str, frozenset[str]]] = {
        "arn": frozenset({"sts:GetCallerIdentity"})
    }

    def __init__(self, client: CallerIdentityClient) -> None:
        self._sts = client

    def arn(self) -> str:
        """Give the ARN of the caller.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: The credentials are not
                accepted, or there are none.
        """
        with aws_call("sts:GetCallerIdentity", "the caller"):
            return str(self._sts.get_caller_identity()["Arn"])
