"""What an advisor is told of the causes, whether its answer holds, and what it may lead to."""

from __future__ import annotations

import re
from functools import cache

from autorepair.causes.bearing import BEARINGS, bears_on, telling_line
from autorepair.causes.registry import CAUSES
from autorepair.causes.witnesses import words_of
from autorepair.domain.advice import cited_in_vain, harmless
from autorepair.domain.catalogue import CatalogueEntry
from autorepair.domain.diagnosis import Advice, EnvironmentNeed, RootCause
from autorepair.domain.evidence import DeclaredVariable, Evidence

_MOST_LISTED = 5


@cache
def catalogue() -> tuple[CatalogueEntry, ...]:
    """Give the catalogue as an advisor reads it."""
    return tuple(
        CatalogueEntry(
            label=cause.label,
            signal=cause.signal,
            proof=cause.proof,
            silence=cause.silence,
            runbook=cause.runbook,
            words=BEARINGS[cause.label].words if cause.label in BEARINGS else None,
        )
        for cause in CAUSES
    )


def objection_to(advice: Advice, evidence: Evidence) -> str | None:
    """Say why the advice does not count; None where it does.

    It counts when its cause is in the catalogue, and everything it cites exists and carries a
    signal for the cause.
    """
    cause = advice.root_cause
    if cause not in {entry.label for entry in catalogue()}:
        return f"{cause.value} is no cause of the catalogue"
    if not advice.cites:
        return f"it named {cause.value} without evidence"
    if missing := cited_in_vain(evidence, advice.cites):
        listed = ", ".join(harmless(one[:60]) for one in missing[:_MOST_LISTED])
        return f"it named {cause.value} without evidence: what it cites does not exist ({listed})"
    idle = [cite for cite in advice.cites if not bears_on(cause, evidence, cite)]
    if len(idle) == len(advice.cites):
        return f"nothing that it cites carries a signal for {cause.value}"
    if idle:
        listed = ", ".join(harmless(one[:60]) for one in idle[:_MOST_LISTED])
        return f"not all that it cites carries a signal for {cause.value}: not {listed}"
    return None


def need_of(advice: Advice, evidence: Evidence) -> EnvironmentNeed | None:
    """Give what an answer that counts calls for, from the evidence alone.

    Only what an operator declared and the function is not known to hold: a size needs the proof
    that a rule's formula rests on, and where a model is asked no rule had one. Of such variables
    those that the cited failures name; where these name none, the only one that surely differs.
    """
    suspects = _suspects(advice.root_cause, evidence)
    texts = [words_of(line) for cite in advice.cites if (line := telling_line(evidence, cite))]
    named = [v.name for v in suspects if any(_names(v.name, text) for text in texts)]
    differing = [v.name for v in suspects if v.matches_current is False]
    names = named or (differing if len(differing) == 1 else [])
    return EnvironmentNeed(names=tuple(sorted(names))) if names else None


def _suspects(cause: RootCause, evidence: Evidence) -> list[DeclaredVariable]:
    is_set = set(evidence.configuration.env_names)
    if cause is RootCause.MISSING_ENV_VAR:
        return [v for v in evidence.declared if v.kind != "absent" and v.name not in is_set]
    if cause is RootCause.WRONG_ENV_VAR:
        return [v for v in evidence.declared if v.name in is_set and v.matches_current is not True]
    return []


def _names(name: str, text: str) -> bool:
    pattern = rf"(?<![A-Za-z0-9_]){re.escape(name)}(?![A-Za-z0-9_])"
    return re.search(pattern, text) is not None
