"""Stack traces that a runtime wrote line by line are one event each."""

from __future__ import annotations

from datetime import timedelta

import pytest

from autorepair.domain.log_events import RawEvent, joined
from autorepair.domain.log_format import assemble
from unit.logbook import START
from unit.test_log_format import ID, report

GO = [
    "panic: runtime error: index out of range [3] with length 3",
    "",
    "goroutine 1 [running]:",
    "main.handle({0xc000, 0x10}, 0x3)",
    "\t/build/main.go:12 +0x1d",
    "created by main.main in goroutine 1",
    "\t/build/main.go:30 +0x2",
    "exit status 2",
]
JAVA = [
    "no table: java.lang.IllegalStateException",
    "java.lang.IllegalStateException: no table",
    "\tat shop.App.handle(App.java:7)",
    "Caused by: java.io.IOException: closed",
    "\tat shop.Store.open(Store.java:3)",
    "\t... 12 more",
]
PYTHON = ["[ERROR] KeyError: 'A'", "Traceback (most recent call last):", '  File "a.py", line 1']
RUBY = ["Error raised from handler method", "{", '  "errorType": "Function<KeyError>"', "}"]
RUST = [
    "thread 'main' panicked at src/main.rs:10:5:",
    "note: run with `RUST_BACKTRACE=1` environment variable",
    "stack backtrace:",
    "   0: rust_begin_unwind",
    "             at /rustc/library/std/src/panicking.rs:5:5",
]
DOTNET = [
    "Unhandled exception. System.AggregateException: no",
    " ---> System.IO.IOException: no",
    "   at Shop.Function.Handle()",
    "   --- End of inner exception stack trace ---",
]


def events(*messages: str, every_ms: int = 0, stream: str = "s") -> list[RawEvent]:
    return [
        RawEvent(f"{stream}{n}", START + timedelta(milliseconds=every_ms * n), stream, message)
        for n, message in enumerate(messages)
    ]


@pytest.mark.parametrize("trace", [GO, JAVA, PYTHON, RUBY, RUST, DOTNET])
def test_a_trace_written_line_by_line_is_one_event(trace: list[str]) -> None:
    seen = list(joined(events("before", *trace, "after")))
    assert [event.id for event in seen] == ["s0", "s1", f"s{len(trace) + 1}"]
    assert seen[1].message == "\n".join(trace)


def test_traces_of_two_streams_are_not_mixed() -> None:
    mixed = [e for pair in zip(events(*GO), events(*GO, stream="t"), strict=True) for e in pair]
    assert [event.id for event in joined(mixed)] == ["s0", "t0"]


def test_lines_that_come_much_later_are_no_part_of_a_trace() -> None:
    assert len(list(joined(events(*JAVA[1:], every_ms=1500)))) == len(JAVA) - 1


def test_plain_lines_and_the_platforms_own_stay_apart() -> None:
    lines = ["one", "two", f"START RequestId: {ID} Version: 1", report(), "{}", ""]
    assert [event.message for event in joined(events(*lines))] == lines


def test_an_endless_trace_is_cut_into_events_of_a_bounded_length() -> None:
    seen = list(joined(events("boom", *["\tat a.b.C"] * 1000)))
    assert [len(event.message.splitlines()) for event in seen] == [400, 400, 201]


def test_a_failure_told_in_several_events_fails_its_invocation() -> None:
    log = events(
        f"START RequestId: {ID} Version: 1", *PYTHON, f"END RequestId: {ID}", report(), every_ms=1
    )
    (seen,), lines = assemble(log)
    assert (seen.status, seen.error_type) == ("error", "KeyError")
    assert [line.id for line in lines] == ["s0", "s1", "s4", "s5"]
