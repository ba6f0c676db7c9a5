"""Stacks, resources, events and change sets in the shapes of CloudFormation's answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autorepair_lab.deploy.aws import text
from autorepair_lab.deploy.template import SAM_TRANSFORM

if TYPE_CHECKING:
    from autorepair_lab.deploy.stack import (
        Change,
        ChangeSet,
        Stack,
        StackEvent,
        StackResource,
        Target,
    )
    from autorepair_lab.deploy.template import Template

Shape = dict[str, Any]
_HIDDEN = "****"


def stack_shape(stack: Stack) -> Shape:
    """Return a stack as DescribeStacks shows it."""
    target = stack.target
    return _given(
        {
            "StackId": stack.arn,
            "StackName": stack.name,
            "Description": target.template.description or None if target else None,
            "Parameters": parameters_shape(target),
            "CreationTime": stack.created_at,
            "LastUpdatedTime": stack.updated_at,
            "DeletionTime": stack.deleted_at,
            "RollbackConfiguration": {},
            "StackStatus": stack.status,
            "StackStatusReason": stack.reason,
            "DisableRollback": stack.is_rollback_disabled,
            "NotificationARNs": [],
            "Capabilities": list(stack.capabilities),
            "Outputs": [
                _given(
                    {
                        "OutputKey": output.key,
                        "OutputValue": output.value,
                        "Description": output.description,
                        "ExportName": output.export,
                    }
                )
                for output in stack.outputs
            ],
            "Tags": tags_shape(target),
            "EnableTerminationProtection": False,
            "ParentId": stack.parent,
            "RootId": stack.root,
            "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"},
        }
    )


def summary_shape(stack: Stack) -> Shape:
    """Return a stack as ListStacks shows it."""
    return _given(
        {
            "StackId": stack.arn,
            "StackName": stack.name,
            "CreationTime": stack.created_at,
            "LastUpdatedTime": stack.updated_at,
            "DeletionTime": stack.deleted_at,
            "StackStatus": stack.status,
            "StackStatusReason": stack.reason,
            "ParentId": stack.parent,
            "RootId": stack.root,
        }
    )


def parameters_shape(target: Target | None) -> list[Shape]:
    """Return the parameters a target was given, secrets hidden."""
    if target is None:
        return []
    return [
        {"ParameterKey": name, "ParameterValue": _HIDDEN if bound.is_secret else bound.given}
        for name, bound in target.parameters.items()
    ]


def tags_shape(target: Target | None) -> list[Shape]:
    """Return a target's tags."""
    tags = target.tags if target else {}
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def resource_shape(stack: Stack, resource: StackResource) -> Shape:
    """Return a resource as DescribeStackResources shows it."""
    return _given(
        {
            "StackName": stack.name,
            "StackId": stack.arn,
            "LogicalResourceId": resource.logical_id,
            "PhysicalResourceId": resource.physical_id,
            "ResourceType": resource.type,
            "Timestamp": resource.updated_at,
            "LastUpdatedTimestamp": resource.updated_at,
            "ResourceStatus": resource.status,
            "ResourceStatusReason": resource.reason,
            "DriftInformation": {"StackResourceDriftStatus": "NOT_CHECKED"},
        }
    )


def event_shape(stack: Stack, event: StackEvent) -> Shape:
    """Return one event."""
    return _given(
        {
            "StackId": stack.arn,
            "EventId": event.event_id,
            "StackName": stack.name,
            "LogicalResourceId": event.logical_id,
            "PhysicalResourceId": event.physical_id,
            "ResourceType": event.type,
            "Timestamp": event.at,
            "ResourceStatus": event.status,
            "ResourceStatusReason": event.reason,
        }
    )


def change_set_shape(stack: Stack, change_set: ChangeSet) -> Shape:
    """Return a change set as DescribeChangeSet shows it."""
    return _given(
        {
            "ChangeSetName": change_set.name,
            "ChangeSetId": change_set.arn,
            "StackId": stack.arn,
            "StackName": stack.name,
            "Description": change_set.description,
            "Parameters": parameters_shape(change_set.target),
            "CreationTime": change_set.created_at,
            "ExecutionStatus": change_set.execution,
            "Status": change_set.status,
            "StatusReason": change_set.reason,
            "NotificationARNs": [],
            "RollbackConfiguration": {},
            "Capabilities": list(change_set.target.capabilities),
            "Tags": tags_shape(change_set.target),
            "Changes": [_change_shape(change) for change in change_set.changes],
            "IncludeNestedStacks": False,
            "OnStackFailure": change_set.on_failure,
        }
    )


def _change_shape(change: Change) -> Shape:
    details = [
        {"Target": {"Attribute": "Properties", "Name": name}, "ChangeSource": "DirectModification"}
        for name in change.scope
    ]
    return {
        "Type": "Resource",
        "ResourceChange": _given(
            {
                "Action": change.action,
                "LogicalResourceId": change.logical_id,
                "PhysicalResourceId": change.physical_id,
                "ResourceType": change.type,
                "Replacement": change.replacement,
                "Scope": ["Properties"] if change.scope else [],
                "Details": details,
            }
        ),
    }


def template_summary(template: Template) -> Shape:
    """Return what GetTemplateSummary says about a template."""
    types = sorted({resource["Type"] for resource in template.resources.values()})
    needs_iam = any(kind.startswith(("AWS::IAM::", "AWS::Serverless::")) for kind in types)
    needed = ["CAPABILITY_IAM"] if needs_iam else []
    if SAM_TRANSFORM in template.transforms:
        needed.append("CAPABILITY_AUTO_EXPAND")
    return _given(
        {
            "Description": template.description or None,
            "Parameters": [_declared(name, spec) for name, spec in template.parameters.items()],
            "ResourceTypes": types,
            "Capabilities": needed,
            "DeclaredTransforms": template.transforms,
            "Version": str(template.document.get("AWSTemplateFormatVersion", "2010-09-09")),
        }
    )


def validation(template: Template) -> Shape:
    """Return what ValidateTemplate says about a template."""
    summary = template_summary(template)
    parameters = [
        {
            key: value
            for key, value in one.items()
            if key not in ("ParameterType", "ParameterConstraints")
        }
        for one in summary["Parameters"]
    ]
    kept = ("Description", "Capabilities", "DeclaredTransforms")
    return {**{k: summary[k] for k in kept if k in summary}, "Parameters": parameters}


def _declared(name: str, spec: Shape) -> Shape:
    allowed = spec.get("AllowedValues")
    return _given(
        {
            "ParameterKey": name,
            "DefaultValue": text(spec["Default"]) if "Default" in spec else None,
            "ParameterType": str(spec.get("Type", "String")),
            "NoEcho": text(spec.get("NoEcho", False)).lower() == "true",
            "Description": spec.get("Description"),
            "ParameterConstraints": {"AllowedValues": [text(a) for a in allowed]}
            if allowed
            else {},
        }
    )


def _given(shape: Shape) -> Shape:
    return {key: value for key, value in shape.items() if value is not None}
