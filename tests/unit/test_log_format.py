from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest

from autorepair.domain.evidence import Invocation
from autorepair.domain.log_format import RawEvent, assemble
from autorepair.domain.log_records import read_record
from autorepair.domain.log_text import plain_text
from unit.logbook import START, Logbook

ID = "00000000-0000-4000-8000-0000000000aa"
OTHER = "00000000-0000-4000-8000-0000000000bb"


def read(*messages: str, stream: str = "2026/03/04/[$LATEST]s") -> list[Invocation]:
    events = [
        RawEvent(f"e{n}", START + timedelta(milliseconds=100 * n), stream, message)
        for n, message in enumerate(messages)
    ]
    return list(assemble(events)[0])


def report(tail: str = "", *, request_id: str = ID, used: int = 60) -> str:
    return (
        f"REPORT RequestId: {request_id}\tDuration: 3000.00 ms\tBilled Duration: 3000 ms\t"
        f"Memory Size: 128 MB\tMax Memory Used: {used} MB\t{tail}"
    )


def platform(kind: str, **record: object) -> str:
    body = {"requestId": ID, **record}
    return json.dumps({"time": "2026-03-04T05:06:07Z", "type": f"platform.{kind}", "record": body})


def test_a_report_without_status_is_a_success_with_its_figures() -> None:
    (seen,) = read(f"START RequestId: {ID} Version: $LATEST", f"END RequestId: {ID}", report())
    assert seen.status == "success"
    assert (seen.duration_ms, seen.memory_mb, seen.max_memory_used_mb) == (3000.0, 128, 60)
    assert (seen.started_at, seen.report_id) == (START, "e2")


@pytest.mark.parametrize(
    ("tail", "status"),
    [
        ("Status: timeout", "timeout"),
        ("Status: error\tError Type: Runtime.OutOfMemory", "out_of_memory"),
        ("Status: error\tError Type: Runtime.ExitError", "crash"),
        ("Status: error\tError Type: Extension.Crash", "crash"),
        ("Status: error\tError Type: Runtime.Unknown", "error"),
    ],
)
def test_the_status_of_a_report_is_told_apart(tail: str, status: str) -> None:
    (seen,) = read(f"START RequestId: {ID} Version: 1", report(tail))
    assert seen.status == status


@pytest.mark.parametrize(
    ("words", "error_type"),
    [
        ("[ERROR] KeyError: 'A'\nTraceback (most recent call last):\n", "KeyError"),
        ("[ERROR] Runtime.ImportModuleError: no\nTraceback", "Runtime.ImportModuleError"),
        (f'2026Z\t{ID}\tERROR\tInvoke Error \t{{"errorType": "TypeError"}}', "TypeError"),
        (f"2026Z\t{ID}\tERROR\tUncaught Exception \tnothing", None),
        ("it broke: java.lang.Error\njava.lang.Error: it broke\n\tat x", "java.lang.Error"),
        ('Error raised from handler method\n{"errorMessage": "x"}', None),
        ('{"errorMessage": "x", "errorType": "*errors.errorString"}', "*errors.errorString"),
    ],
)
def test_an_exception_that_the_runtime_handled_fails_the_invocation(
    words: str, error_type: str | None
) -> None:
    (seen,) = read(f"START RequestId: {ID} Version: 1", words, f"END RequestId: {ID}", report())
    assert (seen.status, seen.error_type) == ("error", error_type)


@pytest.mark.parametrize(
    "words",
    [
        f"[ERROR]\t2026-03-04T05:06:07Z\t{ID}\tcould not reach the shop\nTraceback (most recent",
        f"2026Z\t{ID}\tERROR\tsomething is odd",
        '{"level": "ERROR", "message": "x", "errorMessage": "x", "errorType": "E", "logger": "r"}',
        "ERROR: retrying",
    ],
)
def test_an_error_that_the_function_only_logged_does_not_fail_it(words: str) -> None:
    (seen,) = read(f"START RequestId: {ID} Version: 1", words, f"END RequestId: {ID}", report())
    assert seen.status == "success"


@pytest.mark.parametrize(
    ("record", "status"),
    [
        ({"status": "success"}, "success"),
        ({"status": "error"}, "error"),
        ({"status": "timeout"}, "timeout"),
        ({"status": "failure"}, "crash"),
        ({"status": "error", "errorType": "Runtime.OutOfMemory"}, "out_of_memory"),
    ],
)
def test_the_json_format_is_read_alike(record: dict[str, str], status: str) -> None:
    metrics = {"durationMs": 12.5, "memorySizeMB": 512, "maxMemoryUsedMB": 99, "initDurationMs": 7}
    (seen,) = read(
        platform("initStart"),
        platform("start", version="$LATEST"),
        platform("runtimeDone", status="success" if status == "success" else "error"),
        platform("report", metrics=metrics, **record),
    )
    assert seen.status == status
    assert (seen.duration_ms, seen.memory_mb, seen.max_memory_used_mb) == (12.5, 512, 99)
    assert seen.init_ms == 7


def test_a_json_report_that_never_came_leaves_what_the_runtime_said() -> None:
    (seen,) = read(platform("start"), platform("runtimeDone", status="error", errorType="E"))
    assert (seen.status, seen.error_type) == ("error", "E")


def test_a_process_that_was_killed_at_its_size_ran_out_of_memory() -> None:
    exited = f"RequestId: {ID} Error: Runtime exited with error: signal: killed\nRuntime.ExitError"
    (full,) = read(f"START RequestId: {ID} Version: 1", report(used=128), exited)
    (half,) = read(f"START RequestId: {ID} Version: 1", report(used=64), exited)
    assert (full.status, half.status) == ("out_of_memory", "crash")


def test_an_invocation_without_an_end_is_unfinished_and_has_not_failed() -> None:
    (seen,) = read(f"START RequestId: {ID} Version: 1", "working")
    assert (seen.status, seen.has_failed) == ("unfinished", False)


def test_a_time_out_is_known_without_its_report() -> None:
    (seen,) = read(
        f"START RequestId: {ID} Version: 1", f"2026Z {ID} Task timed out after 3.00 seconds\n\n"
    )
    assert (seen.status, seen.duration_ms) == ("timeout", 3000.0)
    (again,) = read(f"RequestId: {ID} Error: Task timed out after 3.00 seconds")
    assert again.status == "timeout"


def test_a_crash_is_known_without_its_report() -> None:
    (seen,) = read(f"RequestId: {ID} Error: Runtime exited with error: exit status 1")
    assert seen.status == "crash"


def test_a_report_whose_start_was_cut_off_began_one_duration_earlier() -> None:
    (seen,) = read(report())
    assert seen.started_at == START - timedelta(milliseconds=3000)


def test_absurd_figures_are_left_out() -> None:
    lines = [
        report().replace("3000.00", "9" * 11),
        platform("report", metrics={"durationMs": 1e300, "memorySizeMB": True}, status="success"),
        platform("report", metrics={"durationMs": "x", "memorySizeMB": [1]}, status="success"),
    ]
    read(lines[0])
    for line in lines[1:]:
        (seen,) = read(line)
        assert (seen.duration_ms, seen.memory_mb) == (None, None)


def test_the_stream_tells_the_version_before_a_start_line_does() -> None:
    start = f"START RequestId: {ID} Version: $LATEST"
    assert read(start, report(), stream="2026/03/04/[7]abc")[0].version == "7"
    assert read(start.replace("$LATEST", "9"), report(), stream="odd")[0].version == "9"
    assert read(report(), stream="odd")[0].version == "$LATEST"


def test_a_forged_report_inside_an_invocation_makes_no_invocation() -> None:
    seen = read(
        f"START RequestId: {ID} Version: 1",
        f"START RequestId: {OTHER} Version: 1",
        report("Status: timeout", request_id=OTHER),
        f"END RequestId: {ID}",
        report(),
    )
    assert [(i.request_id, i.status) for i in seen] == [(ID, "success")]


def test_of_two_reports_of_one_request_the_last_is_the_platforms() -> None:
    (seen,) = read(
        f"START RequestId: {ID} Version: 1", report(used=128), f"END RequestId: {ID}", report()
    )
    assert seen.max_memory_used_mb == 60


def test_lines_belong_to_the_invocation_they_were_said_in() -> None:
    log = Logbook()
    first = log.call(100, says=[(0.01, "hello")])
    log.write("an extension speaks between two calls")
    second = log.call(100, says=[(0.01, "hello")])
    log.write(f"2026Z\t{first}\tINFO\tsaid late")
    _, lines = assemble(log.events)
    said = [line.request_id for line in lines if line.message == "hello"]
    assert said == [first, second]
    between = next(line for line in lines if line.message.startswith("an extension"))
    assert between.request_id is None
    assert lines[-1].request_id == first


def test_what_a_cold_start_says_belongs_to_the_call_that_waited_for_it() -> None:
    seen = [
        RawEvent("e0", START, "s", "INIT_START Runtime Version: python"),
        RawEvent("e1", START, "s", "[ERROR] KeyError: 'A'\nTraceback"),
        RawEvent(
            "e2", START, "s", "INIT_REPORT Init Duration: 9.00 ms\tPhase: init\tStatus: error"
        ),
        RawEvent("e3", START, "s", f"START RequestId: {ID} Version: 1"),
        RawEvent("e4", START, "s", report("Status: error\tError Type: Runtime.Unknown")),
    ]
    (invocation,), lines = assemble(seen)
    assert invocation.status == "error"
    assert [line.request_id for line in lines] == [ID] * 5


def test_an_init_report_gives_its_status_in_both_formats() -> None:
    text = read_record("INIT_REPORT Init Duration: 9991.73 ms\tPhase: init\tStatus: timeout")
    structured = read_record(platform("initReport", status="timeout", metrics={"durationMs": 9991}))
    assert (text.kind, text.status, text.init_ms) == ("init_report", "timeout", 9991.73)
    assert (structured.kind, structured.status, structured.init_ms) == (
        "init_report",
        "timeout",
        9991.0,
    )


def test_streams_are_read_apart_and_sorted_by_time() -> None:
    events = [
        RawEvent("b", START + timedelta(seconds=2), "two", report(request_id=OTHER)),
        RawEvent("a", START, "one", f"START RequestId: {ID} Version: 1"),
        RawEvent("c", START + timedelta(seconds=3), "one", report()),
    ]
    invocations, lines = assemble(iter(events))
    assert [i.request_id for i in invocations] == [OTHER, ID]
    assert [line.id for line in lines] == ["a", "b", "c"]


@pytest.mark.parametrize(
    "message",
    [
        "",
        "{",
        "[" * 5000,
        '{"type": "platform.report"}',
        '{"type": "platform.report", "record": []}',
        '{"type": 3}',
        '{"a": ' + "[" * 100_000,
        '{"a": ' + "9" * 5000 + "}",
        "REPORT RequestId: ",
        "START RequestId: ",
        "RequestId: ",
        "Task timed out after forever seconds",
        "\ud800 lone surrogate",
    ],
)
def test_broken_text_is_speech_and_nothing_more(message: str) -> None:
    invocations, lines = assemble([RawEvent("e", START, "s", message)])
    assert invocations == ()
    assert [line.id for line in lines] == ["e"]
    lines[0].model_dump_json()


def test_an_impossible_start_is_left_at_the_time_of_the_report() -> None:
    first_day = datetime.min.replace(tzinfo=START.tzinfo)
    event = RawEvent("e", first_day, "s", report())
    assert assemble([event])[0][0].started_at == first_day


def test_plain_text_unwraps_both_formats() -> None:
    error = {"errorType": "E", "errorMessage": "m", "stackTrace": ["  at a\n", "  at b"]}
    assert plain_text(json.dumps(error)) == "E\nm\n  at a\n  at b"
    assert plain_text(json.dumps({"message": error})) == "E\nm\n  at a\n  at b"
    assert plain_text(f"x\tERROR\t{json.dumps(error)}") == "x\tERROR\tE\nm\n  at a\n  at b"
    assert plain_text("x\t{not json") == "x\t{not json"
    assert plain_text("{not json") == "{not json"
    assert plain_text('{"a": 1}') == '{"a": 1}'
