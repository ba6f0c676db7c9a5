"""The present state of CloudWatch alarms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from botocore.exceptions import ClientError

from autorepair.aws.errors import aws_call, code_of
from autorepair.domain.described_alarm import DescribedAlarm, WatchedMetric, alarm_name_of

if TYPE_CHECKING:
    from types_boto3_cloudwatch import CloudWatchClient
    from types_boto3_cloudwatch.type_defs import CompositeAlarmTypeDef, MetricAlarmTypeDef

_DESCRIBE, _LIST_MUTES = "cloudwatch:DescribeAlarms", "cloudwatch:ListAlarmMuteRules"
_NAMES_PER_CALL = 100
# What a Region says that has no mute rules yet: there nothing is muted.
_NO_SUCH_OPERATION = {"InvalidAction", "UnknownOperationException"}


class CloudWatchAlarms:
    """Asks CloudWatch each time: the answer is only good for the moment."""

    permissions: ClassVar[Mapping[str, frozenset[str]]] = {
        "read": frozenset({_DESCRIBE}),
        "silenced_by": frozenset({_DESCRIBE, _LIST_MUTES}),
    }

    def __init__(self, client: CloudWatchClient) -> None:
        self._cloudwatch = client

    def read(self, names: Sequence[str]) -> tuple[DescribedAlarm, ...]:
        """Describe alarms, in the order of their names; one that is gone is left out.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: They cannot be read.
        """
        wanted = sorted(set(names))
        found = [
            alarm
            for start in range(0, len(wanted), _NAMES_PER_CALL)
            for alarm in self._described(AlarmNames=wanted[start : start + _NAMES_PER_CALL])
        ]
        return tuple(sorted(found, key=lambda alarm: alarm.name))

    def silenced_by(self, alarm: DescribedAlarm) -> str | None:
        """Say what keeps the alarm's actions from running, if anything.

        A composite alarm's WaitPeriod does not: that is the time in which its suppressor may
        still speak up.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be told.
        """
        if not alarm.has_actions_enabled:
            return "its owner, who disabled its actions"
        if alarm.suppressed_by in {"Alarm", "ExtensionPeriod"} or self._suppressor_speaks(alarm):
            return f"its suppressor {alarm.suppressor or 'alarm'}"
        rule = self._mute_rule_of(alarm)
        return f"the mute rule {rule}" if rule else None

    def _suppressor_speaks(self, alarm: DescribedAlarm) -> bool:
        if alarm.suppressor is None:
            return False
        return any(one.state == "ALARM" for one in self.read([alarm_name_of(alarm.suppressor)]))

    def _mute_rule_of(self, alarm: DescribedAlarm) -> str | None:
        with aws_call(_LIST_MUTES, f"alarm {alarm.name}"):
            try:
                answer = self._cloudwatch.list_alarm_mute_rules(
                    AlarmName=alarm.name, Statuses=["ACTIVE"]
                )
            except ClientError as error:
                if code_of(error) not in _NO_SUCH_OPERATION:
                    raise
                return None
        rules = answer.get("AlarmMuteRuleSummaries", [])
        return rules[0].get("AlarmMuteRuleArn", "without a name") if rules else None

    def _described(self, **request: Any) -> Iterator[DescribedAlarm]:  # noqa: ANN401 - of the request
        on = f"alarms {request}"
        with aws_call(_DESCRIBE, on):
            # Without AlarmTypes the answer leaves composite alarms out.
            pages = list(
                self._cloudwatch.get_paginator("describe_alarms").paginate(
                    AlarmTypes=["MetricAlarm", "CompositeAlarm"], **request
                )
            )
        for page in pages:
            yield from (_metric_alarm(alarm) for alarm in page.get("MetricAlarms", []))
            yield from (_composite_alarm(alarm) for alarm in page.get("CompositeAlarms", []))


def _metric_alarm(alarm: MetricAlarmTypeDef) -> DescribedAlarm:
    return DescribedAlarm(**_shared(alarm), metrics=tuple(_metrics(alarm)))


def _composite_alarm(alarm: CompositeAlarmTypeDef) -> DescribedAlarm:
    return DescribedAlarm(
        **_shared(alarm),
        rule=alarm["AlarmRule"],
        suppressed_by=alarm.get("ActionsSuppressedBy"),
        suppressor=alarm.get("ActionsSuppressor"),
    )


def _shared(alarm: MetricAlarmTypeDef | CompositeAlarmTypeDef) -> dict[str, Any]:
    return {
        "name": alarm["AlarmName"],
        "arn": alarm["AlarmArn"],
        "state": alarm["StateValue"],
        "reason": alarm.get("StateReason", ""),
        "changed_at": alarm.get("StateTransitionedTimestamp") or alarm["StateUpdatedTimestamp"],
        "has_actions_enabled": alarm.get("ActionsEnabled", True),
    }


def _metrics(alarm: MetricAlarmTypeDef) -> Iterator[WatchedMetric]:
    if "MetricName" in alarm:
        yield _watched(alarm, None)
    for query in alarm.get("Metrics", []):
        if "MetricStat" in query:
            yield _watched(query["MetricStat"]["Metric"], query.get("AccountId"))


def _watched(metric: Mapping[str, Any], account_id: str | None) -> WatchedMetric:
    return WatchedMetric(
        namespace=metric.get("Namespace"),
        name=metric.get("MetricName"),
        dimensions={one["Name"]: one["Value"] for one in metric.get("Dimensions", [])},
        account_id=account_id,
    )
