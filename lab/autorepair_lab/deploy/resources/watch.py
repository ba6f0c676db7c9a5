"""AWS::Logs and AWS::CloudWatch resources."""

from __future__ import annotations

from autorepair_lab.deploy.aws import text
from autorepair_lab.deploy.resources.base import (
    Made,
    Properties,
    ResourceType,
    Work,
    lower_first,
    tag_changes,
    tag_list,
    tag_map,
)


class LogGroup(ResourceType):
    """AWS::Logs::LogGroup; Ref gives its name, Arn ends in ':*'."""

    type = "AWS::Logs::LogGroup"
    properties = frozenset({"KmsKeyId", "LogGroupClass", "LogGroupName", "RetentionInDays", "Tags"})
    mutable = frozenset({"KmsKeyId", "RetentionInDays", "Tags"})
    named_by = "LogGroupName"
    stateful = True
    tags = "list"

    def create(self, work: Work) -> Made:
        """Create the group with its retention."""
        name = work.name("LogGroupName", 512)
        work.aws.call(
            "logs",
            "CreateLogGroup",
            logGroupName=name,
            tags=tag_map(work.get("Tags")) or None,
            **lower_first(work.pick("KmsKeyId", "LogGroupClass")),
        )
        made = work.adopt(name, Arn=work.aws.arn("logs", f"log-group:{name}:*"))
        self._retain(work, name, {})
        return made

    def update(self, work: Work, made: Made, before: Properties) -> Made:
        """Change key, retention and tags."""
        name = made.physical_id
        if before.get("KmsKeyId") != work.get("KmsKeyId"):
            if work.get("KmsKeyId"):
                key = work.get("KmsKeyId")
                work.aws.call("logs", "AssociateKmsKey", logGroupName=name, kmsKeyId=key)
            else:
                work.aws.call("logs", "DisassociateKmsKey", logGroupName=name)
        self._retain(work, name, before)
        wanted, gone = tag_changes(before.get("Tags"), work.get("Tags"))
        arn = str(made.attributes["Arn"]).removesuffix(":*")
        if wanted:
            work.aws.call("logs", "TagResource", resourceArn=arn, tags=wanted)
        if gone:
            work.aws.call("logs", "UntagResource", resourceArn=arn, tagKeys=gone)
        return made

    def delete(self, work: Work, made: Made) -> None:
        """Delete the group with its events."""
        work.aws.remove("logs", "DeleteLogGroup", logGroupName=made.physical_id)

    @staticmethod
    def _retain(work: Work, name: str, before: Properties) -> None:
        days = work.get("RetentionInDays")
        if days is not None and days != before.get("RetentionInDays"):
            work.aws.call("logs", "PutRetentionPolicy", logGroupName=name, retentionInDays=days)
        elif days is None and "RetentionInDays" in before:
            work.aws.remove("logs", "DeleteRetentionPolicy", logGroupName=name)


class MetricFilter(ResourceType):
    """AWS::Logs::MetricFilter; Ref gives its name."""

    type = "AWS::Logs::MetricFilter"
    properties = frozenset(
        {
            "ApplyOnTransformedLogs",
            "FilterName",
            "FilterPattern",
            "LogGroupName",
            "MetricTransformations",
        }
    )
    mutable = frozenset({"FilterPattern", "MetricTransformations"})
    named_by = "FilterName"

    def create(self, work: Work) -> Made:
        """Put the filter."""
        return self._put(work, work.name("FilterName", 512))

    def update(self, work: Work, made: Made, before: Properties) -> Made:  # noqa: ARG002 - put anew
        """Put it again."""
        return self._put(work, made.physical_id)

    def delete(self, work: Work, made: Made) -> None:
        """Delete the filter."""
        work.aws.remove(
            "logs",
            "DeleteMetricFilter",
            filterName=made.physical_id,
            logGroupName=work.require("LogGroupName"),
        )

    @staticmethod
    def _put(work: Work, name: str) -> Made:
        transformations = []
        for given in work.require("MetricTransformations"):
            one = lower_first(given)
            if "Dimensions" in given:
                one["dimensions"] = {item["Key"]: item["Value"] for item in given["Dimensions"]}
            transformations.append(one)
        work.aws.call(
            "logs",
            "PutMetricFilter",
            filterName=name,
            filterPattern=work.properties.get("FilterPattern", ""),
            logGroupName=work.require("LogGroupName"),
            metricTransformations=transformations,
        )
        return Made(name)


class LogResourcePolicy(ResourceType):
    """AWS::Logs::ResourcePolicy; Ref gives its name."""

    type = "AWS::Logs::ResourcePolicy"
    properties = frozenset({"PolicyDocument", "PolicyName"})
    mutable = frozenset({"PolicyDocument"})
    named_by = "PolicyName"

    def create(self, work: Work) -> Made:
        """Put the policy."""
        work.aws.call("logs", "PutResourcePolicy", **lower_first_keys(work.properties))
        return Made(str(work.require("PolicyName")))

    def update(self, work: Work, made: Made, before: Properties) -> Made:  # noqa: ARG002 - put anew
        """Put it again."""
        return self.create(work)

    def delete(self, work: Work, made: Made) -> None:
        """Delete the policy."""
        work.aws.remove("logs", "DeleteResourcePolicy", policyName=made.physical_id)


def lower_first_keys(value: Properties) -> Properties:
    """Write the outermost keys in camelCase; what is inside stays."""
    return {key[:1].lower() + key[1:]: item for key, item in value.items()}


class Alarm(ResourceType):
    """AWS::CloudWatch::Alarm; Ref gives its name."""

    type = "AWS::CloudWatch::Alarm"
    properties = frozenset(
        {
            "ActionsEnabled",
            "AlarmActions",
            "AlarmDescription",
            "AlarmName",
            "ComparisonOperator",
            "DatapointsToAlarm",
            "Dimensions",
            "EvaluateLowSampleCountPercentile",
            "EvaluationPeriods",
            "ExtendedStatistic",
            "InsufficientDataActions",
            "MetricName",
            "Metrics",
            "Namespace",
            "OKActions",
            "Period",
            "Statistic",
            "Tags",
            "Threshold",
            "ThresholdMetricId",
            "TreatMissingData",
            "Unit",
        }
    )
    mutable = properties - {"AlarmName"}
    named_by = "AlarmName"
    tags = "list"
    put = "PutMetricAlarm"

    def create(self, work: Work) -> Made:
        """Put the alarm."""
        return self._put(work, work.name("AlarmName", 255))

    def update(self, work: Work, made: Made, before: Properties) -> Made:
        """Put it again, then its tags."""
        self._put(work, made.physical_id)
        wanted, gone = tag_changes(before.get("Tags"), work.get("Tags"))
        arn = made.attributes["Arn"]
        if wanted:
            work.aws.call("cloudwatch", "TagResource", ResourceARN=arn, Tags=tag_list(wanted))
        if gone:
            work.aws.call("cloudwatch", "UntagResource", ResourceARN=arn, TagKeys=gone)
        return made

    def delete(self, work: Work, made: Made) -> None:
        """Delete the alarm."""
        work.aws.remove("cloudwatch", "DeleteAlarms", AlarmNames=[made.physical_id])

    @classmethod
    def _put(cls, work: Work, name: str) -> Made:
        parameters = work.pick(*cls.properties - {"AlarmName", "Tags"})
        tags = tag_list(work.get("Tags"))
        work.aws.call("cloudwatch", cls.put, AlarmName=name, Tags=tags, **parameters)
        return Made(name, {"Arn": work.aws.arn("cloudwatch", f"alarm:{name}")})


class CompositeAlarm(Alarm):
    """AWS::CloudWatch::CompositeAlarm; Ref gives its name."""

    type = "AWS::CloudWatch::CompositeAlarm"
    properties = frozenset(
        {
            "ActionsEnabled",
            "ActionsSuppressor",
            "ActionsSuppressorExtensionPeriod",
            "ActionsSuppressorWaitPeriod",
            "AlarmActions",
            "AlarmDescription",
            "AlarmName",
            "AlarmRule",
            "InsufficientDataActions",
            "OKActions",
            "Tags",
        }
    )
    mutable = properties - {"AlarmName"}
    put = "PutCompositeAlarm"


class Dashboard(ResourceType):
    """AWS::CloudWatch::Dashboard; Ref gives its name."""

    type = "AWS::CloudWatch::Dashboard"
    properties = frozenset({"DashboardBody", "DashboardName"})
    mutable = frozenset({"DashboardBody"})
    named_by = "DashboardName"

    def create(self, work: Work) -> Made:
        """Put the dashboard."""
        return self._put(work, work.name("DashboardName", 255))

    def update(self, work: Work, made: Made, before: Properties) -> Made:  # noqa: ARG002 - put anew
        """Put it again."""
        return self._put(work, made.physical_id)

    def delete(self, work: Work, made: Made) -> None:
        """Delete the dashboard."""
        work.aws.remove("cloudwatch", "DeleteDashboards", DashboardNames=[made.physical_id])

    @staticmethod
    def _put(work: Work, name: str) -> Made:
        body = text(work.require("DashboardBody"))
        work.aws.call("cloudwatch", "PutDashboard", DashboardName=name, DashboardBody=body)
        return Made(name)


TYPES: tuple[ResourceType, ...] = (
    LogGroup(),
    MetricFilter(),
    LogResourcePolicy(),
    Alarm(),
    CompositeAlarm(),
    Dashboard(),
)
