"""A function's log, within a budget, with what was left out named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.stub import Stubber

from adapters import endless_log
from adapters.account import NAME, NOW, Account
from autorepair.aws.logs import CloudWatchLogs, LogLimits
from autorepair.domain.errors import AccessDeniedError, TransientServiceError
from autorepair.domain.evidence import LogLine

GROUP = f"/aws/lambda/{NAME}"
STREAM = "2026/03/04/[$LATEST]0123456789abcdef"
MOST_CHARACTERS = 1024  # of a filter pattern
START, END = NOW - timedelta(minutes=15), NOW


def milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def event(number: int, at: datetime, message: str = "text", stream: str = STREAM) -> dict[str, Any]:
    return {
        "eventId": f"{number:05}",
        "timestamp": milliseconds(at),
        "logStreamName": stream,
        "message": message,
    }


class Scripted:
    """FilterLogEvents page by page, and a clock that the test moves."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.client: Any = account.clients._session.client("logs")
        self.stubber = Stubber(self.client)
        self.stubber.activate()
        self.seconds = 0.0
        self.requests: list[dict[str, Any]] = []
        self.client.meta.events.register_first(
            "provide-client-params.cloudwatch-logs.FilterLogEvents", self._note
        )

    def _note(self, params: dict[str, Any], **_: object) -> None:
        self.requests.append(params)

    def page(self, *events: dict[str, Any], token: str | None = None) -> None:
        answer = {"events": list(events)} | ({"nextToken": token} if token else {})
        self.stubber.add_response("filter_log_events", answer)

    def logs(self, **limits: Any) -> CloudWatchLogs:  # noqa: ANN401 - the adapter's limits
        return CloudWatchLogs(
            self.client, limits=LogLimits(**limits), monotonic=lambda: self.seconds
        )


@pytest.fixture
def scripted(account: Account) -> Scripted:
    return Scripted(account)


def ids(lines: tuple[LogLine, ...]) -> list[int]:
    return [int(line.id) for line in lines]


def test_invocations_are_put_together_from_the_log(account: Account) -> None:
    logs = account.clients.logs
    logs.create_log_group(logGroupName=GROUP)
    logs.create_log_stream(logGroupName=GROUP, logStreamName=STREAM)
    request_id = "8f5b5e30-1c1c-4b6e-9d0e-0d8f2a3c4b5d"
    report = (
        f"REPORT RequestId: {request_id}\tDuration: 3000.00 ms\tBilled Duration: 3000 ms\t"
        "Memory Size: 128 MB\tMax Memory Used: 40 MB\tStatus: timeout"
    )
    messages = [
        f"START RequestId: {request_id} Version: $LATEST",
        f"2026-03-04T11:55:03.000Z {request_id} Task timed out after 3.00 seconds",
        f"END RequestId: {request_id}",
        report,
    ]
    # CloudWatch takes no events that are older than two weeks, so this one has to be of today.
    now = datetime.now(UTC)
    at = milliseconds(now - timedelta(minutes=5))
    logs.put_log_events(
        logGroupName=GROUP,
        logStreamName=STREAM,
        logEvents=[{"timestamp": at + n, "message": m} for n, m in enumerate(messages)],
    )

    reading = CloudWatchLogs(logs).read(
        account.configuration(), start=now - timedelta(minutes=15), end=now
    )

    assert len(reading.lines) == 4
    assert [i.status for i in reading.invocations] == ["timeout"]
    assert reading.gaps == ()


def test_a_log_group_that_is_missing_is_a_gap_and_no_error(account: Account) -> None:
    reading = CloudWatchLogs(account.clients.logs).read(
        account.configuration(), start=START, end=END
    )

    assert reading.lines == ()
    assert [gap.reason for gap in reading.gaps] == [f"log group {GROUP} does not exist"]


def test_an_empty_page_is_not_taken_for_the_last(scripted: Scripted) -> None:
    scripted.page(token="a")
    scripted.page(event(1, START), token="b")
    scripted.page(token="c")
    scripted.page(event(2, START))

    reading = scripted.logs().read(scripted.account.configuration(), start=START, end=END)

    assert ids(reading.lines) == [1, 2]
    assert reading.gaps == ()
    assert [r.get("nextToken") for r in scripted.requests] == [None, "a", "b", "c"]


def test_the_end_is_left_out_and_the_start_is_not(scripted: Scripted) -> None:
    scripted.page()

    scripted.logs().read(scripted.account.configuration(), start=START, end=END)

    assert scripted.requests[0]["startTime"] == milliseconds(START)
    assert scripted.requests[0]["endTime"] == milliseconds(END) - 1


def test_a_span_without_length_asks_nothing(scripted: Scripted) -> None:
    reading = scripted.logs().read(scripted.account.configuration(), start=END, end=END)

    assert (reading.lines, reading.gaps, scripted.requests) == ((), (), [])


def test_events_of_several_streams_are_brought_into_order(scripted: Scripted) -> None:
    scripted.page(
        event(1, START + timedelta(seconds=9), stream="b"),
        event(2, START, stream="a"),
        event(3, START + timedelta(seconds=5), stream="a"),
    )

    reading = scripted.logs().read(scripted.account.configuration(), start=START, end=END)

    assert ids(reading.lines) == [2, 3, 1]


def test_a_log_that_is_too_long_is_read_from_both_ends(scripted: Scripted) -> None:
    early = [event(n, START + timedelta(seconds=n)) for n in range(6)]
    late = [event(100 + n, END - timedelta(seconds=9 - n)) for n in range(3)]
    scripted.page(*early, token="more")
    scripted.page(*late)  # the last 10 seconds
    scripted.page(*[event(50 + n, END - timedelta(seconds=28 - n)) for n in range(4)])
    scripted.page()  # what was left out, searched for failures
    scripted.page()

    reading = scripted.logs(max_events=10).read(
        scripted.account.configuration(), start=START, end=END
    )

    assert ids(reading.lines) == [0, 1, 2, 3, 4, 50, 51, 100, 101, 102]
    assert scripted.requests[1]["startTime"] == milliseconds(END - timedelta(seconds=10))
    assert scripted.requests[2]["endTime"] == milliseconds(END - timedelta(seconds=10)) - 1
    assert [gap.reason[:54] for gap in reading.gaps[:2]] == [
        "the log from 2026-03-04T11:45:04Z to 2026-03-04T11:59:",
        "the log from 2026-03-04T11:59:33Z to 2026-03-04T11:59:",
    ]


def call(number: int, at: datetime, *says: str, stream: str = STREAM) -> list[dict[str, Any]]:
    """One invocation of a tenth of a second, with what it says."""
    request_id = f"00000000-0000-4000-8000-{number:012}"
    end = at + timedelta(milliseconds=100)
    report = (
        f"REPORT RequestId: {request_id}\tDuration: 100.00 ms\tBilled Duration: 100 ms\t"
        "Memory Size: 128 MB\tMax Memory Used: 40 MB\t"
    )
    return [
        event(10 * number, at, f"START RequestId: {request_id} Version: $LATEST", stream),
        *(event(10 * number + n, at, words, stream) for n, words in enumerate(says, 1)),
        event(10 * number + 9, end, report, stream),
    ]


def test_failures_are_looked_for_in_what_was_left_out_and_read_with_all_their_words(
    scripted: Scripted,
) -> None:
    bug = "[ERROR] KeyError: 'A'\nTraceback (most recent call last):\n  File"
    at = START + timedelta(minutes=5)
    scripted.page(*[event(n, START) for n in range(6)], token="more")
    scripted.page(*[event(10 + n, END - timedelta(seconds=5)) for n in range(6)])
    failed, succeeded = call(10, at, "before", bug), call(11, at + timedelta(seconds=1))
    scripted.page(*[e for e in failed if e["message"] != "before"], *succeeded)
    scripted.page()
    scripted.page(*failed)

    reading = scripted.logs(max_events=10).read(
        scripted.account.configuration(), start=START, end=END
    )

    searched, excerpt = scripted.requests[2], scripted.requests[-1]
    assert '?"RequestId: "' in searched["filterPattern"]
    assert len(searched["filterPattern"]) < MOST_CHARACTERS
    assert (excerpt["logStreamNames"], "filterPattern" in excerpt) == ([STREAM], False)
    assert [(i.status, i.error_type) for i in reading.invocations] == [
        ("error", "KeyError"),
        ("success", None),
    ]
    assert "before" in [line.message for line in reading.lines]
    assert reading.gaps[-1].reason.endswith("2 invocations were seen there, 1 failed")


def test_bytes_count_as_well_as_events(scripted: Scripted) -> None:
    scripted.page(*[event(n, START, "x" * 100) for n in range(20)])
    scripted.page(event(99, END - timedelta(seconds=1)))
    for _ in range(12):
        scripted.page()

    reading = scripted.logs(max_bytes=1000).read(
        scripted.account.configuration(), start=START, end=END
    )

    assert ids(reading.lines) == [0, 1, 2, 3, 4, 99]


def test_a_search_that_is_refused_takes_nothing_from_what_was_read(scripted: Scripted) -> None:
    scripted.page(*call(1, START), *[event(n, START) for n in range(6)], token="more")
    scripted.page(*[event(100 + n, END - timedelta(seconds=5)) for n in range(6)])
    scripted.stubber.add_client_error("filter_log_events", "ThrottlingException")

    reading = scripted.logs(max_events=10).read(
        scripted.account.configuration(), start=START, end=END
    )

    assert len(reading.lines) == 10
    assert [i.status for i in reading.invocations] == ["success"]
    assert any("TransientServiceError" in gap.reason for gap in reading.gaps)


def test_the_search_has_a_budget_too_and_says_how_far_it_came(scripted: Scripted) -> None:
    at = START + timedelta(minutes=5)
    scripted.page(*[event(n, START) for n in range(6)], token="more")
    scripted.page(*[event(10 + n, END - timedelta(seconds=5)) for n in range(6)])
    scripted.page(*call(10, at), *call(11, at + timedelta(seconds=1)), token="more")

    reading = scripted.logs(max_events=10, scan_events=3).read(
        scripted.account.configuration(), start=START, end=END
    )

    assert "up to 11:50:01Z failures and a sample" in reading.gaps[0].reason
    assert [i.status for i in reading.invocations] == ["success", "unfinished"]


def test_reading_ends_when_its_time_is_over(scripted: Scripted) -> None:
    def slow(**_: object) -> None:
        scripted.seconds += 6

    scripted.client.meta.events.register(
        "provide-client-params.cloudwatch-logs.FilterLogEvents", slow
    )
    for number in range(10):
        scripted.page(event(number, START + timedelta(seconds=number)), token=f"t{number}")

    reading = scripted.logs(scan_seconds=0).read(
        scripted.account.configuration(), start=START, end=END
    )

    assert len(scripted.requests) == 4
    assert "too long to be read whole: up to 11:45:01Z" in reading.gaps[0].reason


def test_a_slow_log_that_was_read_whole_in_the_end_has_no_gap(scripted: Scripted) -> None:
    def slow(**_: object) -> None:
        scripted.seconds += 3

    scripted.client.meta.events.register(
        "provide-client-params.cloudwatch-logs.FilterLogEvents", slow
    )
    end = START + timedelta(seconds=10)
    for number in range(4):
        scripted.page(event(number, START + timedelta(seconds=number)), token=f"t{number}")
    scripted.page(event(3, START + timedelta(seconds=3)), event(4, START + timedelta(seconds=4)))

    reading = scripted.logs().read(scripted.account.configuration(), start=START, end=end)

    assert ids(reading.lines) == [0, 1, 2, 3, 4]
    assert reading.gaps == ()


def test_in_a_shared_log_group_only_the_functions_own_streams_count(scripted: Scripted) -> None:
    scripted.page(
        event(1, START, stream=f"2026/03/04/{NAME}[$LATEST]0123"),
        event(2, START, stream=f"2026/03/04/{NAME}-2[$LATEST]0123"),
        event(3, START, stream="2026/03/04/other[7]0123"),
        event(4, START, stream="a stream with a name of its own"),
    )
    shared = scripted.account.configuration(LoggingConfig={"LogGroup": "/shared"})

    reading = scripted.logs().read(shared, start=START, end=END)

    assert ids(reading.lines) == [1, 4]
    assert scripted.requests[0]["logGroupName"] == "/shared"


@pytest.mark.parametrize(
    ("code", "expected"),
    [("ThrottlingException", TransientServiceError), ("AccessDeniedException", AccessDeniedError)],
)
def test_a_log_that_cannot_be_read_is_an_error(
    scripted: Scripted, code: str, expected: type[Exception]
) -> None:
    scripted.stubber.add_client_error("filter_log_events", code)

    with pytest.raises(expected, match=f"logs:FilterLogEvents on log group {GROUP}"):
        scripted.logs().read(scripted.account.configuration(), start=START, end=END)


@pytest.mark.parametrize("server", ["filter", "ignore"])
def test_a_log_of_200_mb_is_read_in_bounded_memory_with_the_findings_of_its_excerpt(
    server: str,
) -> None:
    program = str(Path(endless_log.__file__))
    bad = range(2600, 2900)
    answer = subprocess.run(
        [sys.executable, program, "4500", str(bad.start), str(bad.stop), server],
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        check=True,
        text=True,
    )
    told = json.loads(answer.stdout)
    assert told["peak_mb"] < 150
    if server == "ignore":
        assert told["handed_out"] > 200_000_000
    assert len(told["templates"]) == 1
    assert told["gaps"]

    # What happened from shortly before the trouble to shortly after it is short enough.
    log = endless_log.EndlessLog(4500, bad, does_filter=True)
    first = endless_log.START + 2890 * endless_log.BLOCK
    excerpt = endless_log.evidence_of(log, first, first + 30 * endless_log.BLOCK)
    assert excerpt.gaps == ()
    assert json.loads(json.dumps(endless_log.findings_of(excerpt))) == told["findings"]
    assert told["findings"][0] == "missing_env_var"
