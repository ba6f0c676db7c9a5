from __future__ import annotations

import json

import pytest

from autorepair.causes.handles import RESOURCE_EXHAUSTED_FDS_THREADS
from autorepair.causes.weighing import diagnose
from autorepair.domain.diagnosis import Finding, RootCause
from autorepair.domain.evidence import Evidence
from unit.logbook import Logbook, cites_exist

TRACE = '\nTraceback (most recent call last):\n  File "/var/task/app.py", line 9, in handler'
NODE = "2026-03-04T05:06:07.100Z\tid\tERROR\tInvoke Error \t"


def find(evidence: Evidence) -> Finding | None:
    return RESOURCE_EXHAUSTED_FDS_THREADS.diagnose(evidence)


def node(**error: str) -> str:
    return NODE + json.dumps({"errorType": "Error", **error})


SPENT = [
    "[ERROR] OSError: [Errno 24] Too many open files: '/tmp/a'" + TRACE,
    "[ERROR] RuntimeError: can't start new thread" + TRACE,
    "[ERROR] BlockingIOError: [Errno 11] Resource temporarily unavailable" + TRACE,
    "[ERROR] GetParameterError: SSL validation failed for https://secretsmanager.eu-central-1"
    ".amazonaws.com/ [Errno 24] Too many open files" + TRACE,
    node(errorMessage="EMFILE: too many open files, open '/tmp/x'", code="EMFILE"),
    node(errorMessage="getaddrinfo EMFILE sqs.eu-west-1.amazonaws.com"),
    node(errorMessage="spawn /opt/bin/gs EAGAIN", code="EAGAIN"),
    ("unable to create native thread: possibly out of memory or process/resource limits reached: "
    "java.lang.OutOfMemoryError\njava.lang.OutOfMemoryError: unable to create native thread: "
    "possibly out of memory or process/resource limits reached\n\tat java.lang.Thread.start0"),
    json.dumps({"errorType": "System.IO.IOException", "errorMessage": "Too many open files : "
                "'/tmp/a'", "stackTrace": ["at System.IO.FileStream"]}),
    json.dumps({"errorType": "Errno::EMFILE", "errorMessage": "Too many open files @ rb_sysopen"}),
    json.dumps({"errorType": "ThreadError", "errorMessage": "can't create Thread: Resource "
                "temporarily unavailable"}),
    json.dumps({"errorType": "*net.OpError", "errorMessage": "dial tcp: lookup s3.amazonaws.com: "
                "socket: too many open files"}),
    json.dumps({"errorType": "&alloc::string::String", "errorMessage": "dns error: Too many open "
                "files (os error 24)"}),
]  # fmt: skip


@pytest.mark.parametrize("words", SPENT, ids=range(len(SPENT)))
def test_a_limit_of_the_kernel_in_the_failure_of_any_runtime(words: str) -> None:
    log = Logbook(memory_mb=512)
    log.succeed(100, 90)
    for _ in range(4):
        log.fail(words, used_mb=480)
    evidence = log.evidence()
    finding = find(evidence)
    assert finding is not None
    assert finding.confidence >= 0.9
    assert not finding.is_repairable
    assert cites_exist(finding, evidence)
    assert diagnose(evidence).root_cause is RootCause.RESOURCE_EXHAUSTED_FDS_THREADS


@pytest.mark.parametrize(
    "words",
    [
        "[ERROR] OSError: [Errno 28] No space left on device" + TRACE,
        "[ERROR] MemoryError" + TRACE,
        "[ERROR] BrokenPipeError: recv Resource temporarily unavailable" + TRACE,
        "[ERROR] ValueError: file 24 is not open" + TRACE,
    ],
)
def test_other_shortages_are_not_this_one(words: str) -> None:
    log = Logbook()
    for _ in range(4):
        log.fail(words)
    assert find(log.evidence()) is None


def test_a_warning_that_successes_print_too_proves_nothing() -> None:
    log = Logbook()
    for _ in range(5):
        log.call(90, says=[(0.01, "WARN EMFILE seen, too many open files, retrying")])
    log.fail("[ERROR] KeyError: 'id'" + TRACE)
    assert find(log.evidence()) is None


def test_a_crash_of_the_process_for_want_of_threads_counts() -> None:
    log = Logbook(memory_mb=512)
    for n in range(3):
        log.enter(f"env{n}")
        log.call(
            300,
            says=[(0.1, "runtime: failed to create new OS thread (have 1022 already; errno=11)")],
            status="Status: error\tError Type: Runtime.ExitError",
            last_words="RequestId: {id} Error: Runtime exited with error: exit status 2",
        )
    assert find(log.evidence()) is not None


def test_without_failures_nothing_is_found() -> None:
    assert find(Logbook().evidence()) is None
