"""Handles: file descriptors, threads and processes, of which Lambda allows 1,024 and no more."""

from __future__ import annotations

import re

from autorepair.causes.cause import Cause
from autorepair.causes.limits import share_of_failures, weighed_down
from autorepair.causes.witnesses import explained_by, latest, witnesses, words_of
from autorepair.domain.diagnosis import Finding, RootCause
from autorepair.domain.evidence import Evidence, LogLine

_LEAST_SHARE = 0.5
_FEW = 3

# What the kernel says when there is no descriptor left, in the words of each runtime.
_NO_DESCRIPTOR = re.compile(
    r"\bE[MN]FILE\b|[Tt]oo many open files|\[Errno 2[34]\]|\(os error 2[34]\)"
    r"|errno[=: ]{1,3}2[34]\b"
    r"|TooManyOpenFiles"
    r"|No file descriptors available"
    r"|ENOSPC: System limit for number of file watchers|inotify (?:watch|instance)e?s? limit"
)
# What it says when there is no thread or process left.
_NO_THREAD = re.compile(
    r"[Cc]an't start new thread|(?:unable|failed) to create (?:a )?(?:new )?(?:native|OS|worker)? ?"
    r"thread|[Cc]an't create Thread|pthread_create (?:failed|returned|: Resource)"
    r"|uv_thread_create|std::system_error.{0,60}Resource temporarily unavailable"
    r"|(?:fork|vfork|posix_spawn|clone|spawn|exec)\b.{0,60}(?:EAGAIN|Resource temporarily unavail)"
    r"|spawn[A-Za-z]{0,8} .{0,120}EAGAIN|Cannot fork|fork: retry"
    r"|BlockingIOError: \[Errno 11\]|Exceeded (?:the )?maximum number of (?:processes|threads)"
    r"|Failed to (?:create|start) (?:a )?(?:new )?thread|ThreadError\b.{0,60}Resource temporarily"
    r"|System\.Threading\.ThreadStartException"
)
# The kernel's words for a socket that would block, which is no shortage.
_WOULD_BLOCK = re.compile(
    r"\b(?:recv|send|read|write|accept|connect)\w{0,5}\b.{0,40}Resource temporarily unavailable"
)


def _diagnose(evidence: Evidence) -> Finding | None:
    lines = witnesses(evidence, is_out_of_handles)
    failed = explained_by(evidence, lines)
    share = share_of_failures(evidence, len(failed))
    if not failed or share < _LEAST_SHARE:
        return None
    of_descriptors = sum(bool(_NO_DESCRIPTOR.search(words_of(line))) for line in lines)
    what = "file descriptors" if of_descriptors >= len(lines) / 2 else "threads or processes"
    return Finding(
        cause=RootCause.RESOURCE_EXHAUSTED_FDS_THREADS,
        confidence=weighed_down(0.92 if len(failed) >= _FEW else 0.85, share),
        why=(
            f"{len(failed)} of {len(evidence.failures)} failed invocations ran out of {what}, of "
            "which an execution environment has 1,024: neither memory nor time adds any"
        ),
        cites=latest(lines),
        is_repairable=False,
    )


def is_out_of_handles(line: LogLine) -> bool:
    """Whether a line tells that descriptors, threads or processes ran out."""
    text = words_of(line)
    if _NO_DESCRIPTOR.search(text):
        return True
    return bool(_NO_THREAD.search(text)) and not _WOULD_BLOCK.search(text)


RESOURCE_EXHAUSTED_FDS_THREADS = Cause(
    label=RootCause.RESOURCE_EXHAUSTED_FDS_THREADS,
    signal=(
        "Failures that end in EMFILE, `too many open files`, `can't start new thread`, `unable to "
        "create native thread`, or a fork that is refused with EAGAIN."
    ),
    proof=(
        "These are the kernel's own words for the limits of 1,024 descriptors and 1,024 threads "
        "and processes, which are fixed for every function."
    ),
    silence=("Fewer than half of the failures tell of it, or a socket merely would have blocked."),
    repair=None,
    runbook="resource-exhausted-fds-threads",
    diagnose=_diagnose,
    explains=(
        RootCause.CODE_BUG,
        RootCause.DOWNSTREAM_UNAVAILABLE,
        RootCause.NETWORK_UNREACHABLE,
        RootCause.MEMORY_EXHAUSTED,
        RootCause.TIMEOUT_TOO_LOW,
        RootCause.UNKNOWN,
    ),
)
