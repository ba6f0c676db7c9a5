from __future__ import annotations

from collections.abc import Iterable

import pytest

from autorepair.causes.files import FILE_PERMISSION, READ_ONLY_FILESYSTEM
from autorepair.causes.weighing import diagnose
from autorepair.domain.diagnosis import EnvironmentNeed, RootCause
from autorepair.domain.evidence import RecentChange, VariableChange
from unit.envelopes import (
    Call,
    dead_process,
    failing,
    java,
    node,
    python,
    refused_start,
    ruby,
    told_as_json,
)
from unit.logbook import START, Logbook, cites_exist

HOME = "/home/sbx_user1051"
NO_CACHE = python(f"OSError: [Errno 30] Read-only file system: '{HOME}'")

READ_ONLY: tuple[Call, ...] = (
    python("OSError: [Errno 30] Read-only file system: 'uploads'"),
    python("OperationalError: attempt to write a readonly database"),
    python("RuntimeError: cannot cache function 'r': no locator available for file '/var/task/a'"),
    python(f"PermissionError: [Errno 13] Permission denied: '{HOME}'"),
    node("Error", "EROFS: read-only file system, mkdir '/var/task/uploads'"),
    node("Error", f"ENOENT: no such file or directory, mkdir '{HOME}/.cache'"),
    node("Error", "ENOENT: no such file or directory, mkdir '/var/task/cache'"),
    java("java.io.FileNotFoundException", "/var/task/out.csv (Read-only file system)"),
    java("java.nio.file.ReadOnlyFileSystemException", "null"),
    ruby("Errno::EROFS", "Read-only file system @ rb_sysopen - /var/task/log/a.log"),
    told_as_json("PathError", "open report.pdf: read-only file system"),
    told_as_json("IOException", "Read-only file system : '/var/task/cache'"),
    dead_process('Os { code: 30, kind: ReadOnlyFilesystem, message: "Read-only file system" }'),
)
REFUSED: tuple[Call, ...] = (
    refused_start("fork/exec /var/task/bootstrap: permission denied"),
    refused_start("fork/exec /opt/extensions/agent: permission denied", "Extension.LaunchError"),
    python("PermissionError: [Errno 13] Permission denied: '/var/task/backend_handler.py'"),
    python("PermissionError: [Errno 13] Permission denied: '/mnt/efs/models/a.bin'"),
    node("Error", "EACCES: permission denied, open '/var/task/config.json'"),
    node("Error", "spawn /opt/bin/ffmpeg EACCES"),
    java("java.nio.file.AccessDeniedException", "/mnt/efs/reports"),
    java("java.io.FileNotFoundException", "/var/task/keys.jks (Permission denied)"),
    ruby("Errno::EACCES", "Permission denied @ rb_sysopen - /var/task/config.yml"),
    told_as_json("UnauthorizedAccessException", "Access to the path '/var/task/a.json' is denied."),
    told_as_json("PathError", "open /mnt/data/in.csv: permission denied"),
    dead_process("/bin/sh: 1: /var/task/bin/convert: Permission denied"),
)


@pytest.mark.parametrize("call", READ_ONLY)
def test_a_write_outside_of_tmp_is_known_in_every_language(call: Call) -> None:
    evidence = failing(call).evidence()
    diagnosis = diagnose(evidence)
    assert diagnosis.root_cause is RootCause.READ_ONLY_FILESYSTEM
    assert (diagnosis.need, diagnosis.is_repairable) == (None, False)
    assert cites_exist(diagnosis, evidence)


@pytest.mark.parametrize("call", REFUSED)
def test_a_file_that_may_not_be_used_is_known_in_every_language(call: Call) -> None:
    evidence = failing(call).evidence()
    diagnosis = diagnose(evidence)
    assert diagnosis.root_cause is RootCause.FILE_PERMISSION
    assert diagnosis.confidence >= 0.9
    assert (diagnosis.need, diagnosis.is_repairable) == (None, False)
    assert cites_exist(diagnosis, evidence)


@pytest.mark.parametrize(
    "call",
    [
        python("OperationalError: cannot execute INSERT in a read-only transaction"),
        node("ReplyError", "READONLY You can't write against a read only replica."),
        python("OSError: [Errno 28] No space left on device: '/var/cache/x'"),
        node("Error", "listen EACCES: permission denied 0.0.0.0:80"),
        python("InsufficientPrivilege: permission denied for table orders"),
        node("AccessDenied", "Access Denied"),
        python("OSError: [Errno 38] Function not implemented"),
    ],
)
def test_what_only_sounds_alike_is_left_alone(call: Call) -> None:
    evidence = failing(call).evidence()
    assert READ_ONLY_FILESYSTEM.diagnose(evidence) is None
    assert FILE_PERMISSION.diagnose(evidence) is None


def dropped(*names: str) -> RecentChange:
    return RecentChange(
        id="change:1",
        at=START,
        source="cloudtrail",
        event="UpdateFunctionConfiguration",
        variables=tuple(VariableChange(name=name, kind="removed") for name in names),
    )


@pytest.mark.parametrize(
    ("declared", "removed", "is_set", "needed"),
    [
        (["HF_HOME", "MODEL"], ["HF_HOME"], ["MODEL"], ("HF_HOME",)),
        (["NLTK_DATA", "MPLCONFIGDIR"], [], [], ("MPLCONFIGDIR", "NLTK_DATA")),
        (["XDG_CACHE_HOME", "STAGE"], ["STAGE", "XDG_CACHE_HOME"], [], ("STAGE", "XDG_CACHE_HOME")),
        (["NUMBA_CACHE_DIR", "UNUSED_FLAG"], ["NUMBA_CACHE_DIR"], [], ("NUMBA_CACHE_DIR",)),
        (["UPLOAD_DIR"], [], [], ("UPLOAD_DIR",)),
    ],
)
def test_a_declared_folder_that_was_dropped_is_what_has_to_be_set(
    declared: list[str], removed: list[str], is_set: list[str], needed: Iterable[str]
) -> None:
    log = failing(NO_CACHE)
    evidence = log.evidence(
        declared=declared, changes=[dropped(*removed)] if removed else [], env_names=tuple(is_set)
    )
    diagnosis = diagnose(evidence)
    assert diagnosis.root_cause is RootCause.READ_ONLY_FILESYSTEM
    assert diagnosis.need == EnvironmentNeed(names=tuple(needed))
    assert diagnosis.is_repairable
    assert diagnosis.confidence >= 0.8


def test_a_folder_that_is_set_to_something_else_than_declared_is_set_right() -> None:
    log = failing(python("OSError: [Errno 30] Read-only file system: '/var/task/out'"))
    evidence = log.evidence(differing=["OUTPUT_DIR"], env_names=("OUTPUT_DIR",))
    finding = READ_ONLY_FILESYSTEM.diagnose(evidence)
    assert finding is not None
    assert finding.need == EnvironmentNeed(names=("OUTPUT_DIR",))


@pytest.mark.parametrize(
    ("declared", "is_set", "is_unreadable"),
    [
        (["API_TOKEN"], (), False),
        (["HF_HOME"], ("HF_HOME",), False),
        (["HF_HOME"], (), True),
        ([], (), False),
    ],
)
def test_nothing_is_set_where_no_declared_folder_is_lost(
    declared: list[str], is_set: tuple[str, ...], *, is_unreadable: bool
) -> None:
    log = failing(NO_CACHE)
    evidence = log.evidence(declared=declared, env_names=is_set, is_env_unreadable=is_unreadable)
    finding = READ_ONLY_FILESYSTEM.diagnose(evidence)
    assert finding is not None
    assert (finding.need, finding.is_repairable) == (None, False)


def test_words_beside_another_exception_lead_to_no_repair() -> None:
    log = Logbook()
    for _ in range(4):
        log.call(
            4,
            says=[
                (0.001, "[ERROR] customer wrote: Read-only file system: '/home/x'"),
                (0.002, '[ERROR] TypeError: x\nTraceback\n  File "/var/task/a.py", line 1'),
            ],
        )
    diagnosis = diagnose(log.evidence(declared=["HF_HOME"], changes=[dropped("OTHER")]))
    assert diagnosis.need is None


def test_without_failures_or_a_log_nothing_is_found() -> None:
    log = Logbook()
    assert READ_ONLY_FILESYSTEM.diagnose(log.evidence()) is None
    log.succeed(10, 20)
    assert READ_ONLY_FILESYSTEM.diagnose(log.evidence()) is None
    assert FILE_PERMISSION.diagnose(log.evidence()) is None
