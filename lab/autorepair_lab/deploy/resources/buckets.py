"""AWS::S3 resources."""

from __future__ import annotations

from typing import Any

from autorepair_lab.deploy.aws import text
from autorepair_lab.deploy.errors import ResourceError
from autorepair_lab.deploy.resources.base import (
    Made,
    Properties,
    ResourceType,
    Work,
    tag_list,
)

_RULE_KEYS = frozenset(
    {
        "AbortIncompleteMultipartUpload",
        "ExpirationInDays",
        "Id",
        "NoncurrentVersionExpiration",
        "NoncurrentVersionExpirationInDays",
        "Prefix",
        "Status",
        "TagFilters",
        "Transitions",
    }
)


class Bucket(ResourceType):
    """AWS::S3::Bucket; Ref gives its name. Never replaced, and deleted only when empty."""

    type = "AWS::S3::Bucket"
    properties = frozenset(
        {
            "BucketEncryption",
            "BucketName",
            "LifecycleConfiguration",
            "LoggingConfiguration",
            "ObjectLockEnabled",
            "OwnershipControls",
            "PublicAccessBlockConfiguration",
            "Tags",
            "VersioningConfiguration",
        }
    )
    mutable = properties - {"BucketName", "ObjectLockEnabled"}
    named_by = "BucketName"
    stateful = True
    tags = "list"

    def create(self, work: Work) -> Made:
        """Create the bucket with its settings."""
        name = work.name("BucketName", 63).lower()
        region = work.aws.region
        where = None if region == "us-east-1" else {"LocationConstraint": region}
        work.aws.call(
            "s3",
            "CreateBucket",
            Bucket=name,
            CreateBucketConfiguration=where,
            ObjectLockEnabledForBucket=work.get("ObjectLockEnabled"),
        )
        made = work.adopt(
            name,
            Arn=f"arn:aws:s3:::{name}",
            DomainName=f"{name}.s3.amazonaws.com",
            RegionalDomainName=f"{name}.s3.{region}.amazonaws.com",
        )
        self._configure(work, name, {})
        return made

    def update(self, work: Work, made: Made, before: Properties) -> Made:
        """Change the settings; the objects stay."""
        self._configure(work, made.physical_id, before)
        return made

    def delete(self, work: Work, made: Made) -> None:
        """Delete the bucket. Raises ResourceError if it holds objects."""
        work.aws.remove("s3", "DeleteBucket", Bucket=made.physical_id)

    @staticmethod
    def _configure(work: Work, name: str, before: Properties) -> None:
        for key, (put, delete, shape) in _SETTINGS.items():
            if before.get(key) == work.get(key):
                continue
            if key in work.properties:
                work.aws.call("s3", put, Bucket=name, **shape(work.get(key)))
            elif delete is None:
                raise ResourceError(f"Property {key} cannot be taken away from a bucket")
            else:
                work.aws.remove("s3", delete, Bucket=name)


def _encryption(value: dict[str, Any]) -> Properties:
    rules = [
        {
            ("ApplyServerSideEncryptionByDefault" if k == "ServerSideEncryptionByDefault" else k): v
            for k, v in rule.items()
        }
        for rule in value["ServerSideEncryptionConfiguration"]
    ]
    return {"ServerSideEncryptionConfiguration": {"Rules": rules}}


def _lifecycle(value: dict[str, Any]) -> Properties:
    return {"LifecycleConfiguration": {"Rules": [_lifecycle_rule(r) for r in value["Rules"]]}}


def _lifecycle_rule(rule: dict[str, Any]) -> Properties:
    unknown = sorted(set(rule) - _RULE_KEYS)
    if unknown:
        raise ResourceError(f"Encountered unsupported property {', '.join(unknown)} of a rule")
    result: Properties = {
        key: rule[key]
        for key in ("AbortIncompleteMultipartUpload", "NoncurrentVersionExpiration", "Status")
        if key in rule
    }
    if "Id" in rule:
        result["ID"] = rule["Id"]
    if "ExpirationInDays" in rule:
        result["Expiration"] = {"Days": rule["ExpirationInDays"]}
    if "NoncurrentVersionExpirationInDays" in rule:
        days = rule["NoncurrentVersionExpirationInDays"]
        result["NoncurrentVersionExpiration"] = {"NoncurrentDays": days}
    if "Transitions" in rule:
        result["Transitions"] = [
            {"StorageClass": item["StorageClass"], "Days": item["TransitionInDays"]}
            for item in rule["Transitions"]
        ]
    result["Filter"] = _filter(str(rule.get("Prefix", "")), rule.get("TagFilters") or [])
    return result


def _filter(prefix: str, tags: list[dict[str, str]]) -> Properties:
    if not tags:
        return {"Prefix": prefix}
    if len(tags) == 1 and not prefix:
        return {"Tag": tags[0]}
    return {"And": {"Prefix": prefix, "Tags": tags}}


def _versioning(value: dict[str, Any]) -> Properties:
    return {"VersioningConfiguration": value}


def _access(value: dict[str, Any]) -> Properties:
    return {"PublicAccessBlockConfiguration": value}


def _ownership(value: dict[str, Any]) -> Properties:
    return {"OwnershipControls": value}


def _logging(value: dict[str, Any]) -> Properties:
    names = {"DestinationBucketName": "TargetBucket", "LogFilePrefix": "TargetPrefix"}
    enabled = {names.get(key, key): item for key, item in value.items()}
    return {"BucketLoggingStatus": {"LoggingEnabled": {"TargetPrefix": "", **enabled}}}


def _tagging(value: list[dict[str, str]]) -> Properties:
    return {"Tagging": {"TagSet": tag_list(value)}}


# property -> (how to put it, how to take it away, its shape in the API)
_SETTINGS: dict[str, tuple[str, str | None, Any]] = {
    "VersioningConfiguration": ("PutBucketVersioning", None, _versioning),
    "OwnershipControls": (
        "PutBucketOwnershipControls",
        "DeleteBucketOwnershipControls",
        _ownership,
    ),
    "BucketEncryption": ("PutBucketEncryption", "DeleteBucketEncryption", _encryption),
    "PublicAccessBlockConfiguration": ("PutPublicAccessBlock", "DeletePublicAccessBlock", _access),
    "LifecycleConfiguration": (
        "PutBucketLifecycleConfiguration",
        "DeleteBucketLifecycle",
        _lifecycle,
    ),
    "LoggingConfiguration": ("PutBucketLogging", None, _logging),
    "Tags": ("PutBucketTagging", "DeleteBucketTagging", _tagging),
}


class BucketPolicy(ResourceType):
    """AWS::S3::BucketPolicy; Ref gives the bucket's name."""

    type = "AWS::S3::BucketPolicy"
    properties = frozenset({"Bucket", "PolicyDocument"})
    mutable = frozenset({"PolicyDocument"})

    def create(self, work: Work) -> Made:
        """Put the policy."""
        bucket = str(work.require("Bucket"))
        policy = unconditional(work.require("PolicyDocument"))
        if policy["Statement"]:
            work.aws.call("s3", "PutBucketPolicy", Bucket=bucket, Policy=text(policy))
        else:
            work.aws.remove("s3", "DeleteBucketPolicy", Bucket=bucket)
        return Made(bucket)

    def update(self, work: Work, made: Made, before: Properties) -> Made:  # noqa: ARG002 - put anew
        """Put it again."""
        return self.create(work)

    def delete(self, work: Work, made: Made) -> None:
        """Take the policy away."""
        work.aws.remove("s3", "DeleteBucketPolicy", Bucket=made.physical_id)


def unconditional(policy: dict[str, Any]) -> Properties:
    """Leave out statements that deny under a condition.

    moto judges a bucket's policy without its conditions: "deny what does not come over TLS" would
    deny everything, sam's own uploads first. The stack's record keeps the whole policy.
    """
    statements = policy["Statement"]
    listed = statements if isinstance(statements, list) else [statements]
    kept = [one for one in listed if one["Effect"] != "Deny" or not one.get("Condition")]
    return {**policy, "Statement": kept}


TYPES: tuple[ResourceType, ...] = (Bucket(), BucketPolicy())
