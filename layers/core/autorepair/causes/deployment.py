"""Deployments: a version, a layer or a runtime that fails from its first call on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from autorepair.causes.cause import Cause, Reach
from autorepair.causes.levels import is_information
from autorepair.causes.limits import reports_of, share_of_failures, weighed_down
from autorepair.causes.onset import CREATION, Onset, onset_with
from autorepair.causes.slower import slower_since
from autorepair.causes.troubles import Trouble, trouble_of
from autorepair.causes.witnesses import is_exception, last_words, words_of
from autorepair.domain.change import RepairKind
from autorepair.domain.diagnosis import Finding, RootCause, VersionNeed
from autorepair.domain.evidence import Alias, Evidence, Invocation, LogLine, RecentChange

_FEW = 3
_HEALTHY = 0.1
_LEAST_SHARE = 0.2
_NEARLY_ALL = 0.8
_MOSTLY = 0.6
_SLOWER = 0.75
# What changes the code that runs, in the words of FunctionConfiguration and of the API.
_CODE_SETTINGS = frozenset(
    {"code_sha256", "layers", "runtime", "package_type", "architecture", "image_uri"}
)
_CODE_EVENTS = ("UpdateFunctionCode", "PutRuntimeManagementConfig")
# Another service says no, or is in trouble: the release of this function did not do that.
_ELSEWHERE = re.compile(
    r"(?i:throttl|too many requests|\b429\b|rate exceeded|slowdown|access ?denied"
    r"|not authorized to perform|service unavailable|bad gateway|gateway time-?out"
    r"|\b50[234]\b (?:server error|from|response)|(?:status|code|http)[^\n]{0,12}\b50[0234]\b"
    r"|certificate has expired|too many connections|connection slots)"
)
_REFUSALS = frozenset({Trouble.THROTTLED, Trouble.EXHAUSTED})


@dataclass(frozen=True, slots=True)
class _Move:
    """An alias that was moved from one version to another."""

    alias: str
    good: str
    bad: str
    change: RecentChange | None


def _diagnose(evidence: Evidence) -> Finding | None:
    if not evidence.failures:
        return _slower(evidence)
    if _is_elsewhere(evidence):
        return None
    found = [f for move in _moves(evidence) if (f := _of_move(evidence, move)) is not None]
    if found:
        return max(found, key=lambda finding: finding.confidence)
    return _in_place(evidence)


def _is_elsewhere(evidence: Evidence) -> bool:
    """Whether most failures tell of another service's trouble."""
    told = [any(_is_of_another(line) for line in lines) for lines in last_words(evidence).values()]
    return sum(told) >= _MOSTLY * len(told)


def _is_of_another(line: LogLine) -> bool:
    if is_information(line) and not is_exception(line):
        return False
    words = words_of(line)
    return trouble_of(words) in _REFUSALS or _ELSEWHERE.search(words) is not None


def _moves(evidence: Evidence) -> Iterator[_Move]:
    """Give the moves of aliases: those that were recorded, else those that the traffic shows."""
    recorded: dict[str, _Move] = {}
    for change in evidence.changes:
        setting = change.setting("function_version")
        if change.is_own or change.alias is None or setting is None:
            continue
        if None in {setting.before, setting.after}:
            continue
        good, bad = str(setting.before), str(setting.after)
        if good != bad:
            recorded[change.alias] = _Move(change.alias, good, bad, change)
    yield from recorded.values()
    for alias in evidence.aliases:
        latest = next((c for c in reversed(evidence.changes) if c.alias == alias.name), None)
        yield from (_Move(alias.name, alias.version, share, latest) for share in alias.also)
        former = _former_version(evidence, alias)
        if alias.name not in recorded and former is not None:
            yield _Move(alias.name, former, alias.version, None)


def _former_version(evidence: Evidence, alias: Alias) -> str | None:
    """Give the version whose traffic ended before that of the alias's present one began."""
    own = [i.started_at for i in evidence.invocations if i.version == alias.version]
    former = {
        i.version: i.started_at
        for i in sorted(evidence.invocations, key=lambda i: i.started_at)
        if i.version not in {alias.version, "$LATEST"}
    }
    if not own or not former:
        return None
    latest = max(former, key=lambda version: former[version])
    return latest if former[latest] < min(own) else None


def _of_move(evidence: Evidence, move: _Move) -> Finding | None:
    bad = [i for i in evidence.invocations if i.version == move.bad]
    failed = tuple(i for i in bad if i.has_failed)
    share = share_of_failures(evidence, len(failed))
    if not failed or len(failed) < _LEAST_SHARE * len(bad) or share < _NEARLY_ALL:
        return None
    if not _was_good(evidence, move) or _ran_well(bad):
        return None
    need = _need(evidence, move)
    confidence = 0.93 if len(failed) >= _FEW else 0.85
    return Finding(
        cause=RootCause.BAD_DEPLOYMENT,
        confidence=weighed_down(confidence if need else 0.85, share),
        why=(
            f"{_told(evidence, move)}, and {len(failed)} of the {len(bad)} calls of {move.bad} "
            "failed, from the first on"
        ),
        cites=_cites(move.change, failed),
        need=need,
        is_repairable=need is not None,
    )


def _told(evidence: Evidence, move: _Move) -> str:
    if any(a.name == move.alias and move.bad in a.also for a in evidence.aliases):
        return (
            f"alias {move.alias} sends a share of its calls to version {move.bad} and the others "
            f"to {move.good}, which works"
        )
    return f"alias {move.alias} was moved from version {move.good}, which worked, to {move.bad}"


def _was_good(evidence: Evidence, move: _Move) -> bool:
    good = [i for i in evidence.invocations if i.version == move.good and i.status != "unfinished"]
    if good:
        return sum(i.has_failed for i in good) <= _HEALTHY * len(good)
    return move.change is not None and onset_with(evidence, move.change) == "surely"


def _ran_well(bad: list[Invocation]) -> bool:
    """Whether the new version worked for a good while before it began to fail."""
    ordered = sorted(bad, key=lambda i: i.started_at)
    clean = next((n for n, i in enumerate(ordered) if i.has_failed), len(ordered))
    return clean > max(_FEW, _LEAST_SHARE * len(ordered))


def _need(evidence: Evidence, move: _Move) -> VersionNeed | None:
    """Name the way back, where the alias is wholly on the bad version and the good one exists."""
    alias = next((a for a in evidence.aliases if a.name == move.alias), None)
    published = {v.version for v in evidence.versions}
    if alias is None or move.good not in published or not _is_on(alias, move):
        return None
    return VersionNeed(alias=move.alias, bad_version=move.bad, good_version=move.good)


def _is_on(alias: Alias, move: _Move) -> bool:
    """Whether an alias sends calls to the bad version, and to no third one."""
    if alias.also:
        return alias.version == move.good and set(alias.also) == {move.bad}
    return alias.version == move.bad


def _slower(evidence: Evidence) -> Finding | None:
    """Nothing fails, the alarm is about time, and a version takes several times as long.

    Never so sure that nobody is asked: the longer work may be what was wanted.
    """
    if evidence.alarm is None or evidence.alarm.metric_name != "Duration":
        return None
    for move in _moves(evidence):
        need, change = _need(evidence, move), move.change
        if need is None or change is None:
            continue
        found = slower_since(evidence, good=move.good, bad=move.bad, moved_at=change.at)
        if found is None:
            continue
        return Finding(
            cause=RootCause.BAD_DEPLOYMENT,
            confidence=_SLOWER,
            why=(
                f"alias {move.alias} was moved from version {move.good}, whose calls took "
                f"{found.before_ms / 1000:.2g} s, to {move.bad}, whose calls take "
                f"{found.after_ms / 1000:.2g} s from the first on, and nobody else took the time"
            ),
            cites=_cites(change, found.calls),
            need=need,
        )
    return None


def _in_place(evidence: Evidence) -> Finding | None:
    """Find the change of code, layers or runtime with which the failures began."""
    for change in reversed(evidence.changes):
        if _deploys(change) and (onset := onset_with(evidence, change)) is not None:
            return _finding_in_place(evidence, change, onset)
    return None


def _deploys(change: RecentChange) -> bool:
    if change.is_own or change.event.startswith(CREATION):
        return False
    named = any(setting.name in _CODE_SETTINGS for setting in change.settings)
    return named or change.event.startswith(_CODE_EVENTS)


def _finding_in_place(evidence: Evidence, change: RecentChange, onset: Onset) -> Finding:
    failed = tuple(i for i in evidence.failures if i.started_at >= change.at)
    what = ", ".join(s.name for s in change.settings if s.name in _CODE_SETTINGS) or "code"
    seen = "was healthy before" if onset == "surely" else "was not seen before"
    return Finding(
        cause=RootCause.BAD_DEPLOYMENT,
        confidence=weighed_down(
            0.8 if onset == "surely" else 0.55, share_of_failures(evidence, len(failed))
        ),
        why=(
            f"the failures began when its {what} was changed ({change.event}), and the function "
            f"{seen}; no alias leads back to what ran then, so it has to be deployed anew"
        ),
        cites=_cites(change, failed),
        is_repairable=False,
    )


def _cites(change: RecentChange | None, failed: tuple[Invocation, ...]) -> tuple[str, ...]:
    return (*((change.id,) if change is not None else ()), *reports_of(failed, most=4))


BAD_DEPLOYMENT = Cause(
    label=RootCause.BAD_DEPLOYMENT,
    signal=(
        "The failures begin with a new version behind an alias, new code, a new layer or a new "
        "runtime, and what ran before it was healthy. Or an alarm on durations, and since an alias "
        "was moved every call takes several times as long."
    ),
    proof=(
        "Two versions of one function under the same traffic, one that works and one that does "
        "not from its first call on: what differs between them is the release."
    ),
    silence=(
        "The release had healthy traffic before the failures began, the former version failed as "
        "well, the failures tell of another service's trouble, or a more specific cause is proven "
        "and no alias leads back."
    ),
    repair=RepairKind.ROLLBACK_VERSION,
    runbook="bad-deployment",
    diagnose=_diagnose,
    explains=(RootCause.CODE_BUG, RootCause.UNKNOWN),
    outranks=(
        RootCause.DEPENDENCY_MISSING,
        RootCause.ARCHITECTURE_MISMATCH,
        RootCause.HANDLER_MISCONFIGURED,
        RootCause.FILE_PERMISSION,
        RootCause.READ_ONLY_FILESYSTEM,
        RootCause.IMAGE_UNUSABLE,
        RootCause.MISSING_ENV_VAR,
        RootCause.WRONG_ENV_VAR,
        RootCause.MEMORY_EXHAUSTED,
        RootCause.MEMORY_LEAK,
        RootCause.INIT_TIMEOUT,
        RootCause.TIMEOUT_TOO_LOW,
        RootCause.CPU_STARVED,
        RootCause.POISON_EVENT,
        RootCause.PAYLOAD_TOO_LARGE,
        RootCause.RESOURCE_EXHAUSTED_FDS_THREADS,
        RootCause.DOWNSTREAM_UNAVAILABLE,
    ),
    reach=Reach.GENERAL,
)
