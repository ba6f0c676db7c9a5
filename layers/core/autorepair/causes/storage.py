"""Storage: a /tmp that is too small for what one job puts there, or that nobody clears."""

from __future__ import annotations

import re

from autorepair.causes.cause import Cause
from autorepair.causes.leftovers import are_left_behind
from autorepair.causes.limits import share_of_failures, weighed_down
from autorepair.causes.quantities import sizes_mb
from autorepair.causes.witnesses import (
    explained_by,
    is_mere_speech,
    latest,
    was_cut,
    witnesses,
    words_of,
)
from autorepair.domain.change import RepairKind
from autorepair.domain.configuration import MAX_EPHEMERAL_STORAGE_MB
from autorepair.domain.diagnosis import Finding, RootCause, StorageNeed
from autorepair.domain.evidence import Evidence, Invocation, LogLine
from autorepair.domain.log_records import read_record

_LEAST_SHARE = 0.4
_FEW = 3
# Below what explains a failure, or is acted on.
_HEARSAY = 0.5
# A size further from the present one is about something else (a bucket, a database).
_MOST_TIMES = 12.0

_FULL = re.compile(
    r"(?<!/)[Nn]o space left on (?:the |this )?device(?!\.\w)|\bENOSPC\b|\[Errno 28\]"
    r"|\(os error 28\)|errno[=: ]{1,3}-?28\b|There is not enough space on the disk|StorageFull"
    r"|database or disk is full|SQLITE_FULL|[Nn]o free space (?:left )?(?:on|in)"
    r"|[Dd]isk (?:is )?full"
    r"|[Nn]ot enough (?:free )?(?:disk )?space|[Ii]nsufficient (?:free )?disk space"
    r"|[Oo]ut of disk space|[Dd]isk space (?:is )?exhausted|[Ww]rite error: No space"
    r"|/tmp (?:is|was) full|[Dd]isk quota exceeded|磁盘空间不足"
)
# The same number for other things: watchers of files, shared memory, the disk of a database.
_ELSEWHERE = re.compile(
    r"file watchers|inotify|/dev/shm|sem_open|DiskFull\b|\b53100\b|[Ee]rrcode: ?28"
    r"|OS errno 28|OutOfDiskSpace"
    r"|could not (?:extend|write to|create) file \\?\"?(?:base|pg_\w{1,20}|global)\b|watermark"
    r"|ERROR 1114|WiredTiger|MISCONF|\bORA-\d{5}|PG::\w|Kafka\w"
)
# Whose words these may be, unless the kernel's own number is beside them.
_OTHERS = re.compile(
    r"\b[Rr]emote|\b[Ss]erver\b|(?:Reply|Response|Transport|Mongo\w{0,20})Error|SQL\w{0,20}Exception"
    r"|psycopg|pymysql|\bSFTP|paramiko|ftplib|[Bb]roker\b"
)
_KERNELS = re.compile(
    r"\[Errno 28\]|ENOSPC|\(os error 28\)|java\.io\.IOException|(?<!\w)/tmp\b|SQLITE"
)
# The first of the kernel's numbers is the one that counts; others may stand in a file's name.
_NUMBERED = re.compile(
    r"\[Errno (\d{1,3})\]|\(os error (\d{1,3})\)"
    r"|\b(ENO[A-Z]{3,4}|EACCES|EPERM|EISDIR|EROFS|EEXIST):? "
)
_IS_FULL = frozenset({"28", "ENOSPC"})
# Such an exception quotes what it was given, and is never the kernel's.
_OF_INPUT = re.compile(
    r"(?:Value|Key|Type|Range|Syntax|Reference|Validation|Argument|Decode)\w*Err"
)
_ON_EFS = re.compile(r"[\"' (=]/mnt/|\bEFS\b")
_CHILD_FAILED = re.compile(
    r"exit(?:ed)? (?:with )?(?:code|status)|non-?zero exit|[Cc]ommand (?:failed|'|\[)|CalledProcess"
    r"|[Cc]onversion failed|subprocess|child process|exited with"
)
_AT_MOST_READ = 40
_INFORMS = re.compile(r"\b(?:INFO|DEBUG|TRACE|info|debug|trace)\b")
_HEAD = 200
# How a line names what a job needs, and what it says of the disk itself.
_NEEDS = re.compile(
    r"need|requir|expect|estimat|unpack|uncompress|decompress|extract|inflat|unzip|total|output|out"
    r"|result|input|in$|size|download|file|archive|tmp_used|used|disk|tmp|work|scratch|spill|write"
    r"|written|cache|model|video|image|object|frame|wal|temp|peak",
    re.IGNORECASE,
)
_NO_NEED = re.compile(
    r"free|avail|limit|capacity|quota|left|remain|memory|heap|rss|ram|packed(?<!unpacked)"
    r"|compressed(?<!uncompressed)(?<!decompressed)|max",
    re.IGNORECASE,
)


def _diagnose(evidence: Evidence) -> Finding | None:
    lines = witnesses(evidence, _tells) or _told_by_children(evidence)
    failed = explained_by(evidence, lines)
    share = share_of_failures(evidence, len(failed))
    if not failed or share < _LEAST_SHARE:
        return None
    size = evidence.configuration.ephemeral_storage_mb
    why = (
        f"{len(failed)} of {len(evidence.failures)} failed invocations found no space left on the "
        f"disk of {size} MB"
    )
    confidence = 0.95 if len(failed) >= _FEW else 0.85
    need: StorageNeed | None = _need(evidence, failed)
    if _is_hearsay(evidence, lines):
        need, confidence = None, _HEARSAY
        why += ", as they say: nothing but their own words tells of it"
    elif (reason := _against_more(evidence, lines, failed)) is not None:
        need, why = None, f"{why}; {reason}"
        confidence -= 0.1
    elif need is not None and need.basis == "observed":
        why += f"; a job was seen to need {need.storage_mb:.0f} MB"
    return Finding(
        cause=RootCause.EPHEMERAL_STORAGE_FULL,
        confidence=weighed_down(confidence, share),
        why=why,
        cites=latest(lines),
        need=need,
        is_repairable=need is not None,
    )


def _tells(line: LogLine) -> bool:
    text = words_of(line)
    if not _FULL.search(text) or _ELSEWHERE.search(text):
        return False
    numbered = _NUMBERED.search(text)
    if numbered is not None and numbered[numbered.lastindex or 0] not in _IS_FULL:
        return False
    if _OF_INPUT.search(read_record(line.message).error_type or ""):
        return False
    return _OTHERS.search(text) is None or _KERNELS.search(text) is not None


def _is_hearsay(evidence: Evidence, lines: list[LogLine]) -> bool:
    """Whether only the function's words tell of it, and no success shows that it says else.

    A limit of time or memory ended it then, or it calls its own words a piece of information.
    """
    if any(i.status == "success" for i in evidence.invocations):
        return False
    cut = {i.request_id for i in evidence.failures if was_cut(i)}
    return all(
        is_mere_speech(line)
        and (line.request_id in cut or _INFORMS.search(line.message[:_HEAD]) is not None)
        for line in lines
    )


def _told_by_children(evidence: Evidence) -> list[LogLine]:
    """Give what a program that the function runs printed before it failed.

    Only where the exception that left the handler says no more than that a program failed, and
    where no successful invocation prints the like.
    """
    blank = {
        line.request_id
        for line in witnesses(evidence, lambda line: bool(_CHILD_FAILED.search(words_of(line))))
    }
    told = [line for line in evidence.log_lines if line.request_id is not None and _tells(line)]
    failed = {i.request_id for i in evidence.failures}
    if any(line.request_id not in failed for line in told):
        return []
    return [line for line in told if line.request_id in blank]


def _against_more(
    evidence: Evidence, lines: list[LogLine], failed: tuple[Invocation, ...]
) -> str | None:
    if evidence.configuration.ephemeral_storage_mb >= MAX_EPHEMERAL_STORAGE_MB:
        return f"{MAX_EPHEMERAL_STORAGE_MB} MB are all that Lambda gives"
    if evidence.configuration.has_file_system and all(_ON_EFS.search(words_of(x)) for x in lines):
        return "it is the mounted file system that is full, and not /tmp"
    if are_left_behind(evidence, failed):
        return (
            "an environment is well at first and never again once the disk is full, with jobs that "
            "are no larger: files are left behind, and more space only delays the end"
        )
    return None


def _need(evidence: Evidence, failed: tuple[Invocation, ...]) -> StorageNeed:
    """Say what the largest failing job needs, by the sizes that its own log tells.

    Where they all fit into what is there, or none is told, all that is known is that the disk was
    not enough.
    """
    size = evidence.configuration.ephemeral_storage_mb
    ids = {i.request_id for i in failed}
    told = [
        value
        for line in evidence.log_lines
        if line.request_id in ids and read_record(line.message).kind in {"speech", "failure"}
        for name, value in sizes_mb(line.message)[:_AT_MOST_READ]
        if _NEEDS.search(name) and not _NO_NEED.search(name)
    ]
    plausible = [value for value in told if size < value <= _MOST_TIMES * size]
    if plausible:
        return StorageNeed(storage_mb=max(plausible), basis="observed", seen_at_storage_mb=size)
    return StorageNeed(storage_mb=size, basis="doubled", seen_at_storage_mb=size)


EPHEMERAL_STORAGE_FULL = Cause(
    label=RootCause.EPHEMERAL_STORAGE_FULL,
    signal=(
        "Failures that end in `No space left on device`, ENOSPC, or a library's own words for a "
        "full disk."
    ),
    proof=(
        "The only disk that a function can write to, unless a file system is mounted, is /tmp, and "
        "its size is a setting."
    ),
    silence=(
        "Watchers of files or shared memory ran out instead. No repair where files of earlier jobs "
        "fill the disk (the told use climbs, or an environment does well and then never again "
        "with jobs no larger), where a mounted file system is full, or at 10,240 MB."
    ),
    repair=RepairKind.SET_EPHEMERAL_STORAGE,
    runbook="ephemeral-storage-full",
    diagnose=_diagnose,
    explains=(
        RootCause.CODE_BUG,
        RootCause.TIMEOUT_TOO_LOW,
        RootCause.READ_ONLY_FILESYSTEM,
        RootCause.UNKNOWN,
    ),
)
