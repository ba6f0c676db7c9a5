"""The words in which each runtime tells that an exception left the handler."""

from __future__ import annotations

import json

import pytest

from autorepair.domain.log_records import read_record
from autorepair.domain.log_text import plain_text
from autorepair.domain.runtime_failures import Unhandled, unhandled
from unit.test_log_format import ID, OTHER, read, report

AT = "2026-03-04T05:06:07.123Z"
DOTNET = (
    f"{AT}\t{ID}\tfail\tSystem.AggregateException: One or more errors occurred. (no such host)\n"
    " ---> System.Net.Http.HttpRequestException: no such host\n   at Shop.Function.Handle()"
)
DOTNET_UNHANDLED = (
    DOTNET + "\n   at Amazon.Lambda.RuntimeSupport.HandlerWrapper.<>c__DisplayClass.<GetHandler>()"
)
RUST = (
    f'{AT} ERROR Lambda runtime invoke{{requestId="{ID}" xrayTraceId="Root=1-0-0"}}: '
    "lambda_runtime: connection refused"
)
START, END = f"START RequestId: {ID} Version: 1", f"END RequestId: {ID}"


@pytest.mark.parametrize(
    ("message", "error_type"),
    [
        ("[ERROR] KeyError: 'A'\nTraceback (most recent call last):\n  File", "KeyError"),
        ("[ERROR] KeyError: 'A'\rTraceback (most recent call last):\r  File", "KeyError"),
        (
            (
                "[ERROR] OperationalError: (psycopg2) FATAL: no\n\n(Background: https://sqlalche.me)\n"
                "Traceback (most recent call last):\n  File"
            ),
            "OperationalError",
        ),
        (f'{AT}\t{ID}\tERROR\tInvoke Error \t{{"errorType":"TypeError"}}', "TypeError"),
        (f'{AT}\tundefined\tERROR\tUncaught Exception \t{{"errorType":"Error"}}', "Error"),
        (f'{ID}\tInvoke Error\t{{"errorType":"Exception","errorMessage":"no"}}', "Exception"),
        (
            (
                "ERROR: relation does not exist\n  Position: 9: org.postgresql.util.PSQLException\n"
                "org.postgresql.util.PSQLException: ERROR: relation does not exist\n\tat org.x"
            ),
            "org.postgresql.util.PSQLException",
        ),
        (
            (
                "Class not found: shop.App: java.lang.ClassNotFoundException\n"
                "java.lang.ClassNotFoundException: Class not found: shop.App\n\tat java.base"
            ),
            "java.lang.ClassNotFoundException",
        ),
        (
            (
                'Error raised from handler method\n{\n  "errorMessage": "no",\n'
                '  "errorType": "Function<KeyError>"\n}'
            ),
            "Function<KeyError>",
        ),
        (
            'Init error when loading handler app.handler\n{"errorType": "Init<LoadError>"}',
            "Init<LoadError>",
        ),
        (
            '2026/03/04 05:06:07 {"errorMessage":"no such table","errorType":"OperationError"}',
            "OperationError",
        ),
        (DOTNET_UNHANDLED, "System.AggregateException"),
        (
            json.dumps({"log_level": "ERROR", "errorMessage": "'A'", "errorType": "KeyError"}),
            "KeyError",
        ),
        (
            json.dumps({"level": "ERROR", "message": "no: java.lang.Error\njava.lang.Error: no"}),
            "java.lang.Error",
        ),
    ],
)
def test_a_runtimes_own_record_of_an_exception_is_known(message: str, error_type: str) -> None:
    record = read_record(message)
    assert (record.kind, record.error_type, record.is_sure) == ("failure", error_type, True)


@pytest.mark.parametrize(
    ("message", "error_type"),
    [
        (DOTNET, "System.AggregateException"),
        (RUST, ""),
        ("panic: runtime error: index out of range [3] with length 3\n\ngoroutine 1", ""),
        ("thread 'main' panicked at src/main.rs:10:5:\nno TABLE", ""),
        ("Unhandled exception. System.IO.IOException: disk full", "System.IO.IOException"),
        ('Exception in thread "main" java.lang.NoClassDefFoundError: x', None),
        (
            json.dumps({"level": "ERROR", "message": {"errorType": "Error", "errorMessage": "x"}}),
            "Error",
        ),
        (
            json.dumps({"level": "Error", "message": "x", "errorType": "E", "errorMessage": "x"}),
            "E",
        ),
    ],
)
def test_words_that_a_function_could_have_logged_itself_are_not_sure(
    message: str, error_type: str | None
) -> None:
    record = read_record(message)
    assert (record.kind, record.is_sure) == ("failure", False)
    assert error_type is None or record.error_type == error_type


@pytest.mark.parametrize(
    "message",
    [
        f"{AT}\t{ID}\tinfo\tSystem.Exception: nothing to worry about",
        f"{AT}\t{ID}\tfail\tcould not reach System.Net.Http",
        "java.lang.IllegalStateException: no\n\tat shop.App",
        "2026-03-04 ERROR App - failed\njava.lang.IllegalStateException: no",
        '2026/03/04 05:06:07 {"level":"error","errorType":"E"}',
        "the panic: it is over",
        '{"level": "ERROR", "message": "x", "error": {"errorType": "E"}}',
    ],
)
def test_what_is_only_logged_is_no_failure(message: str) -> None:
    assert read_record(message).kind == "speech"


@pytest.mark.parametrize("words", [DOTNET, DOTNET_UNHANDLED, RUST])
def test_an_error_after_which_nothing_is_said_fails_the_invocation(words: str) -> None:
    (seen,) = read(START, "working", words, END, report())
    assert seen.status == "error"


def test_an_error_that_was_logged_before_the_work_went_on_does_not() -> None:
    (seen,) = read(START, DOTNET, f"{AT}\t{ID}\tinfo\ttrying again", END, report())
    assert (seen.status, seen.error_type) == ("success", None)


def test_what_an_extension_says_is_no_going_on() -> None:
    (seen,) = read(START, DOTNET, "EXTENSION\tName: x\tState: Ready\tEvents: []", END, report())
    assert (seen.status, seen.error_type) == ("error", "System.AggregateException")


@pytest.mark.parametrize("words", [DOTNET, RUST])
def test_an_error_that_names_another_request_is_taken_for_a_print(words: str) -> None:
    (seen,) = read(START, words.replace(ID, OTHER), END, report())
    assert seen.status == "success"


def test_a_panic_that_was_survived_does_not_fail_the_invocation() -> None:
    (seen,) = read(START, "panic: recovered, carrying on", END, report())
    assert seen.status == "success"


def test_a_snap_start_restore_and_a_platform_fault_are_read() -> None:
    text = read_record("RESTORE_REPORT Restore Duration: 10039.73 ms\tStatus: timeout")
    assert (text.kind, text.status, text.init_ms) == ("init_report", "timeout", 10039.73)
    fault = f"RequestId: {ID} Error: Runtime exited with error: signal: killed\nRuntime.ExitError"
    record = read_record(json.dumps({"type": "platform.fault", "record": fault}))
    assert (record.kind, record.request_id) == ("exit", ID)
    assert read_record('{"type": "platform.fault", "record": {"a": 1}}').kind == "speech"


def test_the_words_of_gos_and_other_loggers_errors_are_found() -> None:
    frames = [{"path": "app/main.go", "line": 12, "label": "main.handle"}]
    error = {"errorType": "boundsError", "errorMessage": "index out of range", "stackTrace": frames}
    expected = "boundsError\nindex out of range\n  at main.handle (app/main.go:12)"
    assert plain_text(f"2026/03/04 05:06:07 {json.dumps(error)}") == expected
    logged = {"level": "ERROR", "msg": "query failed", "error": "dial tcp: i/o timeout"}
    assert plain_text(json.dumps(logged)) == "query failed\ndial tcp: i/o timeout"
    nested = {"msg": "no", "err": {"message": "inner", "stack": "at a"}}
    assert plain_text(json.dumps(nested)) == "no\ninner\nat a"


@pytest.mark.parametrize(
    "message",
    ["\t" * 50_000, "a: " * 30_000, "x." * 30_000, " " * 60_000, "A.B" * 20_000 + "\nA.B"],
)
def test_no_text_takes_longer_than_its_length_is_worth(message: str) -> None:
    assert unhandled(message) in {None, Unhandled("A.B")}
