"""Whether a piece of evidence carries a signal for a cause: what an advisor's answer is held to.

A rule proves its cause. This asks far less, and only of an answer that already named one: does
what it cites speak of that cause at all, and can it speak? Words count only where they are a
failure's last ones (`witnesses`) and no success says them too; limits of the platform (time,
memory, start, concurrency) are shown by figures, never by words, since anybody can write words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from autorepair.causes.limits import FULL_MEMORY, memory_share, memory_suspects, time_outs
from autorepair.causes.witnesses import failing_lines, is_exception, witnesses, words_of
from autorepair.causes.wording import lowered, wording
from autorepair.domain.diagnosis import RootCause
from autorepair.domain.evidence import Evidence, Invocation, LogLine, RecentChange

_NEARLY_FULL = 0.9
_LONG_START_MS = 5_000.0
_VARYING = re.compile(r"[0-9a-f]{6,64}|\d{1,20}", re.IGNORECASE)
# Words to whoever reads the log, and not about what happened.
_ORDERS = wording(
    r"ignore (?:all|any|the|your|previous|prior)|disregard (?:all|any|the|your|previous)"
    r"|(?:^|\s|\W)(?:system|assistant|developer|operator) ?(?:prompt|message|note)? ?:"
    r"|root[ _]cause (?:is|must|shall|should)|you (?:are|must|should|shall)\b|as an ai\b"
    r"|name_the_root_cause|<\/?(?:evidence|facts|runbooks|catalogue|system)\b"
    r"|(?:set|raise|increase) the (?:timeout|memory|concurrency)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearing:
    """What may speak for a cause: words, an invocation's figures, a metric, a change."""

    words: re.Pattern[str] | None = None
    figures: Callable[[Evidence, Invocation], bool] | None = None
    metrics: frozenset[str] = frozenset()
    """Metrics that speak for it once they count anything at all."""
    change: Callable[[RecentChange], bool] | None = None
    is_any_exception: bool = False
    """Whether every exception that leaves the handler speaks for it."""


def bears_on(cause: RootCause, evidence: Evidence, cited: str) -> bool:
    """Whether the piece of evidence with this id carries a signal for the cause."""
    bearing = BEARINGS.get(cause)
    if bearing is None:
        return False
    return (
        _by_figures(bearing, evidence, cited)
        or _by_words(bearing, evidence, cited)
        or _by_metric(bearing, evidence, cited)
        or _by_change(bearing, evidence, cited)
    )


def telling_line(evidence: Evidence, cited: str) -> LogLine | None:
    """Give the cited line if a failure may speak through it; what successes say too tells nothing.

    None also for words that give orders to whoever reads them.
    """
    line = next(iter(witnesses(evidence, lambda one: one.id == cited)), None)
    if line is None or _ORDERS.search(lowered(words_of(line))):
        return None
    return None if _template(line) in _said_by_others(evidence) else line


def _by_words(bearing: Bearing, evidence: Evidence, cited: str) -> bool:
    if bearing.words is None and not bearing.is_any_exception:
        return False
    line = telling_line(evidence, cited)
    if line is None:
        return False
    if bearing.is_any_exception and is_exception(line):
        return True
    return bearing.words is not None and bool(bearing.words.search(lowered(words_of(line))))


def _by_figures(bearing: Bearing, evidence: Evidence, cited: str) -> bool:
    """Look at the invocation whose figures, or one of whose lines, is cited."""
    if bearing.figures is None:
        return False
    requests = {line.request_id for line in evidence.log_lines if line.id == cited} - {None}
    return any(
        bearing.figures(evidence, invocation)
        for invocation in evidence.invocations
        if invocation.report_id == cited or invocation.request_id in requests
    )


def _by_metric(bearing: Bearing, evidence: Evidence, cited: str) -> bool:
    return any(
        series.id == cited
        and series.metric_name in bearing.metrics
        and any(value > 0 for _, value in series.points)
        for series in evidence.metrics
    )


def _by_change(bearing: Bearing, evidence: Evidence, cited: str) -> bool:
    speaks = bearing.change
    return speaks is not None and any(c.id == cited and speaks(c) for c in evidence.changes)


def _said_by_others(evidence: Evidence) -> set[str]:
    """Give what is said outside the failures, with all that varies left out."""
    failing = {line.id for line in failing_lines(evidence)}
    return {_template(line) for line in evidence.log_lines if line.id not in failing}


def _template(line: LogLine) -> str:
    return _VARYING.sub("#", words_of(line))


def _is_timed_out(evidence: Evidence, invocation: Invocation) -> bool:
    return invocation in time_outs(evidence) and invocation not in memory_suspects(evidence)


def _is_full(evidence: Evidence, invocation: Invocation) -> bool:
    del evidence
    share = memory_share(invocation) or 0.0
    return invocation.status == "out_of_memory" or (
        invocation.has_failed and share >= (_NEARLY_FULL if _was_cut(invocation) else FULL_MEMORY)
    )


def _was_cut(invocation: Invocation) -> bool:
    return invocation.status in {"timeout", "crash"}


def _is_climbing(evidence: Evidence, invocation: Invocation) -> bool:
    return any(
        trend.stream == invocation.stream and trend.used_slope_mb > 0
        for trend in evidence.environments
    )


def _is_slow_start(evidence: Evidence, invocation: Invocation) -> bool:
    del evidence
    return invocation.has_failed and (invocation.init_ms or 0.0) >= _LONG_START_MS


def _touches_code(change: RecentChange) -> bool:
    names = {setting.name for setting in change.settings}
    return change.alias is not None or bool(
        names & {"code_sha256", "layers", "runtime", "handler", "function_version"}
    )


def _touches(name: str) -> Callable[[RecentChange], bool]:
    return lambda change: change.setting(name) is not None


def _takes_a_variable(change: RecentChange) -> bool:
    return any(v.kind == "removed" for v in change.variables)


def _changes_a_variable(change: RecentChange) -> bool:
    return any(v.kind in {"changed", "added"} for v in change.variables)


_CALLED = r"(?:service|upstream|endpoint|api|host|server|database|gateway|peer|backend)"
BEARINGS: Mapping[RootCause, Bearing] = {
    RootCause.TIMEOUT_TOO_LOW: Bearing(figures=_is_timed_out, change=_touches("timeout_s")),
    RootCause.MEMORY_EXHAUSTED: Bearing(figures=_is_full, change=_touches("memory_mb")),
    RootCause.MEMORY_LEAK: Bearing(figures=_is_climbing),
    RootCause.CPU_STARVED: Bearing(figures=_is_timed_out, change=_touches("memory_mb")),
    RootCause.INIT_TIMEOUT: Bearing(figures=_is_slow_start),
    RootCause.CONCURRENCY_LIMITED: Bearing(
        metrics=frozenset({"Throttles"}), change=_touches("reserved_concurrency")
    ),
    RootCause.RECURSIVE_LOOP: Bearing(metrics=frozenset({"RecursiveInvocationsDropped"})),
    RootCause.MISSING_ENV_VAR: Bearing(
        words=wording(
            r"environ|env[ ._]|variable|config|setting|undefined|not (?:set|defined|configured)"
            r"|keyerror|missing|required|unset|is (?:null|none|empty)|placeholder"
        ),
        change=_takes_a_variable,
    ),
    RootCause.WRONG_ENV_VAR: Bearing(
        words=wording(
            r"invalid|unknown|malformed|unexpected|not (?:found|valid|recogni[sz]ed|supported)"
            r"|no such|does not exist|cannot (?:parse|resolve)|could not (?:parse|resolve)"
            r"|unable to (?:parse|resolve)|enotfound|unrecogni[sz]ed|illegal|bad (?:value|url|host)"
        ),
        change=_changes_a_variable,
    ),
    RootCause.EPHEMERAL_STORAGE_FULL: Bearing(
        words=wording(r"no space left|enospc|disk (?:is )?full|disk quota|errno 28")
    ),
    RootCause.READ_ONLY_FILESYSTEM: Bearing(
        words=wording(r"read-only file ?system|erofs|errno 30")
    ),
    RootCause.FILE_PERMISSION: Bearing(
        words=wording(r"permission denied|eacces|errno 13|not executable|operation not permitted")
    ),
    RootCause.DEPENDENCY_MISSING: Bearing(
        words=wording(
            r"no module named|cannot find (?:module|package)|importmodule|classnotfound"
            r"|noclassdef|could not load|cannot open shared object|loaderror|cannot import"
            r"|no such file or directory|not found"
        )
    ),
    RootCause.HANDLER_MISCONFIGURED: Bearing(
        words=wording(r"handler|entry ?point|bootstrap|class not found|undefined or not exported"),
        change=_touches("handler"),
    ),
    RootCause.ARCHITECTURE_MISMATCH: Bearing(
        words=wording(
            r"exec format|wrong elf|invalid elf|cannot execute binary|incompatible arch"
            r"|x86.64|aarch64|arm64|platform"
        ),
        change=_touches("architecture"),
    ),
    RootCause.IMAGE_UNUSABLE: Bearing(
        words=wording(r"entry ?point|manifest|image|exec format|invalidentrypoint|bootstrap")
    ),
    RootCause.PERMISSION_DENIED: Bearing(
        words=wording(r"access ?denied|not authorized|unauthori[sz]ed|forbidden|permission|\b403\b")
    ),
    RootCause.CREDENTIALS_EXPIRED: Bearing(
        words=wording(
            r"expired|invalid (?:token|credential|grant|api key|client|password)|\b401\b"
            r"|unauthenticated|authentication|password|token|certificate|signature"
        )
    ),
    RootCause.DOWNSTREAM_UNAVAILABLE: Bearing(
        words=wording(
            r"refused|unavailable|\b50[0234]\b|bad gateway|reset|unreachable|hang ?up|aborted"
            rf"|not available|{_CALLED} (?:is )?(?:down|offline)|outage|maintenance|no route"
        )
    ),
    RootCause.DOWNSTREAM_SLOW: Bearing(
        words=wording(
            r"timed? ?out|deadline|slow|latency|took \d|waiting|etimedout|no (?:answer|response)"
        )
    ),
    RootCause.DOWNSTREAM_THROTTLED: Bearing(
        words=wording(
            r"throttl|rate exceeded|too many requests|\b429\b|quota|slow ?down|limit exceeded"
        )
    ),
    RootCause.DOWNSTREAM_CONNECTIONS_EXHAUSTED: Bearing(
        words=wording(r"too many (?:connections|clients)|connection pool|remaining connection|pool")
    ),
    RootCause.NETWORK_UNREACHABLE: Bearing(
        words=wording(
            r"connect(?:ion)? ?time(?:d )?out|etimedout|enetunreach|ehostunreach|unreachable"
            r"|eai_again|name resolution|enotfound|no route|dial tcp|could not connect"
        )
    ),
    RootCause.PAYLOAD_TOO_LARGE: Bearing(
        words=wording(
            r"too (?:large|big|long)|exceed(?:s|ed)|maximum (?:size|length)|\b413\b|payload|6291556"
        )
    ),
    RootCause.POISON_EVENT: Bearing(
        words=wording(
            r"message ?id|receipt|sequence ?number|receive ?count|record|batch|event|shard|\bkey\b"
        ),
        metrics=frozenset({"IteratorAge"}),
    ),
    RootCause.RESOURCE_EXHAUSTED_FDS_THREADS: Bearing(
        words=wording(
            r"too many open files|emfile|enfile|errno 24|can't start new thread|native thread"
            r"|resource temporarily unavailable|eagain|pthread_create|max_?listeners"
        )
    ),
    RootCause.BAD_DEPLOYMENT: Bearing(change=_touches_code),
    RootCause.CODE_BUG: Bearing(is_any_exception=True),
    RootCause.FALSE_ALARM: Bearing(),
}
"""False alarm has none: an incident in which calls fail is not false because a model says so."""
