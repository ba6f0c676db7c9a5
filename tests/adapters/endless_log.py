"""A log of any size that is made while it is read, and a reading of it in a process of its own.

Run as a program it reads the log, diagnoses, and prints what it found and how much memory it took.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from autorepair.aws.logs import CloudWatchLogs
from autorepair.causes.weighing import diagnose
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.evidence import DeclaredVariable, Evidence
from autorepair.domain.signatures import signatures

BLOCK = timedelta(milliseconds=360)
STREAMS = 20
START = datetime(2026, 3, 4, 11, 30, tzinfo=UTC)
MOST_BYTES, MOST_EVENTS = 1_000_000, 10_000
CHATTER = "DEBUG the cart of customer {n:09} holds {n} items " + "and is still being filled, " * 10
REPORT = (
    "REPORT RequestId: {id}\tDuration: 90.00 ms\tBilled Duration: 90 ms\tMemory Size: 256 MB"
    "\tMax Memory Used: {used} MB\t"
)
TRACE = (
    "[ERROR] KeyError: 'ORDERS_TABLE'\nTraceback (most recent call last):\n"
    '  File "/var/task/app.py", line 9, in handler\n    table = os.environ["ORDERS_TABLE"]\n'
    '  File "<frozen os>", line 685, in __getitem__\n'
)


class EndlessLog:
    """FilterLogEvents over invocations that are written when they are asked for.

    In each block every stream serves one invocation; in the blocks of ``bad`` each third one fails.
    """

    def __init__(self, blocks: int, bad: range, *, does_filter: bool) -> None:
        self.blocks = blocks
        self.bad = bad
        self.does_filter = does_filter
        self.handed_out = 0

    def filter_log_events(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - boto3's arguments
        first, last = (self._block(request[name]) for name in ("startTime", "endTime"))
        block = int(request.get("nextToken", max(first, 0)))
        events: list[dict[str, Any]] = []
        size = 0
        while block <= min(last, self.blocks - 1):
            for event in self._matching(block, request):
                size += len(event["message"])
                events.append(event)
            block += 1
            if size > MOST_BYTES or len(events) > MOST_EVENTS:
                break
        self.handed_out += size
        has_more = block <= min(last, self.blocks - 1)
        return {"events": events} | ({"nextToken": str(block)} if has_more else {})

    def _block(self, milliseconds: int) -> int:
        return int((milliseconds - START.timestamp() * 1000) // (BLOCK.total_seconds() * 1000))

    def _matching(self, block: int, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        pattern = request.get("filterPattern", "") if self.does_filter else ""
        words = _terms(pattern)
        streams = request.get("logStreamNames")
        for event in self._events(block):
            if not request["startTime"] <= event["timestamp"] <= request["endTime"]:
                continue
            if streams is not None and event["logStreamName"] not in streams:
                continue
            if not words or any(word in event["message"] for word in words):
                yield event

    def _events(self, block: int) -> list[dict[str, Any]]:
        at = round((START + block * BLOCK).timestamp() * 1000)
        found = []
        for stream in range(STREAMS):
            number = block * STREAMS + stream
            for place, (after_ms, message) in enumerate(self._lines(number, block)):
                found.append(
                    {
                        "eventId": f"{number:09}-{place}",
                        "timestamp": at + after_ms,
                        "logStreamName": f"2026/03/04/[$LATEST]{stream:032x}",
                        "message": message,
                    }
                )
        return sorted(found, key=lambda event: event["timestamp"])

    def _lines(self, number: int, block: int) -> list[tuple[int, str]]:
        request_id = f"00000000-0000-4000-8000-{number:012}"
        has_failed = block in self.bad and number % 3 == 0
        said = [(10 * n, CHATTER.format(n=number)) for n in range(1, 7)]
        return [
            (0, f"START RequestId: {request_id} Version: $LATEST"),
            *said,
            *([(80, TRACE)] if has_failed else []),
            (90, f"END RequestId: {request_id}"),
            (90, REPORT.format(id=request_id, used=90 + number % 7)),
        ]


def _terms(pattern: str) -> list[str]:
    """Read a pattern of optional terms: ?"one" ?"other"."""
    return pattern.removeprefix('?"').removesuffix('"').split('" ?"') if pattern else []


def evidence_of(log: EndlessLog, start: datetime, end: datetime) -> Evidence:
    client: Any = log
    configuration = FunctionConfiguration(
        function_name="orders",
        function_arn="arn:aws:lambda:eu-central-1:123456789012:function:orders",
        version="$LATEST",
        memory_mb=256,
        timeout_s=10,
        log_group="/aws/lambda/orders",
        revision_id="r1",
        fingerprint="f1",
    )
    # Its clock stands still: what is found must not depend on how busy this machine is.
    reader = CloudWatchLogs(client, monotonic=lambda: 0.0)
    reading = reader.read(configuration, start=start, end=end)
    return Evidence(
        incident_id="incident-1",
        collected_at=end,
        window_start=start,
        window_end=end,
        configuration=configuration,
        invocations=reading.invocations,
        log_lines=reading.lines,
        declared=(DeclaredVariable(name="ORDERS_TABLE", kind="literal", matches_current=False),),
        gaps=reading.gaps,
    )


def findings_of(evidence: Evidence) -> list[Any]:
    diagnosis = diagnose(evidence)
    found = [(f.cause, f.need and f.need.model_dump(mode="json")) for f in diagnosis.findings]
    return [diagnosis.root_cause, found]


def _peak_mb() -> float:
    """Give the most memory this program had; getrusage would tell of the parent's as well."""
    (line,) = (x for x in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in x)
    return int(line.split()[1]) / 1024


def _main(blocks: int, first_bad: int, last_bad: int, *, does_filter: bool) -> None:
    log = EndlessLog(blocks, range(first_bad, last_bad), does_filter=does_filter)
    evidence = evidence_of(log, START, START + blocks * BLOCK)
    told = {
        "findings": findings_of(evidence),
        "peak_mb": _peak_mb(),
        "handed_out": log.handed_out,
        "invocations": len(evidence.invocations),
        "failures": len(evidence.failures),
        "templates": [s.template for s in signatures(evidence.invocations, evidence.log_lines)],
        "stored_bytes": len(evidence.model_dump_json()),
        "gaps": [gap.reason for gap in evidence.gaps],
    }
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    _main(*(int(part) for part in sys.argv[1:4]), does_filter=sys.argv[4] == "filter")
