"""Files and folders: a file system that cannot be written, and files that may not be used."""

from __future__ import annotations

import re

from autorepair.causes.cause import Cause
from autorepair.causes.signs import Proof, Sign, changes_of, find, sign
from autorepair.domain.change import RepairKind
from autorepair.domain.diagnosis import EnvironmentNeed, Finding, RootCause
from autorepair.domain.evidence import Evidence

# The home of the user that functions run as, and folders nobody made: none can be written.
_NO_HOME = r"[ '\"(](?:/home/sbx_user\d{0,6}|/root|/nonexistent|/home/\w{1,40}/\.|/\.cache|~/)"
_READ_ONLY: tuple[Sign, ...] = (
    sign(
        "a file system that is read-only",
        0.93,
        r"(?i:read-only file ?system)|ReadOnlyFileSystemException|\bEROFS\b|ReadOnlyFilesystem",
        r"\[Errno 30\]",
    ),
    sign(
        "a database file in a folder that cannot be written",
        0.85,
        r"attempt to write a readonly database|SQLITE_READONLY|SQLITE_CANTOPEN",
    ),
    sign(
        "a cache or home folder that cannot be written",
        0.86,
        r"requires access to a writable cache dir|no locator available for file",
        r"trying to write in your cache folder|[Cc]ache (?:folder|directory)[^\n]{0,120}not writ",
        r"(?:EACCES|ENOENT|Permission denied|No such file or directory|mkdir|AccessDenied"
        rf"|access to the path)[^\n]{{0,100}}{_NO_HOME}",
        rf"(?:PermissionError|OSError) at{_NO_HOME}",
        r"ENOENT[^\n]{0,60}, mkdir '/(?:var/task|opt|function|app)/",
        r"(?:HOME|home directory)[^\n]{0,60}not (?:writ|exist)|is not writable or does not exist",
        r"[Dd]irectory is not writable|not a writable (?:directory|location)|unable to write to",
    ),
    sign("a database file that cannot be opened", 0.62, r"unable to open database file"),
)
# Variables that say where something is written.
_FOLDERS = re.compile(
    r"(?:^|_)(?:HOME|CACHE|DIR(?:ECTORY)?|FOLDER|PATH|TMP(?:DIR)?|TEMP|CONFIGDIR|DATA|ROOT|STORAGE"
    r"|WORKDIR|WORKSPACE|LOCATION|FILE|OUTPUT|UPLOADS?|DOWNLOADS?|LOGS?|PREFIX|DB|DATABASE"
    r"|LOCAL|BASE|DEST(?:INATION)?)(?:_(?:DIR|PATH|FOLDER|HOME|FILE|ROOT|NAME|URL))?$"
    r"|(?:CACHE|CONFIG|DATA|TMP|WORK)(?:DIR|HOME|PATH)$|^XDG_|^HF_|^NLTK|^MPL"
)
_ENVIRONMENT_IS_TO_BLAME = 0.9
# A folder's variable that has another value than declared: a cause of its own, which knows more.
_VALUE_IS_TO_BLAME = 0.7

_DENIED: tuple[Sign, ...] = (
    sign(
        "a file that may not be read or run",
        0.93,
        r"\[Errno 1?[13]\] (?:Permission denied|Operation not permitted): b?['\"]",
        r"\bEACCES\b",
        r"fork/exec [^\s:]{1,200}: permission denied|spawn \S{1,200} EACCES",
        r"nio\.file\.AccessDeniedException",
        r"FileNotFoundException: [^\n]{1,300}\(Permission denied\)",
        r"UnauthorizedAccessException|Access to the path '[^'\n]{1,300}' is denied",
        r"Errno::EACCES|(?:open|mkdir|unlink|rename|stat) /[^\s:]{1,200}: permission denied",
        r"/(?:var/task|var/runtime|opt|mnt|tmp|app|function)/?[^\s:'\"]{0,200}['\"]?: "
        r"[Pp]ermission denied",
        r"Cannot run program \"[^\"\n]{1,200}\"[^\n]{0,100}error=13,",
        r"can't open file '[^'\n]{1,300}': \[Errno 13\]|kind: PermissionDenied",
        r"Permission denied @ rb_|[Ff]ailed to open stream: Permission denied",
        r"\bEPERM: operation not permitted, \w{1,20} '",
        unless=rf"SemLock|multiprocessing|/dev/shm|listen EACCES|publickey|(?:{_NO_HOME})",
    ),
)


def _diagnose_read_only(evidence: Evidence) -> Finding | None:
    proof = find(evidence, _READ_ONLY)
    if proof is None:
        return None
    need = _need(evidence) if proof.witness == "failures" else None
    is_lost = need is not None and not set(need.names) & set(evidence.configuration.env_names)
    limit = _ENVIRONMENT_IS_TO_BLAME if is_lost else _VALUE_IS_TO_BLAME
    changes = changes_of(evidence, ("code_sha256",), re.compile(r"UpdateFunctionCode"))
    return Finding(
        cause=RootCause.READ_ONLY_FILESYSTEM,
        confidence=min(proof.confidence, limit) if need else proof.confidence,
        why=_why(proof, evidence, need),
        cites=(*proof.cites, *(changes[-1:] if need is None else [])),
        need=need,
        is_repairable=need is not None,
    )


def _need(evidence: Evidence) -> EnvironmentNeed | None:
    """Give the declared variables that would lead the code to a folder that can be written.

    Those that say where things are written, and what was dropped together with them.
    """
    if evidence.configuration.is_env_unreadable:
        return None
    is_set = set(evidence.configuration.env_names)
    lost = {v.name for v in evidence.declared if v.kind != "absent" and v.name not in is_set}
    wrong = {
        v.name
        for v in evidence.declared
        if v.matches_current is False and (v.name in is_set or v.kind == "absent")
    }
    folders = {name for name in lost | wrong if _FOLDERS.search(name)}
    if not folders:
        return None
    removed = {
        v.name
        for change in evidence.changes
        if any(v.name in folders for v in change.variables)
        for v in change.variables
        if v.kind == "removed"
    }
    return EnvironmentNeed(names=tuple(sorted(folders | (lost & removed))))


def _why(proof: Proof, evidence: Evidence, need: EnvironmentNeed | None) -> str:
    why = proof.why(evidence)
    if need is None:
        return f"{why}; only /tmp can be written, and no declared variable leads there"
    names = ", ".join(need.names)
    return f"{why}; {names}, declared by the operator, is not set as declared"


READ_ONLY_FILESYSTEM = Cause(
    label=RootCause.READ_ONLY_FILESYSTEM,
    signal=(
        "Failures speak of a read-only file system, a read-only database file, or a cache or home "
        "folder that cannot be written."
    ),
    proof=(
        "Lambda mounts everything but /tmp (and a file system of the owner's) read-only, and the "
        "kernel itself refuses the write; where a declared variable that says where to write is "
        "not set, the library fell back to such a folder."
    ),
    silence=(
        "A database server is read-only, not a file; a file exists and may not be read; or /tmp is "
        "full."
    ),
    repair=RepairKind.SET_ENV,
    runbook="read-only-filesystem",
    diagnose=_diagnose_read_only,
    explains=(
        RootCause.MISSING_ENV_VAR,
        RootCause.FILE_PERMISSION,
        RootCause.DEPENDENCY_MISSING,
        RootCause.CODE_BUG,
        RootCause.UNKNOWN,
    ),
)


def _diagnose_file(evidence: Evidence) -> Finding | None:
    proof = find(evidence, _DENIED)
    if proof is None:
        return None
    changes = changes_of(evidence, ("code_sha256", "layers"), re.compile(r"UpdateFunctionCode"))
    return Finding(
        cause=RootCause.FILE_PERMISSION,
        confidence=proof.confidence,
        why=f"{proof.why(evidence)}: the modes or owners in the package or file system are wrong",
        cites=(*proof.cites, *changes[-1:]),
        is_repairable=False,
    )


FILE_PERMISSION = Cause(
    label=RootCause.FILE_PERMISSION,
    signal=(
        "Failures say permission denied of a path: a file of the package that may not be read, a "
        "program or bootstrap without its executable bit, a folder of a mounted file system."
    ),
    proof=(
        "The kernel refuses that very path, and the modes in a package are the same for every "
        "environment: only a new package, or the file system's owner, changes them."
    ),
    silence=(
        "It is a service that denies (IAM, a database, SSH), the file system is read-only, or the "
        "path is a home folder that Lambda does not have."
    ),
    repair=None,
    runbook="file-permission",
    diagnose=_diagnose_file,
    explains=(
        RootCause.PERMISSION_DENIED,
        RootCause.HANDLER_MISCONFIGURED,
        RootCause.IMAGE_UNUSABLE,
        RootCause.DEPENDENCY_MISSING,
        RootCause.CODE_BUG,
        RootCause.UNKNOWN,
    ),
)
