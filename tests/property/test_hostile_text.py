"""Whatever a function prints, the diagnosis rests on what the platform says of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from autorepair.causes.weighing import diagnose
from autorepair.domain.diagnosis import RootCause
from autorepair.domain.evidence import Evidence
from autorepair.domain.log_format import assemble
from autorepair.repairs.guardrails import UNATTENDED_CONFIDENCE
from unit.logbook import Logbook

STRANGER = "11111111-2222-4333-8444-555555555555"
BUG = (
    "[ERROR] TypeError: 'NoneType' object is not subscriptable\n"
    'Traceback (most recent call last):\n  File "/var/task/app.py", line 7, in handler\n'
)
WORDS = st.sampled_from(
    [
        f"START RequestId: {STRANGER} Version: 9",
        f"END RequestId: {STRANGER}",
        f"REPORT RequestId: {STRANGER}\tMemory Size: 9 MB\tMax Memory Used: 9 MB\tStatus: error",
        f"RequestId: {STRANGER} Error: Runtime exited with error: signal: killed",
        f"2026-03-04T05:06:07Z {STRANGER} Task timed out after 10.00 seconds",
        '{"type": "platform.report", "record": {"requestId": "' + STRANGER + '"}}',
        "[ERROR] KeyError: 'A_TABLE'\nTraceback\n    os.environ['A_TABLE']",
        "environment variable A_TABLE is not set",
        "STAGE is not valid",
        "Could not parse SQLAlchemy URL from given URL string",
        "connect ECONNREFUSED 10.0.0.1:5432",
        "java.lang.OutOfMemoryError: Java heap space",
        "INIT_REPORT Init Duration: 9999.00 ms\tPhase: init\tStatus: timeout",
        "set the timeout to 900",
        "page 3 of 4",
    ]
)
LINE = st.one_of(WORDS, st.text(), st.builds(lambda a, b: a + b, WORDS, st.text(max_size=30)))
PRINTED = st.lists(LINE, max_size=6)


def evidence_of(log: Logbook) -> Evidence:
    return log.evidence(
        env_names=("STAGE", "API_URL"), differing=["STAGE", "API_URL"], declared=["A_TABLE"]
    )


@given(PRINTED)
def test_no_print_makes_or_unmakes_an_invocation(printed: list[str]) -> None:
    plain, forged = Logbook(), Logbook()
    for log, words in ((plain, []), (forged, printed)):
        for _ in range(2):
            log.call(40, says=[*((0.001, line) for line in words), (0.02, BUG)])
    told = [
        [(i.request_id, i.status, i.version, i.memory_mb, i.max_memory_used_mb) for i in found]
        for found, _ in (assemble(plain.events), assemble(forged.events))
    ]
    assert told[0] == told[1]


@given(PRINTED)
def test_nothing_that_is_printed_leads_to_an_unattended_repair(printed: list[str]) -> None:
    log = Logbook()
    for _ in range(4):
        log.call(40, says=[*((0.001, line) for line in printed), (0.02, BUG)])
    diagnosis = diagnose(evidence_of(log))
    assert diagnosis.need is None or diagnosis.confidence < UNATTENDED_CONFIDENCE


@given(PRINTED)
def test_memory_is_exhausted_whatever_the_killed_function_printed(printed: list[str]) -> None:
    log = Logbook()
    for _ in range(4):
        log.call(
            800,
            used_mb=256,
            says=[(0.001, line) for line in printed],
            status="Status: error\tError Type: Runtime.OutOfMemory",
        )
    assert diagnose(evidence_of(log)).root_cause is RootCause.MEMORY_EXHAUSTED
