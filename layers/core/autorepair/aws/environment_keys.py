"""The customers' KMS keys that seal the environment of functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from autorepair.aws.errors import aws_call
from autorepair.domain.circumstances import EnvironmentKey
from autorepair.domain.configuration import ENROLMENT_TAG, ENROLMENT_VALUE
from autorepair.domain.errors import AutoRepairError

if TYPE_CHECKING:
    from types_boto3_kms import KMSClient

_DESCRIBE, _TAGS = "kms:DescribeKey", "kms:ListResourceTags"


class KmsEnvironmentKeys:
    """Looks at a key's state and tags, never at what it seals.

    UpdateFunctionConfiguration seals the environment anew: Lambda makes a grant on the key with the
    permissions of the caller, who needs kms:CreateGrant and kms:Encrypt, and kms:Decrypt to read
    what is there ("Securing Lambda environment variables" in Lambda's developer guide). The roles
    of this service have them on keys that carry the enrolment tag.
    """

    permissions: ClassVar[Mapping[str, frozenset[str]]] = {"read": frozenset({_DESCRIBE, _TAGS})}

    def __init__(self, client: KMSClient) -> None:
        self._kms = client

    def read(self, key_arn: str) -> EnvironmentKey:
        """Read whether the key is enabled and enrolled; one that cannot be read says why.

        Raises nothing: a key out of reach is as good as one that may not be used. The tags of
        another account's key, for one, cannot be listed.
        """
        try:
            return self._read(key_arn)
        except AutoRepairError as error:
            return EnvironmentKey(arn=key_arn, trouble=str(error))

    def _read(self, key_arn: str) -> EnvironmentKey:
        with aws_call(_DESCRIBE, key_arn):
            metadata = self._kms.describe_key(KeyId=key_arn)["KeyMetadata"]
        # A function may name its key by an alias; tags are listed by the key itself.
        arn = metadata.get("Arn") or key_arn
        with aws_call(_TAGS, arn):
            pages = self._kms.get_paginator("list_resource_tags").paginate(KeyId=arn)
            tags = {tag["TagKey"]: tag["TagValue"] for page in pages for tag in page["Tags"]}
        return EnvironmentKey(
            arn=arn,
            state=metadata.get("KeyState") or "unknown",
            is_enrolled=tags.get(ENROLMENT_TAG) == ENROLMENT_VALUE,
        )
