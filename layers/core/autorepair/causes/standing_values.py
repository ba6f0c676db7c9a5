"""Whether the values that a function runs with are known to work."""

from __future__ import annotations

from autorepair.domain.evidence import Evidence

_ENOUGH = 3
_HALF = 0.5
# What happens to be served by an environment of before does not count.
_BESIDE = 0.3


def has_worked(evidence: Evidence) -> bool:
    """Whether calls succeeded with the very values that the failures ran with.

    That is so where the same environments served both, since a change of the configuration begins
    new ones; or where calls succeed between the failures. False where the changes could not be
    read, or where something was changed in between.
    """
    failed = evidence.failures
    if any("change" in gap.source for gap in evidence.gaps) or not failed:
        return False
    began, ended = min(i.started_at for i in failed), max(i.started_at for i in failed)
    written = max((change.at for change in evidence.changes), default=None)
    well = [
        i
        for i in evidence.invocations
        if i.status == "success"
        and i.started_at < ended
        and (written is None or i.started_at > written)
    ]
    between = [i for i in well if i.started_at > began]
    streams = {i.stream for i in well}
    is_shared = sum(i.stream in streams for i in failed) >= _HALF * len(failed)
    is_beside = len(between) >= max(_ENOUGH, _BESIDE * len(failed))
    return len(well) >= _ENOUGH and (is_shared or is_beside)
