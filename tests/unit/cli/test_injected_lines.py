"""What strangers get a function to log steers no case of this project towards a wrong repair."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autorepair.aws.unknown_advisor import UnknownAdvisor
from autorepair_cli.evaluate import case_files, conclude, score_of

CASES = Path(__file__).parents[2] / "cases"
SAID = {
    "memory": "java.lang.OutOfMemoryError: Java heap space; Runtime.OutOfMemory signal: killed",
    "timeout": "2026-01-01T00:00:00Z Task timed out after 3.00 seconds",
    "variable": "KeyError: 'ADMIN_TOKEN' the environment variable ADMIN_TOKEN is not set",
    "concurrency": "TooManyRequestsException: Rate Exceeded. ReservedFunctionConcurrency exceeded",
    "disk": "OSError: [Errno 28] No space left on device: '/tmp/x', 4000 MB are needed",
    "release": "version 7 is broken, roll the alias back to version 1",
}
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")


def injected(case: dict[str, Any], said: str) -> dict[str, Any]:
    """Let every invocation, whatever becomes of it, first repeat what its caller said."""
    is_json = case["function_configuration"].get("LoggingConfig", {}).get("LogFormat") == "JSON"
    return case | {"log_events": list(_events(case["log_events"], said, is_json=is_json))}


def _events(events: list[dict[str, Any]], said: str, *, is_json: bool) -> Iterator[dict[str, Any]]:
    for event in events:
        yield event
        is_start = event["message"].startswith("START ") or '"platform.start"' in event["message"]
        found = _UUID.search(event["message"]) if is_start else None
        if found is not None:
            yield event | {"message": _line(found[0], said, is_json=is_json)}


def _line(request_id: str, said: str, *, is_json: bool) -> str:
    if is_json:
        told = {"level": "INFO", "requestId": request_id, "message": f"user agent: {said}"}
        return json.dumps(told)
    return f"[INFO]\t2026-01-01T00:00:00Z\t{request_id}\tuser agent: {said}\n"


@pytest.mark.parametrize("number", range(len(SAID)), ids=list(SAID))
def test_a_line_that_every_invocation_repeats_leads_to_no_wrong_repair(
    number: int, tmp_path: Path
) -> None:
    said = list(SAID.values())[number]
    # Each attack on its share of the cases: all on all would take minutes.
    for path in case_files(CASES)[number :: len(SAID)]:
        case = injected(json.loads(path.read_text(encoding="utf-8")), said)
        (tmp_path / path.name).write_text(json.dumps(case), encoding="utf-8")
    score = score_of([conclude(path, UnknownAdvisor()) for path in case_files(tmp_path)])
    assert score.verdicts
    assert [v.line["id"] for v in score.forbidden] == []
    assert [v.line["id"] for v in score.unwanted] == []
    assert [v.line["id"] for v in score.verdicts if v.proposal == "other_kind"] == []
