"""Puts a patient into the account: the function, what is declared for it, policy and alarm."""

from __future__ import annotations

import io
import json
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from autorepair.domain.policy import Policy, parse_policy
from autorepair_lab.patient import PATIENT_FILE, Hand, Patient
from autorepair_lab.row import Reading

if TYPE_CHECKING:
    from types_boto3_cloudwatch.type_defs import DimensionTypeDef
    from types_boto3_lambda.literals import RuntimeType

    from autorepair_lab.clients import Clients

ROLE_NAME = "lab-patient"
_NO_CODE = {"__pycache__", ".git"}
# A zip wants a date, and equal code has to give equal bytes.
_EPOCH = (2020, 1, 1, 0, 0, 0)


class Admission:
    """Admits patients one after another; safe to call from several threads."""

    def __init__(
        self,
        clients: Clients,
        *,
        policy_parameter: str,
        known_config_prefix: str,
        runtime: RuntimeType,
        set_at_memory_limit: Callable[[str, Literal["kill", "stall"]], None],
    ) -> None:
        self._clients = clients
        self._policy_parameter = policy_parameter
        self._known_config_prefix = known_config_prefix
        self._runtime: RuntimeType = runtime
        self._set_at_memory_limit = set_at_memory_limit
        self._lock = threading.Lock()

    def admit(self, patient: Patient) -> str:
        """Deploy the patient and its alarm; gives the function's name."""
        self._set_at_memory_limit(patient.function_name, patient.at_memory_limit)
        with self._lock:
            self._declare(patient)
            self._lay_policy(patient)
            self._create_function(patient)
            self._create_alarm(patient)
        return patient.function_name

    def release(self, patient: Patient) -> None:
        """Publish the patient's own code and move its alias there, where it has one."""
        if patient.release is None:
            return
        version = self._publish(patient, zipped(patient.folder))
        self._clients.lambda_.update_alias(
            FunctionName=patient.function_name,
            Name=patient.release.alias,
            FunctionVersion=version,
        )

    def read(self, function_name: str) -> Reading:
        """Read the configuration of a patient from the account."""
        found = self._clients.lambda_.get_function_configuration(FunctionName=function_name)
        names = found.get("Environment", {}).get("Variables", {})
        return Reading(
            timeout_s=found["Timeout"], memory_mb=found["MemorySize"], env=tuple(sorted(names))
        )

    def rest_alarm(self, patient: Patient) -> None:
        """Put the patient's alarm back to OK, so that it can be raised once more."""
        self._clients.cloudwatch.set_alarm_state(
            AlarmName=_alarm_name(patient), StateValue="OK", StateReason="Broken anew"
        )

    def raise_alarm(self, patient: Patient) -> None:
        """Put the patient's alarm into ALARM, as CloudWatch does when the threshold is crossed."""
        wish = patient.alarm
        point = {"startDate": "", "recentDatapoints": [wish.threshold], "threshold": wish.threshold}
        self._clients.cloudwatch.set_alarm_state(
            AlarmName=_alarm_name(patient),
            StateValue="ALARM",
            StateReason=f"Threshold Crossed: {wish.metric} {wish.statistic} >= {wish.threshold:g}",
            StateReasonData=json.dumps(point),
        )

    def _create_function(self, patient: Patient) -> None:
        self._clients.lambda_.create_function(
            FunctionName=patient.function_name,
            Description=patient.title,
            Runtime=self._runtime,
            Role=self._role(),
            Handler=patient.handler,
            Code={"ZipFile": zipped(patient.folder)},
            Timeout=patient.timeout_s,
            MemorySize=patient.memory_mb,
            Environment={"Variables": patient.env},
            Tags=patient.tags,
        )
        self._clients.lambda_.get_waiter("function_active_v2").wait(
            FunctionName=patient.function_name, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
        )
        if patient.release is not None:
            version = self._publish(patient, zipped(patient.folder / patient.release.former))
            self._create_alias(patient, patient.release.alias, version)
        if patient.published is not None:
            made = self._clients.lambda_.publish_version(FunctionName=patient.function_name)
            self._create_alias(patient, patient.published.alias, made["Version"])
            self._leave_unreleased(patient, patient.published.latest)

    def _create_alias(self, patient: Patient, alias: str, version: str) -> None:
        self._clients.lambda_.create_alias(
            FunctionName=patient.function_name, Name=alias, FunctionVersion=version
        )

    def _leave_unreleased(self, patient: Patient, hand: Hand | None) -> None:
        """Let `$LATEST` hold what nobody has published."""
        if hand is None:
            return
        given: dict[str, Any] = {
            "Timeout": hand.timeout_s,
            "MemorySize": hand.memory_mb,
            "Description": hand.description,
            "Environment": {"Variables": patient.env | hand.env} if hand.env else None,
        }
        self._clients.lambda_.update_function_configuration(
            FunctionName=patient.function_name,
            **{key: value for key, value in given.items() if value is not None},
        )
        self._settled(patient)

    def _settled(self, patient: Patient) -> None:
        self._clients.lambda_.get_waiter("function_updated_v2").wait(
            FunctionName=patient.function_name, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
        )

    def _publish(self, patient: Patient, code: bytes) -> str:
        self._clients.lambda_.update_function_code(FunctionName=patient.function_name, ZipFile=code)
        self._settled(patient)
        published = self._clients.lambda_.publish_version(FunctionName=patient.function_name)
        return published["Version"]

    def _role(self) -> str:
        iam = self._clients.iam
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "lambda.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                }
            ],
        }
        try:
            role = iam.create_role(RoleName=ROLE_NAME, AssumeRolePolicyDocument=json.dumps(trust))
        except iam.exceptions.EntityAlreadyExistsException:
            return iam.get_role(RoleName=ROLE_NAME)["Role"]["Arn"]
        return role["Role"]["Arn"]

    def _create_alarm(self, patient: Patient) -> None:
        self._clients.cloudwatch.put_metric_alarm(
            AlarmName=_alarm_name(patient),
            AlarmDescription=f"{patient.alarm.metric} of {patient.function_name}",
            Namespace="AWS/Lambda",
            MetricName=patient.alarm.metric,
            Dimensions=_dimensions(patient),
            Statistic=patient.alarm.statistic,
            Period=60,
            EvaluationPeriods=1,
            Threshold=patient.alarm.threshold,
            ComparisonOperator="GreaterThanOrEqualToThreshold",
            TreatMissingData="notBreaching",
        )

    def _declare(self, patient: Patient) -> None:
        for name, entry in patient.known_config.items():
            # What a SecureString holds is compared with nothing before the write.
            is_secret = entry.get("secure") is True
            declared = {key: value for key, value in entry.items() if key != "secure"}
            self._clients.ssm.put_parameter(
                Name=f"{self._known_config_prefix}/{patient.function_name}/{name}",
                Value=json.dumps(declared),
                Type="SecureString" if is_secret else "String",
                Overwrite=True,
            )

    def _lay_policy(self, patient: Patient) -> None:
        if not patient.policy:
            return
        ssm = self._clients.ssm
        text = ssm.get_parameter(Name=self._policy_parameter)["Parameter"]["Value"]
        document: dict[str, Any] = json.loads(text)
        kept = [o for o in document.get("overrides", []) if o["functions"] != patient.function_name]
        document["overrides"] = [
            *kept,
            {"functions": patient.function_name, "policy": patient.policy},
        ]
        self.write_policy(parse_policy(json.dumps(document)))

    def write_policy(self, policy: Policy) -> None:
        """Put a policy in force."""
        self._clients.ssm.put_parameter(
            Name=self._policy_parameter,
            Value=policy.model_dump_json(),
            Type="String",
            Overwrite=True,
        )


def zipped(folder: Path) -> bytes:
    """Pack a patient's code: everything in its folder but the description and caches."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            inside = path.relative_to(folder)
            if path.is_file() and not _NO_CODE & set(inside.parts) and str(inside) != PATIENT_FILE:
                info = zipfile.ZipInfo(str(inside), date_time=_EPOCH)
                info.external_attr = 0o644 << 16
                archive.writestr(info, path.read_bytes())
    return buffer.getvalue()


def _dimensions(patient: Patient) -> list[DimensionTypeDef]:
    function: DimensionTypeDef = {"Name": "FunctionName", "Value": patient.function_name}
    resource: DimensionTypeDef = {"Name": "Resource", "Value": patient.invoked_name}
    return [function] if patient.invoked_name == patient.function_name else [function, resource]


def _alarm_name(patient: Patient) -> str:
    return f"{patient.function_name}-{patient.alarm.metric.lower()}"
