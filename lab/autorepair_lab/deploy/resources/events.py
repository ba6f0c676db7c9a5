"""AWS::Events and AWS::Scheduler resources."""

from __future__ import annotations

from autorepair_lab.deploy.resources.base import (
    Made,
    Properties,
    ResourceType,
    Work,
    tag_changes,
    tag_list,
)

_DEFAULT_BUS = "default"


class Rule(ResourceType):
    """AWS::Events::Rule; Ref gives its name, with the bus before it unless that is the default."""

    type = "AWS::Events::Rule"
    properties = frozenset(
        {
            "Description",
            "EventBusName",
            "EventPattern",
            "Name",
            "RoleArn",
            "ScheduleExpression",
            "State",
            "Tags",
            "Targets",
        }
    )
    mutable = properties - {"EventBusName", "Name"}
    named_by = "Name"
    tags = "list"

    def create(self, work: Work) -> Made:
        """Put the rule, then its targets."""
        name, bus = work.name("Name"), self._bus(work)
        made = self._put(work, name)
        work.adopt(made.physical_id, **made.attributes)
        self._target(work, name, bus)
        return made

    def update(self, work: Work, made: Made, before: Properties) -> Made:
        """Put the rule again, with exactly the targets it has now."""
        name, bus = made.physical_id.rsplit("|", 1)[-1], self._bus(work)
        self._put(work, name)
        kept = {target["Id"] for target in work.get("Targets") or []}
        gone = [t["Id"] for t in before.get("Targets") or [] if t["Id"] not in kept]
        if gone:
            work.aws.call("events", "RemoveTargets", Rule=name, EventBusName=bus, Ids=gone)
        self._target(work, name, bus)
        return made

    def delete(self, work: Work, made: Made) -> None:
        """Remove targets and rule."""
        name, bus = made.physical_id.rsplit("|", 1)[-1], self._bus(work)
        ids = [target["Id"] for target in work.get("Targets") or []]
        if ids:
            work.aws.remove("events", "RemoveTargets", Rule=name, EventBusName=bus, Ids=ids)
        work.aws.remove("events", "DeleteRule", Name=name, EventBusName=bus)

    @classmethod
    def _put(cls, work: Work, name: str) -> Made:
        arn = work.aws.call(
            "events",
            "PutRule",
            Name=name,
            EventBusName=work.get("EventBusName"),
            Tags=tag_list(work.get("Tags")),
            **work.pick("Description", "EventPattern", "RoleArn", "ScheduleExpression", "State"),
        )["RuleArn"]
        bus = cls._bus(work)
        return Made(name if bus == _DEFAULT_BUS else f"{bus}|{name}", {"Arn": arn})

    @staticmethod
    def _target(work: Work, name: str, bus: str) -> None:
        targets = work.get("Targets")
        if targets:
            work.aws.call("events", "PutTargets", Rule=name, EventBusName=bus, Targets=targets)

    @staticmethod
    def _bus(work: Work) -> str:
        return str(work.get("EventBusName") or _DEFAULT_BUS)


class EventBus(ResourceType):
    """AWS::Events::EventBus; Ref gives its name."""

    type = "AWS::Events::EventBus"
    properties = frozenset({"DeadLetterConfig", "Description", "KmsKeyIdentifier", "Name", "Tags"})
    mutable = frozenset({"DeadLetterConfig", "Description", "KmsKeyIdentifier", "Tags"})
    named_by = "Name"
    tags = "list"

    def create(self, work: Work) -> Made:
        """Create the bus."""
        name = str(work.require("Name"))
        arn = work.aws.call(
            "events",
            "CreateEventBus",
            Name=name,
            Tags=tag_list(work.get("Tags")),
            **work.pick("DeadLetterConfig", "Description", "KmsKeyIdentifier"),
        )["EventBusArn"]
        return Made(name, {"Arn": arn, "Name": name})

    def update(self, work: Work, made: Made, before: Properties) -> Made:
        """Change the bus's settings and tags."""
        settings = work.pick(*(self.mutable - {"Tags"}))
        work.aws.call("events", "UpdateEventBus", Name=made.physical_id, **settings)
        arn = work.aws.arn("events", f"event-bus/{made.physical_id}")
        wanted = tag_list(work.get("Tags")) or []
        kept = {tag["Key"] for tag in wanted}
        gone = [t["Key"] for t in tag_list(before.get("Tags")) or [] if t["Key"] not in kept]
        if gone:
            work.aws.call("events", "UntagResource", ResourceARN=arn, TagKeys=gone)
        if wanted:
            work.aws.call("events", "TagResource", ResourceARN=arn, Tags=wanted)
        return made

    def delete(self, work: Work, made: Made) -> None:
        """Delete the bus."""
        work.aws.remove("events", "DeleteEventBus", Name=made.physical_id)


class EventBusPolicy(ResourceType):
    """AWS::Events::EventBusPolicy: one statement."""

    type = "AWS::Events::EventBusPolicy"
    properties = frozenset(
        {"Action", "Condition", "EventBusName", "Principal", "Statement", "StatementId"}
    )
    mutable = frozenset({"Action", "Condition", "Principal", "Statement"})

    def create(self, work: Work) -> Made:
        """Put the statement."""
        parameters = work.pick("Action", "Condition", "EventBusName", "Principal", "StatementId")
        if work.get("Statement"):
            bus = str(work.get("EventBusName") or _DEFAULT_BUS)
            statement = {"Sid": work.require("StatementId"), **work.get("Statement")}
            parameters = {
                "EventBusName": bus,
                "Policy": {"Version": "2012-10-17", "Statement": [statement]},
            }
        work.aws.call("events", "PutPermission", **parameters)
        return Made(str(work.require("StatementId")))

    def update(self, work: Work, made: Made, before: Properties) -> Made:  # noqa: ARG002 - put anew
        """Put it again."""
        return self.create(work)

    def delete(self, work: Work, made: Made) -> None:
        """Take the statement away."""
        work.aws.remove(
            "events",
            "RemovePermission",
            StatementId=made.physical_id,
            **work.pick("EventBusName"),
        )


class Schedule(ResourceType):
    """AWS::Scheduler::Schedule; Ref gives its name."""

    type = "AWS::Scheduler::Schedule"
    properties = frozenset(
        {
            "Description",
            "EndDate",
            "FlexibleTimeWindow",
            "GroupName",
            "KmsKeyArn",
            "Name",
            "ScheduleExpression",
            "ScheduleExpressionTimezone",
            "StartDate",
            "State",
            "Target",
        }
    )
    mutable = properties - {"GroupName", "Name"}
    named_by = "Name"

    def create(self, work: Work) -> Made:
        """Create the schedule."""
        name = work.name("Name")
        parameters = work.pick(*self.properties - {"Name"})
        answer = work.aws.call("scheduler", "CreateSchedule", Name=name, **parameters)
        return Made(name, {"Arn": answer["ScheduleArn"]})

    def update(self, work: Work, made: Made, before: Properties) -> Made:  # noqa: ARG002 - put anew
        """Change the schedule."""
        parameters = work.pick(*self.properties - {"Name"})
        work.aws.call("scheduler", "UpdateSchedule", Name=made.physical_id, **parameters)
        return made

    def delete(self, work: Work, made: Made) -> None:
        """Delete the schedule."""
        work.aws.remove(
            "scheduler", "DeleteSchedule", Name=made.physical_id, **work.pick("GroupName")
        )


class ScheduleGroup(ResourceType):
    """AWS::Scheduler::ScheduleGroup; Ref gives its name."""

    type = "AWS::Scheduler::ScheduleGroup"
    properties = frozenset({"Name", "Tags"})
    mutable = frozenset({"Tags"})
    named_by = "Name"
    tags = "list"

    def create(self, work: Work) -> Made:
        """Create the group."""
        name = work.name("Name")
        tags = tag_list(work.get("Tags"))
        answer = work.aws.call("scheduler", "CreateScheduleGroup", Name=name, Tags=tags)
        return Made(name, {"Arn": answer["ScheduleGroupArn"]})

    def update(self, work: Work, made: Made, before: Properties) -> Made:
        """Change the group's tags."""
        arn = work.aws.arn("scheduler", f"schedule-group/{made.physical_id}")
        wanted, gone = tag_changes(before.get("Tags"), work.get("Tags"))
        if wanted:
            work.aws.call("scheduler", "TagResource", ResourceArn=arn, Tags=tag_list(wanted))
        if gone:
            work.aws.call("scheduler", "UntagResource", ResourceArn=arn, TagKeys=gone)
        return made

    def delete(self, work: Work, made: Made) -> None:
        """Delete the group."""
        work.aws.remove("scheduler", "DeleteScheduleGroup", Name=made.physical_id)


TYPES: tuple[ResourceType, ...] = (
    Rule(),
    EventBus(),
    EventBusPolicy(),
    Schedule(),
    ScheduleGroup(),
)
