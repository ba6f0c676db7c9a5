"""CloudWatch alarms: metric and composite ones, their states, history, actions and events."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

from autorepair_lab.account.alarm_evaluation import Verdict, evaluate_alarm
from autorepair_lab.account.alarm_events import event_detail, notification, state_block
from autorepair_lab.account.alarm_rules import children, compile_rule
from autorepair_lab.account.call import CallRefusedError
from autorepair_lab.account.events import EventBus, Targets
from autorepair_lab.account.metrics import MetricStore

Alarm = dict[str, Any]  # the shape of MetricAlarm or CompositeAlarm
_ACTIONS = {"ALARM": "AlarmActions", "OK": "OKActions"}
_STATES = ("ALARM", "OK", "INSUFFICIENT_DATA")


class Alarms:
    """All alarms of the account. A change of state raises its event on the default bus at once."""

    def __init__(  # noqa: PLR0913 - the composition root names each
        self,
        account_id: str,
        region: str,
        *,
        metrics: MetricStore,
        bus: EventBus,
        targets: Targets,
        defer: Callable[[Callable[[], None]], None],
    ) -> None:
        self._account_id = account_id
        self._region = region
        self._metrics = metrics
        self._bus = bus
        self._targets = targets
        self._defer = defer
        self._lock = threading.RLock()
        self.alarms: dict[str, Alarm] = {}
        self.tags: dict[str, dict[str, str]] = {}
        self.history: list[dict[str, Any]] = []

    def put(self, parameters: Mapping[str, Any]) -> None:
        """Create or replace an alarm; one that exists keeps its state."""
        given = {key: value for key, value in parameters.items() if key != "Tags"}
        now = datetime.now(UTC)
        if "AlarmRule" in given:
            compile_rule(given["AlarmRule"])
        name = given["AlarmName"]
        with self._lock:
            before = self.alarms.get(name)
            initial = {
                "StateValue": "INSUFFICIENT_DATA",
                "StateReason": "Unchecked: Initial alarm creation",
                "StateUpdatedTimestamp": now,
                "StateTransitionedTimestamp": now,
            }
            state = {key: before[key] for key in initial if before} if before else initial
            self.alarms[name] = {
                "ActionsEnabled": True,
                "OKActions": [],
                "AlarmActions": [],
                "InsufficientDataActions": [],
                **({} if "AlarmRule" in given else {"Dimensions": []}),
                **deepcopy(given),
                **state,
                "AlarmArn": self.arn(name),
                "AlarmConfigurationUpdatedTimestamp": now,
            }
            if before is None:
                self.tags[name] = {tag["Key"]: tag["Value"] for tag in parameters.get("Tags") or ()}
            done = "created" if before is None else "updated"
            self._remember(name, "ConfigurationUpdate", f'Alarm "{name}" {done}', {}, now)
        if "AlarmRule" in given:
            self._evaluate_composites()

    def arn(self, name: str) -> str:
        """The ARN of an alarm."""
        return f"arn:aws:cloudwatch:{self._region}:{self._account_id}:alarm:{name}"

    def find(self, name: str) -> Alarm:
        """An alarm by name. Raises CallRefusedError (ResourceNotFound)."""
        if name not in self.alarms:
            raise CallRefusedError("ResourceNotFound", f"No alarm named {name} exists", 404)
        return self.alarms[name]

    def delete(self, names: list[str]) -> None:
        """Delete alarms; unknown names are refused, as one."""
        with self._lock:
            for name in names:
                self.find(name)
            for name in names:
                del self.alarms[name]
                self.tags.pop(name, None)

    def set_state(self, name: str, verdict: Verdict) -> bool:
        """Give an alarm a state; whether that changed it. Raises CallRefusedError."""
        if verdict.state not in _STATES:
            raise CallRefusedError("ValidationError", f"No alarm state: {verdict.state}")
        now = datetime.now(UTC)
        with self._lock:
            alarm = self.find(name)
            previous = state_block(alarm)
            has_changed = previous["value"] != verdict.state
            alarm |= {
                "StateValue": verdict.state,
                "StateReason": verdict.reason,
                "StateUpdatedTimestamp": now,
            }
            alarm.pop("StateReasonData", None)
            if verdict.reason_data:
                alarm["StateReasonData"] = verdict.reason_data
            if not has_changed:
                return False
            alarm["StateTransitionedTimestamp"] = now
            self._record_change(alarm, previous, now)
            shown = deepcopy(alarm)
        self._announce(shown, previous, now)
        self._evaluate_composites()
        return True

    def evaluate(self, now: datetime | None = None) -> list[str]:
        """Evaluate every metric alarm against its metric; the names of those that changed."""
        at = now or datetime.now(UTC)
        changed = []
        for name, alarm in list(self.alarms.items()):
            if "AlarmRule" in alarm:
                continue
            verdict = evaluate_alarm(self._metrics, alarm, at)
            if verdict is not None and self.set_state(name, verdict):
                changed.append(name)
        return changed

    def _evaluate_composites(self) -> None:
        for name, alarm in list(self.alarms.items()):
            if "AlarmRule" in alarm:
                self._evaluate_composite(name, alarm)

    def _evaluate_composite(self, name: str, alarm: Alarm) -> None:
        names = children(alarm["AlarmRule"])
        test = compile_rule(alarm["AlarmRule"])
        state = "ALARM" if test(self._state_of) else "OK"
        if state == alarm["StateValue"]:
            return
        triggers = [
            {
                "arn": self.arn(child),
                "state": {
                    "value": self._state_of(child),
                    "timestamp": state_block(self.alarms[child])["timestamp"],
                },
            }
            for child in names
            if child in self.alarms
        ]
        cause = next((one["arn"] for one in triggers), "its rule")
        reason = f"{cause} transitioned, so that the alarm rule {alarm['AlarmRule']} is {state}"
        data = json.dumps({"triggeringAlarms": triggers})
        self.set_state(name, Verdict(state, reason, data))

    def _state_of(self, name: str) -> str:
        alarm = self.alarms.get(name)
        return str(alarm["StateValue"]) if alarm else "MISSING"

    def _record_change(self, alarm: Alarm, previous: Mapping[str, Any], now: datetime) -> None:
        states = {
            "oldState": {"stateValue": previous["value"], "stateReason": previous["reason"]},
            "newState": {"stateValue": alarm["StateValue"], "stateReason": alarm["StateReason"]},
        }
        summary = f"Alarm updated from {previous['value']} to {alarm['StateValue']}"
        self._remember(alarm["AlarmName"], "StateUpdate", summary, states, now)

    def _remember(
        self, name: str, kind: str, summary: str, data: Mapping[str, Any], now: datetime
    ) -> None:
        is_composite = "AlarmRule" in self.alarms.get(name, {})
        self.history.append(
            {
                "AlarmName": name,
                "AlarmType": "CompositeAlarm" if is_composite else "MetricAlarm",
                "Timestamp": now,
                "HistoryItemType": kind,
                "HistorySummary": summary,
                "HistoryData": json.dumps({"version": "1.0", **data}),
            }
        )

    def _announce(self, alarm: Alarm, previous: dict[str, Any], now: datetime) -> None:
        event = self._bus.envelope(
            "aws.cloudwatch",
            "CloudWatch Alarm State Change",
            event_detail(alarm, previous),
            resources=[alarm["AlarmArn"]],
            at=now,
        )
        self._bus.emit(event)
        if alarm["ActionsEnabled"]:
            actions = _ACTIONS.get(alarm["StateValue"], "InsufficientDataActions")
            for arn in alarm[actions]:
                self._act(arn, alarm, previous["value"], event, now)

    def _act(
        self, arn: str, alarm: Alarm, previous: str, event: Mapping[str, Any], now: datetime
    ) -> None:
        subject, message = notification(alarm, previous, self._account_id, self._region, now)
        text = json.dumps(event) if ":lambda:" in arn else message
        self._remember(alarm["AlarmName"], "Action", f"Successfully executed action {arn}", {}, now)
        self._defer(
            lambda: self._targets.deliver({"Arn": arn, "Subject": subject}, text, str(event["id"]))
        )
