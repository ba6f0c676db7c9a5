"""The present state of CloudWatch alarms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from autorepair.aws.errors import aws_call

if TYPE_CHECKING:
    from types_boto3_cloudwatch import CloudWatchClient


class CloudWatchAlarms:
    """Asks CloudWatch each time: the answer is only good for the moment."""

    permissions: ClassVar[Mapping[str, frozenset[str]]] = {
        "is_in_alarm": frozenset({"cloudwatch:DescribeAlarms"}),
    }

    def __init__(self, client: CloudWatchClient) -> None:
        self._cloudwatch = client

    def is_in_alarm(self, name: str) -> bool:
        """Whether the alarm stands in ALARM now (an alarm that is gone does not).

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be told.
        """
        with aws_call("cloudwatch:DescribeAlarms", f"alarm {name}"):
            # Without AlarmTypes the answer leaves composite alarms out.
            answer = self._cloudwatch.describe_alarms(
                AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"]
            )
        states = [alarm["StateValue"] for alarm in answer.get("MetricAlarms", [])]
        states += [alarm["StateValue"] for alarm in answer.get("CompositeAlarms", [])]
        return "ALARM" in states
