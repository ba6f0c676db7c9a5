"""A case made of what an incident left behind: its stored evidence and its record.

Evidence holds no environment values, and of declarations only names: in the case made-up values
stand for them, equal where the function had the declared value and different where it had not.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from autorepair.domain.change import EnvironmentSetting
from autorepair.domain.configuration import ENROLMENT_TAG, FunctionConfiguration
from autorepair.domain.decision import Decision
from autorepair.domain.diagnosis import Diagnosis, RootCause
from autorepair.domain.evidence import DeclaredVariable, Evidence, MetricSeries
from autorepair.domain.incident import Target
from autorepair.domain.masked_evidence import masked
from autorepair.domain.masking import Masker
from autorepair_cli.recorded.alarm_event import alarm_event
from autorepair_cli.recorded.answer import repair_of
from autorepair_cli.recorded.log import log_events
from autorepair_cli.recorded.scoring import FIGURES
from autorepair_cli.recorded.sources import metric_key
from autorepair_cli.recorded.written_changes import written_change

Json = dict[str, Any]
_ACTS = frozenset({"apply", "ask"})


def case_of(
    evidence: Evidence, diagnosis: Diagnosis, decision: Decision, target: Target, *, masker: Masker
) -> Json:
    """Write the case; all text that others wrote is masked, even if it was stored unmasked.

    ``expected`` is what the service concluded then, so a person has to look at it first.
    """
    evidence = masked(evidence, masker)
    tags = evidence.configuration.tags.items()
    return {
        "id": evidence.incident_id.lower(),
        "title": f"incident {evidence.incident_id} of {target.function_name}",
        "source": [evidence.incident_id],
        "alarm_event": alarm_event(evidence, target),
        "function_configuration": _configuration(evidence.configuration, evidence.declared),
        "concurrency": _reserved(evidence.configuration),
        "tags": {name: masker.mask(value) for name, value in tags if name != ENROLMENT_TAG},
        "event_source_mappings": [_mapping(one.model_dump()) for one in evidence.event_sources],
        "triggers": list(dict.fromkeys(caller.kind for caller in evidence.callers)),
        "metrics": _metrics(evidence.metrics),
        "log_events": log_events(evidence),
        "recent_changes": [written_change(change, masker) for change in evidence.changes],
        "known_config": _declarations(evidence),
        "expected": _expected(diagnosis, decision, masker),
        **_optional(evidence),
    }


def _configuration(
    configuration: FunctionConfiguration, declared: Iterable[DeclaredVariable]
) -> Json:
    is_image = configuration.package_type == "Image"
    modified = configuration.last_modified
    made: Json = {
        "FunctionName": configuration.function_name,
        "FunctionArn": configuration.function_arn,
        "Version": configuration.version,
        "PackageType": configuration.package_type,
        "Runtime": configuration.runtime,
        "Handler": configuration.handler,
        "Description": configuration.description or None,
        "Architectures": [configuration.architecture],
        "MemorySize": configuration.memory_mb,
        "Timeout": configuration.timeout_s,
        "EphemeralStorage": {"Size": configuration.ephemeral_storage_mb},
        "Environment": _environment(configuration, declared),
        "KMSKeyArn": configuration.kms_key_arn,
        "Layers": [{"Arn": arn} for arn in configuration.layers],
        "VpcConfig": {"SubnetIds": ["subnet-0"], "SecurityGroupIds": ["sg-0"]}
        if configuration.has_vpc
        else None,
        "FileSystemConfigs": [{"Arn": "arn:aws:elasticfilesystem:::access-point/fsap-0"}]
        if configuration.has_file_system
        else None,
        "SnapStart": {"ApplyOn": "PublishedVersions" if configuration.has_snap_start else "None"},
        "LoggingConfig": {
            "LogFormat": configuration.log_format,
            "LogGroup": configuration.log_group,
        },
        "State": configuration.state,
        "LastUpdateStatus": configuration.last_update_status,
        "CodeSha256": configuration.code_sha256,
        "LastModified": None if modified is None else modified.isoformat(),
        "RevisionId": configuration.revision_id,
        "ImageConfigResponse": _image(configuration) if is_image else None,
        **_reasons(configuration),
    }
    return {name: value for name, value in made.items() if value not in (None, [])}


def _image(configuration: FunctionConfiguration) -> Json:
    return {
        "ImageConfig": {
            "Command": list(configuration.image_command),
            "EntryPoint": list(configuration.image_entry_point),
        }
    }


def _reasons(configuration: FunctionConfiguration) -> Json:
    """Put the reason where Lambda tells it; which of two states it was about is not kept."""
    if not configuration.state_reason:
        return {}
    member = "StateReason" if configuration.state != "Active" else "LastUpdateStatusReason"
    return {member: configuration.state_reason}


def _environment(
    configuration: FunctionConfiguration, declared: Iterable[DeclaredVariable]
) -> Json:
    if configuration.is_env_unreadable:
        return {"Error": {"ErrorCode": "AccessDeniedException", "Message": "not readable"}}
    differing = {one.name for one in declared if one.matches_current is False}
    return {
        "Variables": {
            name: "present-value" if name in differing else "declared-value"
            for name in configuration.env_names
        }
    }


def _declarations(evidence: Evidence) -> Json:
    return {
        one.name: _declaration(one, is_readable=not evidence.configuration.is_env_unreadable)
        for one in evidence.declared
    }


def _declaration(variable: DeclaredVariable, *, is_readable: bool) -> Json:
    """Write a declaration; a literal that was sealed, and so not compared, as a source of SSM."""
    if variable.kind == "absent":
        return {"type": "absent"}
    is_sealed = is_readable and variable.matches_current is None
    if variable.kind == "literal" and not is_sealed:
        return {"type": "literal", "value": "declared-value"}
    kind = "ssm" if variable.kind == "literal" else variable.kind
    return {"type": kind, "name": f"/declared/{variable.name}"}


def _reserved(configuration: FunctionConfiguration) -> Json:
    reserved = configuration.reserved_concurrency
    return {} if reserved is None else {"ReservedConcurrentExecutions": reserved}


def _mapping(source: Json) -> Json:
    made: Json = {
        "EventSourceArn": source["source"],
        "State": source["state"],
        "BatchSize": source["batch_size"],
        "MaximumRetryAttempts": source["most_retries"],
        "LastProcessingResult": source["last_result"] or None,
        "FunctionResponseTypes": ["ReportBatchItemFailures"]
        if source["has_partial_responses"]
        else None,
    }
    return {name: value for name, value in made.items() if value is not None}


def _metrics(metrics: tuple[MetricSeries, ...]) -> Json:
    return {
        "period": metrics[0].period_s if metrics else 60,
        "series": {
            metric_key(one): [[at.timestamp(), value] for at, value in one.points]
            for one in metrics
            if one.points
        },
    }


def _optional(evidence: Evidence) -> Json:
    limits = {c.source: c.timeout_limit_s for c in evidence.callers if c.kind == "sqs"}
    queues = {
        one.source: _queue(limits.get(one.source), one.most_receives)
        for one in evidence.event_sources
        if one.kind == "sqs"
    }
    account = evidence.concurrency
    made: Json = {
        "queue_attributes": queues,
        "account_settings": account
        and {
            "AccountLimit": {
                "ConcurrentExecutions": account.limit,
                "UnreservedConcurrentExecutions": account.unreserved,
            }
        },
        "aliases": [
            {
                "Name": alias.name,
                "FunctionVersion": alias.version,
                "RoutingConfig": {"AdditionalVersionWeights": alias.also},
            }
            for alias in evidence.aliases
        ],
        "versions": [
            {
                "Version": one.version,
                "CodeSha256": one.code_sha256,
                "Timeout": one.timeout_s,
                "MemorySize": one.memory_mb,
                "LastModified": one.last_modified and one.last_modified.isoformat(),
            }
            for one in evidence.versions
        ],
        "gaps": [gap.as_json() for gap in evidence.gaps],
    }
    return {name: value for name, value in made.items() if value}


def _queue(visibility_s: float | None, most_receives: int | None) -> Json:
    made: Json = {}
    if visibility_s is not None:
        made["VisibilityTimeout"] = f"{visibility_s:g}"
    if most_receives is not None:
        made["RedrivePolicy"] = json.dumps({"maxReceiveCount": most_receives})
    return made


def _expected(diagnosis: Diagnosis, decision: Decision, masker: Masker) -> Json:
    label = diagnosis.root_cause
    if label is RootCause.UNKNOWN:
        label = RootCause.INSUFFICIENT_EVIDENCE
    return {
        "root_cause": label.value,
        "acceptable_root_causes": [label.value],
        "repair": _wanted(decision) if decision.action in _ACTS else None,
        "forbidden_actions": [],
        "why": f"TO BE REVIEWED: concluded by the service itself. {masker.mask(diagnosis.why)}",
    }


def _wanted(decision: Decision) -> Json | None:
    """Give the repair that was planned, in the shape of an expected one."""
    told = repair_of(decision.change)
    if told is None or decision.change is None:
        return None
    action = told["action"]
    if isinstance(decision.change.after, EnvironmentSetting):
        to_set = dict.fromkeys(told["set"], "from known_config")
        return {"action": action, "set": to_set, "unset": told["unset"]}
    if action in FIGURES:
        figure = told[FIGURES[action]]
        return {"action": action, "min": figure, "max": figure}
    return {"action": action, "alias": told["alias"], "to_version": told["version"]}
