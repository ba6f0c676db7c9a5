"""Full evidence, one immutable object per collection."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from autorepair.aws.digests import Digester
from autorepair.aws.errors import aws_call
from autorepair.domain.deployment import recent_deployment
from autorepair.domain.errors import EvidenceMissingError
from autorepair.domain.evidence import Evidence, EvidenceSummary

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

# The summary travels in an execution's data, which is bounded.
_GAPS_IN_SUMMARY = 20


class S3EvidenceStore:
    """Names an object by its content: storing the same evidence twice stores it once.

    What is stored is masked, here and nowhere else, so that whatever reads evidence (a diagnosis,
    a model, a person) never sees a secret.
    """

    permissions: ClassVar[Mapping[str, frozenset[str]]] = {
        "put": frozenset({"s3:PutObject", "kms:GenerateMac"}),
        "get": frozenset({"s3:GetObject"}),
    }

    def __init__(self, client: S3Client, digester: Digester, *, bucket: str) -> None:
        self._s3 = client
        self._digester = digester
        self._bucket = bucket

    def put(self, evidence: Evidence) -> EvidenceSummary:
        """Store the evidence, masked, and give the summary that points to it.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be stored, or
                there is no key to mask it with.
        """
        # Only CollectMetricsAndLogs stores evidence; the other steps start 0.3 s sooner without.
        from autorepair.domain.masked_evidence import masked  # noqa: PLC0415 - see above
        from autorepair.domain.masking import Masker  # noqa: PLC0415 - see above

        key_of_masks = self._digester.masking_key(evidence.configuration.function_arn)
        evidence = masked(evidence, Masker(key_of_masks))
        body = evidence.model_dump_json().encode()
        sha256 = hashlib.sha256(body)
        key = f"incidents/{evidence.incident_id}/evidence-{sha256.hexdigest()[:16]}.json"
        with aws_call("s3:PutObject", f"s3://{self._bucket}/{key}"):
            self._s3.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=body,
                ContentType="application/json",
                ChecksumSHA256=base64.b64encode(sha256.digest()).decode(),
            )
        return EvidenceSummary(
            bucket=self._bucket,
            key=key,
            sha256=sha256.hexdigest(),
            collected_at=evidence.collected_at,
            window_start=evidence.window_start,
            window_end=evidence.window_end,
            invocations=len(evidence.invocations),
            failures=len(evidence.failures),
            log_lines=len(evidence.log_lines),
            changes=len(evidence.changes),
            log_group=evidence.configuration.log_group,
            first_invocation_at=min((i.started_at for i in evidence.invocations), default=None),
            last_invocation_at=max((i.started_at for i in evidence.invocations), default=None),
            recent_deployment=recent_deployment(evidence),
            traffic=evidence.traffic,
            concurrency=evidence.concurrency,
            gaps=evidence.gaps[:_GAPS_IN_SUMMARY],
        )

    def get(self, summary: EvidenceSummary) -> Evidence:
        """Fetch the evidence a summary points to.

        Raises:
            EvidenceMissingError: It is gone, or its digest differs.
            AccessDeniedError, TransientServiceError: It cannot be read. S3 also denies access to
                what is gone when the role may not list the bucket.
        """
        where = f"s3://{summary.bucket}/{summary.key}"
        with aws_call("s3:GetObject", where, missing=EvidenceMissingError):
            body = self._s3.get_object(Bucket=summary.bucket, Key=summary.key)["Body"].read()
        found = hashlib.sha256(body).hexdigest()
        if found != summary.sha256:
            raise EvidenceMissingError(
                f"{where} is not what was stored: its SHA-256 is {found} and not {summary.sha256}; "
                "collect the evidence anew"
            )
        return Evidence.model_validate_json(body)
