"""Points an alias back at the version before a bad deployment."""

from __future__ import annotations

from autorepair.domain.change import AliasSetting, Change, RepairKind
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.decision import Refusal, RefusalCode
from autorepair.domain.diagnosis import Diagnosis, RootCause, VersionNeed
from autorepair.domain.evidence import RecentChange
from autorepair.domain.policy import Policy
from autorepair.repairs.planner import Repair, Surroundings, planned, refused


def plan_rollback(
    configuration: FunctionConfiguration,
    diagnosis: Diagnosis,
    _policy: Policy,
    surroundings: Surroundings,
) -> Change | Refusal:
    """Plan to send all traffic of the alias to the good version again.

    Only where the alias sends all of it to the bad version now and the good one is still there: an
    alias that divides its traffic is in the hands of a deployment. And only where it came from:
    the move was recorded, or the good version is the one published right before. The change's
    target names the alias, whatever the alarm watches.
    """
    need = diagnosis.need
    if not isinstance(need, VersionNeed):
        return refused(RefusalCode.NOT_REPAIRABLE, "nothing tells which version was good")
    if (refusal := _refusal(need, surroundings)) is not None:
        return refusal
    target = surroundings.target.model_copy(update={"qualifier": need.alias})
    return planned(
        configuration.model_copy(update={"alias_version": need.bad_version}),
        Surroundings(target),
        AliasSetting(alias=need.alias, version=need.bad_version),
        AliasSetting(alias=need.alias, version=need.good_version),
    )


def _refusal(need: VersionNeed, surroundings: Surroundings) -> Refusal | None:
    alias = next((a for a in surroundings.aliases if a.name == need.alias), None)
    if alias is None:
        return refused(
            RefusalCode.NO_EFFECT,
            f"there is no alias {need.alias} by now: see what the traffic goes to",
        )
    if alias.also:
        return refused(
            RefusalCode.WEIGHTED_ALIAS,
            f"the alias {need.alias} divides its traffic among versions, so a deployment is under "
            "way: stop or roll back that deployment",
        )
    if alias.version != need.bad_version:
        return refused(
            RefusalCode.NO_EFFECT,
            f"the alias {need.alias} points at version {alias.version} by now and not at "
            f"{need.bad_version}: see first whether that helped",
        )
    published = {v.version for v in surroundings.versions}
    return _versions_refusal(need, published) or _unproven(need, published, surroundings)


def _unproven(need: VersionNeed, published: set[str], around: Surroundings) -> Refusal | None:
    """Refuse to send the alias where nothing shows that it ever was.

    That version 7 works for its own callers does not make it what ran here before: only a recorded
    move does, or that it came right before and belongs to no other alias.
    """
    good, bad = need.good_version, need.bad_version
    was_moved = any(
        change.alias == need.alias and _leads(change, good, bad) for change in around.changes
    )
    if was_moved:
        return None
    is_anothers = any(
        good in {alias.version, *alias.also} for alias in around.aliases if alias.name != need.alias
    )
    if is_anothers or good != _next_older(bad, published):
        return refused(
            RefusalCode.NOT_REPAIRABLE,
            f"nothing shows that the alias {need.alias} was on version {good} before {bad}: say "
            "yourself which version it was on",
        )
    return None


def _leads(change: RecentChange, good: str, bad: str) -> bool:
    setting = change.setting("function_version")
    return setting is not None and (setting.before, setting.after) == (good, bad)


def _next_older(version: str, published: set[str]) -> str | None:
    """Give the version that was published right before; `$LATEST` comes after all of them."""
    numbers = [int(one) for one in published if one.isdecimal()]
    older = [n for n in numbers if not version.isdecimal() or n < int(version)]
    return str(max(older)) if older else None


def _versions_refusal(need: VersionNeed, published: set[str]) -> Refusal | None:
    """Refuse to go anywhere but back; `$LATEST`, which an alias may name, is newer than any."""
    good, bad = need.good_version, need.bad_version
    if good == bad:
        return refused(RefusalCode.NO_EFFECT, f"version {bad} is what is running")
    if good not in published or not good.isdecimal():
        return refused(
            RefusalCode.VERSION_GONE,
            f"version {good} is not among the newest published ones: publish the code that worked "
            "once more",
        )
    if bad.isdecimal() and int(good) > int(bad):
        return refused(
            RefusalCode.NOT_REPAIRABLE,
            f"version {good} was published after {bad}, so the alias was taken back from it once "
            "already: see why before it goes there again",
        )
    return None


ROLLBACK_VERSION = Repair(
    RepairKind.ROLLBACK_VERSION,
    (RootCause.BAD_DEPLOYMENT,),
    VersionNeed,
    plan_rollback,
    reaches_versions=True,
)
