"""AWS::SNS and AWS::SQS resources."""

from __future__ import annotations

from typing import Any

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

_QUEUE_ATTRIBUTES = frozenset(
    {
        "ContentBasedDeduplication",
        "DeduplicationScope",
        "DelaySeconds",
        "FifoQueue",
        "FifoThroughputLimit",
        "KmsDataKeyReusePeriodSeconds",
        "KmsMasterKeyId",
        "MaximumMessageSize",
        "MessageRetentionPeriod",
        "ReceiveMessageWaitTimeSeconds",
        "RedriveAllowPolicy",
        "RedrivePolicy",
        "SqsManagedSseEnabled",
        "VisibilityTimeout",
    }
)
_TOPIC_ATTRIBUTES = frozenset(
    {
        "ArchivePolicy",
        "ContentBasedDeduplication",
        "DataProtectionPolicy",
        "DisplayName",
        "FifoTopic",
        "KmsMasterKeyId",
        "SignatureVersion",
        "TracingConfig",
    }
)
_SUBSCRIPTION_ATTRIBUTES = frozenset(
    {
        "DeliveryPolicy",
        "FilterPolicy",
        "FilterPolicyScope",
        "RawMessageDelivery",
        "RedrivePolicy",
        "SubscriptionRoleArn",
    }
)


def _attributes(work: Work, names: frozenset[str]) -> dict[str, str]:
    return {name: text(value) for name, value in work.pick(*names).items()}


class Queue(ResourceType):
    """AWS::SQS::Queue; Ref gives its URL."""

    type = "AWS::SQS::Queue"
    properties = _QUEUE_ATTRIBUTES | {"QueueName", "Tags"}
    mutable = properties - {"FifoQueue", "QueueName"}
    named_by = "QueueName"
    stateful = True
    tags = "list"

    def create(self, work: Work) -> Made:
        """Create the queue."""
        name = work.name("QueueName", 75)
        if text(work.get("FifoQueue")) == "true" and not name.endswith(".fifo"):
            name += ".fifo"
        url = work.aws.call(
            "sqs",
            "CreateQueue",
            QueueName=name,
            Attributes=_attributes(work, _QUEUE_ATTRIBUTES) or None,
            tags=tag_map(work.get("Tags")) or None,
        )["QueueUrl"]
        return Made(url, {"Arn": work.aws.arn("sqs", name), "QueueName": name, "QueueUrl": url})

    def update(self, work: Work, made: Made, before: Properties) -> Made:
        """Change attributes and tags."""
        url = made.physical_id
        gone = {
            key: "" for key in before if key in _QUEUE_ATTRIBUTES and key not in work.properties
        }
        attributes = {**gone, **_attributes(work, _QUEUE_ATTRIBUTES - {"FifoQueue"})}
        if attributes:
            work.aws.call("sqs", "SetQueueAttributes", QueueUrl=url, Attributes=attributes)
        wanted, removed = tag_changes(before.get("Tags"), work.get("Tags"))
        if wanted:
            work.aws.call("sqs", "TagQueue", QueueUrl=url, Tags=wanted)
        if removed:
            work.aws.call("sqs", "UntagQueue", QueueUrl=url, TagKeys=removed)
        return made

    def delete(self, work: Work, made: Made) -> None:
        """Delete the queue with its messages."""
        work.aws.remove("sqs", "DeleteQueue", QueueUrl=made.physical_id)


class QueuePolicy(ResourceType):
    """AWS::SQS::QueuePolicy."""

    type = "AWS::SQS::QueuePolicy"
    properties = frozenset({"PolicyDocument", "Queues"})
    mutable = properties

    def create(self, work: Work) -> Made:
        """Put the policy on each queue."""
        self._put(work, work.require("Queues"), text(work.require("PolicyDocument")))
        return Made(work.name("Id"))

    def update(self, work: Work, made: Made, before: Properties) -> Made:
        """Put it again; queues no longer named lose theirs."""
        self._put(work, sorted(set(before["Queues"]) - set(work.require("Queues"))), "")
        self._put(work, work.require("Queues"), text(work.require("PolicyDocument")))
        return made

    def delete(self, work: Work, made: Made) -> None:  # noqa: ARG002 - named by its properties
        """Take the policy off each queue."""
        for url in work.require("Queues"):
            work.aws.remove("sqs", "SetQueueAttributes", QueueUrl=url, Attributes={"Policy": ""})

    @staticmethod
    def _put(work: Work, queues: list[str], policy: str) -> None:
        for url in queues:
            work.aws.call("sqs", "SetQueueAttributes", QueueUrl=url, Attributes={"Policy": policy})


class Topic(ResourceType):
    """AWS::SNS::Topic; Ref gives its ARN."""

    type = "AWS::SNS::Topic"
    properties = _TOPIC_ATTRIBUTES | {"Subscription", "Tags", "TopicName"}
    mutable = properties - {"FifoTopic", "Subscription", "TopicName"}
    named_by = "TopicName"
    stateful = True
    tags = "list"

    def create(self, work: Work) -> Made:
        """Create the topic and its subscriptions."""
        name = work.name("TopicName", 200)
        attributes = _attributes(work, _TOPIC_ATTRIBUTES)
        arn = work.aws.call(
            "sns",
            "CreateTopic",
            Name=name,
            Attributes=attributes or None,
            Tags=tag_list(work.get("Tags")),
        )["TopicArn"]
        made = work.adopt(arn, TopicArn=arn, TopicName=name)
        for subscription in work.get("Subscription") or []:
            work.aws.call("sns", "Subscribe", TopicArn=arn, **subscription)
        return made

    def update(self, work: Work, made: Made, before: Properties) -> Made:
        """Change attributes and tags."""
        arn = made.physical_id
        for name in sorted(_TOPIC_ATTRIBUTES):
            if before.get(name) != work.get(name):
                value = text(work.properties.get(name, ""))
                work.aws.call(
                    "sns",
                    "SetTopicAttributes",
                    TopicArn=arn,
                    AttributeName=name,
                    AttributeValue=value,
                )
        wanted, gone = tag_changes(before.get("Tags"), work.get("Tags"))
        if wanted:
            work.aws.call("sns", "TagResource", ResourceArn=arn, Tags=tag_list(wanted))
        if gone:
            work.aws.call("sns", "UntagResource", ResourceArn=arn, TagKeys=gone)
        return made

    def delete(self, work: Work, made: Made) -> None:
        """Delete the topic with its subscriptions."""
        work.aws.remove("sns", "DeleteTopic", TopicArn=made.physical_id)


class TopicPolicy(ResourceType):
    """AWS::SNS::TopicPolicy."""

    type = "AWS::SNS::TopicPolicy"
    properties = frozenset({"PolicyDocument", "Topics"})
    mutable = frozenset({"PolicyDocument"})

    def create(self, work: Work) -> Made:
        """Put the policy on each topic."""
        self._put(work)
        return Made(work.name("Id"))

    def update(self, work: Work, made: Made, before: Properties) -> Made:  # noqa: ARG002 - put anew
        """Put it again."""
        self._put(work)
        return made

    def delete(self, work: Work, made: Made) -> None:  # noqa: ARG002 - named by its properties
        """Give each topic back the policy it is born with: its owner's."""
        for arn in work.require("Topics"):
            owner: dict[str, Any] = {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"AWS": "*"},
                        "Action": "SNS:Publish",
                        "Resource": arn,
                        "Condition": {"StringEquals": {"AWS:SourceOwner": work.aws.account_id}},
                    }
                ],
            }
            work.aws.remove(
                "sns",
                "SetTopicAttributes",
                TopicArn=arn,
                AttributeName="Policy",
                AttributeValue=text(owner),
            )

    @staticmethod
    def _put(work: Work) -> None:
        for arn in work.require("Topics"):
            work.aws.call(
                "sns",
                "SetTopicAttributes",
                TopicArn=arn,
                AttributeName="Policy",
                AttributeValue=text(work.require("PolicyDocument")),
            )


class Subscription(ResourceType):
    """AWS::SNS::Subscription; Ref gives its ARN."""

    type = "AWS::SNS::Subscription"
    properties = _SUBSCRIPTION_ATTRIBUTES | {"Endpoint", "Protocol", "Region", "TopicArn"}
    mutable = _SUBSCRIPTION_ATTRIBUTES

    def create(self, work: Work) -> Made:
        """Subscribe the endpoint."""
        arn = work.aws.call(
            "sns",
            "Subscribe",
            ReturnSubscriptionArn=True,
            Attributes=_attributes(work, _SUBSCRIPTION_ATTRIBUTES) or None,
            **work.pick("Endpoint", "Protocol", "TopicArn"),
        )["SubscriptionArn"]
        return Made(arn, {"Arn": arn})

    def update(self, work: Work, made: Made, before: Properties) -> Made:
        """Change the subscription's attributes."""
        for name in sorted(_SUBSCRIPTION_ATTRIBUTES):
            if before.get(name) != work.get(name):
                work.aws.call(
                    "sns",
                    "SetSubscriptionAttributes",
                    SubscriptionArn=made.physical_id,
                    AttributeName=name,
                    AttributeValue=text(work.properties.get(name, "")),
                )
        return made

    def delete(self, work: Work, made: Made) -> None:
        """Unsubscribe."""
        work.aws.remove("sns", "Unsubscribe", SubscriptionArn=made.physical_id)


TYPES: tuple[ResourceType, ...] = (Queue(), QueuePolicy(), Topic(), TopicPolicy(), Subscription())
