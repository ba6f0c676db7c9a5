"""What is published of a function at this moment, and what of it an incident itself published."""

from __future__ import annotations

from autorepair.domain.change import AliasMove, Change
from autorepair.domain.diagnosis import Diagnosis
from autorepair.domain.evidence import Alias, Evidence
from autorepair.domain.incident import Target
from autorepair.ports import Ports


def as_published_now(evidence: Evidence, target: Target, ports: Ports) -> Evidence:
    """Give the evidence with aliases and versions read afresh, where there were any.

    Hours may lie between the two: somebody was asked, or a plan was overtaken.

    Raises:
        TargetNotFoundError: The function is gone.
        AccessDeniedError, TransientServiceError, ConfigurationError: They cannot be read.
    """
    if not evidence.aliases:
        return evidence
    found = ports.releases.read(target)
    return evidence.model_copy(update={"aliases": found.aliases, "versions": found.versions})


def after_release(diagnosis: Diagnosis, origin: Change | None) -> Diagnosis:
    """Give the diagnosis of what the steps before this one have published.

    What failed on the version before runs on the new one by now.
    """
    move = None if origin is None else origin.release
    if move is None or move.published is None:
        return diagnosis
    versions = tuple(
        move.published if version == move.former else version
        for version in diagnosis.failing_versions
    )
    return diagnosis.model_copy(update={"failing_versions": versions})


def aliases_after_release(aliases: tuple[Alias, ...], origin: Change | None) -> tuple[Alias, ...]:
    """Give the aliases with the one that the incident has moved where it is now.

    Its version was published from `$LATEST` as it stands, so nothing differs.
    """
    move = None if origin is None else origin.release
    if move is None or move.published is None:
        return aliases
    return tuple(_moved(alias, move) for alias in aliases)


def _moved(alias: Alias, move: AliasMove) -> Alias:
    if (alias.name, alias.version) != (move.alias, move.former):
        return alias
    return alias.model_copy(update={"version": move.published, "differs": ()})
