from __future__ import annotations

import json
from datetime import timedelta

import pytest

from autorepair.causes.code import CODE_BUG
from autorepair.causes.weighing import diagnose
from autorepair.domain.diagnosis import Finding, RootCause
from autorepair.domain.evidence import Evidence, RecentChange, SettingChange, VariableChange
from unit.logbook import START, Logbook, cites_exist

TYPE_ERROR = (
    "[ERROR] TypeError: unsupported operand type(s) for +: 'int' and 'NoneType'\n"
    'Traceback (most recent call last):\n  File "/var/task/app.py", line 19, in handler\n'
    "    total = total + line.price"
)


def find(evidence: Evidence) -> Finding | None:
    return CODE_BUG.diagnose(evidence)


def failing(words: str, *, count: int = 3) -> Logbook:
    log = Logbook()
    for _ in range(count):
        log.fail(words)
    return log


def test_the_same_exception_at_the_same_place_is_a_bug() -> None:
    evidence = failing(TYPE_ERROR).evidence()
    finding = find(evidence)
    assert finding is not None
    assert finding.cause is RootCause.CODE_BUG
    assert (finding.is_repairable, finding.need) == (False, None)
    assert "TypeError" in finding.why
    assert cites_exist(finding, evidence)


@pytest.mark.parametrize(
    "words",
    [
        "[ERROR] ZeroDivisionError: division by zero\nTraceback",
        "[ERROR] IndexError: list index out of range\nTraceback",
        "[ERROR] AttributeError: 'NoneType' object has no attribute 'get'\nTraceback",
        "[ERROR] KeyError: 'order_id'\nTraceback\n    event['order_id']",
        "2026Z\tid\tERROR\tInvoke Error \t"
        + json.dumps({"errorType": "TypeError", "errorMessage": "Cannot read properties of null"}),
        "x: java.lang.NullPointerException\njava.lang.NullPointerException: x\n\tat u.A.b(A.java)",
        'Error raised from handler method\n{"errorType": "Function<NoMethodError>"}',
        json.dumps({"errorMessage": "runtime error: index out of range [0]", "errorType": "x"}),
        json.dumps({"errorMessage": "x", "errorType": "System.NullReferenceException"}),
    ],
)
def test_bugs_of_many_runtimes_are_known(words: str) -> None:
    finding = find(failing(words).evidence())
    assert finding is not None
    assert finding.confidence >= 0.8


@pytest.mark.parametrize(
    "words",
    [
        "[ERROR] ValueError: no such colour\nTraceback",
        "[ERROR] RuntimeError: the warehouse said no\nTraceback",
        "[ERROR] KeyError: 'A_TABLE'\nTraceback\n    os.environ['A_TABLE']",
        "[ERROR] TypeError: can only concatenate str\nTraceback\n    os.getenv('A') + '/'",
        "[ERROR] AttributeError: module 'numpy' has no attribute 'float'\nTraceback",
        "[ERROR] Runtime.ImportModuleError: Unable to import module 'app'\nTraceback",
    ],
)
def test_what_may_have_another_reason_is_hardly_called_a_bug(words: str) -> None:
    finding = find(failing(words).evidence())
    assert finding is None or (finding.confidence, finding.need) == (0.5, None)


def test_exceptions_at_many_places_are_only_a_leaning() -> None:
    log = Logbook()
    for line in range(6):
        log.fail(TYPE_ERROR.replace("line 19", f"line {19 + line}"))
    finding = find(log.evidence())
    assert finding is not None
    assert finding.confidence < 0.6


def test_a_bug_on_fewer_than_half_of_the_failures_is_not_the_cause() -> None:
    log = failing(TYPE_ERROR, count=3)
    for _ in range(4):
        log.time_out()
    assert find(log.evidence()) is None


def test_an_error_that_was_caught_and_logged_is_not_what_ended_the_invocation() -> None:
    log = Logbook()
    for _ in range(3):
        log.call(4, says=[(0.001, "[ERROR]\t2026Z\tid\tTypeError: caught")])
    assert find(log.evidence()) is None


def test_a_cold_start_that_fails_is_only_a_leaning_towards_a_bug() -> None:
    log = Logbook()
    for _ in range(3):
        log.call(
            4,
            says=[(0.001, TYPE_ERROR)],
            status="Status: error\tError Type: Runtime.Unknown",
        )
    finding = find(log.evidence())
    assert finding is not None
    assert finding.confidence < 0.6


def test_a_missing_variable_outranks_the_bug_that_stumbles_over_it() -> None:
    log = Logbook()
    for _ in range(3):
        log.call(4, says=[(0.001, "A_TOKEN is not set"), (0.002, TYPE_ERROR)])
    diagnosis = diagnose(log.evidence(declared=["A_TOKEN"]))
    assert diagnosis.root_cause is RootCause.MISSING_ENV_VAR
    assert diagnose(log.evidence()).root_cause is RootCause.CODE_BUG


@pytest.mark.parametrize(
    ("change", "is_bug"),
    [
        ({"variables": (VariableChange(name="RATES", kind="removed"),)}, False),
        ({"writes_environment": True}, False),
        ({"settings": (SettingChange(name="memory_mb", before=128, after=256),)}, True),
    ],
)
def test_a_bug_that_began_with_a_change_of_the_environment_is_not_called_one(
    change: dict[str, object], *, is_bug: bool
) -> None:
    log = Logbook()
    log.succeed(10, 20)
    between = log.now - timedelta(seconds=1)
    for _ in range(3):
        log.fail(TYPE_ERROR)
    row = {"id": "change:1", "at": between, "source": "snapshot", "event": "x", **change}
    evidence = log.evidence(changes=[RecentChange.model_validate(row)])
    assert (find(evidence) is not None) is is_bug
    log.succeed(10)
    later = log.evidence(changes=[RecentChange.model_validate(row)])
    assert find(later) is not None


def test_the_creation_of_the_function_is_no_change_of_its_environment() -> None:
    log = failing(TYPE_ERROR)
    row = {"id": "c", "at": START, "source": "cloudtrail", "event": "CreateFunction"}
    evidence = log.evidence(
        changes=[RecentChange.model_validate({**row, "writes_environment": True})]
    )
    assert find(evidence) is not None


def test_without_failures_or_a_log_nothing_is_found() -> None:
    assert find(Logbook().evidence()) is None
    log = Logbook()
    log.succeed(10, 20)
    assert find(log.evidence()) is None


BACK = "callback called, waiting for event loop"


def idling(last: str, *, at_s: float = 0.1) -> Evidence:
    log = Logbook()
    for _ in range(6):
        log.call(200, says=[(0.05, "issuing badge"), (0.1, "badge stored")])
    for _ in range(4):
        log.time_out([(0.01, "issuing badge"), (0.05, "badge stored"), (at_s, last)])
    return log.evidence()


@pytest.mark.parametrize(
    "last", [BACK, "handler returned", "returning 200", "done; event loop still has 1 open handle"]
)
def test_calls_that_handed_back_their_answer_and_idle_are_the_codes_fault(last: str) -> None:
    diagnosis = diagnose(idling(last))
    assert diagnosis.root_cause is RootCause.CODE_BUG
    assert not diagnosis.is_repairable
    assert diagnosis.need is None


@pytest.mark.parametrize(
    "last",
    [
        "calling http://ledger/post",
        "waiting for ledger",
        "badge stored",
        "returning stock to shelf",
    ],
)
def test_calls_whose_last_word_is_no_handing_back_are_not_said_to_idle(last: str) -> None:
    assert diagnose(idling(last)).root_cause is not RootCause.CODE_BUG


def test_calls_that_hand_back_their_answer_late_do_not_idle() -> None:
    assert diagnose(idling(BACK, at_s=9.5)).root_cause is not RootCause.CODE_BUG
