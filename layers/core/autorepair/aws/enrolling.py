"""Enrolling a function: its tag, and the metric of its time-outs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from botocore.exceptions import ClientError

from autorepair.aws.errors import aws_call, is_missing
from autorepair.domain.errors import TargetNotFoundError
from autorepair.domain.own_alarms import Enrollable, OwnFilter

if TYPE_CHECKING:
    from types_boto3_lambda import LambdaClient
    from types_boto3_logs import CloudWatchLogsClient
    from types_boto3_logs.type_defs import MetricFilterTypeDef

_READ, _TAGS = "lambda:GetFunctionConfiguration", "lambda:ListTags"
_TAG, _UNTAG = "lambda:TagResource", "lambda:UntagResource"
_FIND, _PUT = "logs:DescribeMetricFilters", "logs:PutMetricFilter"
_DELETE = "logs:DeleteMetricFilter"

FilterPut = Literal["made", "updated", "as it was", "no log group"]


class LambdaEnrolling:
    """What an operator does to a function and its log; the steps only read it."""

    permissions: ClassVar[Mapping[str, frozenset[str]]] = {
        "describe": frozenset({_READ, _TAGS}),
        "tags": frozenset({_TAGS}),
        "tag": frozenset({_TAG}),
        "untag": frozenset({_UNTAG}),
        "put_filter": frozenset({_FIND, _PUT, _DELETE}),
        "remove_filters": frozenset({_FIND, _DELETE}),
    }

    def __init__(self, lambda_: LambdaClient, logs: CloudWatchLogsClient) -> None:
        self._lambda = lambda_
        self._logs = logs

    def describe(self, name: str) -> Enrollable:
        """Read what has to be known of a function, by its name or ARN.

        Raises:
            TargetNotFoundError: There is no such function in this account and Region.
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be read.
        """
        with aws_call(_READ, f"function {name}", missing=TargetNotFoundError):
            found = self._lambda.get_function_configuration(FunctionName=name)
        function_name, log = found["FunctionName"], found.get("LoggingConfig", {})
        # With a version in the name the ARN has it too, and a version carries no tags.
        arn = ":".join(found["FunctionArn"].split(":")[:7])
        return Enrollable(
            name=function_name,
            arn=arn,
            timeout_s=found["Timeout"],
            log_group=log.get("LogGroup") or f"/aws/lambda/{function_name}",
            is_json=log.get("LogFormat") == "JSON",
            tags=self.tags(arn),
        )

    def tags(self, arn: str) -> dict[str, str]:
        """Read the tags of a function, by its ARN without a version.

        Raises:
            TargetNotFoundError: It is gone.
            AccessDeniedError, TransientServiceError, ConfigurationError: They cannot be read.
        """
        with aws_call(_TAGS, arn, missing=TargetNotFoundError):
            return dict(self._lambda.list_tags(Resource=arn).get("Tags", {}))

    def tag(self, arn: str, tags: dict[str, str]) -> None:
        """Add tags to a function, or set them.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: They could not be set.
        """
        with aws_call(_TAG, arn):
            self._lambda.tag_resource(Resource=arn, Tags=tags)

    def untag(self, arn: str, names: list[str]) -> None:
        """Take tags off a function; one that is not there does no harm.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: They could not be taken.
        """
        with aws_call(_UNTAG, arn):
            self._lambda.untag_resource(Resource=arn, TagKeys=names)

    def put_filter(self, wanted: OwnFilter) -> FilterPut:
        """Make a metric filter, or make the one of its name what it is to be and where.

        A log group that is not there is not made: the template that declares it could then no
        longer be deployed.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: It could not be put.
        """
        transformation = {
            "metricName": wanted.metric,
            "metricNamespace": wanted.namespace,
            "metricValue": "1",
        }
        found = [one for one in self._feeding(wanted.namespace, wanted.metric) if _is(one, wanted)]
        before = [one for one in found if one.get("logGroupName") == wanted.log_group]
        for one in found:
            if one not in before:
                # The function logs elsewhere now: both would count.
                self._delete(one.get("logGroupName", ""), wanted.name)
        if any(one.get("filterPattern") == wanted.pattern for one in before):
            return "as it was"
        with aws_call(_PUT, f"log group {wanted.log_group}"):
            try:
                self._logs.put_metric_filter(
                    logGroupName=wanted.log_group,
                    filterName=wanted.name,
                    filterPattern=wanted.pattern,
                    metricTransformations=[transformation],  # type: ignore[list-item] # a literal
                )
            except ClientError as error:
                if not is_missing(error):
                    raise
                return "no log group"
        return "updated" if found else "made"

    def remove_filters(self, *, name: str, namespace: str, metric: str) -> tuple[str, ...]:
        """Delete the filters of this name that feed the metric; gives their log groups.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: One could not be deleted.
        """
        found = [f for f in self._feeding(namespace, metric) if f.get("filterName") == name]
        groups = sorted(f.get("logGroupName", "") for f in found)
        for group in groups:
            self._delete(group, name)
        return tuple(groups)

    def _delete(self, group: str, name: str) -> None:
        with aws_call(_DELETE, f"log group {group}"):
            self._logs.delete_metric_filter(logGroupName=group, filterName=name)

    def _feeding(self, namespace: str, metric: str) -> list[MetricFilterTypeDef]:
        with aws_call(_FIND, f"metric {metric} of {namespace}"):
            pages = self._logs.get_paginator("describe_metric_filters").paginate(
                metricName=metric, metricNamespace=namespace
            )
            return [one for page in pages for one in page.get("metricFilters", [])]


def _is(found: MetricFilterTypeDef, wanted: OwnFilter) -> bool:
    return found.get("filterName") == wanted.name
