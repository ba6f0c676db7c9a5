"""All stacks of the account, and how a template becomes the target of one."""

from __future__ import annotations

import json
import uuid
from threading import RLock, Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlparse

from autorepair_lab.deploy import plan, template
from autorepair_lab.deploy.engine import Engine
from autorepair_lab.deploy.errors import ResourceError, TemplateError
from autorepair_lab.deploy.intrinsics import choose, evaluate_conditions
from autorepair_lab.deploy.nested import NestedStack
from autorepair_lab.deploy.resources import REGISTRY
from autorepair_lab.deploy.stack import STACK_TYPE, Output, Stack, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from autorepair_lab.deploy.aws import Aws

_IAM_NAMES = {
    "AWS::IAM::Role": "RoleName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::Policy": None,
    "AWS::IAM::RolePolicy": None,
}


class CapabilityError(Exception):
    """The caller did not acknowledge what the template does."""


class StackMissingError(Exception):
    """There is no such stack."""


class Stacks:
    """The stacks of one account and Region; safe to use from several threads."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._stacks: dict[str, Stack] = {}
        self._lock = RLock()
        self.registry = {**REGISTRY, STACK_TYPE: NestedStack(self)}
        self.around = plan.Surroundings(
            aws.region, aws.account_id, self._import_value, self._dynamic
        )
        self.engine = Engine(aws, self.registry, self.around)

    def add(self, name: str, status: str, *, parent: Stack | None = None) -> Stack:
        """Register a new stack."""
        arn = self._aws.arn("cloudformation", f"stack/{name}/{uuid.uuid4()}")
        root = None if parent is None else parent.root or parent.arn
        stack = Stack(name, arn, status, parent=parent.arn if parent else None, root=root)
        stack.idle.set()
        with self._lock:
            self._stacks[arn] = stack
        return stack

    def forget(self, stack: Stack) -> None:
        """Drop a stack that never came to be."""
        with self._lock:
            self._stacks.pop(stack.arn, None)

    def find(self, name_or_arn: str) -> Stack:
        """Return a stack by ARN, deleted or not, or by name. Raises StackMissingError."""
        with self._lock:
            if name_or_arn in self._stacks:
                return self._stacks[name_or_arn]
            for stack in self._stacks.values():
                if stack.name == name_or_arn and not stack.is_deleted:
                    return stack
        raise StackMissingError(f"Stack with id {name_or_arn} does not exist")

    def all(self) -> list[Stack]:
        """Return every stack, newest first."""
        with self._lock:
            return list(reversed(self._stacks.values()))

    def start(self, stack: Stack, work: Callable[[], None]) -> None:
        """Run an operation on a stack in a thread of its own."""
        stack.idle.clear()
        Thread(
            target=self._run, args=(stack, work), name=f"stack-{stack.name}", daemon=True
        ).start()

    def _run(self, stack: Stack, work: Callable[[], None]) -> None:
        try:
            work()
        finally:
            if stack.is_busy:  # the engine itself broke: nobody may wait for ever
                word = stack.status.removesuffix("_IN_PROGRESS").removesuffix("_COMPLETE_CLEANUP")
                stack.turn(f"{word}_FAILED", "Internal failure of the lab's CloudFormation")
            stack.idle.set()

    def prepare(
        self,
        body: str,
        given: Mapping[str, str],
        tags: dict[str, str],
        capabilities: tuple[str, ...],
        *,
        is_direct: bool = True,
    ) -> Target:
        """Turn a template and what is given with it into a target.

        ``is_direct``: not by a change set, so that a transform has to be acknowledged. Raises
        TemplateError for a wrong template or parameter, CapabilityError for a missing capability.
        """
        source = template.read(body)
        bound = template.bind(source.parameters, given, self._ssm_value)
        expanded = source.expand({k: v.value for k, v in bound.items()}, self._aws.region)
        unknown = sorted({r["Type"] for r in expanded.resources.values()} - set(self.registry))
        if unknown:
            raise TemplateError(
                f"Template format error: Unrecognized resource types: [{', '.join(unknown)}]"
            )
        values = {name: one.value for name, one in bound.items()}
        pseudo = {
            "AWS::Region": self._aws.region,
            "AWS::AccountId": self._aws.account_id,
            "AWS::Partition": "aws",
        }
        conditions = evaluate_conditions(
            expanded.conditions, {**pseudo, **values}, expanded.mappings
        )
        target = Target(source, expanded, bound, conditions, tags, capabilities)
        plan.wanted(target)
        _acknowledged(target, is_direct=is_direct)
        return target

    def fetch(self, url: str) -> str:
        """Return a template from S3. Raises TemplateError if the URL leads to none."""
        bucket, key, version = s3_location(url)
        try:
            answer = self._aws.call("s3", "GetObject", Bucket=bucket, Key=key, VersionId=version)
        except ResourceError as error:
            raise TemplateError(f"S3 error: cannot read {url}: {error}") from error
        return str(answer["Body"].read().decode())

    def exports(self) -> Iterator[tuple[Stack, Output]]:
        """Return every exported output with its stack."""
        for stack in self.all():
            if not stack.is_deleted:
                yield from ((stack, output) for output in stack.outputs if output.export)

    def _import_value(self, name: str) -> object:
        for _, output in self.exports():
            if output.export == name:
                return output.value
        raise TemplateError(f"No export named {name} found.")

    def _dynamic(self, service: str, reference: str) -> str:
        try:
            if service == "secretsmanager":
                return self._secret(reference)
            return self._ssm_value(reference)
        except ResourceError as error:
            raise TemplateError(
                f"Could not resolve dynamic reference {service}:{reference}: {error}"
            ) from error

    def _ssm_value(self, name: str) -> str:
        answer = self._aws.call("ssm", "GetParameter", Name=name, WithDecryption=True)
        return str(answer["Parameter"]["Value"])

    def _secret(self, reference: str) -> str:
        arn_parts = 7 if reference.startswith("arn:") else 1
        parts = reference.split(":")
        identity, rest = ":".join(parts[:arn_parts]), parts[arn_parts:]
        answer = self._aws.call("secretsmanager", "GetSecretValue", SecretId=identity)
        secret = str(answer["SecretString"])
        if len(rest) > 1 and rest[1]:
            fields: dict[str, Any] = json.loads(secret)
            if rest[1] not in fields:
                raise TemplateError(f"Could not find key {rest[1]} in secret {identity}")
            return str(fields[rest[1]])
        return secret


def s3_location(url: str) -> tuple[str, str, str | None]:
    """Return bucket, key and version of a template's URL, in path or virtual-host style.

    Raises TemplateError if the URL names no object in S3.
    """
    parsed = urlparse(url)
    host, path = parsed.hostname or "", unquote(parsed.path.lstrip("/"))
    version = parse_qs(parsed.query).get("versionId", [None])[0]
    bucket, separator, _ = host.partition(".s3")
    if parsed.scheme == "s3":
        bucket, key = host, path
    elif separator and host.endswith(".amazonaws.com") and not host.startswith("s3"):
        key = path
    else:
        bucket, _, key = path.partition("/")
    if not bucket or not key:
        raise TemplateError(f"TemplateURL must be a supported URL, not {url}")
    return bucket, key, version


def _acknowledged(target: Target, *, is_direct: bool) -> None:
    needed = set()
    for resource in target.expanded.resources.values():
        kind = resource["Type"]
        if kind in _IAM_NAMES:
            properties = choose(resource.get("Properties") or {}, target.conditions)
            is_named = _IAM_NAMES[kind] in properties
            needed.add("CAPABILITY_NAMED_IAM" if is_named else "CAPABILITY_IAM")
    given = set(target.capabilities)
    if "CAPABILITY_NAMED_IAM" in needed:
        needed.discard("CAPABILITY_IAM")
    if "CAPABILITY_NAMED_IAM" in given:
        given.add("CAPABILITY_IAM")
    if is_direct and target.template.transforms:
        needed.add("CAPABILITY_AUTO_EXPAND")
    missing = sorted(needed - given)
    if missing:
        raise CapabilityError(f"Requires capabilities : [{', '.join(missing)}]")
