"""The CloudFormation API as `sam deploy`, boto3 and the AWS command line speak it."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from autorepair_lab.account.call import Call, ErrorReply, Interceptor, Reply
from autorepair_lab.deploy import answers, plan, template
from autorepair_lab.deploy.aws import Aws
from autorepair_lab.deploy.errors import TemplateError
from autorepair_lab.deploy.stack import ChangeSet, Stack, Target, now
from autorepair_lab.deploy.stacks import CapabilityError, StackMissingError, Stacks

if TYPE_CHECKING:
    from collections.abc import Callable

Parameters = dict[str, Any]
# Clients that poll every 15 s (sam's own bucket stack) find a small stack ready at the first look.
_GRACE_S = 1.0
_NO_CHANGES = (
    "The submitted information didn't contain changes. "
    "Submit different information to create a change set."
)
_UPDATABLE = frozenset(
    {
        "CREATE_COMPLETE",
        "UPDATE_COMPLETE",
        "UPDATE_ROLLBACK_COMPLETE",
        "UPDATE_FAILED",
        "CREATE_FAILED",
        "IMPORT_COMPLETE",
    }
)


class _RefusedError(Exception):
    """A call that CloudFormation refuses, with the code it does so by."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.reply = ErrorReply(code, message, status)


class CloudFormation(Interceptor):
    """Answers every CloudFormation call; the work itself runs in threads."""

    def __init__(self, *, endpoint: Callable[[], str], region: str, account_id: str) -> None:
        self._aws = Aws(endpoint, region, account_id)
        self.stacks = Stacks(self._aws)
        self._operations: dict[str, Callable[[Parameters], Parameters]] = {
            "CreateChangeSet": self._create_change_set,
            "CreateStack": self._create_stack,
            "DeleteChangeSet": self._delete_change_set,
            "DeleteStack": self._delete_stack,
            "DescribeChangeSet": self._describe_change_set,
            "DescribeStackEvents": self._describe_stack_events,
            "DescribeStackResource": self._describe_stack_resource,
            "DescribeStackResources": self._describe_stack_resources,
            "DescribeStacks": self._describe_stacks,
            "ExecuteChangeSet": self._execute_change_set,
            "GetTemplate": self._get_template,
            "GetTemplateSummary": self._get_template_summary,
            "ListChangeSets": self._list_change_sets,
            "ListExports": self._list_exports,
            "ListStackResources": self._list_stack_resources,
            "ListStacks": self._list_stacks,
            "UpdateStack": self._update_stack,
            "ValidateTemplate": self._validate_template,
        }

    def handle(self, call: Call) -> Reply | ErrorReply | None:
        """Answer a CloudFormation call, also those it does not know; None for other services."""
        if call.service != "cloudformation":
            return None
        operation = self._operations.get(call.operation)
        if operation is None:
            return ErrorReply(
                "UnsupportedOperation",
                f"The lab's CloudFormation has no {call.operation}; see CloudFormation in "
                "autorepair_lab/deploy/cloudformation.py for what it answers.",
            )
        try:
            return Reply(operation(call.parameters))
        except (TemplateError, StackMissingError) as error:
            return ErrorReply("ValidationError", str(error))
        except CapabilityError as error:
            return ErrorReply("InsufficientCapabilitiesException", str(error))
        except _RefusedError as error:
            return error.reply

    def _target(self, given: Parameters, stack: Stack | None, *, is_direct: bool) -> Target:
        previous = stack.target if stack else None
        if given.get("TemplateBody"):
            body = str(given["TemplateBody"])
        elif given.get("TemplateURL"):
            body = self.stacks.fetch(str(given["TemplateURL"]))
        elif given.get("UsePreviousTemplate") and previous:
            body = previous.template.body
        else:
            raise TemplateError("Either Template URL or Template Body must be specified.")
        tags = {tag["Key"]: tag["Value"] for tag in given.get("Tags") or []}
        if "Tags" not in given and previous:
            tags = previous.tags
        capabilities = tuple(given.get("Capabilities") or ())
        parameters = _given_parameters(given, previous)
        return self.stacks.prepare(body, parameters, tags, capabilities, is_direct=is_direct)

    def _create_stack(self, given: Parameters) -> Parameters:
        name = _required(given, "StackName")
        self._must_be_free(name)
        target = self._target(given, None, is_direct=True)
        stack = self.stacks.add(name, "CREATE_IN_PROGRESS")
        stack.is_rollback_disabled = bool(
            given.get("DisableRollback") or given.get("OnFailure") == "DO_NOTHING"
        )
        self._begin(stack, target, is_deleted_on_failure=given.get("OnFailure") == "DELETE")
        return {"StackId": stack.arn}

    def _update_stack(self, given: Parameters) -> Parameters:
        stack = self._updatable(_required(given, "StackName"))
        target = self._target(given, stack, is_direct=True)
        if not self._changes(stack, target):
            raise TemplateError("No updates are to be performed.")
        stack.is_rollback_disabled = bool(given.get("DisableRollback"))
        self._begin(stack, target)
        return {"StackId": stack.arn}

    def _delete_stack(self, given: Parameters) -> Parameters:
        try:
            stack = self.stacks.find(_required(given, "StackName"))
        except StackMissingError:
            return {}
        if stack.is_deleted:
            return {}
        if stack.is_busy:
            raise TemplateError(
                f"Stack {stack.arn} is in {stack.status} state and cannot be deleted."
            )
        used = [
            o.export for s, o in self.stacks.exports() if s is stack and self._is_used(o.export)
        ]
        if used:
            raise TemplateError(f"Export {used[0]} cannot be deleted as it is in use.")
        stack.deleted_at = now()
        self.stacks.start(stack, lambda: self.stacks.engine.delete(stack))
        stack.idle.wait(_GRACE_S)
        return {}

    def _is_used(self, export: str | None) -> bool:
        wanted = f'"Fn::ImportValue": "{export}"'
        return any(
            stack.target is not None and wanted in json.dumps(stack.target.expanded.document)
            for stack in self.stacks.all()
            if not stack.is_deleted
        )

    def _create_change_set(self, given: Parameters) -> Parameters:
        name, kind = _required(given, "StackName"), given.get("ChangeSetType", "UPDATE")
        stack = self._stack_for_change_set(name, kind)
        try:
            target = self._target(given, stack, is_direct=False)
            changes = self._changes(stack, target)
        except (TemplateError, CapabilityError):
            if stack.status == "REVIEW_IN_PROGRESS" and not stack.change_sets:
                self.stacks.forget(stack)
            raise
        label = _required(given, "ChangeSetName")
        if label in stack.change_sets:
            raise _RefusedError(
                "AlreadyExistsException", f"ChangeSet {label} cannot be created, it exists."
            )
        arn = self._aws.arn("cloudformation", f"changeSet/{label}/{uuid.uuid4()}")
        change_set = ChangeSet(
            label,
            arn,
            kind,
            target,
            changes,
            given.get("Description"),
            on_failure=given.get("OnStackFailure"),
        )
        if not changes and kind == "UPDATE":
            change_set.status, change_set.execution = "FAILED", "UNAVAILABLE"
            change_set.reason = _NO_CHANGES
        stack.change_sets[label] = change_set
        return {"Id": arn, "StackId": stack.arn}

    def _stack_for_change_set(self, name: str, kind: str) -> Stack:
        if kind == "UPDATE":
            return self._updatable(name)
        if kind != "CREATE":
            raise TemplateError(f"The lab makes change sets of type CREATE and UPDATE, not {kind}.")
        try:
            stack = self.stacks.find(name)
        except StackMissingError:
            stack = self.stacks.add(name, "REVIEW_IN_PROGRESS")
            stack.turn("REVIEW_IN_PROGRESS", "User Initiated")
            return stack
        if stack.status != "REVIEW_IN_PROGRESS":
            self._must_be_free(name)
        return stack

    def _execute_change_set(self, given: Parameters) -> Parameters:
        stack, change_set = self._change_set(given)
        if change_set.execution != "AVAILABLE":
            raise _RefusedError(
                "InvalidChangeSetStatus",
                f"ChangeSet [{change_set.arn}] cannot be executed in its current status of "
                f"[{change_set.status}]",
            )
        stack.is_rollback_disabled = bool(
            given.get("DisableRollback") or change_set.on_failure == "DO_NOTHING"
        )
        change_set.execution = "EXECUTE_COMPLETE"
        stack.change_sets = {change_set.name: change_set}
        is_deleted = change_set.kind == "CREATE" and change_set.on_failure == "DELETE"
        self._begin(stack, change_set.target, is_deleted_on_failure=is_deleted)
        return {}

    def _delete_change_set(self, given: Parameters) -> Parameters:
        stack, change_set = self._change_set(given)
        del stack.change_sets[change_set.name]
        return {}

    def _begin(self, stack: Stack, target: Target, *, is_deleted_on_failure: bool = False) -> None:
        stack.capabilities = target.capabilities
        is_new = stack.target is None
        if is_new:
            stack.target = target
        else:
            stack.updated_at = now()

        def work() -> None:
            if is_new:
                self.stacks.engine.create(stack, target)
                if is_deleted_on_failure and stack.status != "CREATE_COMPLETE":
                    self.stacks.engine.delete(stack)
            else:
                self.stacks.engine.update(stack, target)

        self.stacks.start(stack, work)
        stack.idle.wait(_GRACE_S)

    def _describe_stacks(self, given: Parameters) -> Parameters:
        name = given.get("StackName")
        if name:
            return {"Stacks": [answers.stack_shape(self.stacks.find(name))]}
        live = [stack for stack in self.stacks.all() if not stack.is_deleted]
        return {"Stacks": [answers.stack_shape(stack) for stack in live]}

    def _list_stacks(self, given: Parameters) -> Parameters:
        statuses = given.get("StackStatusFilter") or []
        chosen = [s for s in self.stacks.all() if not statuses or s.status in statuses]
        return {"StackSummaries": [answers.summary_shape(stack) for stack in chosen]}

    def _describe_stack_events(self, given: Parameters) -> Parameters:
        stack = self.stacks.find(_required(given, "StackName"))
        with stack.lock:
            events = list(reversed(stack.events))
        return {"StackEvents": [answers.event_shape(stack, event) for event in events]}

    def _describe_stack_resource(self, given: Parameters) -> Parameters:
        stack = self.stacks.find(_required(given, "StackName"))
        logical_id = _required(given, "LogicalResourceId")
        resource = stack.resources.get(logical_id)
        if resource is None:
            raise TemplateError(f"Resource {logical_id} does not exist for stack {stack.name}")
        return {"StackResourceDetail": answers.resource_shape(stack, resource)}

    def _describe_stack_resources(self, given: Parameters) -> Parameters:
        stacks = (
            [self.stacks.find(given["StackName"])] if given.get("StackName") else self.stacks.all()
        )
        logical_id, physical_id = given.get("LogicalResourceId"), given.get("PhysicalResourceId")
        found = [
            answers.resource_shape(stack, resource)
            for stack in stacks
            for resource in list(stack.resources.values())
            if logical_id in (None, resource.logical_id)
            and physical_id in (None, resource.physical_id)
        ]
        return {"StackResources": found}

    def _list_stack_resources(self, given: Parameters) -> Parameters:
        found = self._describe_stack_resources({"StackName": _required(given, "StackName")})
        return {"StackResourceSummaries": found["StackResources"]}

    def _describe_change_set(self, given: Parameters) -> Parameters:
        return answers.change_set_shape(*self._change_set(given))

    def _list_change_sets(self, given: Parameters) -> Parameters:
        stack = self.stacks.find(_required(given, "StackName"))
        shapes = [answers.change_set_shape(stack, one) for one in stack.change_sets.values()]
        return {"Summaries": shapes}

    def _list_exports(self, given: Parameters) -> Parameters:  # noqa: ARG002 - all fit one page
        exports = [
            {"ExportingStackId": stack.arn, "Name": output.export, "Value": output.value}
            for stack, output in self.stacks.exports()
        ]
        return {"Exports": exports}

    def _get_template(self, given: Parameters) -> Parameters:
        target = self._known_target(given)
        body = target.template.body
        if given.get("TemplateStage") == "Processed":
            body = json.dumps(target.expanded.document)
        return {"TemplateBody": body, "StagesAvailable": ["Original", "Processed"]}

    def _get_template_summary(self, given: Parameters) -> Parameters:
        if given.get("StackName"):
            return answers.template_summary(self._known_target(given).template)
        return answers.template_summary(self._read(given))

    def _validate_template(self, given: Parameters) -> Parameters:
        return answers.validation(self._read(given))

    def _read(self, given: Parameters) -> template.Template:
        body = given.get("TemplateBody") or self.stacks.fetch(_required(given, "TemplateURL"))
        return template.read(str(body))

    def _known_target(self, given: Parameters) -> Target:
        stack = self.stacks.find(_required(given, "StackName"))
        if given.get("ChangeSetName"):
            return self._change_set(given)[1].target
        if stack.target is None:
            raise TemplateError(f"Stack {stack.name} has no template yet: it is in review")
        return stack.target

    def _changes(self, stack: Stack, target: Target) -> list[Any]:
        return plan.changes(stack, target, self.stacks.around, self.stacks.registry)

    def _change_set(self, given: Parameters) -> tuple[Stack, ChangeSet]:
        label = _required(given, "ChangeSetName")
        name = given.get("StackName")
        for stack in [self.stacks.find(name)] if name else self.stacks.all():
            for change_set in stack.change_sets.values():
                if label in (change_set.name, change_set.arn):
                    return stack, change_set
        raise _RefusedError("ChangeSetNotFound", f"ChangeSet [{label}] does not exist", 404)

    def _must_be_free(self, name: str) -> None:
        try:
            stack = self.stacks.find(name)
        except StackMissingError:
            return
        raise _RefusedError("AlreadyExistsException", f"Stack [{stack.name}] already exists")

    def _updatable(self, name: str) -> Stack:
        stack = self.stacks.find(name)
        if stack.status not in _UPDATABLE:
            raise TemplateError(
                f"Stack:{stack.arn} is in {stack.status} state and can not be updated."
            )
        return stack


def _required(given: Parameters, name: str) -> str:
    value = given.get(name)
    if not value:
        raise TemplateError(f"1 validation error detected: Value at '{name}' must not be null")
    return str(value)


def _given_parameters(given: Parameters, previous: Target | None) -> dict[str, str]:
    values = {}
    for one in given.get("Parameters") or []:
        key = one["ParameterKey"]
        if not one.get("UsePreviousValue"):
            values[key] = one.get("ParameterValue", "")
        elif previous is not None and key in previous.parameters:
            values[key] = previous.parameters[key].given
        else:
            raise TemplateError(f"Parameters: [{key}] have no previous value")
    return values
