"""Deployments of a function: one under way, one right before a failure, and one since."""

from __future__ import annotations

from datetime import datetime

from autorepair.domain.evidence import Evidence, RecentChange, RecentDeployment
from autorepair.domain.value import Instant, Value

STACK_TAGS = ("aws:cloudformation:stack-id", "aws:cloudformation:stack-name")
"""CloudFormation tags what it makes with both; the id outlives a stack of the same name."""
_IN_PROGRESS = "_IN_PROGRESS"
# A stack that only has a change set to look at: nothing of it is being made.
_UNDER_REVIEW = "REVIEW_IN_PROGRESS"
_CREATION = "CreateFunction"
_CODE_EVENTS = frozenset({"UpdateFunctionCode"})
# What a deployment of code may change; fields of FunctionConfiguration, and where an alias points.
_CODE = frozenset(
    {
        "architecture",
        "code_sha256",
        "function_version",
        "handler",
        "image_command",
        "image_entry_point",
        "layers",
        "package_type",
        "runtime",
    }
)
# The difference that the last repair itself made: it was no deployment.
_OWN_DIFFERENCE = "change:since-before_change"
_LONGEST_TOLD = 300


class Stack(Value):
    """One CloudFormation stack, as DescribeStacks tells of it."""

    stack_id: str
    name: str
    status: str
    updated_at: Instant | None = None
    """When its last update began; None where it was never updated."""
    root_id: str | None = None
    """The stack at the top, where this one is nested in others."""

    @property
    def is_in_progress(self) -> bool:
        """Whether something of it is being made, changed, removed or taken back."""
        return self.status.endswith(_IN_PROGRESS) and self.status != _UNDER_REVIEW


def recent_deployment(evidence: Evidence) -> RecentDeployment | None:
    """Find what was deployed in the hour before the failures began, and since; None if nothing was.

    Making the function is no deployment, and neither is what was done to it before it first
    worked: nothing was there to be broken. Nor is a change by this service. A modification of
    which nobody can say (yet) what it changed counts where something had worked before it.

    After the first failure all that others did counts, for it may be what mends the function. Where
    no call has failed, that is after the beginning of what was looked at.
    """
    others = [c for c in evidence.changes if not c.is_own and c.id != _OWN_DIFFERENCE]
    since = [change for change in others if _is_since(change, evidence)]
    found = [*since, *(change for change in others if _is_before(change, evidence))]
    if not found:
        return None
    last = max(found, key=lambda change: change.at)
    return RecentDeployment(
        at=last.at,
        told=_told(last)[:_LONGEST_TOLD],
        is_code=any(_is_of_code(change) for change in found),
        is_since=bool(since),
        settings=tuple(sorted({name for change in found for name in _set_by(change)})),
        variables=tuple(sorted({v.name for change in found for v in change.variables})),
        writes_environment=any(c.writes_environment and not c.variables for c in found),
    )


def _is_before(change: RecentChange, evidence: Evidence) -> bool:
    """Whether it came in the hour before the first failure, and may have brought it."""
    onset = evidence.onset
    return onset is not None and change.id in onset.changes and _may_break(change, evidence)


def _is_since(change: RecentChange, evidence: Evidence) -> bool:
    """Whether it came after the first failure, so that what failed is not what is there now."""
    onset = evidence.onset
    if change.at <= (evidence.window_start if onset is None else onset.first_failure_at):
        return False
    if _is_noted(change):
        return True
    return _may_break(change, evidence) if onset is None else _says_anything(change)


def _is_noted(change: RecentChange) -> bool:
    """Whether a request changed something that is told in words only: a role, a network, a batch.

    None of it is a setting that a repair knows, and all of it may be what mends the function.
    """
    return change.event.startswith("Update") and bool(change.note)


def _may_break(change: RecentChange, evidence: Evidence) -> bool:
    """Whether something was there to be broken, and this may have done it."""
    if _is_part_of_the_making(change, _made_at(evidence), evidence):
        return False
    if _is_unexplained(change):
        return _has_worked(evidence, before=change.at)
    return _says_anything(change)


def _made_at(evidence: Evidence) -> datetime | None:
    made = [c.at for c in evidence.changes if c.event.startswith(_CREATION)]
    return max(made, default=None)


def _is_part_of_the_making(
    change: RecentChange, made_at: datetime | None, evidence: Evidence
) -> bool:
    if made_at is None or change.at < made_at:
        return False
    return not _has_worked(evidence, before=change.at, since=made_at)


def _has_worked(evidence: Evidence, *, before: datetime, since: datetime | None = None) -> bool:
    return any(
        i.status == "success" and i.started_at < before and (since is None or i.started_at >= since)
        for i in evidence.invocations
    )


def _says_anything(change: RecentChange) -> bool:
    """Whether it is known to have changed the function, or cannot be said to have left it alone."""
    told = change.settings or change.variables or change.writes_environment
    return bool(told) or _is_of_code(change)


def _is_of_code(change: RecentChange) -> bool:
    """Whether it changed what is run, or cannot be said to have left that alone."""
    is_code = change.event in _CODE_EVENTS or any(s.name in _CODE for s in change.settings)
    return is_code or _is_unexplained(change)


def _is_unexplained(change: RecentChange) -> bool:
    """Whether it is seen by its date and by nothing else."""
    told = change.settings or change.variables or change.writes_environment
    return change.source == "configuration" and not told


def _set_by(change: RecentChange) -> set[str]:
    """Name the settings that a change lowered, or set to what they are without saying from what."""
    return {s.name for s in change.settings if not _is_raised(s.before, s.after)}


def _is_raised(before: str | int | None, after: str | int | None) -> bool:
    return isinstance(before, int) and isinstance(after, int) and after > before


def _told(change: RecentChange) -> str:
    who = f" by {change.principal}" if change.principal else ""
    return f"{change.event}{who} at {change.at:%Y-%m-%d %H:%M:%SZ}"
