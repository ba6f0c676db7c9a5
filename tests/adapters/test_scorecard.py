"""`autorepair scorecard` against an emulated account."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner, Result
from moto.awslambda.models import LambdaBackend
from moto.core.exceptions import JsonRESTError

from adapters.account import STATE_TABLE, TARGET, Account
from adapters.indexed import INDEXED_TABLE, entry, indexed_trail
from autorepair.aws.audit_trail import DynamoAuditTrail
from autorepair.domain.audit import RecordKind
from autorepair.domain.change import Change, TimeoutSetting
from autorepair.domain.decision import Decision
from autorepair.domain.watched import Aftermath, Observed
from autorepair_cli.main import main

NOW = datetime.now(UTC)
PARAMETER = "/policy"
CHANGE = Change(
    target=TARGET,
    before=TimeoutSetting(timeout_s=3),
    after=TimeoutSetting(timeout_s=6),
    planned_on="f",
)
Run = Callable[..., Result]


@pytest.fixture
def trail(account: Account) -> DynamoAuditTrail:
    return indexed_trail(account)


@pytest.fixture
def run(trail: DynamoAuditTrail, account: Account, monkeypatch: pytest.MonkeyPatch) -> Run:
    del trail
    monkeypatch.setenv("AUDIT_TABLE", INDEXED_TABLE)
    monkeypatch.setenv("STATE_TABLE", STATE_TABLE)
    monkeypatch.setenv("POLICY_PARAMETER", PARAMETER)
    account.clients.ssm.put_parameter(
        Name=PARAMETER, Value=json.dumps({"modes": {"set_timeout": "observe"}}), Type="String"
    )

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(main, ("scorecard", *arguments))

    return invoke


def write_incident(
    trail: DynamoAuditTrail, name: str, aftermath: Aftermath, *, ago: timedelta = timedelta(days=1)
) -> None:
    seen = Observed(aftermath=aftermath, why="", look=1, withheld="observe", change=CHANGE)
    said: list[tuple[RecordKind, dict[str, Any]]] = [
        (
            RecordKind.ACTION_DECIDED,
            Decision(action="observe", reason="r", change=CHANGE).as_json(),
        ),
        (RecordKind.INCIDENT_CLOSED, {"outcome": "escalated"}),
        (RecordKind.OUTCOME_OBSERVED, seen.as_json()),
    ]
    for number, (kind, data) in enumerate(said):
        at = NOW - ago + timedelta(seconds=number)
        plain = entry(name, kind, at=at)
        trail.append(plain.model_copy(update={"data": data}))


def test_agreement_is_shown_with_the_advice_to_promote(trail: DynamoAuditTrail, run: Run) -> None:
    for n in range(5):
        write_incident(trail, f"inc-{n}", Aftermath.SAME_VALUE)
    shown = run()
    assert shown.exit_code == 0, shown.output
    for told in ("set_timeout", "orders", "5 same value by hand", "promote it from observe to ask"):
        assert told in shown.output


def test_json_has_rows_totals_advice_and_the_incidents_behind_them(
    trail: DynamoAuditTrail, run: Run
) -> None:
    write_incident(trail, "inc-1", Aftermath.SAME_VALUE)
    write_incident(trail, "inc-2", Aftermath.RECOVERED)
    shown = json.loads(run("--json", "--function", "orders").output)
    (row,) = shown["rows"]
    assert (row["would_be"], row["same_value"], row["recovered"]) == (2, 1, 1)
    assert [one["incident_id"] for one in shown["incidents"]] == ["inc-1", "inc-2"]
    (advice,) = shown["advice"]
    assert (advice["step"], advice["good"], advice["told"]) == ("stay", 1, 2)
    assert shown["totals"][0]["function_name"] is None


def test_what_is_longer_ago_does_not_count(trail: DynamoAuditTrail, run: Run) -> None:
    write_incident(trail, "inc-1", Aftermath.SAME_VALUE, ago=timedelta(days=3))
    assert "no incident with a plan" in run("--days", "2").output
    assert "set_timeout" in run("--days", "4").output


def test_under_a_policy_that_cannot_be_read_everything_counts_as_observed(
    trail: DynamoAuditTrail, run: Run, account: Account
) -> None:
    write_incident(trail, "inc-1", Aftermath.SAME_VALUE)
    account.clients.ssm.put_parameter(
        Name=PARAMETER, Value="{nonsense", Type="String", Overwrite=True
    )
    shown = run()
    assert shown.exit_code == 0
    assert "so that all is observed" in shown.output
    assert "set_timeout (observe)" in shown.output


def make_function(account: Account, tags: dict[str, str]) -> None:
    account.make_function()
    lambda_ = account.clients.lambda_
    arn = lambda_.get_function_configuration(FunctionName=TARGET.function_name)["FunctionArn"]
    lambda_.tag_resource(Resource=arn, Tags=tags)


def test_a_function_with_a_mode_of_its_own_does_not_speak_for_the_account(
    trail: DynamoAuditTrail, run: Run, account: Account
) -> None:
    make_function(account, {"auto-repair-mode": "off"})
    for n in range(5):
        write_incident(trail, f"inc-{n}", Aftermath.SAME_VALUE)
    shown = run().output
    assert "promote" not in shown
    assert "orders goes by a mode of its own for set_timeout: off, and is left out" in shown
    (own,) = json.loads(run("--json").output)["own_modes"]
    assert own == {"function_name": "orders", "kind": "set_timeout", "mode": "off"}
    assert "set_timeout (off)" in run("--function", "orders").output


def test_a_function_whose_tags_tighten_nothing_speaks_for_the_account(
    trail: DynamoAuditTrail, run: Run, account: Account
) -> None:
    make_function(account, {"auto-repair-mode": "ask"})
    for n in range(5):
        write_incident(trail, f"inc-{n}", Aftermath.SAME_VALUE)
    assert "promote it from observe to ask" in run().output


def test_tags_that_cannot_be_read_are_said(
    trail: DynamoAuditTrail, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise JsonRESTError("AccessDeniedException", "no")

    # moto refuses nobody.
    monkeypatch.setattr(LambdaBackend, "list_tags", refuse)
    write_incident(trail, "inc-1", Aftermath.SAME_VALUE)
    shown = run()
    assert (shown.exit_code, "set_timeout (observe)" in shown.output) == (0, True)
    assert "whether orders has a mode of its own is unknown" in shown.stderr
