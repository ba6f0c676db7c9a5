"""Which invocations ran into which limit of the function as it is configured now."""

from __future__ import annotations

from statistics import median

from autorepair.domain.evidence import Evidence, Invocation, LogLine

# A time-out whose memory stood this full is a memory suspect: Lambda often reports exhausted
# memory as a time-out (DataDog/datadog-lambda-extension#1237).
FULL_MEMORY = 0.97
_ENDS_THE_PROCESS = frozenset({"timeout", "crash", "out_of_memory"})
_TIMEOUT_SLACK = 0.05
_TIMEOUT_OVERRUN_MS = 1000.0


def timeout_ms(evidence: Evidence) -> float:
    """Give the configured timeout in milliseconds."""
    return evidence.configuration.timeout_s * 1000.0


def time_outs(evidence: Evidence) -> tuple[Invocation, ...]:
    """Give the invocations that the present timeout cut; those of an earlier setting are not."""
    limit = timeout_ms(evidence)
    shortest, longest = limit * (1 - _TIMEOUT_SLACK), limit * 1.1 + _TIMEOUT_OVERRUN_MS
    return tuple(
        i
        for i in evidence.invocations
        if i.status == "timeout" and (i.duration_ms is None or shortest <= i.duration_ms <= longest)
    )


def memory_share(invocation: Invocation) -> float | None:
    """Give the share of its memory that an invocation used at most; None when untold."""
    if not invocation.memory_mb or invocation.max_memory_used_mb is None:
        return None
    return invocation.max_memory_used_mb / invocation.memory_mb


def has_present_size(evidence: Evidence, invocation: Invocation) -> bool:
    """Whether an invocation ran with the memory size that is configured now."""
    return invocation.memory_mb in {None, evidence.configuration.memory_mb}


def has_full_successes(evidence: Evidence) -> bool:
    """Whether invocations that succeed fill the memory, so that being full tells nothing.

    What Lambda reports is the high-water mark of the environment: a success after a failure that
    filled it, and that the process outlived, shows the failure's use and not its own.
    """
    filled: set[str] = set()
    shares: list[float] = []
    for invocation in evidence.invocations:
        share = memory_share(invocation)
        if invocation.init_ms is not None or invocation.status in _ENDS_THE_PROCESS:
            filled.discard(invocation.stream)
        elif invocation.has_failed and (share or 0.0) >= FULL_MEMORY:
            filled.add(invocation.stream)
        is_own = invocation.status == "success" and invocation.stream not in filled
        if is_own and share is not None and has_present_size(evidence, invocation):
            shares.append(share)
    return bool(shares) and median(shares) >= FULL_MEMORY


def memory_suspects(evidence: Evidence) -> tuple[Invocation, ...]:
    """Give the time-outs that stood at the memory limit, where that tells them from the others.

    A function whose successful invocations fill the memory just as much (a runtime that takes
    what it is given) shows nothing by being full.
    """
    if has_full_successes(evidence):
        return ()
    return tuple(
        i
        for i in time_outs(evidence)
        if has_present_size(evidence, i) and (memory_share(i) or 0.0) >= FULL_MEMORY
    )


def lines_of(evidence: Evidence) -> dict[str, list[LogLine]]:
    """Give each request's log lines, oldest first."""
    lines: dict[str, list[LogLine]] = {}
    for line in evidence.log_lines:
        if line.request_id is not None:
            lines.setdefault(line.request_id, []).append(line)
    return lines


def reports_of(invocations: tuple[Invocation, ...], *, most: int = 5) -> tuple[str, ...]:
    """Give the ids of the lines with the figures of the latest of these invocations."""
    ids = [i.report_id for i in invocations if i.report_id is not None]
    return tuple(ids[-most:])


def share_of_failures(evidence: Evidence, explained: int) -> float:
    """Give the share of all failed invocations that a finding explains (1 when none failed)."""
    failures = len(evidence.failures)
    return min(1.0, explained / failures) if failures else 1.0


def weighed_down(confidence: float, share: float) -> float:
    """Lower a confidence where the finding explains only part of the failures.

    Untouched when it explains four fifths or more; two thirds of it when it explains nothing.
    """
    full = 0.8
    factor = 1.0 if share >= full else (2 + share / full) / 3
    return round(confidence * factor, 2)
