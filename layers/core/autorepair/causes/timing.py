"""Time-outs: work that is slower than its timeout, told from work that hangs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from autorepair.causes.cause import Cause
from autorepair.causes.fitting import HEADROOM, fitted_ms
from autorepair.causes.limits import (
    lines_of,
    memory_suspects,
    reports_of,
    share_of_failures,
    time_outs,
    timeout_ms,
    weighed_down,
)
from autorepair.causes.pace import is_same_work_slower, slowed, takes_as_long_as_ever, tells_a_hang
from autorepair.causes.progress import (
    advances,
    blames_others,
    ends_in_call,
    makes_progress,
    projected_ms,
)
from autorepair.causes.spent_time import Rise, SpentTime, has_more_to_do, rise_of
from autorepair.causes.starting import cut_while_starting
from autorepair.domain.change import RepairKind
from autorepair.domain.configuration import MAX_TIMEOUT_S
from autorepair.domain.diagnosis import Finding, RootCause, TimeoutNeed
from autorepair.domain.evidence import Evidence, Invocation, LogLine, RecentChange
from autorepair.domain.log_records import read_record

# Measured by simulation: with completions in [T/2, T] at least half as many as time-outs, the work
# is slow and not hanging in 95 to 100% of trials.
_NEAR_PER_TIME_OUT = 0.5
_FEW_TIME_OUTS = 3
_MOST = 0.6
_SOME = 0.3
_AS_OFTEN, _ENOUGH = 0.8, 30
# Enough to ask a person, too little to act unattended.
_AT_MOST_ASK = 0.75
# Durations that leap by so much did not grow with the work.
_LEAP = 3.0
# So many that were well after a change, before the first was cut, clear the change.
_MANY_BETWEEN = 10
# No time-out yet, but the alarm is about the duration and the room is used up.
_NARROW = 0.9
_LATEST, _FEWEST_NARROW = 5, 3

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
        return _narrow(evidence)
    if _are_downstream(reading):
        return _hang(reading, "the log of most of them shows another service failing or refusing")
    for proof in _PROOFS:
        finding = proof(reading)
        if finding is not None:
            return finding
    if is_same_work_slower(evidence, reading.time_outs):
        return slowed(reading.time_outs)
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
    starting = {i.request_id for i in cut_while_starting(evidence)}
    held_up = sum(i.request_id in starting or _starts_long(reading, i) for i in of_time)
    return None if held_up >= _MOST * len(of_time) else reading


def _starts_long(reading: _Reading, invocation: Invocation) -> bool:
    """Whether a cold start takes most of what the timeout allows, where warm invocations fly."""
    warm = [i.duration_ms for i in reading.completed if i.init_ms is None and i.duration_ms]
    limit = timeout_ms(reading.evidence)
    has_long_start = (invocation.init_ms or 0.0) >= limit / 2
    return has_long_start and bool(warm) and max(warm) < limit / 2


def _are_downstream(reading: _Reading) -> bool:
    """Whether time-outs tell of somebody else in trouble, and successes do not about as often."""
    blamed = _share_blaming(reading, reading.time_outs)
    if blamed < _SOME:
        return False
    return _share_blaming(reading, reading.completed[-_ENOUGH:]) < _AS_OFTEN * blamed


def _share_blaming(reading: _Reading, invocations: tuple[Invocation, ...]) -> float:
    blaming = sum(blames_others(_own_lines(reading, i)) for i in invocations)
    return blaming / max(1, len(invocations))


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
    change, former = _lowered(reading)
    why = (
        f"{len(longer)} earlier invocations finished after more than the present timeout of "
        f"{limit / 1000:g} s (the longest after {longest / 1000:.1f} s); the setting was lowered"
    )
    wanted = max(longest * HEADROOM, _within_callers(reading, former))
    changed = () if change is None else (change.id,)
    cites = (*changed, *reports_of(longer, most=2), *reading.cites)
    return _slow(reading, 0.92, why, _need(reading, wanted, "observed"), cites=cites)


def _proof_by_change(reading: _Reading) -> Finding | None:
    """The timeout was lowered, and only since then invocations are cut."""
    change, former = _lowered(reading)
    if change is None or any(i.started_at < change.at for i in reading.time_outs):
        return None
    first = min(i.started_at for i in reading.time_outs)
    between = [i for i in reading.completed if change.at <= i.started_at < first]
    if len(between) >= _MANY_BETWEEN or _end_in_calls(reading):
        return None
    limit = timeout_ms(reading.evidence)
    why = (
        f"the timeout was lowered from {former / 1000:g} s to {limit / 1000:g} s, and all "
        f"{len(reading.time_outs)} time-outs came after that"
    )
    need = _need(reading, max(_within_callers(reading, former), limit), "observed")
    return _slow(reading, 0.85, why, need, cites=(change.id, *reading.cites))


def _lowered(reading: _Reading) -> tuple[RecentChange | None, float]:
    """Give the latest change of the timeout if it lowered it, and the former one in ms."""
    present = reading.evidence.configuration.timeout_s
    for change in reversed(reading.evidence.changes):
        setting = change.setting("timeout_s")
        if setting is None:
            continue
        if isinstance(setting.before, int) and setting.before > present:
            return change, setting.before * 1000.0
        return None, 0.0
    return None, 0.0


def _within_callers(reading: _Reading, duration_ms: float) -> float:
    """Cut a former timeout to what the callers wait for."""
    limits = [c.timeout_limit_s for c in reading.evidence.callers if c.timeout_limit_s]
    return min([duration_ms, *(limit * 1000.0 for limit in limits)])


def _proof_by_near_completions(reading: _Reading) -> Finding | None:
    """Enough invocations finish just below the limit for the cut ones to be the same work."""
    limit = timeout_ms(reading.evidence)
    near = tuple(i for i in reading.completed if limit / 2 <= (i.duration_ms or 0.0) <= limit)
    is_usual = takes_as_long_as_ever(reading.evidence)
    if len(near) < _NEAR_PER_TIME_OUT * len(reading.time_outs):
        return None
    if not is_usual and _end_in_calls(reading):
        return None
    durations = [i.duration_ms or 0.0 for i in reading.completed]
    is_beyond = tells_a_hang(durations, cut=len(reading.time_outs), limit_ms=limit)
    if is_beyond and not is_usual:
        return None
    why = (
        f"{len(reading.time_outs)} time-outs at {limit / 1000:g} s beside {len(near)} invocations "
        f"that finished in the upper half of that time: slow, not hanging"
    )
    confidence = 0.9 if len(near) >= _FEW_TIME_OUTS else 0.75
    cites = (*reports_of(near, most=3), *reading.cites)
    need: TimeoutNeed | None = _fitted_need(reading)
    if not is_usual and (doubt := _doubt(reading, near)) != "":
        if not reading.evidence.changes and _rise(reading) is not None:
            return slowed(reading.time_outs, is_counted=False)
        need, confidence, why = None, 0.6, f"{why}; {doubt}"
    if is_beyond and need is not None:
        # Work of two kinds looks like that as well as work of which some hangs.
        confidence = min(confidence, _AT_MOST_ASK)
        why = f"{why}; but far more were cut than these foretell, so some may hang"
    return _slow(reading, confidence, why, need, cites=cites)


def _end_in_calls(reading: _Reading) -> bool:
    """Whether the last words of most time-outs are a call to somebody else, long before the cut."""
    limit = timeout_ms(reading.evidence)
    ended = sum(ends_in_call(_own_lines(reading, i), i, limit) for i in reading.time_outs)
    return ended >= _MOST * len(reading.time_outs)


def _doubt(reading: _Reading, near: tuple[Invocation, ...]) -> str:
    """Say why slow invocations may be somebody else's doing; "" where nothing hints at it."""
    spent = SpentTime(reading.evidence)
    waiting = [i for i in near if spent.of_others_ms(i)[0] >= _MOST * (i.duration_ms or 0.0)]
    if len(waiting) >= _MOST * len(near):
        return (
            "but most of that time went to another service, which a longer timeout only waits for"
        )
    rise = _rise(reading)
    working = sum(
        makes_progress(_own_lines(reading, i), i, timeout_ms(reading.evidence))
        for i in reading.time_outs
    )
    is_grown = working >= _MOST * len(reading.time_outs) and not is_same_work_slower(
        reading.evidence, reading.time_outs
    )
    if rise is None or is_grown or has_more_to_do(spent, rise):
        return ""
    if rise.after_ms >= _LEAP * rise.before_ms:
        return "but they took a fraction of it before, and nothing tells what made them slow"
    return ""


def _rise(reading: _Reading) -> Rise | None:
    """Give the rise of the durations, those of the cut ones included where few else are slow."""
    evidence = reading.evidence
    return rise_of(evidence) or rise_of(evidence, cut=reading.time_outs)


def _proof_by_progress(reading: _Reading) -> Finding | None:
    """Nothing finishes, but the cut invocations were at work until they were cut."""
    limit = timeout_ms(reading.evidence)
    working = [i for i in reading.time_outs if makes_progress(_own_lines(reading, i), i, limit)]
    if len(working) < _MOST * len(reading.time_outs) or is_same_work_slower(
        reading.evidence, reading.time_outs
    ):
        return None
    last = _own_lines(reading, working[-1])[-1]
    why = (
        f"{len(working)} of {len(reading.time_outs)} invocations cut at "
        f"{limit / 1000:g} s were logging new steps of their work in the "
        f"second half of that time, with no sign of another service failing"
    )
    confidence = 0.85 if len(working) >= _FEW_TIME_OUTS else 0.8
    sure = sum(advances(_own_lines(reading, i)) for i in working)
    if sure < _MOST * len(reading.time_outs):
        # A loop that waits can count as well as one that works.
        confidence = _AT_MOST_ASK
        why += "; whether these steps lead to an end cannot be told"
    return _slow(reading, confidence, why, _doubled(reading), cites=(last.id, *reading.cites))


_PROOFS = (
    _proof_by_longer_runs,
    _proof_by_change,
    _proof_by_near_completions,
    _proof_by_progress,
)


def _narrow(evidence: Evidence) -> Finding | None:
    """Nothing is cut yet, but the alarm is about the duration, and the latest barely made it."""
    alarm = evidence.alarm.metric_name if evidence.alarm else None
    if evidence.failures or alarm != "Duration" or rise_of(evidence) is not None:
        return None
    reading = _Reading(evidence, (), lines_of(evidence))
    limit = timeout_ms(evidence)
    latest = reading.completed[-_LATEST:]
    near = tuple(i for i in latest if (i.duration_ms or 0.0) >= _NARROW * limit)
    if len(near) < _FEWEST_NARROW or _doubt(reading, near):
        return None
    why = (
        f"{len(near)} of the latest {len(latest)} invocations took {_NARROW:.0%} or more of the "
        f"{limit / 1000:g} s that they have; the next slow one is cut"
    )
    return _slow(reading, 0.7, why, _doubled(reading), cites=reports_of(near))


def _fitted_need(reading: _Reading) -> TimeoutNeed:
    """Fit the durations, finished and cut, where there are enough; else ask for the double."""
    limit = timeout_ms(reading.evidence)
    finished = [i.duration_ms for i in reading.completed if i.duration_ms]
    need_ms = fitted_ms(finished, cut=len(reading.time_outs), limit_ms=limit)
    return _doubled(reading) if need_ms is None else _need(reading, need_ms, "fitted")


def _doubled(reading: _Reading) -> TimeoutNeed:
    """Ask for the double, unless the cut work's own words project more, or more than is waited for.

    Work that logs "step 3 of 9 after 40 s" takes 120 s at constant speed; with the usual headroom.
    """
    limit = timeout_ms(reading.evidence)
    told = (projected_ms(_own_lines(reading, i), i) for i in reading.time_outs)
    projected = max((ms for ms in told if ms is not None), default=0.0)
    waited = _within_callers(reading, MAX_TIMEOUT_S * 1000.0)
    if projected > waited or projected * HEADROOM > 2 * limit:
        return _need(reading, projected * HEADROOM, "observed")
    return _need(reading, 2 * limit, "doubled")


def _need(reading: _Reading, duration_ms: float, basis: _Basis) -> TimeoutNeed:
    return TimeoutNeed(
        duration_ms=duration_ms,
        basis=basis,
        seen_at_timeout_s=reading.evidence.configuration.timeout_s,
    )


def _slow(
    reading: _Reading,
    confidence: float,
    why: str,
    need: TimeoutNeed | None,
    *,
    cites: tuple[str, ...],
) -> Finding:
    share = share_of_failures(reading.evidence, len(reading.time_outs))
    if reading.evidence.configuration.timeout_s >= MAX_TIMEOUT_S:
        need, why = None, f"{why}; {MAX_TIMEOUT_S} s are all that Lambda gives"
    return Finding(
        cause=RootCause.TIMEOUT_TOO_LOW,
        confidence=weighed_down(confidence, share),
        why=why,
        cites=tuple(dict.fromkeys(cites)),
        need=need,
        is_repairable=need is not None,
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
