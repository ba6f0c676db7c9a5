"""The alarms that the service made itself: told by name and tag from everybody else's."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import ValidationError

from autorepair.aws.errors import AWS_FAILURES, aws_call, translated
from autorepair.domain.errors import ConfigurationError
from autorepair.domain.own_alarms import (
    MANAGED_TAG,
    MANAGED_VALUE,
    Fit,
    OwnAlarm,
    Thresholds,
    alarm_name,
)

if TYPE_CHECKING:
    from types_boto3_cloudwatch import CloudWatchClient
    from types_boto3_cloudwatch.type_defs import MetricAlarmTypeDef
    from types_boto3_ssm import SSMClient

_DESCRIBE, _LIST_TAGS = "cloudwatch:DescribeAlarms", "cloudwatch:ListTagsForResource"
_PUT, _TAG = "cloudwatch:PutMetricAlarm", "cloudwatch:TagResource"
_DELETE, _READ = "cloudwatch:DeleteAlarms", "ssm:GetParameter"
_LOOK_UP = frozenset({_DESCRIBE, _LIST_TAGS})
# PutMetricAlarm replaces the whole alarm: what a person added to it is put again as it is.
_PUT_AGAIN = (
    "AlarmName",
    "AlarmDescription",
    "ActionsEnabled",
    "OKActions",
    "AlarmActions",
    "InsufficientDataActions",
    "MetricName",
    "Namespace",
    "Statistic",
    "ExtendedStatistic",
    "Dimensions",
    "Period",
    "Unit",
    "EvaluationPeriods",
    "DatapointsToAlarm",
    "Threshold",
    "ComparisonOperator",
    "TreatMissingData",
    "EvaluateLowSampleCountPercentile",
    "Metrics",
    "ThresholdMetricId",
)

Put = Literal["made", "updated", "as it was", "not ours"]
Removed = Literal["removed", "not there", "not ours"]


class CloudWatchOwnAlarms:
    """Reads an alarm and its tag before every write."""

    permissions: ClassVar[Mapping[str, frozenset[str]]] = {
        "thresholds": frozenset({_READ}),
        "fit_duration": _LOOK_UP | {_PUT, _READ},
        "put": _LOOK_UP | {_PUT, _TAG},
        "remove": _LOOK_UP | {_DELETE},
    }

    def __init__(self, cloudwatch: CloudWatchClient, ssm: SSMClient, *, environment: str) -> None:
        self._cloudwatch = cloudwatch
        self._ssm = ssm
        self._environment = environment

    def thresholds(self) -> Thresholds:
        """Read what the deployment makes alarms with.

        Raises:
            AccessDeniedError, TransientServiceError: They cannot be read.
            ConfigurationError: There are none, or they are not what the stack writes.
        """
        parameter = f"/lambda-auto-repair/{self._environment}/thresholds"
        with aws_call(_READ, parameter):
            text = self._ssm.get_parameter(Name=parameter)["Parameter"]["Value"]
        try:
            return Thresholds.model_validate_json(text)
        except ValidationError as error:
            raise ConfigurationError(
                f"{parameter} has to hold duration_ms, errors and timeouts as numbers above 0: "
                "deploy again, the main stack writes it"
            ) from error

    def fit_duration(self, function_name: str, *, before_s: int, after_s: int) -> Fit | None:
        """Set the function's own duration alarm from one timeout to another (seconds).

        A threshold that is not the one for the timeout before was tuned by a person, or is of
        another deployment's figures: it is left as it is. None:
        there is none that is the service's own, or it watches no threshold any more.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: It could not be set.
        """
        name = alarm_name(self._environment, function_name, "duration")
        found = self._found(name)
        if found is None or "Threshold" not in found or not self._is_own(found):
            return None
        before_ms = float(found["Threshold"])
        thresholds = self.thresholds()
        after_ms = thresholds.duration_for(after_s)
        if math.isclose(before_ms, after_ms):
            return Fit(alarm=name, before_ms=before_ms, after_ms=before_ms)
        if not math.isclose(before_ms, thresholds.duration_for(before_s)):
            return Fit(alarm=name, before_ms=before_ms, after_ms=before_ms, is_others=True)
        self._put(_request(found) | {"Threshold": after_ms})
        return Fit(alarm=name, before_ms=before_ms, after_ms=after_ms)

    def put(self, alarm: OwnAlarm) -> Put:
        """Make an alarm, or make one of ours what it is to be; what else a person set there stays.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: It could not be put.
        """
        wanted = _wanted(alarm)
        found = self._found(alarm.name)
        if found is None:
            tag = {"Key": MANAGED_TAG, "Value": MANAGED_VALUE}
            self._put(wanted | {"TreatMissingData": "notBreaching", "Tags": [tag]})
            return "made"
        if not self._is_own(found):
            return "not ours"
        stands = _request(found)
        request = _without_its_metric(stands) | wanted
        if request == stands:
            return "as it was"
        self._put(request)
        return "updated"

    def remove(self, name: str) -> Removed:
        """Delete an alarm if it is the service's own.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: It could not be deleted.
        """
        found = self._found(name)
        if found is None:
            return "not there"
        if not self._is_own(found):
            return "not ours"
        with aws_call(_DELETE, f"alarm {name}"):
            self._cloudwatch.delete_alarms(AlarmNames=[name])
        return "removed"

    def _found(self, name: str) -> MetricAlarmTypeDef | None:
        with aws_call(_DESCRIBE, f"alarm {name}"):
            answer = self._cloudwatch.describe_alarms(
                AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"]
            )
        composites = answer.get("CompositeAlarms", [])
        if composites:
            # Somebody's own under the same name; without our tag it is left alone like any other.
            return {"AlarmName": name, "AlarmArn": composites[0]["AlarmArn"]}
        return next(iter(answer.get("MetricAlarms", [])), None)

    def _is_own(self, alarm: MetricAlarmTypeDef) -> bool:
        arn = alarm["AlarmArn"]
        with aws_call(_LIST_TAGS, arn):
            tags = self._cloudwatch.list_tags_for_resource(ResourceARN=arn).get("Tags", [])
        return any(t["Key"] == MANAGED_TAG and t["Value"] == MANAGED_VALUE for t in tags)

    def _put(self, request: dict[str, Any]) -> None:
        on = f"alarm {request['AlarmName']}"
        try:
            self._cloudwatch.put_metric_alarm(**request)
        except AWS_FAILURES as error:
            raise translated(error, action=_PUT, on=on) from error


def _request(alarm: MetricAlarmTypeDef) -> dict[str, Any]:
    """Give the request that would put an alarm as it stands."""
    stands: Mapping[str, Any] = alarm
    return {key: stands[key] for key in _PUT_AGAIN if stands.get(key) not in (None, [])}


def _without_its_metric(request: dict[str, Any]) -> dict[str, Any]:
    """Leave out what the alarm watches, whichever way that is said."""
    said = {"Dimensions", "ExtendedStatistic", "Metrics", "Statistic", "ThresholdMetricId", "Unit"}
    return {key: value for key, value in request.items() if key not in said}


def _wanted(alarm: OwnAlarm) -> dict[str, Any]:
    is_percentile = alarm.statistic.startswith("p")
    dimensions = [{"Name": k, "Value": v} for k, v in sorted(alarm.dimensions.items())]
    return {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "Namespace": alarm.namespace,
        "MetricName": alarm.metric,
        **({"Dimensions": dimensions} if dimensions else {}),
        "ExtendedStatistic" if is_percentile else "Statistic": alarm.statistic,
        "Period": alarm.period_s,
        "EvaluationPeriods": alarm.periods,
        "DatapointsToAlarm": alarm.breaching,
        "Threshold": float(alarm.threshold),
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
    }
