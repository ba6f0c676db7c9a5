"""AWS::Lambda: who may call a function, and how it is called."""

from __future__ import annotations

from autorepair_lab.deploy.resources.base import Made, Properties, ResourceType, Work
from autorepair_lab.deploy.resources.lambda_ import split_reference


class Permission(ResourceType):
    """AWS::Lambda::Permission."""

    type = "AWS::Lambda::Permission"
    properties = frozenset(
        {
            "Action",
            "EventSourceToken",
            "FunctionName",
            "FunctionUrlAuthType",
            "InvokedViaFunctionUrl",
            "Principal",
            "PrincipalOrgID",
            "SourceAccount",
            "SourceArn",
        }
    )

    def create(self, work: Work) -> Made:
        """Add the statement to the function's policy."""
        name, qualifier = split_reference(work.require("FunctionName"))
        statement = work.name("Id", 100)
        work.aws.call(
            "lambda",
            "AddPermission",
            FunctionName=name,
            Qualifier=qualifier,
            StatementId=statement,
            **work.pick(*self.properties - {"FunctionName"}),
        )
        return Made(statement, {"Id": statement})

    def delete(self, work: Work, made: Made) -> None:
        """Take the statement out of the function's policy."""
        name, qualifier = split_reference(work.require("FunctionName"))
        work.aws.remove(
            "lambda",
            "RemovePermission",
            FunctionName=name,
            Qualifier=qualifier,
            StatementId=made.physical_id,
        )


class EventInvokeConfig(ResourceType):
    """AWS::Lambda::EventInvokeConfig."""

    type = "AWS::Lambda::EventInvokeConfig"
    properties = frozenset(
        {
            "DestinationConfig",
            "FunctionName",
            "MaximumEventAgeInSeconds",
            "MaximumRetryAttempts",
            "Qualifier",
        }
    )
    mutable = properties - {"FunctionName", "Qualifier"}

    def create(self, work: Work) -> Made:
        """Set how asynchronous invocations are retried."""
        work.aws.call("lambda", "PutFunctionEventInvokeConfig", **work.properties)
        return Made(f"{work.require('FunctionName')}|{work.require('Qualifier')}")

    def update(self, work: Work, made: Made, before: Properties) -> Made:  # noqa: ARG002 - put anew
        """Set it again."""
        return self.create(work)

    def delete(self, work: Work, made: Made) -> None:  # noqa: ARG002 - named by its properties
        """Back to Lambda's defaults."""
        work.aws.remove(
            "lambda",
            "DeleteFunctionEventInvokeConfig",
            **work.pick("FunctionName", "Qualifier"),
        )


class Url(ResourceType):
    """AWS::Lambda::Url; Ref gives the function's ARN."""

    type = "AWS::Lambda::Url"
    properties = frozenset({"AuthType", "Cors", "InvokeMode", "Qualifier", "TargetFunctionArn"})
    mutable = frozenset({"AuthType", "Cors", "InvokeMode"})

    def create(self, work: Work) -> Made:
        """Give the function a URL."""
        return self._put(work, "CreateFunctionUrlConfig")

    def update(self, work: Work, made: Made, before: Properties) -> Made:  # noqa: ARG002 - put anew
        """Change the URL's configuration."""
        return self._put(work, "UpdateFunctionUrlConfig")

    def delete(self, work: Work, made: Made) -> None:
        """Take the URL away."""
        name, _ = split_reference(made.physical_id)
        work.aws.remove(
            "lambda", "DeleteFunctionUrlConfig", FunctionName=name, **work.pick("Qualifier")
        )

    @staticmethod
    def _put(work: Work, operation: str) -> Made:
        name, _ = split_reference(work.require("TargetFunctionArn"))
        answer = work.aws.call(
            "lambda",
            operation,
            FunctionName=name,
            **work.pick("AuthType", "Cors", "InvokeMode", "Qualifier"),
        )
        arn = answer["FunctionArn"]
        return Made(arn, {"FunctionArn": arn, "FunctionUrl": answer["FunctionUrl"]})


class EventSourceMapping(ResourceType):
    """AWS::Lambda::EventSourceMapping."""

    type = "AWS::Lambda::EventSourceMapping"
    properties = frozenset(
        {
            "BatchSize",
            "BisectBatchOnFunctionError",
            "DestinationConfig",
            "Enabled",
            "EventSourceArn",
            "FilterCriteria",
            "FunctionName",
            "FunctionResponseTypes",
            "MaximumBatchingWindowInSeconds",
            "MaximumRecordAgeInSeconds",
            "MaximumRetryAttempts",
            "ParallelizationFactor",
            "ScalingConfig",
            "StartingPosition",
        }
    )
    mutable = properties - {"EventSourceArn", "StartingPosition"}

    def create(self, work: Work) -> Made:
        """Connect the source to the function."""
        answer = work.aws.call("lambda", "CreateEventSourceMapping", **work.properties)
        return Made(answer["UUID"], {"Id": answer["UUID"]})

    def update(self, work: Work, made: Made, before: Properties) -> Made:  # noqa: ARG002 - put anew
        """Change the mapping."""
        parameters = work.pick(*self.mutable)
        work.aws.call("lambda", "UpdateEventSourceMapping", UUID=made.physical_id, **parameters)
        return made

    def delete(self, work: Work, made: Made) -> None:
        """Disconnect the source."""
        work.aws.remove("lambda", "DeleteEventSourceMapping", UUID=made.physical_id)


TYPES: tuple[ResourceType, ...] = (Permission(), EventInvokeConfig(), Url(), EventSourceMapping())
