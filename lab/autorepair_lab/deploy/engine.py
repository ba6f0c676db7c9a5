"""Brings a stack to its target, and back when that fails."""

from __future__ import annotations

import copy
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from autorepair_lab.deploy.aws import text
from autorepair_lab.deploy.errors import ResourceError, TemplateError
from autorepair_lab.deploy.intrinsics import resolve
from autorepair_lab.deploy.plan import (
    Surroundings,
    Wanted,
    check_replacement,
    differing,
    ordered,
    policy,
    properties_of,
    scope_of,
    sorter,
    wanted,
)
from autorepair_lab.deploy.resources.base import Made, Work
from autorepair_lab.deploy.stack import Output, Stack, StackResource, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from autorepair_lab.deploy.aws import Aws
    from autorepair_lab.deploy.intrinsics import Scope
    from autorepair_lab.deploy.resources.base import Properties, ResourceType

_WORKERS = 4
T = TypeVar("T")


@dataclass(frozen=True)
class Step:
    """One thing done to a stack: what was there before, what is there now."""

    before: StackResource | None
    after: StackResource
    is_replacement: bool = False


class Engine:
    """Makes, changes and removes the resources of stacks by calls to the account."""

    def __init__(
        self, aws: Aws, registry: Mapping[str, ResourceType], around: Surroundings
    ) -> None:
        self.aws = aws
        self.registry = registry
        self.around = around

    def create(self, stack: Stack, target: Target) -> None:
        """Create everything; on failure remove it again, unless rollback is disabled."""
        stack.turn("CREATE_IN_PROGRESS", "User Initiated")
        run = Run(self, stack, target)
        try:
            run.forward()
            stack.outputs = run.outputs()
        except (ResourceError, TemplateError) as error:
            if stack.is_rollback_disabled:
                stack.turn("CREATE_FAILED", str(error))
                return
            stack.turn("ROLLBACK_IN_PROGRESS", f"{error} Rollback requested by user.")
            failed = run.backward()
            if failed:
                stack.turn("ROLLBACK_FAILED", _failed_to("delete", failed))
            else:
                stack.turn("ROLLBACK_COMPLETE")
            return
        stack.target = target
        stack.turn("CREATE_COMPLETE")

    def update(self, stack: Stack, target: Target) -> None:
        """Change what differs; on failure go back to what was."""
        stack.turn("UPDATE_IN_PROGRESS", "User Initiated")
        run = Run(self, stack, target)
        try:
            run.forward()
            outputs = run.outputs()
        except (ResourceError, TemplateError) as error:
            if stack.is_rollback_disabled:
                stack.turn("UPDATE_FAILED", str(error))
                return
            stack.turn("UPDATE_ROLLBACK_IN_PROGRESS", str(error))
            failed = run.backward()
            if failed:
                stack.turn("UPDATE_ROLLBACK_FAILED", _failed_to("roll back", failed))
            else:
                stack.turn("UPDATE_ROLLBACK_COMPLETE")
            return
        stack.outputs, stack.target = outputs, target
        stack.turn("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        run.clean_up()
        stack.turn("UPDATE_COMPLETE")

    def delete(self, stack: Stack) -> None:
        """Remove everything that is not retained."""
        stack.turn("DELETE_IN_PROGRESS", "User Initiated")
        failed = self.remove_all(stack, list(stack.resources))
        if failed:
            stack.turn("DELETE_FAILED", _failed_to("delete", failed))
        else:
            stack.turn("DELETE_COMPLETE")

    def remove_all(self, stack: Stack, names: list[str]) -> list[str]:
        """Remove the named resources, dependents first; return those that could not be."""
        needs = {name: stack.resources[name].depends_on for name in names}
        return [
            name
            for name in reversed(ordered(needs))
            if not self.remove(
                stack, stack.resources[name], retained=("Retain", "RetainExceptOnCreate")
            )
        ]

    def remove(self, stack: Stack, resource: StackResource, *, retained: tuple[str, ...]) -> bool:
        """Remove one resource unless its deletion policy is among ``retained``."""
        if resource.deletion_policy in retained:
            stack.note(resource, "DELETE_SKIPPED")
        else:
            stack.note(resource, "DELETE_IN_PROGRESS")
            try:
                self.destroy(stack, resource)
            except ResourceError as error:
                stack.note(resource, "DELETE_FAILED", str(error))
                return False
            stack.note(resource, "DELETE_COMPLETE")
        with stack.lock:
            if stack.resources.get(resource.logical_id) is resource:
                del stack.resources[resource.logical_id]
        return True

    def destroy(self, stack: Stack, resource: StackResource) -> None:
        """Remove what a record stands for. Raises ResourceError when the account refuses."""
        if not resource.physical_id:
            return
        work = self.work(stack, resource.logical_id, resource.properties)
        made = Made(resource.physical_id, resource.attributes)
        _guarded(lambda: self.registry[resource.type].delete(work, made))

    def work(self, stack: Stack, logical_id: str, properties: Properties) -> Work:
        """Return the work of one resource, on a copy of its properties."""
        return Work(self.aws, stack.name, stack.arn, logical_id, copy.deepcopy(properties))


class Run:
    """One operation on one stack, with a journal of what it did."""

    def __init__(self, engine: Engine, stack: Stack, target: Target) -> None:
        self._engine = engine
        self._stack = stack
        self._target = target
        self._wanted: dict[str, Wanted] = {}
        self._journal: list[Step] = []
        self._scope: Scope = scope_of(stack, target, engine.around, self._find)

    def forward(self) -> None:
        """Make and change resources, each as soon as those it needs are there.

        Raises ResourceError naming what failed; what runs at that moment is let finish.
        """
        self._wanted = wanted(self._target)
        graph = sorter({name: one.depends_on for name, one in self._wanted.items()})
        running: dict[Future[None], str] = {}
        failed: list[str] = []
        with ThreadPoolExecutor(_WORKERS) as pool:
            while running or (graph.is_active() and not failed):
                if not failed:
                    for name in graph.get_ready():
                        running[pool.submit(self._bring, self._wanted[name])] = name
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    name = running.pop(future)
                    try:
                        future.result()
                    except ResourceError:
                        failed.append(name)
                    else:
                        graph.done(name)
        if failed:
            raise ResourceError(_failed_to(self._verb(), failed))

    def backward(self) -> list[str]:
        """Undo the journal, latest first; return what could not be undone."""
        failed = []
        for step in reversed(self._journal):
            resource = step.after
            if step.before is None or step.is_replacement:
                is_undone = self._engine.remove(self._stack, resource, retained=("Retain",))
                if step.before is not None and is_undone:
                    self._put(step.before)
            else:
                is_undone = self._restore(step.before, resource)
            if not is_undone:
                failed.append(resource.logical_id)
        return failed

    def clean_up(self) -> None:
        """Remove what was replaced and what the target no longer names."""
        for step in reversed(self._journal):
            if step.is_replacement and step.before is not None:
                old = step.before
                old.deletion_policy = old.replace_policy
                self._engine.remove(self._stack, old, retained=("Retain",))
        gone = [name for name in self._stack.resources if name not in self._wanted]
        self._engine.remove_all(self._stack, gone)

    def outputs(self) -> list[Output]:
        """Resolve the outputs. Raises TemplateError for one that cannot be."""
        result = []
        for key, spec in self._target.expanded.outputs.items():
            if "Condition" in spec and not self._target.conditions[str(spec["Condition"])]:
                continue
            value = resolve(spec.get("Value"), self._scope)
            if isinstance(value, list | dict) or value is None:
                raise TemplateError(f"Template format error: Output {key} is not a string")
            export = resolve((spec.get("Export") or {}).get("Name"), self._scope)
            description = spec.get("Description")
            result.append(
                Output(
                    key,
                    text(value),
                    None if description is None else str(description),
                    None if export is None else text(export),
                )
            )
        return result

    def _find(self, logical_id: str) -> StackResource:
        found = self._stack.resources.get(logical_id)
        if found is None:
            raise TemplateError(
                f"Template format error: Unresolved resource dependencies [{logical_id}]"
            )
        return found

    def _verb(self) -> str:
        return "create" if self._stack.status.startswith("CREATE") else "update"

    def _bring(self, one: Wanted) -> None:
        """Bring one resource to what the target wants. Raises ResourceError."""
        kind = self._engine.registry[one.type]
        before = self._stack.resources.get(one.logical_id)
        record = StackResource(one.logical_id, one.type, "", {}, {}, one.depends_on)
        try:
            self._describe(one, kind, record)
            if before is None:
                self._create(kind, record)
                return
            changed = differing(before.properties, record.properties)
            if before.type == one.type and not changed:
                before.depends_on = record.depends_on
                before.deletion_policy = record.deletion_policy
                before.replace_policy = record.replace_policy
            elif before.type == one.type and not kind.replaces(changed):
                self._change(kind, before, record)
            else:
                check_replacement(kind, before, record.properties)
                self._create(kind, record, replaced=before)
        except (ResourceError, TemplateError) as error:
            word = "CREATE_FAILED" if before is None else "UPDATE_FAILED"
            self._stack.note(record, word, str(error))
            raise ResourceError(str(error)) from error

    def _describe(self, one: Wanted, kind: ResourceType, record: StackResource) -> None:
        record.properties = properties_of(one, kind, self._scope, self._target.tags)
        record.deletion_policy = policy(one.deletion_policy, self._scope)
        record.replace_policy = policy(one.replace_policy, self._scope)
        kind.check(record.properties)

    def _create(
        self, kind: ResourceType, record: StackResource, replaced: StackResource | None = None
    ) -> None:
        word = "CREATE" if replaced is None else "UPDATE"
        reason = None if replaced is None else "Requested update requires a new physical resource"
        self._stack.note(record, f"{word}_IN_PROGRESS", reason)
        work = self._engine.work(self._stack, record.logical_id, record.properties)
        try:
            made = _guarded(lambda: kind.create(work))
        finally:
            # What exists is remembered even if the rest failed, so that it can be removed.
            if work.adopted is not None:
                self._remember(record, work.adopted, replaced)
        if work.adopted is None:
            self._remember(record, made, replaced)
        record.physical_id, record.attributes = made.physical_id, made.attributes
        self._stack.note(record, f"{word}_COMPLETE")

    def _remember(self, record: StackResource, made: Made, replaced: StackResource | None) -> None:
        record.physical_id, record.attributes = made.physical_id, made.attributes
        with self._stack.lock:
            self._stack.resources[record.logical_id] = record
            self._journal.append(Step(replaced, record, is_replacement=replaced is not None))

    def _change(self, kind: ResourceType, before: StackResource, record: StackResource) -> None:
        record.physical_id, record.attributes = before.physical_id, before.attributes
        self._stack.note(record, "UPDATE_IN_PROGRESS")
        with self._stack.lock:
            self._journal.append(Step(before, record))
            self._stack.resources[record.logical_id] = record
        self._apply(kind, before, record)
        self._stack.note(record, "UPDATE_COMPLETE")

    def _apply(self, kind: ResourceType, before: StackResource, record: StackResource) -> None:
        work = self._engine.work(self._stack, record.logical_id, record.properties)
        made = Made(before.physical_id, before.attributes)
        old = copy.deepcopy(before.properties)
        updated = _guarded(lambda: kind.update(work, made, old))
        record.physical_id, record.attributes = updated.physical_id, updated.attributes

    def _restore(self, before: StackResource, current: StackResource) -> bool:
        self._stack.note(current, "UPDATE_IN_PROGRESS")
        try:
            self._apply(self._engine.registry[before.type], current, before)
        except ResourceError as error:
            self._stack.note(current, "UPDATE_FAILED", str(error))
            return False
        self._put(before)
        self._stack.note(before, "UPDATE_COMPLETE")
        return True

    def _put(self, resource: StackResource) -> None:
        with self._stack.lock:
            self._stack.resources[resource.logical_id] = resource


def _guarded(act: Callable[[], T]) -> T:
    """Run a handler; a property of the wrong form becomes a ResourceError."""
    try:
        return act()
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ResourceError(f"Model validation failed ({type(error).__name__}: {error})") from error


def _failed_to(verb: str, names: list[str]) -> str:
    return f"The following resource(s) failed to {verb}: [{', '.join(names)}]."
