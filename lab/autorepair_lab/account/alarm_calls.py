"""CloudWatch's alarm calls, composite alarms and mute rules included."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from autorepair_lab.account.alarm_evaluation import Verdict
from autorepair_lab.account.alarm_rules import children
from autorepair_lab.account.alarms import Alarm, Alarms
from autorepair_lab.account.call import Call, CallRefusedError, ErrorReply, Reply
from autorepair_lab.account.routes import RouteReply, RouteRequest

Parameters = dict[str, Any]
_PAGE = 100


class AlarmCalls:
    """Interceptor for every alarm operation of CloudWatch."""

    def __init__(self, alarms: Alarms) -> None:
        self._alarms = alarms
        self._mute_rules: dict[str, Parameters] = {}
        self._operations: dict[str, Callable[[Parameters], Reply | None]] = {
            "PutMetricAlarm": self._put,
            "PutCompositeAlarm": self._put,
            "DescribeAlarms": self._describe,
            "DescribeAlarmsForMetric": self._describe_for_metric,
            "DescribeAlarmHistory": self._history,
            "DeleteAlarms": self._delete,
            "SetAlarmState": self._set_state,
            "EnableAlarmActions": lambda parameters: self._switch(parameters, on=True),
            "DisableAlarmActions": lambda parameters: self._switch(parameters, on=False),
            "TagResource": self._tag,
            "UntagResource": self._untag,
            "ListTagsForResource": self._list_tags,
            "PutAlarmMuteRule": self._put_mute,
            "GetAlarmMuteRule": self._get_mute,
            "DeleteAlarmMuteRule": self._delete_mute,
            "ListAlarmMuteRules": self._list_mutes,
        }

    def handle(self, call: Call) -> Reply | ErrorReply | None:
        """Answer alarm calls."""
        if call.service != "cloudwatch" or call.operation not in self._operations:
            return None
        return self._operations[call.operation](call.parameters)

    def evaluate(self, _request: RouteRequest) -> RouteReply:
        """POST /_lab/alarms/evaluate: look at every metric alarm's metric now."""
        return RouteReply({"changed": self._alarms.evaluate()})

    def _put(self, parameters: Parameters) -> Reply:
        if "AlarmRule" not in parameters:
            _check_metric_alarm(parameters)
        self._alarms.put(parameters)
        return Reply()

    def _describe(self, parameters: Parameters) -> Reply:
        # Without AlarmTypes CloudWatch answers with metric alarms only.
        types = parameters.get("AlarmTypes") or ["MetricAlarm"]
        found = [
            alarm
            for _, alarm in sorted(self._alarms.alarms.items())
            if _kind(alarm) in types and self._is_wanted(alarm, parameters)
        ]
        start = int(parameters.get("NextToken") or 0)
        end = start + int(parameters.get("MaxRecords") or _PAGE)
        page = found[start:end]
        output: Parameters = {
            "MetricAlarms": [dict(one) for one in page if _kind(one) == "MetricAlarm"],
            "CompositeAlarms": [dict(one) for one in page if _kind(one) == "CompositeAlarm"],
        }
        if end < len(found):
            output["NextToken"] = str(end)
        return Reply(output)

    def _is_wanted(self, alarm: Alarm, parameters: Parameters) -> bool:
        name = alarm["AlarmName"]
        names = parameters.get("AlarmNames")
        if names and name not in names:
            return False
        if not name.startswith(parameters.get("AlarmNamePrefix") or ""):
            return False
        if parameters.get("StateValue") not in {None, alarm["StateValue"]}:
            return False
        prefix = parameters.get("ActionPrefix")
        if prefix and not any(one.startswith(prefix) for one in alarm["AlarmActions"]):
            return False
        parent = parameters.get("ChildrenOfAlarmName")
        if parent and name not in children(self._alarms.find(parent).get("AlarmRule", "")):
            return False
        child = parameters.get("ParentsOfAlarmName")
        return not child or child in children(alarm.get("AlarmRule", ""))

    def _describe_for_metric(self, parameters: Parameters) -> Reply:
        wanted = {one["Name"]: one["Value"] for one in parameters.get("Dimensions") or ()}
        found = [
            dict(alarm)
            for alarm in self._alarms.alarms.values()
            if alarm.get("MetricName") == parameters["MetricName"]
            and alarm.get("Namespace") == parameters["Namespace"]
            and {one["Name"]: one["Value"] for one in alarm["Dimensions"]} == wanted
        ]
        return Reply({"MetricAlarms": found})

    def _history(self, parameters: Parameters) -> Reply:
        start, end = parameters.get("StartDate"), parameters.get("EndDate")
        found = [
            dict(item)
            for item in self._alarms.history
            if parameters.get("AlarmName") in {None, item["AlarmName"]}
            and parameters.get("HistoryItemType") in {None, item["HistoryItemType"]}
            and (start is None or item["Timestamp"] >= start)
            and (end is None or item["Timestamp"] <= end)
        ]
        if parameters.get("ScanBy") != "TimestampAscending":
            found.reverse()
        first = int(parameters.get("NextToken") or 0)
        last = first + int(parameters.get("MaxRecords") or _PAGE)
        output: Parameters = {"AlarmHistoryItems": found[first:last]}
        if last < len(found):
            output["NextToken"] = str(last)
        return Reply(output)

    def _delete(self, parameters: Parameters) -> Reply:
        self._alarms.delete(parameters["AlarmNames"])
        return Reply()

    def _set_state(self, parameters: Parameters) -> Reply:
        verdict = Verdict(
            parameters["StateValue"],
            parameters["StateReason"],
            parameters.get("StateReasonData", ""),
        )
        self._alarms.set_state(parameters["AlarmName"], verdict)
        return Reply()

    def _switch(self, parameters: Parameters, *, on: bool) -> Reply:
        for name in parameters["AlarmNames"]:
            self._alarms.find(name)["ActionsEnabled"] = on
        return Reply()

    def _tags_of(self, parameters: Parameters) -> dict[str, str] | None:
        _, mark, name = parameters["ResourceARN"].partition(":alarm:")
        if not mark:
            return None  # another kind of resource: moto's
        self._alarms.find(name)
        return self._alarms.tags.setdefault(name, {})

    def _tag(self, parameters: Parameters) -> Reply | None:
        tags = self._tags_of(parameters)
        if tags is None:
            return None
        tags.update({tag["Key"]: tag["Value"] for tag in parameters["Tags"]})
        return Reply()

    def _untag(self, parameters: Parameters) -> Reply | None:
        tags = self._tags_of(parameters)
        if tags is None:
            return None
        for key in parameters["TagKeys"]:
            tags.pop(key, None)
        return Reply()

    def _list_tags(self, parameters: Parameters) -> Reply | None:
        tags = self._tags_of(parameters)
        if tags is None:
            return None
        return Reply({"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]})

    def _put_mute(self, parameters: Parameters) -> Reply:
        arn = self._alarms.arn("").removesuffix("alarm:") + f"alarm-mute-rule:{parameters['Name']}"
        rule = {**parameters, "AlarmMuteRuleArn": arn, "MuteType": "DEFINED"}
        rule["LastUpdatedTimestamp"] = datetime.now(UTC)
        self._mute_rules[parameters["Name"]] = rule
        return Reply()

    def _mute(self, name: str) -> Parameters:
        if name not in self._mute_rules:
            raise CallRefusedError("ResourceNotFoundException", f"No mute rule {name}", 404)
        return self._mute_rules[name]

    def _get_mute(self, parameters: Parameters) -> Reply:
        rule = self._mute(parameters["AlarmMuteRuleName"])
        return Reply({**rule, "Status": _mute_status(rule)})

    def _delete_mute(self, parameters: Parameters) -> Reply:
        self._mute_rules.pop(parameters["AlarmMuteRuleName"], None)
        return Reply()

    def _list_mutes(self, parameters: Parameters) -> Reply:
        alarm = parameters.get("AlarmName")
        statuses = parameters.get("Statuses")
        found = [
            {**rule, "Status": _mute_status(rule)}
            for rule in self._mute_rules.values()
            if alarm is None or alarm in (rule.get("MuteTargets") or {}).get("AlarmNames", [])
        ]
        wanted = [one for one in found if not statuses or one["Status"] in statuses]
        return Reply({"AlarmMuteRuleSummaries": wanted})


def _kind(alarm: Mapping[str, Any]) -> str:
    return "CompositeAlarm" if "AlarmRule" in alarm else "MetricAlarm"


def _mute_status(rule: Mapping[str, Any]) -> str:
    """A rule's status by its dates alone; the lab does not interpret its schedule."""
    now = datetime.now(UTC)
    if rule.get("StartDate") and rule["StartDate"] > now:
        return "SCHEDULED"
    if rule.get("ExpireDate") and rule["ExpireDate"] <= now:
        return "EXPIRED"
    return "ACTIVE"


def _check_metric_alarm(parameters: Mapping[str, Any]) -> None:
    if not parameters.get("Metrics"):
        for name in ("MetricName", "Namespace", "Period", "Threshold"):
            if name not in parameters:
                raise CallRefusedError("ValidationError", f"The parameter {name} is required")
        if bool(parameters.get("Statistic")) == bool(parameters.get("ExtendedStatistic")):
            raise CallRefusedError(
                "ValidationError", "Exactly one of Statistic and ExtendedStatistic is required"
            )
    needed = parameters.get("DatapointsToAlarm")
    if needed is not None and needed > parameters["EvaluationPeriods"]:
        raise CallRefusedError(
            "ValidationError", "DatapointsToAlarm may not exceed EvaluationPeriods"
        )
