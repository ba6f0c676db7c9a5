"""What makes a repair permanent: the lines of a SAM or CloudFormation template.

A stack, a pipeline or Terraform puts its own values back at the next deployment, so every repair
owes its owner these lines. They hold no value of a variable: a declared one is referred to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from autorepair.domain.audit import AuditRecord, RecordKind
from autorepair.domain.change import (
    Absent,
    AliasMove,
    AliasSetting,
    Change,
    ChangeRecord,
    EnvironmentSetting,
    EphemeralStorageSetting,
    MemorySetting,
    ReservedConcurrencySetting,
    SealedValue,
    Setting,
    TimeoutSetting,
    VariableSource,
)
from autorepair.domain.declared_reference import DeclaredReference
from autorepair.domain.errors import NothingKeptError
from autorepair.domain.incident import Outcome
from autorepair.domain.value import Value
from autorepair.domain.verification import Verdict

References = Mapping[str, DeclaredReference]
"""Where declared values are kept, by variable; one that is not in it is said by a placeholder."""
NOWHERE: References = {}

_STACK_TAG, _RESOURCE_TAG = "aws:cloudformation:stack-name", "aws:cloudformation:logical-id"
HANDED_OVER = (
    "# Somebody changed the function before this was verified: check first that it stands."
)
_KEPT = {Outcome.REPAIRED.value, Outcome.UNVERIFIED.value}
# Read as true, false or nothing where they stand alone (YAML 1.1).
_NOT_A_PLAIN_KEY = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
# What CloudFormation takes in a dynamic reference: a colon would end the name.
_PARAMETER_NAME = re.compile(r"[A-Za-z0-9_./-]+")
_SECRET = re.compile(r"arn:[A-Za-z0-9:_/+=.@!-]+|[A-Za-z0-9_/+=.@!-]+")
_SECRET_KEY = re.compile(r"[^:{}'\s]+")


class Kept(Value):
    """What an incident left changed, all its steps together."""

    change: Change
    is_handed_over: bool = False
    """Whether somebody changed the function before it was verified, so that it may not stand."""


class Owner(Value):
    """The stack that a function belongs to, and its name there."""

    stack: str
    logical_id: str


def owner_of(tags: Mapping[str, str]) -> Owner | None:
    """Read from a function's tags which stack made it, if one did."""
    stack, logical_id = tags.get(_STACK_TAG), tags.get(_RESOURCE_TAG)
    return Owner(stack=stack, logical_id=logical_id) if stack and logical_id else None


def kept_change(records: Iterable[AuditRecord]) -> Kept:
    """Give what an incident changed and left in place, or to whoever changed the function since.

    Raises:
        NothingKeptError: It has not ended, or nothing of it is in place.
        ValueError: A record is of another version of the service.
    """
    outcome: str | None = None
    kept: Change | None = None
    is_handed_over = is_overtaken = False
    for record in records:
        entry = record.entry
        if entry.kind in {RecordKind.REPAIR_APPLIED, RecordKind.REPAIR_OVERTAKEN}:
            kept = ChangeRecord.model_validate(entry.data).in_place
            is_overtaken = entry.kind is RecordKind.REPAIR_OVERTAKEN
        elif entry.kind is RecordKind.ROLLBACK_DONE:
            kept = None
        elif entry.kind is RecordKind.REPAIR_VERIFIED:
            is_handed_over = entry.data.get("verdict") == Verdict.OVERTAKEN.value
        elif entry.kind is RecordKind.INCIDENT_CLOSED:
            outcome = entry.data.get("outcome")
    if outcome is None:
        raise NothingKeptError(
            "the incident has not ended: what it changes may still be taken back"
        )
    may_stand = is_handed_over and outcome == Outcome.ESCALATED.value
    if kept is None or not (may_stand or (outcome in _KEPT and not is_overtaken)):
        raise NothingKeptError(f"the incident ended as {outcome} and keeps no change in place")
    return Kept(change=kept, is_handed_over=may_stand)


def patch_of(
    change: Change, *, owner: Owner | None = None, references: References = NOWHERE
) -> str:
    """Give the resource with what has to be in it, as YAML; only comments where no property helps.

    The properties read the same in AWS::Serverless::Function and in AWS::Lambda::Function.
    """
    name = change.target.function_name
    where = (
        f"the resource {owner.logical_id} of the stack {owner.stack}"
        if owner
        else "wherever the function is defined: it carries no tag of a stack"
    )
    properties = _properties(change.after, references)
    lines = [f"# {name}: into {where}"]
    if properties:
        lines += [
            "# The type may also be AWS::Lambda::Function; whatever else is in the resource stays.",
            "Resources:",
            f"  {owner.logical_id if owner else _logical_id(name)}:",
            "    Type: AWS::Serverless::Function",
            "    Properties:",
            *(f"      {line}" for line in properties),
        ]
    return "\n".join([*lines, *_notes(change), ""])


def permanent_snippet(change: Change, references: References = NOWHERE) -> list[str]:
    """Give the properties alone, and in comments what no property can say."""
    return [*_properties(change.after, references), *_notes(change)]


def _properties(after: Setting, references: References) -> list[str]:
    match after:
        case TimeoutSetting():
            return [f"Timeout: {after.timeout_s}"]
        case MemorySetting():
            return [f"MemorySize: {after.memory_mb}"]
        case EphemeralStorageSetting():
            return ["EphemeralStorage:", f"  Size: {after.ephemeral_storage_mb}"]
        case ReservedConcurrencySetting(reserved_concurrency=reserved):
            executions = "!Ref AWS::NoValue" if reserved is None else reserved
            return [f"ReservedConcurrentExecutions: {executions}"]
        case AliasSetting():
            return []
        case EnvironmentSetting():
            return _environment(after, references)


def _environment(after: EnvironmentSetting, references: References) -> list[str]:
    """Give the variables that are set; an empty map would take all the others away."""
    lines = [
        f"    {_key(name)}: '{_value(name, source, references.get(name))}'"
        for name, source in sorted(after.variables.items())
        if not isinstance(source, Absent)
    ]
    return ["Environment:", "  Variables:", *lines] if lines else []


def _notes(change: Change) -> list[str]:
    after, release = change.after, change.release
    notes = []
    if isinstance(after, EnvironmentSetting):
        notes += [
            f"# Environment, Variables, {name}: remove it"
            for name, source in sorted(after.variables.items())
            if isinstance(source, Absent)
        ]
    if isinstance(after, AliasSetting):
        notes += [
            f"# The alias {after.alias} stays at version {after.version} until the next",
            "# deployment: AutoPublishAlias moves it to what is deployed then. Mend or revert the",
            "# code before, or it brings the failure back.",
        ]
    return notes if release is None else [*notes, *_of_release(release)]


def _of_release(release: AliasMove) -> list[str]:
    """Say what keeps a template that only takes the value over from being deployed."""
    number = release.published or "N"
    return [
        f"# Version {number}, which the alias {release.alias} is on, is exactly this already, and",
        "# Lambda publishes no version twice. Deploy it together with a change of the code or of",
        "# the function's Description. Alone, AWS::Lambda::Version (CDK, Serverless) fails with",
        f'# "A version for this Lambda function exists ( {number} )", and AutoPublishAlias of SAM',
        "# publishes nothing.",
    ]


def _value(name: str, source: VariableSource, reference: DeclaredReference | None) -> str:
    if isinstance(source, SealedValue):
        return f"<the former value of {name}>"
    return (_dynamic(reference) if reference else None) or f"<the declared value of {name}>"


def _dynamic(reference: DeclaredReference) -> str | None:
    """Write a dynamic reference of CloudFormation; None where it knows none for this source."""
    name, key = reference.name, reference.key
    if reference.kind == "ssm":
        return f"{{{{resolve:ssm:{name}}}}}" if _PARAMETER_NAME.fullmatch(name) else None
    if not _SECRET.fullmatch(name) or (key is not None and not _SECRET_KEY.fullmatch(key)):
        return None
    of_key = "" if key is None else f":SecretString:{key}"
    return f"{{{{resolve:secretsmanager:{name}{of_key}}}}}"


def _key(name: str) -> str:
    return f"'{name}'" if name.lower() in _NOT_A_PLAIN_KEY else name


def _logical_id(function_name: str) -> str:
    """Give a name that a template takes: letters and digits only."""
    words = re.findall(r"[A-Za-z0-9]+", function_name)
    return "".join(word[0].upper() + word[1:] for word in words) or "Function"
