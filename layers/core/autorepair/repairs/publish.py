"""How a change of `$LATEST` gets to traffic that runs on a version: by which alias, if at all."""

from __future__ import annotations

from autorepair.domain.change import AliasMove, Change
from autorepair.domain.decision import Refusal, RefusalCode
from autorepair.domain.diagnosis import Diagnosis
from autorepair.domain.evidence import Alias
from autorepair.repairs.planner import Surroundings, refused

_LATEST = "$LATEST"


def way_to(diagnosis: Diagnosis, around: Surroundings) -> AliasMove | Refusal | None:
    """Say how the failing traffic is reached; None where it runs on `$LATEST`.

    By one alias that sends all of its traffic to one version, where `$LATEST` is exactly what that
    version was published from: anything else would release what nobody has released, or would
    leave what fails where it is. Each condition has a refusal of its own.
    """
    versions = _failing(diagnosis, around)
    if not versions:
        return None
    alias = _carrier(versions, around)
    if isinstance(alias, Refusal):
        return alias
    return _obstacle(alias) or AliasMove(
        alias=alias.name,
        former=alias.version,
        staying=tuple(
            other.name
            for other in around.aliases
            if other.name != alias.name and alias.version in _serving(other)
        ),
    )


def released(change: Change, move: AliasMove) -> Change:
    """Give the change that is published and that the alias is moved to; it names the alias."""
    target = change.target.model_copy(update={"qualifier": move.alias})
    return change.model_copy(update={"target": target, "release": move})


def _serving(alias: Alias) -> set[str]:
    return {alias.version, *alias.also}


def _failing(diagnosis: Diagnosis, around: Surroundings) -> tuple[str, ...]:
    """Name what failures run on, where not all of them run on `$LATEST`."""
    if any(version != _LATEST for version in diagnosis.failing_versions):
        return diagnosis.failing_versions
    named = _named(around)
    if named is not None:
        on_latest = diagnosis.failing_versions
        return () if _LATEST in _serving(named) else (*on_latest, named.version)
    qualifier = around.target.qualifier
    return () if qualifier in {None, _LATEST} else (str(qualifier),)


def _named(around: Surroundings) -> Alias | None:
    """Give the alias that the alarm watches, if it watches one."""
    return next((a for a in around.aliases if a.name == around.target.qualifier), None)


def _carrier(versions: tuple[str, ...], around: Surroundings) -> Alias | Refusal:
    """Give the one alias that carries the failing traffic."""
    named, qualifier = _named(around), around.target.qualifier
    failing = set(versions)
    if named is not None:
        carriers = [named]
    elif qualifier is None:
        carriers = [alias for alias in around.aliases if failing & _serving(alias)]
    else:
        carriers = []
    if (divided := next((alias for alias in carriers if alias.also), None)) is not None:
        return _weighted(divided)
    if len(failing) > 1:
        return _unreachable(versions, around, "of which a change can reach but one")
    (version,) = failing
    if named is not None and named.version != version:
        return refused(
            RefusalCode.NO_EFFECT,
            f"the failures are of version {version}, and the alias {named.name} is on version "
            f"{named.version} by now: see first whether that helped",
        )
    if not carriers:
        return _unreachable(versions, around, "which no alias that is known leads to")
    if len(carriers) > 1:
        return _unreachable(
            versions,
            around,
            "and which of them fails is not known: let an alarm watch one (dimension Resource)",
        )
    return carriers[0]


def _unreachable(versions: tuple[str, ...], around: Surroundings, why: str) -> Refusal:
    told = []
    for version in versions:
        names = [a.name for a in around.aliases if version in _serving(a)]
        told.append(f"{version} (alias {', '.join(names)})" if names else version)
    return refused(
        RefusalCode.VERSIONED_TRAFFIC,
        f"the failing traffic goes to version {', '.join(told)}, {why}; a change of {_LATEST} "
        "does not reach it: publish a version with the setting and move the alias",
    )


def _weighted(alias: Alias) -> Refusal:
    return refused(
        RefusalCode.WEIGHTED_ALIAS,
        f"the alias {alias.name} divides its traffic among versions, so a deployment is under "
        "way: finish it or roll it back first",
    )


def _obstacle(alias: Alias) -> Refusal | None:
    """Say what hangs on the alias or its version that publish and move would lose or release."""
    where = f"version {alias.version} of the alias {alias.name}"
    if alias.has_provisioned_concurrency:
        return refused(
            RefusalCode.PROVISIONED_CONCURRENCY,
            f"provisioned concurrency hangs on {where}, which a new version would start without: "
            "publish it, provide for it, and move the alias yourself",
        )
    if alias.has_snap_start:
        return refused(
            RefusalCode.SNAP_START,
            f"{where} uses SnapStart, so a new one takes minutes and a snapshot of its own: "
            "publish it and move the alias yourself",
        )
    if alias.differs is None:
        return refused(
            RefusalCode.LATEST_DIFFERS,
            f"whether {_LATEST} is as {where} could not be read, so nothing is published from it: "
            "publish a version with the setting and move the alias yourself",
        )
    if alias.differs:
        return refused(
            RefusalCode.LATEST_DIFFERS,
            f"{_LATEST} is not as {where} ({', '.join(alias.differs)} differ), so to publish it "
            "would release what nobody has released: release that first, or set it back",
        )
    return None
