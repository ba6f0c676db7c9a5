"""AWS::DynamoDB resources."""

from __future__ import annotations

from autorepair_lab.deploy.aws import text
from autorepair_lab.deploy.resources.base import (
    Made,
    Properties,
    ResourceType,
    Work,
    tag_changes,
    tag_list,
)

_AT_CREATION = (
    "AttributeDefinitions",
    "BillingMode",
    "DeletionProtectionEnabled",
    "GlobalSecondaryIndexes",
    "KeySchema",
    "LocalSecondaryIndexes",
    "OnDemandThroughput",
    "ProvisionedThroughput",
    "StreamSpecification",
    "TableClass",
)


class Table(ResourceType):
    """AWS::DynamoDB::Table; Ref gives its name. Never replaced: its items are not the lab's."""

    type = "AWS::DynamoDB::Table"
    properties = frozenset(
        {
            *_AT_CREATION,
            "PointInTimeRecoverySpecification",
            "ResourcePolicy",
            "SSESpecification",
            "TableName",
            "Tags",
            "TimeToLiveSpecification",
        }
    )
    mutable = frozenset(
        {
            "BillingMode",
            "DeletionProtectionEnabled",
            "PointInTimeRecoverySpecification",
            "ProvisionedThroughput",
            "ResourcePolicy",
            "SSESpecification",
            "StreamSpecification",
            "Tags",
            "TimeToLiveSpecification",
        }
    )
    named_by = "TableName"
    stateful = True
    tags = "list"

    def create(self, work: Work) -> Made:
        """Create the table, then its recovery and its time to live."""
        name = work.name("TableName", 255)
        parameters = work.pick(*_AT_CREATION)
        stream = parameters.get("StreamSpecification")
        if stream:
            parameters["StreamSpecification"] = {"StreamEnabled": True, **stream}
        table = work.aws.call(
            "dynamodb",
            "CreateTable",
            TableName=name,
            SSESpecification=_encryption(work),
            Tags=tag_list(work.get("Tags")),
            **parameters,
        )["TableDescription"]
        made = work.adopt(name, Arn=table["TableArn"], StreamArn=table.get("LatestStreamArn"))
        self._recovery(work, name, {})
        self._time_to_live(work, name, {})
        self._policy(work, made, {})
        return made

    def update(self, work: Work, made: Made, before: Properties) -> Made:
        """Change settings; the items stay."""
        name, after = made.physical_id, work.properties
        in_place = ("BillingMode", "DeletionProtectionEnabled", "ProvisionedThroughput")
        changed = {key: after.get(key) for key in in_place if after.get(key) != before.get(key)}
        if "DeletionProtectionEnabled" in changed and changed["DeletionProtectionEnabled"] is None:
            changed["DeletionProtectionEnabled"] = False
        if before.get("SSESpecification") != after.get("SSESpecification"):
            changed["SSESpecification"] = _encryption(work) or {"Enabled": False}
        if before.get("StreamSpecification") != after.get("StreamSpecification"):
            wanted = after.get("StreamSpecification")
            changed["StreamSpecification"] = {"StreamEnabled": wanted is not None, **(wanted or {})}
        if changed:
            work.aws.call("dynamodb", "UpdateTable", TableName=name, **changed)
        self._recovery(work, name, before)
        self._time_to_live(work, name, before)
        self._policy(work, made, before)
        wanted_tags, gone = tag_changes(before.get("Tags"), after.get("Tags"))
        arn = made.attributes["Arn"]
        if wanted_tags:
            work.aws.call("dynamodb", "TagResource", ResourceArn=arn, Tags=tag_list(wanted_tags))
        if gone:
            work.aws.call("dynamodb", "UntagResource", ResourceArn=arn, TagKeys=gone)
        return made

    def delete(self, work: Work, made: Made) -> None:
        """Delete the table, unless it is protected."""
        work.aws.remove("dynamodb", "DeleteTable", TableName=made.physical_id)

    @staticmethod
    def _policy(work: Work, made: Made, before: Properties) -> None:
        arn, given = made.attributes["Arn"], work.get("ResourcePolicy")
        if given == before.get("ResourcePolicy"):
            return
        if given is None:
            work.aws.remove("dynamodb", "DeleteResourcePolicy", ResourceArn=arn)
        else:
            policy = given["PolicyDocument"]
            work.aws.call("dynamodb", "PutResourcePolicy", ResourceArn=arn, Policy=policy)

    @staticmethod
    def _recovery(work: Work, name: str, before: Properties) -> None:
        key = "PointInTimeRecoverySpecification"
        if before.get(key) != work.get(key):
            off = {"PointInTimeRecoveryEnabled": False}
            work.aws.call(
                "dynamodb",
                "UpdateContinuousBackups",
                TableName=name,
                PointInTimeRecoverySpecification=work.get(key) or off,
            )

    @staticmethod
    def _time_to_live(work: Work, name: str, before: Properties) -> None:
        old, new = before.get("TimeToLiveSpecification"), work.get("TimeToLiveSpecification")
        if old == new:
            return
        specification: Properties = new or {**(old or {}), "Enabled": False}
        if text(specification.get("Enabled")) == "false" and not old:
            return
        work.aws.call(
            "dynamodb",
            "UpdateTimeToLive",
            TableName=name,
            TimeToLiveSpecification=specification,
        )


def _encryption(work: Work) -> Properties | None:
    specification = work.get("SSESpecification")
    if not specification:
        return None
    renamed = {("Enabled" if k == "SSEEnabled" else k): v for k, v in specification.items()}
    return {"SSEType": "KMS", **renamed} if "KMSMasterKeyId" in renamed else renamed


TYPES: tuple[ResourceType, ...] = (Table(),)
