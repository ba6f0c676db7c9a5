"""AWS::KMS, AWS::SSM and AWS::SecretsManager resources."""

from __future__ import annotations

import secrets
import string

from autorepair_lab.deploy.aws import text
from autorepair_lab.deploy.resources.base import (
    Made,
    Properties,
    ResourceType,
    Work,
    tag_changes,
    tag_list,
    tag_map,
)


class Key(ResourceType):
    """AWS::KMS::Key; Ref gives its id. Never replaced: what it sealed would be lost."""

    type = "AWS::KMS::Key"
    properties = frozenset(
        {
            "Description",
            "EnableKeyRotation",
            "Enabled",
            "KeyPolicy",
            "KeySpec",
            "KeyUsage",
            "MultiRegion",
            "PendingWindowInDays",
            "RotationPeriodInDays",
            "Tags",
        }
    )
    mutable = properties - {"KeySpec", "KeyUsage", "MultiRegion"}
    stateful = True
    tags = "list"

    def create(self, work: Work) -> Made:
        """Create the key; it rotates and is enabled as the template says."""
        tags = tag_map(work.get("Tags"))
        key = work.aws.call(
            "kms",
            "CreateKey",
            Policy=work.get("KeyPolicy"),
            Tags=_kms_tags(tags) or None,
            **work.pick("Description", "KeySpec", "KeyUsage", "MultiRegion"),
        )["KeyMetadata"]
        made = work.adopt(key["KeyId"], Arn=key["Arn"], KeyId=key["KeyId"])
        self._state(work, key["KeyId"], {})
        return made

    def update(self, work: Work, made: Made, before: Properties) -> Made:
        """Change policy, rotation, description and tags."""
        key, after = made.physical_id, work.properties
        if before.get("KeyPolicy") != after.get("KeyPolicy"):
            work.aws.call(
                "kms", "PutKeyPolicy", KeyId=key, PolicyName="default", Policy=after["KeyPolicy"]
            )
        if before.get("Description") != after.get("Description"):
            description = after.get("Description", "")
            work.aws.call("kms", "UpdateKeyDescription", KeyId=key, Description=description)
        self._state(work, key, before)
        wanted, gone = tag_changes(before.get("Tags"), after.get("Tags"))
        if wanted:
            work.aws.call("kms", "TagResource", KeyId=key, Tags=_kms_tags(wanted))
        if gone:
            work.aws.call("kms", "UntagResource", KeyId=key, TagKeys=gone)
        return made

    def delete(self, work: Work, made: Made) -> None:
        """Schedule the key's deletion, as AWS does."""
        days = work.get("PendingWindowInDays") or 30
        work.aws.remove(
            "kms", "ScheduleKeyDeletion", KeyId=made.physical_id, PendingWindowInDays=days
        )

    @staticmethod
    def _state(work: Work, key: str, before: Properties) -> None:
        rotates = text(work.get("EnableKeyRotation")).lower() == "true"
        rotated = text(before.get("EnableKeyRotation")).lower() == "true"
        period = work.get("RotationPeriodInDays")
        if rotates and (not rotated or period != before.get("RotationPeriodInDays")):
            work.aws.call("kms", "EnableKeyRotation", KeyId=key, RotationPeriodInDays=period)
        elif rotated and not rotates:
            work.aws.call("kms", "DisableKeyRotation", KeyId=key)
        enabled = text(work.properties.get("Enabled", True)).lower() == "true"
        was_enabled = text(before.get("Enabled", True)).lower() == "true"
        if enabled != was_enabled:
            work.aws.call("kms", "EnableKey" if enabled else "DisableKey", KeyId=key)


def _kms_tags(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"TagKey": key, "TagValue": value} for key, value in tags.items()]


class KeyAlias(ResourceType):
    """AWS::KMS::Alias; Ref gives its name."""

    type = "AWS::KMS::Alias"
    properties = frozenset({"AliasName", "TargetKeyId"})
    mutable = frozenset({"TargetKeyId"})

    def create(self, work: Work) -> Made:
        """Name the key."""
        work.aws.call("kms", "CreateAlias", **work.properties)
        return Made(str(work.require("AliasName")))

    def update(self, work: Work, made: Made, before: Properties) -> Made:  # noqa: ARG002 - put anew
        """Point the name at another key."""
        work.aws.call("kms", "UpdateAlias", **work.properties)
        return made

    def delete(self, work: Work, made: Made) -> None:
        """Take the name away."""
        work.aws.remove("kms", "DeleteAlias", AliasName=made.physical_id)


class Parameter(ResourceType):
    """AWS::SSM::Parameter; Ref gives its name."""

    type = "AWS::SSM::Parameter"
    properties = frozenset(
        {
            "AllowedPattern",
            "DataType",
            "Description",
            "Name",
            "Policies",
            "Tags",
            "Tier",
            "Type",
            "Value",
        }
    )
    mutable = properties - {"DataType", "Name"}
    named_by = "Name"
    tags = "map"

    def create(self, work: Work) -> Made:
        """Put the parameter. Raises ResourceError if the name is taken."""
        tags = tag_list(work.get("Tags"))
        return self._put(work, work.name("Name", 200), Tags=tags, Overwrite=False)

    def update(self, work: Work, made: Made, before: Properties) -> Made:
        """Put it again, then its tags."""
        name = made.physical_id
        updated = self._put(work, name, Overwrite=True)
        wanted, gone = tag_changes(before.get("Tags"), work.get("Tags"))
        key = {"ResourceType": "Parameter", "ResourceId": name}
        if wanted:
            work.aws.call("ssm", "AddTagsToResource", **key, Tags=tag_list(wanted))
        if gone:
            work.aws.call("ssm", "RemoveTagsFromResource", **key, TagKeys=gone)
        return updated

    def delete(self, work: Work, made: Made) -> None:
        """Delete the parameter."""
        work.aws.remove("ssm", "DeleteParameter", Name=made.physical_id)

    @classmethod
    def _put(cls, work: Work, name: str, **more: object) -> Made:
        parameters = work.pick(*cls.properties - {"Name", "Tags"})
        work.aws.call("ssm", "PutParameter", Name=name, **parameters, **more)
        return Made(name, {"Type": work.require("Type"), "Value": text(work.require("Value"))})


class Secret(ResourceType):
    """AWS::SecretsManager::Secret; Ref gives its ARN."""

    type = "AWS::SecretsManager::Secret"
    properties = frozenset(
        {"Description", "GenerateSecretString", "KmsKeyId", "Name", "SecretString", "Tags"}
    )
    mutable = frozenset({"Description", "KmsKeyId", "SecretString", "Tags"})
    named_by = "Name"
    stateful = True
    tags = "list"

    def create(self, work: Work) -> Made:
        """Store the secret, or a generated one."""
        value = work.get("SecretString")
        if work.get("GenerateSecretString") is not None:
            length = int(text(work.get("GenerateSecretString").get("PasswordLength", 32)))
            letters = string.ascii_letters + string.digits
            value = "".join(secrets.choice(letters) for _ in range(length))
        arn = work.aws.call(
            "secretsmanager",
            "CreateSecret",
            Name=work.name("Name", 200),
            SecretString=value,
            Tags=tag_list(work.get("Tags")),
            **work.pick("Description", "KmsKeyId"),
        )["ARN"]
        return Made(arn, {"Id": arn})

    def update(self, work: Work, made: Made, before: Properties) -> Made:
        """Change the secret and its tags."""
        service, key = "secretsmanager", {"SecretId": made.physical_id}
        settings = work.pick("Description", "KmsKeyId", "SecretString")
        # What is stored anew is a new version, so only what differs is.
        changed = {name: value for name, value in settings.items() if value != before.get(name)}
        if changed:
            work.aws.call(service, "UpdateSecret", **key, **changed)
        wanted, gone = tag_changes(before.get("Tags"), work.get("Tags"))
        if wanted:
            work.aws.call(service, "TagResource", **key, Tags=tag_list(wanted))
        if gone:
            work.aws.call(service, "UntagResource", **key, TagKeys=gone)
        return made

    def delete(self, work: Work, made: Made) -> None:
        """Delete the secret at once."""
        work.aws.remove(
            "secretsmanager",
            "DeleteSecret",
            SecretId=made.physical_id,
            ForceDeleteWithoutRecovery=True,
        )


TYPES: tuple[ResourceType, ...] = (Key(), KeyAlias(), Parameter(), Secret())
