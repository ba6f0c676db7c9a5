"""Whom the execution role of a function trusts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from autorepair.aws.errors import AWS_FAILURES, code_of, translated

if TYPE_CHECKING:
    from types_boto3_iam import IAMClient

_ACTION = "iam:GetRole"
_GONE = "NoSuchEntity"


class IamRoles:
    """Reads trust policies: who may take a role on, not what it allows."""

    permissions: ClassVar[Mapping[str, frozenset[str]]] = {"trusted_by": frozenset({_ACTION})}

    def __init__(self, client: IAMClient) -> None:
        self._iam = client

    def trusted_by(self, role_arn: str) -> frozenset[str]:
        """Name the AWS services that may take the role on; none for a role that is gone.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be read.
        """
        name = role_arn.rpartition("/")[2]
        try:
            trust: object = self._iam.get_role(RoleName=name)["Role"].get(
                "AssumeRolePolicyDocument"
            )
        except AWS_FAILURES as error:
            if code_of(error) == _GONE:
                return frozenset()
            raise translated(error, action=_ACTION, on=role_arn) from error
        # boto3 decodes the document; an emulator may leave it as it is.
        document = json.loads(trust) if isinstance(trust, str) else trust
        return frozenset(_services_in(document if isinstance(document, dict) else {}))


def _services_in(document: Mapping[str, Any]) -> Iterator[str]:
    statements = document.get("Statement", [])
    for statement in statements if isinstance(statements, list) else [statements]:
        principal = statement.get("Principal")
        named = principal.get("Service", []) if isinstance(principal, dict) else []
        if statement.get("Effect") == "Allow":
            yield from [named] if isinstance(named, str) else named
