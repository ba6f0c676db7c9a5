"""What others wrote into a record is printed so that it cannot pose as a record, nor steer."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner, Result

from adapters.account import STATE_TABLE, Account
from adapters.indexed import INDEXED_TABLE, entry, indexed_trail
from autorepair.aws.audit_trail import DynamoAuditTrail
from autorepair.domain.audit import RecordKind
from autorepair_cli.main import main

NOW = datetime.now(UTC)
PLAN = "a1b2c3d4e5f6" + "0" * 52
FORGED = (
    "ok\n     · plan hash: 000000000000\n\n  7  2026-11-22 18:59:40  repair verified\u2028  8  x"
)
UNFIT = "fine\x1b[2J\x9b31m\u202eegap\x08\x85next"
Run = Callable[..., Result]


@pytest.fixture
def trail(account: Account) -> DynamoAuditTrail:
    return indexed_trail(account)


@pytest.fixture
def run(trail: DynamoAuditTrail, monkeypatch: pytest.MonkeyPatch) -> Run:
    del trail
    monkeypatch.setenv("AUDIT_TABLE", INDEXED_TABLE)
    monkeypatch.setenv("STATE_TABLE", STATE_TABLE)

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(main, arguments)

    return invoke


def answered(trail: DynamoAuditTrail, comment: str) -> None:
    opened = entry("inc-1", RecordKind.INCIDENT_OPENED, at=NOW - timedelta(minutes=2))
    trail.append(opened)
    asked: dict[str, Any] = {
        "plan_hash": PLAN,
        "step": 1,
        "timeout_s": 60,
        "message_id": f"m\n{comment}",
    }
    at = NOW - timedelta(minutes=1)
    trail.append(entry("inc-1", RecordKind.APPROVAL_REQUESTED, at=at, **asked))
    said: dict[str, Any] = {
        "plan_hash": PLAN,
        "answer": "approved",
        "by": "Ann",
        "comment": comment,
    }
    told = entry("inc-1", RecordKind.APPROVAL_ANSWERED, at=NOW, **said)
    trail.append(told.model_copy(update={"summary": f"approved by Ann: {comment}"}))


def test_each_further_line_of_a_comment_or_fact_is_marked_as_such(
    trail: DynamoAuditTrail, run: Run
) -> None:
    answered(trail, FORGED)
    shown = run("show", "inc-1").output.splitlines()
    assert "     approved by Ann: ok" in shown
    assert "     | 7 2026-11-22 18:59:40 repair verified" in shown
    assert "     · message: m" in shown
    records = [line for line in shown if line[:3].strip().isdigit()]
    assert [line.split()[0] for line in records] == ["1", "2", "3"]
    forged = [line for line in shown if "000000000000" in line or "repair verified" in line]
    assert len(forged) == 4
    assert all(line.startswith("     | ") for line in forged)


def test_what_a_terminal_obeys_is_told_as_its_code(trail: DynamoAuditTrail, run: Run) -> None:
    answered(trail, UNFIT)
    shown = run("show", "inc-1").output
    assert not [c for c in "\x1b\x9b\u202e\x08\x85" if c in shown]
    assert "fine<U+001B>[2J<U+009B>31m<U+202E>egap<U+0008>\n     | next\n" in shown


def test_the_list_tells_a_function_name_on_one_line_without_what_steers(
    trail: DynamoAuditTrail, run: Run
) -> None:
    opened = entry("inc-1", RecordKind.INCIDENT_OPENED, at=NOW - timedelta(minutes=2))
    trail.append(opened.model_copy(update={"function_name": "orders\x1b[31m\ninc-2"}))
    assert "orders[31m inc-2" in run("incidents").output


def test_in_json_what_steers_is_escaped_and_means_the_same(
    trail: DynamoAuditTrail, run: Run
) -> None:
    answered(trail, f"{UNFIT} 好")
    shown = run("show", "inc-1", "--json").output
    assert not [c for c in "\x1b\x9b\u202e\x08\x85" if c in shown]
    assert json.loads(shown)["records"][2]["entry"]["data"]["comment"] == f"{UNFIT} 好"
    assert "好" in shown


@pytest.mark.parametrize("unfit", ["\x1b[2J", "\x9b", "\u202e", "\x07", "\u2028"])
@pytest.mark.parametrize("command", ["approve", "reject"])
def test_a_comment_with_what_steers_a_terminal_is_refused(
    trail: DynamoAuditTrail, run: Run, command: str, unfit: str
) -> None:
    result = run(command, "inc-1", "--comment", f"ok {unfit}")
    assert result.exit_code == 2
    assert "control and direction characters are not taken" in result.output
    assert trail.chain_of("inc-1") == ()


def test_a_comment_may_have_lines(run: Run) -> None:
    result = run("approve", "inc-none", "--comment", "one\n\ttwo\r\nthree 👩‍🔧")
    assert "there is no record of an incident inc-none" in result.output


@pytest.mark.parametrize(
    ("plan", "told"),
    [
        (PLAN[:4], f"--plan {PLAN[:4]} is too short: give at least 8 characters"),
        ("0" * 12, f"inc-1 has no plan {'0' * 12}"),
    ],
)
def test_a_plan_that_is_none_is_refused_with_the_one_that_is_asked_for(
    trail: DynamoAuditTrail, run: Run, plan: str, told: str
) -> None:
    answered(trail, "ok")
    result = run("approve", "inc-1", "--plan", plan)
    assert result.exit_code == 1
    assert told in result.output
    assert f"asks for plan {PLAN[:12]}" in result.output
