"""Guards on deployments: what is being rolled out, or has just been, belongs to whoever does it."""

from __future__ import annotations

from autorepair.domain.change import (
    EnvironmentSetting,
    EphemeralStorageSetting,
    MemorySetting,
    RepairKind,
    ReservedConcurrencySetting,
    TimeoutSetting,
    figure_of,
)
from autorepair.domain.circumstances import ChangedSince
from autorepair.domain.decision import Refusal, RefusalCode
from autorepair.domain.diagnosis import RootCause
from autorepair.domain.evidence import RecentDeployment
from autorepair.repairs.case import Case, Guardrail
from autorepair.repairs.frequency import setting_in_words
from autorepair.repairs.planner import refused

_OF_A_DEPLOYMENT = frozenset({RootCause.BAD_DEPLOYMENT, RootCause.CODE_BUG})
"""Causes that a deployment brings, so that taking back the deployment is what cures them."""

# The field of FunctionConfiguration that a change is about.
_FIELDS: dict[type[object], str] = {
    TimeoutSetting: "timeout_s",
    MemorySetting: "memory_mb",
    EphemeralStorageSetting: "ephemeral_storage_mb",
    ReservedConcurrencySetting: "reserved_concurrency",
}


def _deployment_running(case: Case) -> Refusal | None:
    """Leave a bad deployment that is not over to its own rollback."""
    running = case.circumstances.deployments
    if not running or case.diagnosis.root_cause not in _OF_A_DEPLOYMENT:
        return None
    return refused(
        RefusalCode.DEPLOYMENT_RUNNING,
        f"a deployment of the function is under way ({'; '.join(running)}) and it is what broke "
        "it: stop that deployment and let it take itself back",
    )


def _recently_deployed(case: Case) -> Refusal | None:
    """Leave what a deployment broke to its taking back, which is what `rollback_version` does."""
    recent = case.seen.recent_deployment
    is_exempt = case.change.kind is RepairKind.ROLLBACK_VERSION
    if recent is None or is_exempt or case.diagnosis.root_cause not in _OF_A_DEPLOYMENT:
        return None
    if recent.is_since:
        return refused(
            RefusalCode.RECENT_DEPLOYMENT,
            f"the function was changed after it had begun to fail ({recent.told}), so no setting "
            "is changed: see first whether that helped",
        )
    return refused(
        RefusalCode.RECENT_DEPLOYMENT,
        f"a deployment came right before the failures ({recent.told}) and is what broke the "
        "function, so no setting is changed: take that deployment back",
    )


def _deployed_since(case: Case) -> Refusal | None:
    """Leave what a deployment broke to the one that came after it, of which nothing is known."""
    since = _changed_since(case)
    if since is None or not since.is_code:
        return None
    if case.diagnosis.root_cause not in _OF_A_DEPLOYMENT:
        return None
    return refused(
        RefusalCode.RECENT_DEPLOYMENT,
        f"since the evidence was collected somebody has changed {since.told}: see first whether "
        "that helped",
    )


def _changed_since(case: Case) -> ChangedSince | None:
    """Give what may have changed what fails; the versions that an alias leads to never change."""
    is_exempt = case.change.kind is RepairKind.ROLLBACK_VERSION
    return None if is_exempt else case.circumstances.changed_since


def _not_where_the_last_step_led(case: Case) -> Refusal | None:
    """Leave a setting that somebody has set since the last step of the incident to them.

    A further step goes back together with those before it, to where the first one began: what was
    set in between would be lost.
    """
    origin, now = case.history.origin, case.change.before
    if origin is None or origin.after == now or figure_of(origin.after) is None:
        return None
    return refused(
        RefusalCode.PUT_BACK,
        f"the last step of this incident led to {setting_in_words(origin.after)} and it is "
        f"{setting_in_words(now)} by now, so it is left to whoever set that: see first whether "
        "that helped",
    )


DEPLOYMENT: tuple[Guardrail, ...] = (
    _deployment_running,
    _recently_deployed,
    _deployed_since,
    _not_where_the_last_step_led,
)
"""In the order in which they are asked."""


def running_deployment(case: Case) -> str | None:
    """Give the doubt about a change in the middle of a deployment, or where that cannot be told."""
    running, unread = case.circumstances.deployments, case.circumstances.unread_deployments
    if running:
        return (
            f"a deployment of the function is under way ({'; '.join(running)}), which may undo the "
            "change or be upset by it"
        )
    if unread is not None:
        return f"whether a deployment of the function is under way cannot be told: {unread}"
    return None


def changed_since_evidence(case: Case) -> str | None:
    """Give the doubt about a function that is not the one that was diagnosed any more."""
    since = _changed_since(case)
    if since is None:
        return None
    return (
        f"since the evidence was collected somebody has changed {since.told}, so what failed may "
        "be mended by that, and nobody could tell which of the two it was"
    )


def recent_deployment(case: Case) -> str | None:
    """Give the doubt about a function that was changed since it failed, or right before.

    A version is taken back for that very reason, so that follows its mode.
    """
    recent = case.seen.recent_deployment
    if recent is None or case.change.kind is RepairKind.ROLLBACK_VERSION:
        return None
    if recent.is_since:
        return (
            f"the function was changed after the trouble had begun ({recent.told}), so what failed "
            "may be mended by that, and nobody could tell which of the two it was"
        )
    if recent.is_code:
        return (
            f"the function was deployed less than an hour before it began to fail ({recent.told}), "
            "so whoever did it may want that taken back instead"
        )
    if _is_of_what_is_changed(recent, case):
        return (
            "what is to be changed was set less than an hour before the function began to fail "
            f"({recent.told}), so whoever did it should be asked what they meant"
        )
    return None


def _is_of_what_is_changed(recent: RecentDeployment, case: Case) -> bool:
    if isinstance(case.change.after, EnvironmentSetting):
        return recent.writes_environment or bool(case.names & set(recent.variables))
    return _FIELDS.get(type(case.change.after)) in recent.settings
