from __future__ import annotations

from datetime import timedelta

import pytest

from autorepair.domain.log_format import RawEvent, assemble
from autorepair.domain.log_text import plain_text
from unit.logbook import START
from unit.test_log_format import ID, OTHER, platform, read, report

_MEMORY = "Memory Size: 128 MB\tMax Memory Used: 60 MB\t"


def a_call(
    start_s: float, request_id: str, *says: str, took_s: float = 0.5
) -> list[tuple[float, str]]:
    end = start_s + took_s
    return [
        (start_s, f"START RequestId: {request_id} Version: $LATEST"),
        *((start_s + 0.1, words) for words in says),
        (end, f"END RequestId: {request_id}"),
        (end, f"REPORT RequestId: {request_id}\tDuration: {took_s * 1000:.2f} ms\t{_MEMORY}"),
    ]


def timed(*rows: tuple[float, str], stream: str = "2026/03/04/[$LATEST]s") -> list[RawEvent]:
    return [
        RawEvent(f"{stream}{n}", START + timedelta(seconds=at), stream, message)
        for n, (at, message) in enumerate(rows)
    ]


def numbered(n: int) -> str:
    return f"00000000-0000-4000-8000-{n:012d}"


FAILED = "[ERROR] KeyError: 'x'\nTraceback (most recent call last):\n  File \"a\", line 1"


def test_a_repeated_asynchronous_request_is_an_invocation_of_its_own() -> None:
    between = [row for n in range(1, 51) for row in a_call(n, numbered(n))]
    rows = [*a_call(0, ID, FAILED), *between, *a_call(60, ID)]
    seen, lines = assemble(timed(*rows))
    assert [i.status for i in seen] == ["error", *["success"] * 51]
    assert (seen[0].request_id, seen[-1].request_id) == (ID, f"{ID}#2")
    assert len({i.request_id for i in seen}) == 52
    assert lines[-1].request_id == f"{ID}#2"


def test_attempts_in_different_environments_are_kept_apart() -> None:
    first = timed(*a_call(0, ID, FAILED), stream="one")
    again = timed(*a_call(60, ID, "fine"), stream="two")
    seen, lines = assemble([*first, *again])
    assert [(i.request_id, i.status, i.stream) for i in seen] == [
        (ID, "error", "one"),
        (f"{ID}#2", "success", "two"),
    ]
    assert next(line for line in lines if line.message == "fine").request_id == f"{ID}#2"


def forged(*starts_s: float) -> list[tuple[float, str]]:
    rows = [a_call(at, numbered(n + 100), took_s=0.4) for n, at in enumerate(starts_s)]
    return [(at, words.replace("400.00 ms", "60000.00 ms")) for row in rows for at, words in row]


def test_an_invocation_that_is_still_running_cannot_make_up_others() -> None:
    start = (0.0, f"START RequestId: {ID} Version: $LATEST")
    seen, _ = assemble(timed(start, *forged(1, 2, 3)))
    assert [(i.request_id, i.status) for i in seen] == [(ID, "unfinished")]


def test_a_lost_end_does_not_own_its_stream_for_ever() -> None:
    start = (0.0, f"START RequestId: {ID} Version: $LATEST")
    seen, _ = assemble(timed(start, *a_call(1000, OTHER)))
    assert [i.status for i in seen] == ["unfinished", "success"]


def test_an_invocation_that_ran_before_the_reading_cannot_make_up_others() -> None:
    rows = [*forged(1, 2, 3), *a_call(0, ID, took_s=9.0)[1:], *a_call(20, OTHER)]
    seen, _ = assemble(timed(*rows))
    assert [i.request_id for i in seen] == [ID, OTHER]


def test_a_made_up_end_does_not_make_the_invocations_before_it_its_own() -> None:
    lie = f"REPORT RequestId: {numbered(9)}\tDuration: 900000.00 ms\tMemory Size: 128 MB\t"
    rows = [*a_call(0, OTHER), *a_call(2, ID, lie)]
    seen, _ = assemble(timed(*rows))
    assert [(i.request_id, i.duration_ms) for i in seen] == [(OTHER, 500.0), (ID, 500.0)]
    unended = [*a_call(0, OTHER), *a_call(2, ID, lie)[:2]]
    assert assemble(timed(*unended))[0] == ()


def test_a_function_that_prints_its_own_end_and_start_has_one_invocation() -> None:
    own = [words for _, words in a_call(0, ID)][1:]
    others = [words for _, words in forged(1, 2)]
    rows = a_call(0, ID, *own, *others, f"START RequestId: {ID} Version: 1", took_s=4.0)
    (seen,) = assemble(timed(*rows))[0]
    assert (seen.request_id, seen.duration_ms) == (ID, 4000.0)


def test_thousands_of_made_up_attempts_are_one_and_read_in_no_time() -> None:
    rows = [row for n in range(3000) for row in a_call(n / 100, ID, took_s=0.001)]
    assert len(assemble(timed(*rows))[0]) == 1


def test_a_log_that_holds_failures_only_is_read() -> None:
    rows = [
        platform("report", requestId=numbered(n), status=status, metrics={"durationMs": 3000})
        for n, status in enumerate(["timeout", "timeout", "error"])
    ]
    seen = read(*rows)
    assert [i.status for i in seen] == ["timeout", "timeout", "error"]


def test_what_only_looks_like_a_request_id_opens_nothing() -> None:
    assert read("START RequestId: f0 Version: 1", report(request_id="f0")) == []
    assert read(platform("report", requestId="f0", status="success")) == []


@pytest.mark.parametrize(
    "words",
    [
        "[ERROR] payments: card declined for customer 7",
        '[ERROR] shop: no\nTraceback (most recent call last):\n  File "a", line 1\ncard.No: no',
        '{"errorMessage": "declined", "customer": 7}',
    ],
)
def test_a_loggers_error_line_is_not_the_runtimes(words: str) -> None:
    (seen,) = read(f"START RequestId: {ID} Version: 1", words, f"END RequestId: {ID}", report())
    assert (seen.status, seen.error_type) == ("success", None)


@pytest.mark.parametrize(
    "words",
    [
        "[ERROR] Runtime.HandlerNotFound: Handler 'h' missing on module 'app'",
        '[ERROR] OSError: a\nTraceback: b\n\nTraceback (most recent call last):\n  File "a"\n',
        "[ERROR] KeyError: 'a'\rTraceback (most recent call last):\r\u00a0\u00a0File \"a\"\n",
    ],
)
def test_the_python_runtimes_own_line_fails_the_invocation(words: str) -> None:
    (seen,) = read(f"START RequestId: {ID} Version: 1", words, f"END RequestId: {ID}", report())
    assert seen.status == "error"


def test_what_json_can_spell_and_nothing_can_carry_is_replaced() -> None:
    words = '{"errorMessage": "x \\udfff", "errorType": "\\ud800", "\\ud801": "\\ud83d\\ude00"}'
    (seen,) = read(f"START RequestId: {ID} Version: 1", words, report())
    seen.model_dump_json()
    assert seen.error_type == "?"
    assert plain_text(words).encode() == b"?\nx ?"
    assert plain_text(f"x\tERROR\t{words}").encode()
