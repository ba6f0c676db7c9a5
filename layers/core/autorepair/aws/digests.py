"""Keyed digests of what must not be shown.

Environment values are short and guessable (a region, a port, "true"): a plain hash of one in a log,
an execution's data or the audit trail could be looked up. So every digest is keyed. KMS holds the
key and gives out one derived key per function, which stays in this process's memory: one KMS call
per function and process, however many values are digested.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from autorepair.aws.errors import aws_call

if TYPE_CHECKING:
    from types_boto3_kms import KMSClient

_PURPOSE = "lambda-auto-repair/digest/v1/"


class Digester:
    """Digests with a key that is derived for one function."""

    permissions: ClassVar[Mapping[str, frozenset[str]]] = {
        "of_value": frozenset({"kms:GenerateMac"}),
        "of_settings": frozenset({"kms:GenerateMac"}),
        "masking_key": frozenset({"kms:GenerateMac"}),
    }

    def __init__(self, kms: KMSClient, key_id: str) -> None:
        self._kms = kms
        self._key_id = key_id
        self._keys: dict[str, bytes] = {}

    def of_value(self, function_arn: str, name: str, value: str) -> str:
        """Digest the value of one environment variable (HMAC-SHA-256, hex).

        Equal values of two variables have different digests.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: KMS gives no key.
        """
        return self._digest(function_arn, ["variable", name, value])

    def of_settings(self, function_arn: str, settings: Mapping[str, Any]) -> str:
        """Digest JSON-like settings, whatever the order of their keys (HMAC-SHA-256, hex).

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: KMS gives no key.
        """
        return self._digest(function_arn, ["settings", settings])

    def masking_key(self, function_arn: str) -> bytes:
        """Give the key under which a function's secrets are recognised once they are masked.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: KMS gives no key.
        """
        return hmac.new(self._key_for(function_arn), b"masking", hashlib.sha256).digest()

    def _digest(self, function_arn: str, content: list[Any]) -> str:
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hmac.new(self._key_for(function_arn), canonical.encode(), hashlib.sha256).hexdigest()

    def _key_for(self, function_arn: str) -> bytes:
        if function_arn not in self._keys:
            with aws_call("kms:GenerateMac", self._key_id):
                answer = self._kms.generate_mac(
                    KeyId=self._key_id,
                    MacAlgorithm="HMAC_SHA_256",
                    Message=(_PURPOSE + function_arn).encode(),
                )
            self._keys[function_arn] = answer["Mac"]
        return self._keys[function_arn]
