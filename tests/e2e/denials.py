"""What the tests of denied calls share: who called what, who is denied what, and single runs."""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from autorepair.steps.intake import incident_id_of
from autorepair_lab.account.call import Call, ErrorReply
from autorepair_lab.clients import DUMMY_KEY
from autorepair_lab.lab import LAB_POLICY, REGION, Lab

if TYPE_CHECKING:
    from types_boto3_lambda import LambdaClient
    from types_boto3_stepfunctions import SFNClient

FUNCTION = "patient-forgetful-orders"
ALARM = f"{FUNCTION}-errors"
PATIENCE_S = 600.0

_WRITER = "lambda-auto-repair-execute-repair-dev"
# The mark by which the lab knows which function makes a call.
_AS_THE_SERVICE = Config(  # type: ignore[call-arg] # the stubs do not know it yet
    user_agent_appid="lab-" + hashlib.sha256(_WRITER.encode()).hexdigest()[:16]
)
Denial = tuple[str, str, str]
"""A step's function (without prefix and environment), a service and an operation."""


class Gatekeeper:
    """Notes every call of the service's own functions, and denies some."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.seen: set[Denial] = set()
        self.denied: frozenset[Denial] = frozenset()
        self.struck: set[Denial] = set()

    def handle(self, call: Call) -> ErrorReply | None:
        """Deny the call, or let it through."""
        name = self._lab.account._started().invoker.function_of(call.caller) or ""
        if not name.startswith("lambda-auto-repair-"):
            return None
        step = name.removeprefix("lambda-auto-repair-").rpartition("-")[0]
        made = (step, call.service, call.operation)
        self.seen.add(made)
        if made not in self.denied:
            return None
        self.struck.add(made)
        # Lambda quotes what it was sent: none of it may reach a person.
        return ErrorReply("AccessDeniedException", f"{call.operation} denied: {call.parameters}")


@dataclass(frozen=True)
class Ended:
    """How one run ended."""

    status: str
    entered: tuple[str, ...]
    incident_id: str
    records: tuple[dict[str, Any], ...]
    messages: tuple[str, ...]
    env: dict[str, str]
    """The function's environment after it."""

    @property
    def kinds(self) -> list[str]:
        """What was recorded, in the order of the chain."""
        return [record["kind"]["S"] for record in self.records]

    @property
    def outcome(self) -> str | None:
        """The outcome that the incident was closed with, if it was."""
        closed = [r for r in self.records if r["kind"]["S"] == "incident_closed"]
        return json.loads(closed[-1]["data"]["S"])["outcome"] if closed else None


class Runs:
    """Runs the deployed state machine, one run after the other, on one function."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.gate = Gatekeeper(lab)
        lab.account.add_interceptor(self.gate)
        self._lambda = lab.clients.lambda_
        self._service: LambdaClient = boto3.Session(
            DUMMY_KEY, DUMMY_KEY, region_name=REGION
        ).client("lambda", endpoint_url=lab.ready.endpoint, config=_AS_THE_SERVICE)
        self.env = self._env()
        self.planned = self.env | {"ORDERS_TABLE": "orders-lab"}
        session = boto3.Session(DUMMY_KEY, DUMMY_KEY, region_name=REGION)
        self._machines: SFNClient = session.client("stepfunctions", endpoint_url=lab.ready.endpoint)

    def set_policy(self, *, mode: str = "auto") -> None:
        """No waiting for traffic that nobody drives: what is not proven is taken back."""
        policy = LAB_POLICY.model_dump(mode="json")
        policy["modes"] |= {"set_env": mode}
        policy["settle_s"] = 0
        # Long enough for a cold start on a busy machine: the question has to be asked first.
        policy["approval"] = {"timeout_s": 8}
        policy["verification"] |= {
            "window_s": 1, "max_windows": 1, "min_invocations": 1, "unverified": "roll_back",
        }  # fmt: skip
        self._lab.clients.ssm.put_parameter(
            Name=self._lab.ready.policy_parameter,
            Value=json.dumps(policy),
            Type="String",
            Overwrite=True,
        )

    def run(self, *denied: Denial) -> Ended:
        """Run once with these calls denied; the function is put back as it was first."""
        self.gate.denied = frozenset()
        self._restore()
        self.gate.denied, self.gate.struck = frozenset(denied), set()
        inbox = len(self._lab.account.inbox())
        execution = self._machines.start_execution(
            stateMachineArn=self._lab.ready.state_machine_arn,
            name=f"run-{uuid.uuid4().hex[:12]}",
            input=json.dumps(alarm_event()),
        )["executionArn"]
        status = self._wait(execution)
        self.gate.denied = frozenset()
        entered, incident_id = self._history(execution)
        # Of an intake that failed no state data tell; its record is under the execution's own id.
        incident_id = incident_id or self._id_of(execution)
        ended = Ended(
            status=status,
            entered=entered,
            incident_id=incident_id,
            records=self._records(incident_id),
            messages=tuple(m["message"] for m in self._lab.account.inbox()[inbox:]),
            env=self._env(),
        )
        self._forget_open_incident()
        return ended

    def _env(self) -> dict[str, str]:
        found = self._lambda.get_function_configuration(FunctionName=FUNCTION)
        return dict(found.get("Environment", {}).get("Variables", {}))

    def _restore(self) -> None:
        """Put the function back by the service's own hand: what others change since asks."""
        if self._env() != self.env:
            self._service.update_function_configuration(
                FunctionName=FUNCTION, Environment={"Variables": self.env}
            )
            while (
                self._lambda.get_function_configuration(FunctionName=FUNCTION)["LastUpdateStatus"]
                == "InProgress"
            ):
                time.sleep(0.05)

    def _wait(self, execution: str) -> str:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            status = self._machines.describe_execution(executionArn=execution)["status"]
            if status != "RUNNING":
                return status
            time.sleep(0.05)
        raise AssertionError(f"the execution did not end with {set(self.gate.denied)} denied")

    def _history(self, execution: str) -> tuple[tuple[str, ...], str | None]:
        history = self._machines.get_execution_history(executionArn=execution, maxResults=1000)
        entered, incident_id = [], None
        for event in history["events"]:
            if "stateEnteredEventDetails" in event:
                details = event["stateEnteredEventDetails"]
                entered.append(details["name"])
                incident = json.loads(details.get("input", "{}")).get("incident")
                incident_id = incident["id"] if incident else incident_id
        return tuple(entered), incident_id

    def _id_of(self, execution: str) -> str:
        found = self._machines.describe_execution(executionArn=execution)
        return incident_id_of(execution, started_at=found["startDate"].astimezone(UTC))

    def _records(self, incident_id: str) -> tuple[dict[str, Any], ...]:
        answer = self._lab.clients.dynamodb.query(
            TableName=self._lab.ready.audit_table,
            KeyConditionExpression="incident_id = :id",
            ExpressionAttributeValues={":id": {"S": incident_id}},
        )
        return tuple(answer["Items"])

    def _open_key(self) -> dict[str, Any]:
        arn = f"arn:aws:lambda:{REGION}:123456789012:function:{FUNCTION}"
        return {"pk": {"S": f"target#{arn}"}, "sk": {"S": "open"}}

    def _forget_open_incident(self) -> None:
        """What a run may have left open must not swallow the next one's alarm."""
        dynamodb, table = self._lab.clients.dynamodb, self._lab.ready.state_table
        # Nor may what it repaired: the third time in a week is escalated.
        for kind in ("open", "lease", "cooldown", "repairs"):
            key = self._open_key() | {"sk": {"S": kind}}
            dynamodb.delete_item(TableName=table, Key=key)


def alarm_event() -> dict[str, Any]:
    """The event by which CloudWatch says that the function's alarm went off just now."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"
    metric = {
        "metric": {
            "dimensions": {"FunctionName": FUNCTION}, "name": "Errors", "namespace": "AWS/Lambda",
        },
        "period": 60,
        "stat": "Sum",
    }  # fmt: skip
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "CloudWatch Alarm State Change",
        "source": "aws.cloudwatch",
        "account": "123456789012",
        "time": now[:19] + "Z",
        "region": REGION,
        "resources": [f"arn:aws:cloudwatch:{REGION}:123456789012:alarm:{ALARM}"],
        "detail": {
            "alarmName": ALARM,
            "configuration": {"metrics": [{"id": "m1", "metricStat": metric, "returnData": True}]},
            "previousState": {"value": "OK", "timestamp": now, "reason": "fine"},
            "state": {"value": "ALARM", "timestamp": now, "reason": "Threshold Crossed"},
        },
    }
