"""Time-outs: work that is slower than its timeout, told from work that hangs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from autorepair.causes.cause import Cause
from autorepair.causes.limits import (
    lines_of,
    memory_suspects,
    reports_of,
    share_of_failures,
    time_outs,
    timeout_ms,
    weighed_down,
)
from autorepair.domain.change import RepairKind
from autorepair.domain.diagnosis import Finding, RootCause, TimeoutNeed
from autorepair.domain.evidence import Evidence, Invocation, LogLine
from autorepair.domain.log_records import read_record
from autorepair.domain.log_text import plain_text
from autorepair.domain.statistics import fit_lognormal

# Measured by simulation: with completions in [T/2, T] at least half as many as time-outs, the work
# is slow and not hanging in 95 to 100% of trials.
_NEAR_PER_TIME_OUT = 0.5
# Measured by simulation: from 30 completions on, 1.2 x q99.9 of the fit leaves at most one
# time-out in a thousand in 63 to 100% of trials.
_FEWEST_TO_FIT = 30
_HEADROOM = 1.2
_QUANTILE = 0.999
# A fit that asks for more rests on the shape of its tail and not on anything that was seen.
_LARGEST_FIT = 4.0
_FEW_TIME_OUTS = 3
_MOST = 0.6
_SOME = 0.3
# Enough to ask a person, too little to act unattended.
_AT_MOST_ASK = 0.75

_WAITING = re.compile(
    r"\b(?:wait(?:ing)?|still|retry(?:ing)?|retries|attempt|pending|poll(?:ing)?|queued|back-?off"
    r"|heartbeat|keep-?alive|reconnect(?:ing)?|sleeping)\b|等待|重试",
    re.IGNORECASE,
)
_VERB = r"(?:GET|POST|PUT|PATCH|DELETE)"
_OUTGOING = re.compile(
    rf"(?:->|=>|→|>>) ?(?:https?:|{_VERB})|\b{_VERB} (?:https?:|/|\w)"
    r"|\b(?:connecting|calling|requesting|fetching from|querying|invoking|awaiting)\b"
    r"|正在连接|请求",
    re.IGNORECASE,
)
_DOWNSTREAM = re.compile(
    r"ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENOTFOUND|EHOSTUNREACH|EAI_AGAIN|Throttl|TooManyRequests"
    r"|Rate exceeded|SlowDown|(?:Connect|Read|Socket)Timeout|[Rr]ead timed out"
    r"|[Cc]onnect(?:ion)? timed out|[Cc]onnection (?:refused|reset|aborted)|Could not connect"
    r"|\b50[234]\b.{0,30}(?:Bad Gateway|Unavailable|Timeout)|Max retries exceeded",
)
_INIT_TIMED_OUT = re.compile(r"(?:INIT|RESTORE)_REPORT .*Status: timeout", re.DOTALL)
_FRACTION = re.compile(r"\b(\d{1,9}) ?(?:of|/) ?(\d{1,9})\b|\b\d{1,2}(?:\.\d+)? ?%")

# What runs on by itself, whether the work does or not: a clock's words.
_CLOCK = re.compile(
    r"\b\d{1,12}(?:\.\d{1,9})? ?(?:ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?)\b"
    r"|\b(?:uptime|elapsed|age|took|duration|time|ts|timestamp|now|tick|beat)\w{0,20}"
    r"[\"']?[=: #]{0,3}\d[\d.:]{0,20}",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\d+")
# Who says that a step is done does so at the beginning; a dump of data says nothing of steps.
_LONGEST_STEP = 1000
_TIME = re.compile(r"\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?Z?")

_Basis = Literal["fitted", "doubled", "observed"]


@dataclass(frozen=True, slots=True)
class _Reading:
    """The time-outs at hand and what bears on them."""

    evidence: Evidence
    time_outs: tuple[Invocation, ...]
    lines: dict[str, list[LogLine]]

    @property
    def completed(self) -> tuple[Invocation, ...]:
        return tuple(
            i for i in self.evidence.invocations if i.status == "success" and i.duration_ms
        )

    @property
    def cites(self) -> tuple[str, ...]:
        return reports_of(self.time_outs)


def _diagnose(evidence: Evidence) -> Finding | None:
    reading = _reading_of(evidence)
    if reading is None:
        return None
    if _are_downstream(reading):
        return _hang(reading, "the log of most of them shows another service failing or refusing")
    for proof in _PROOFS:
        finding = proof(reading)
        if finding is not None:
            return finding
    return _hang(
        reading,
        "nothing finished near the limit and none of them showed progress up to it, so the work "
        "hangs, or there is no telling",
    )


def hanging(evidence: Evidence) -> tuple[Invocation, ...]:
    """Give the time-outs that nothing shows to be slow work; empty when they are, or none were."""
    reading = _reading_of(evidence)
    if reading is None or any(proof(reading) is not None for proof in _PROOFS):
        return ()
    return reading.time_outs


def _reading_of(evidence: Evidence) -> _Reading | None:
    """Give the time-outs that only time explains; None when there are none to speak of."""
    cut = time_outs(evidence)
    suspects = {i.request_id for i in memory_suspects(evidence)}
    of_time = tuple(i for i in cut if i.request_id not in suspects)
    if not of_time or len(of_time) < len(suspects):
        return None
    reading = _Reading(evidence, of_time, lines_of(evidence))
    starting = sum(_is_still_starting(reading, i) for i in of_time)
    return None if starting >= _MOST * len(of_time) else reading


def _is_still_starting(reading: _Reading, invocation: Invocation) -> bool:
    """Whether the cold start, and not the work, used up the time."""
    if any(
        line.message.startswith(("INIT_REPORT", "RESTORE_REPORT", "{"))
        and _tells_init_timeout(line.message)
        for line in reading.lines.get(invocation.request_id, ())
    ):
        return True
    # A cold start that takes most of what the timeout allows, where warm invocations fly.
    warm = [i.duration_ms for i in reading.completed if i.init_ms is None and i.duration_ms]
    limit = timeout_ms(reading.evidence)
    has_long_start = (invocation.init_ms or 0.0) >= limit / 2
    return has_long_start and bool(warm) and max(warm) < limit / 2


def _tells_init_timeout(message: str) -> bool:
    if message.startswith("{"):
        record = read_record(message)
        return record.kind == "init_report" and record.status == "timeout"
    return _INIT_TIMED_OUT.match(message) is not None


def _are_downstream(reading: _Reading) -> bool:
    blamed = sum(
        any(_DOWNSTREAM.search(line.message) for line in _own_lines(reading, i))
        for i in reading.time_outs
    )
    return blamed >= _SOME * len(reading.time_outs)


def _own_lines(reading: _Reading, invocation: Invocation) -> list[LogLine]:
    """Give what the function itself said during an invocation."""
    return [
        line
        for line in reading.lines.get(invocation.request_id, ())
        if line.at >= invocation.started_at and read_record(line.message).kind == "speech"
    ]


def _proof_by_longer_runs(reading: _Reading) -> Finding | None:
    """The same work finished after a longer time than it is given now: the limit was lowered."""
    limit = timeout_ms(reading.evidence)
    longer = tuple(i for i in reading.completed if (i.duration_ms or 0.0) > limit * 1.1 + 1000)
    if not longer:
        return None
    longest = max(i.duration_ms or 0.0 for i in longer)
    why = (
        f"{len(longer)} earlier invocations finished after more than the present timeout of "
        f"{limit / 1000:g} s (the longest after {longest / 1000:.1f} s); the setting was lowered"
    )
    need = _need(reading, longest * _HEADROOM, "observed")
    return _slow(reading, 0.9, why, need, cites=(*reports_of(longer, most=2), *reading.cites))


def _proof_by_near_completions(reading: _Reading) -> Finding | None:
    """Enough invocations finish just below the limit for the cut ones to be the same work."""
    limit = timeout_ms(reading.evidence)
    near = tuple(i for i in reading.completed if limit / 2 <= (i.duration_ms or 0.0) <= limit)
    if len(near) < _NEAR_PER_TIME_OUT * len(reading.time_outs):
        return None
    why = (
        f"{len(reading.time_outs)} time-outs at {limit / 1000:g} s beside {len(near)} invocations "
        f"that finished in the upper half of that time: slow, not hanging"
    )
    confidence = 0.9 if len(near) >= _FEW_TIME_OUTS else 0.75
    cites = (*reports_of(near, most=3), *reading.cites)
    return _slow(reading, confidence, why, _fitted_need(reading), cites=cites)


def _proof_by_progress(reading: _Reading) -> Finding | None:
    """Nothing finishes, but the cut invocations were at work until they were cut."""
    working = [i for i in reading.time_outs if _makes_progress(reading, i)]
    if len(working) < _MOST * len(reading.time_outs):
        return None
    last = _own_lines(reading, working[-1])[-1]
    why = (
        f"{len(working)} of {len(reading.time_outs)} invocations cut at "
        f"{timeout_ms(reading.evidence) / 1000:g} s were logging new steps of their work in the "
        f"second half of that time, with no sign of another service failing"
    )
    confidence = 0.85 if len(working) >= _FEW_TIME_OUTS else 0.8
    sure = sum(_advances(reading, i) for i in working)
    if sure < _MOST * len(reading.time_outs):
        # A loop that waits can count as well as one that works.
        confidence = _AT_MOST_ASK
        why += "; whether these steps lead to an end cannot be told"
    return _slow(reading, confidence, why, _doubled(reading), cites=(last.id, *reading.cites))


_PROOFS = (_proof_by_longer_runs, _proof_by_near_completions, _proof_by_progress)


def _makes_progress(reading: _Reading, invocation: Invocation) -> bool:
    """Whether the function's own words show it at work until shortly before it was cut.

    The last words have to fall into the second half, must not open a call to somebody else, and
    the silence after them must not be much longer than the longest one between words before.
    Waiting, retrying and polling is no progress.
    """
    steps = _steps(_own_lines(reading, invocation))
    if not steps or _OUTGOING.search(_words(steps[-1])):
        return False
    limit = timeout_ms(reading.evidence)
    times = [(line.at - invocation.started_at).total_seconds() * 1000 for line in steps]
    if len(steps) == 1 and not _FRACTION.search(_words(steps[0])):
        return False
    pauses = [later - earlier for earlier, later in zip([0.0, *times], times, strict=False)]
    return limit / 2 <= times[-1] <= limit * 1.1 and limit - times[-1] <= 2 * max(pauses)


def _advances(reading: _Reading, invocation: Invocation) -> bool:
    """Whether the last step is a new one, or is nearer to a known end than the one before it."""
    texts = [_words(step) for step in _steps(_own_lines(reading, invocation))]
    kinds = [_NUMBER.sub("#", _without_time(text)) for text in texts]
    part = _part(texts[-1])
    alike = [text for text, kind in zip(texts, kinds, strict=True) if kind == kinds[-1]][:-1]
    if part is None:
        return not alike and len(texts) > 1
    before = _part(alike[-1]) if alike else None
    return before is None or before < part


def _part(text: str) -> float | None:
    """Give the part that is done where a text tells it ("3 of 5", "2/4", "40%"), else None."""
    match = _FRACTION.search(_without_time(text))
    if match is None:
        return None
    if match[1] is None:
        return float(match[0].rstrip("% ")) / 100
    done, whole = int(match[1]), int(match[2])
    return done / whole if 0 < whole >= done else None


def _steps(lines: list[LogLine]) -> list[LogLine]:
    """Leave out words of waiting, and words that were said before or that only a clock changes."""
    seen: set[str] = set()
    steps: list[LogLine] = []
    for line in lines:
        text = _without_time(_words(line))
        if text not in seen and not _WAITING.search(text):
            seen.add(text)
            steps.append(line)
    return steps


def _words(line: LogLine) -> str:
    return plain_text(line.message)[:_LONGEST_STEP]


def _without_time(text: str) -> str:
    return _CLOCK.sub("", _TIME.sub("", text))


def _fitted_need(reading: _Reading) -> TimeoutNeed:
    """Fit the durations, finished and cut, where there are enough; else ask for the double."""
    limit = timeout_ms(reading.evidence)
    finished = [i.duration_ms for i in reading.completed if i.duration_ms]
    if len(finished) < _FEWEST_TO_FIT:
        return _doubled(reading)
    fit = fit_lognormal(finished, [limit] * len(reading.time_outs))
    need_ms = _HEADROOM * fit.quantile(_QUANTILE)
    if not limit < need_ms <= _LARGEST_FIT * limit:
        return _doubled(reading)
    return _need(reading, need_ms, "fitted")


def _doubled(reading: _Reading) -> TimeoutNeed:
    return _need(reading, 2 * timeout_ms(reading.evidence), "doubled")


def _need(reading: _Reading, duration_ms: float, basis: _Basis) -> TimeoutNeed:
    return TimeoutNeed(
        duration_ms=duration_ms,
        basis=basis,
        seen_at_timeout_s=reading.evidence.configuration.timeout_s,
    )


def _slow(
    reading: _Reading, confidence: float, why: str, need: TimeoutNeed, *, cites: tuple[str, ...]
) -> Finding:
    share = share_of_failures(reading.evidence, len(reading.time_outs))
    return Finding(
        cause=RootCause.TIMEOUT_TOO_LOW,
        confidence=weighed_down(confidence, share),
        why=why,
        cites=tuple(dict.fromkeys(cites)),
        need=need,
    )


def _hang(reading: _Reading, reason: str) -> Finding:
    count = len(reading.time_outs)
    return Finding(
        cause=RootCause.UNKNOWN,
        confidence=0.5,
        why=(
            f"{count} invocations ran into the timeout, but {reason}; "
            "a longer timeout never cures a hang"
        ),
        cites=reading.cites,
        is_repairable=False,
    )


TIMEOUT_TOO_LOW = Cause(
    label=RootCause.TIMEOUT_TOO_LOW,
    signal=(
        "Invocations cut at the configured timeout, beside others that finish just below it, "
        "or that report steps of their work until they are cut, or that finished after a longer "
        "time before the timeout was lowered."
    ),
    proof=(
        "Work that hangs either finishes quickly or not at all; work that is slow fills the time "
        "just below the limit, or can be seen at work when the limit comes."
    ),
    silence=(
        "The memory stood at its limit, the cold start used up the time, another service shows "
        "itself failing, the last words are a call or a wait with silence after them, or only a "
        "clock in them moves on. Steps whose end is not known are no reason to act unattended."
    ),
    repair=RepairKind.SET_TIMEOUT,
    runbook="timeout-too-low",
    diagnose=_diagnose,
)
