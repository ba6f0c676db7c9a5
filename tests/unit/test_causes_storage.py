from __future__ import annotations

import json

import pytest

from autorepair.causes.quantities import sizes_mb
from autorepair.causes.storage import EPHEMERAL_STORAGE_FULL
from autorepair.causes.weighing import diagnose
from autorepair.domain.diagnosis import Finding, RootCause, StorageNeed
from autorepair.domain.evidence import Evidence
from unit.logbook import Logbook, cites_exist

TRACE = '\nTraceback (most recent call last):\n  File "/var/task/app.py", line 9, in handler'
NODE = "2026-03-04T05:06:07.100Z\tid\tERROR\tInvoke Error \t"
PYTHON = "[ERROR] OSError: [Errno 28] No space left on device: '/tmp/out.csv'" + TRACE


def find(evidence: Evidence) -> Finding | None:
    return EPHEMERAL_STORAGE_FULL.diagnose(evidence)


def need_of(finding: Finding | None) -> StorageNeed:
    assert finding is not None
    assert finding.cause is RootCause.EPHEMERAL_STORAGE_FULL
    assert isinstance(finding.need, StorageNeed)
    return finding.need


def is_for_people(finding: Finding | None) -> bool:
    assert finding is not None
    assert finding.cause is RootCause.EPHEMERAL_STORAGE_FULL
    return finding.need is None and not finding.is_repairable


def full(words: str = PYTHON, *, said: str = "working") -> Logbook:
    log = Logbook()
    for n in range(4):
        log.enter(f"env{n}")
        log.call(4000, says=[(0.5, said), (3.0, words)])
    return log


FULL = [
    PYTHON,
    "[ERROR] OperationalError: database or disk is full" + TRACE,
    "[ERROR] OSError: Not enough free disk space to download the file" + TRACE,
    NODE + json.dumps({"errorType": "Error", "errorMessage": "ENOSPC: no space left on device, "
                       "write", "code": "ENOSPC", "errno": -28}),
    ("No space left on device: java.io.IOException\njava.io.IOException: No space left on device\n"
    "\tat java.base/java.io.FileOutputStream.writeBytes(Native Method)"),
    json.dumps({"errorType": "IOException", "errorMessage": "There is not enough space on the "
                "disk. : '/tmp/x'"}),
    json.dumps({"errorType": "Errno::ENOSPC", "errorMessage": "No space left on device @ "
                "io_write - /tmp/a"}),
    json.dumps({"errorType": "*fs.PathError", "errorMessage": "write /tmp/a: no space left on "
                "device"}),
    json.dumps({"errorType": "&std::io::Error", "errorMessage": "No space left on device (os "
                "error 28)"}),
]  # fmt: skip


@pytest.mark.parametrize("words", FULL, ids=range(len(FULL)))
def test_a_full_disk_in_the_words_of_any_runtime(words: str) -> None:
    evidence = full(words).evidence()
    finding = find(evidence)
    assert need_of(finding) == StorageNeed(storage_mb=512, basis="doubled", seen_at_storage_mb=512)
    assert finding is not None
    assert finding.confidence >= 0.9
    assert cites_exist(finding, evidence)
    assert diagnose(evidence).root_cause is RootCause.EPHEMERAL_STORAGE_FULL


@pytest.mark.parametrize(
    ("said", "needed"),
    [
        ("archive a.zip packed_mb=194 unpacked_mb=1282", 1282),
        ("need 640 MB of disk", 640),
        ("Downloading model, expected file size is: 1340.6 MB", 1340.6),
        ('{"msg": "input", "fileSizeBytes": 1073741824}', 1024),
        ("extracting 1.5 GB to /tmp", 1536),
        ("estimated output 2,048 MB", 2048),
    ],
)
def test_what_a_job_is_told_to_need_is_the_need(said: str, needed: float) -> None:
    need = need_of(find(full(said=said).evidence()))
    assert need.basis == "observed"
    assert need.storage_mb == pytest.approx(needed, rel=0.01)


@pytest.mark.parametrize(
    "said",
    [
        "memory limit 3008 MB",
        "tmp_free_mb=900",
        "bucket holds 900 GB",
        "packed_mb=1900",
        "max upload 5 GB",
    ],
)
def test_a_size_of_something_else_is_no_need(said: str) -> None:
    assert need_of(find(full(said=said).evidence())).basis == "doubled"


def test_files_that_are_left_behind_are_for_people() -> None:
    log = Logbook()
    for n in range(3):
        log.enter(f"env{n}")
        log.succeed(900, 950, 920)
        for _ in range(2):
            log.call(900, says=[(0.5, PYTHON)])
    assert is_for_people(find(log.evidence()))


def test_a_use_that_climbs_from_job_to_job_is_for_people() -> None:
    log = Logbook()
    for used in (80, 170, 260, 350, 440):
        log.call(900, says=[(0.5, f"tmp_used_mb={used}")])
    for _ in range(3):
        log.call(900, says=[(0.5, PYTHON)])
    assert is_for_people(find(log.evidence()))


def test_large_jobs_between_small_ones_are_no_leftovers() -> None:
    log = Logbook()
    for _ in range(4):
        log.succeed(900, 950)
        log.call(900, says=[(0.5, PYTHON)])
    assert need_of(find(log.evidence())).basis == "doubled"


def test_the_largest_size_and_a_mounted_file_system_are_for_people() -> None:
    assert is_for_people(find(full().evidence(ephemeral_storage_mb=10_240)))
    mounted = "[ERROR] OSError: [Errno 28] No space left on device: '/mnt/efs/out.csv'" + TRACE
    assert is_for_people(find(full(mounted).evidence(has_file_system=True)))


@pytest.mark.parametrize(
    "words",
    [
        NODE + json.dumps({"errorType": "Error", "errorMessage": "ENOSPC: System limit for number "
                           "of file watchers reached, watch '/var/task'"}),
        "[ERROR] OSError: [Errno 30] Read-only file system: '/var/task/a'" + TRACE,
        "[ERROR] ValueError: the parcel is full" + TRACE,
    ],
    ids=["watchers", "read-only", "parcel"],
)  # fmt: skip
def test_other_failures_are_not_this_one(words: str) -> None:
    assert find(full(words).evidence()) is None


def test_what_a_program_prints_before_it_fails_counts_where_the_exception_is_blank() -> None:
    blank = NODE + json.dumps({"errorType": "Error", "errorMessage": "ffmpeg exited with code 1"})
    said = "av_interleaved_write_frame(): No space left on device"
    need_of(find(full(blank, said=said).evidence()))
    other = NODE + json.dumps({"errorType": "TypeError", "errorMessage": "x is not a function"})
    assert find(full(other, said=said).evidence()) is None
    log = full(blank, said=said)
    log.call(90, says=[(0.01, said)])
    assert find(log.evidence()) is None


def test_words_of_successes_and_a_healthy_log_prove_nothing() -> None:
    log = Logbook()
    for _ in range(4):
        log.call(90, says=[(0.01, "retrying after: No space left on device")])
    log.fail("[ERROR] KeyError: 'x'" + TRACE)
    assert find(log.evidence()) is None
    assert find(Logbook().evidence()) is None


def test_sizes_are_read_with_their_names() -> None:
    assert sizes_mb("unpacked_mb=1282 and 1.5 GB free") == [("unpacked", 1282), ("and", 1536)]
    assert sizes_mb("no size at all") == []


@pytest.mark.parametrize(
    "words",
    [
        '[ERROR] DiskFull: could not extend file "base/5/16412": No space left on device' + TRACE,
        "[ERROR] OSError: Failure: the remote host says: No space left on device" + TRACE,
        "[ERROR] InternalError: (3, \"Error writing file '/rds/tmp/MYfd=12' (OS errno 28 - No space"
        ' left on device)") at the server' + TRACE,
        NODE + json.dumps({"errorType": "MongoServerError", "errorMessage": "No space left on "
                           "device"}),
    ],
)  # fmt: skip
def test_the_full_disk_of_a_server_is_not_that_of_the_function(words: str) -> None:
    assert find(full(words).evidence()) is None


def test_the_kernels_number_beside_a_servers_name_tells_of_the_functions_own_disk() -> None:
    words = (
        "[ERROR] OSError: [Errno 28] No space left on device\n"
        'Traceback (most recent call last):\n  File "/opt/python/paramiko/sftp_client.py", line 8'
    )
    need_of(find(full(words).evidence()))


def told_by_all(*, has_successes: bool) -> Logbook:
    told = "[INFO] user agent: [Errno 28] No space left on device, 4000 MB are needed"
    log = Logbook(timeout_s=10)
    for _ in range(4):
        log.time_out(says=[(0.1, told)])
    if has_successes:
        for _ in range(8):
            log.call(300, says=[(0.1, told)])
    return log


def test_words_that_successes_say_as_well_are_no_witness_of_a_full_disk() -> None:
    assert find(told_by_all(has_successes=True).evidence()) is None


def test_words_alone_lead_to_no_repair_where_nothing_succeeds() -> None:
    finding = find(told_by_all(has_successes=False).evidence())
    assert is_for_people(finding)
    assert finding is not None
    assert finding.confidence < 0.6
    assert diagnose(told_by_all(has_successes=False).evidence()).need is None
