"""The operator's commands against an emulated account: what they print, and how they refuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from adapters.account import STATE_TABLE, TARGET, Account, incident
from adapters.indexed import INDEXED_TABLE, entry, indexed_trail
from autorepair.aws.audit_trail import DynamoAuditTrail
from autorepair.aws.incident_state import DynamoIncidentState
from autorepair.aws.pauses import DynamoPauses
from autorepair.domain.audit import RecordKind
from autorepair.domain.change import Change, ChangeRecord, TimeoutSetting
from autorepair.domain.decision import Decision
from autorepair.domain.pause import Pause
from autorepair.domain.watched import Drift, Drifted
from autorepair_cli.main import main
from autorepair_cli.span import since

NOW = datetime.now(UTC)
CHANGE = Change(
    target=TARGET,
    before=TimeoutSetting(timeout_s=3),
    after=TimeoutSetting(timeout_s=6),
    planned_on="f",
)
PLAN = CHANGE.plan_hash
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
        result = CliRunner().invoke(main, arguments)
        # A SystemExit is how click ends; anything else would be a stack trace.
        assert isinstance(result.exception, SystemExit | None), result.exception
        assert "Traceback" not in result.output
        return result

    return invoke


def write_incident(trail: DynamoAuditTrail, name: str, *, outcome: str | None = None) -> None:
    said: list[tuple[RecordKind, dict[str, Any]]] = [
        (RecordKind.INCIDENT_OPENED, {"alarm": {"name": "orders-errors", "kind": "metric"}}),
        (RecordKind.DIAGNOSIS_MADE, {"root_cause": "timeout_too_low", "confidence": 0.9}),
        (
            RecordKind.ACTION_DECIDED,
            Decision(action="ask", reason="r", change=CHANGE, plan_hash=PLAN).as_json(),
        ),
        (
            RecordKind.APPROVAL_REQUESTED,
            {"plan_hash": PLAN, "step": 1, "timeout_s": 60, "message_id": "m-1"},
        ),
    ]
    if outcome:
        said.append((RecordKind.INCIDENT_CLOSED, {"outcome": outcome}))
    for number, (kind, data) in enumerate(said):
        at = NOW - timedelta(minutes=10) + timedelta(seconds=number)
        trail.append(entry(name, kind, at=at, **data))


def keep_token(account: Account, name: str) -> None:
    # From now on, not from when the file was read: other files may have been run since.
    account.clock.moment = datetime.now(UTC)
    state = DynamoIncidentState(account.clients.dynamodb, table=STATE_TABLE, clock=account.clock)
    state.keep_task_token(incident(name), "no-such-token", seconds=600)


def test_incidents_are_listed_latest_first_with_how_they_stand(
    trail: DynamoAuditTrail, run: Run
) -> None:
    write_incident(trail, "inc-1", outcome="repaired")
    write_incident(trail, "inc-2")
    listed = run("incidents").output
    for told in ("inc-1", "repaired", "inc-2", "waits for an answer", "timeout_too_low", "orders"):
        assert told in listed


def test_only_open_incidents_of_one_function_as_json(trail: DynamoAuditTrail, run: Run) -> None:
    write_incident(trail, "inc-1", outcome="repaired")
    write_incident(trail, "inc-2")
    found = json.loads(run("incidents", "--open", "--function", "orders", "--json").output)
    assert [(one["incident_id"], one["is_waiting"]) for one in found] == [("inc-2", True)]
    assert json.loads(run("incidents", "--function", "others", "--json").output) == []


def test_an_incident_that_began_before_the_span_is_listed_whole(
    trail: DynamoAuditTrail, run: Run
) -> None:
    write_incident(trail, "inc-1")
    trail.append(entry("inc-1", RecordKind.INCIDENT_CLOSED, at=NOW, outcome="expired"))
    lately = (NOW - timedelta(minutes=5)).isoformat()
    (one,) = json.loads(run("incidents", "--since", lately, "--json").output)
    assert (one["root_cause"], one["outcome"]) == ("timeout_too_low", "expired")


@pytest.mark.parametrize("command", [("incidents", "--open"), ("show", "inc-1")])
def test_a_waiting_incident_tells_its_plan_its_deadline_and_how_to_answer(
    trail: DynamoAuditTrail, run: Run, command: tuple[str, ...]
) -> None:
    write_incident(trail, "inc-1")
    told = run(*command).output
    asked_at = trail.chain_of("inc-1")[3].entry.at
    until = asked_at + timedelta(seconds=60)
    assert f"asks until {until:%Y-%m-%d %H:%M:%S} UTC: timeout 3 s → timeout 6 s" in told
    assert f"autorepair approve inc-1 --plan {PLAN[:12]}" in told


def test_an_incident_that_has_ended_asks_for_nothing(trail: DynamoAuditTrail, run: Run) -> None:
    write_incident(trail, "inc-1", outcome="expired")
    for command in (("incidents",), ("show", "inc-1")):
        assert "autorepair approve" not in run(*command).output


def test_where_there_is_no_terminal_nothing_of_a_table_is_cut(
    trail: DynamoAuditTrail, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"{number}-{'a-function-with-a-long-name' * 2}" for number in range(3)]
    for name in names:
        at = NOW - timedelta(minutes=1)
        opened = entry(f"inc-{name}", RecordKind.INCIDENT_OPENED, at=at, alarm={"name": name})
        trail.append(opened.model_copy(update={"function_name": name}))
    for columns, colour in (("80", ""), ("20", "1")):
        monkeypatch.setenv("COLUMNS", columns)
        monkeypatch.setenv("FORCE_COLOR", colour)
        listed = run("incidents").output.splitlines()
        for name in names:
            assert [line.count(name) for line in listed if name in line] == [2]


@pytest.mark.parametrize(
    ("kind", "became", "word"),
    [
        (RecordKind.REPAIR_REVERTED, Drifted.REVERTED, "put back"),
        (RecordKind.REPAIR_REPLACED, Drifted.REPLACED, "replaced"),
        (RecordKind.REPAIR_GONE, Drifted.GONE, "function gone"),
        (RecordKind.REPAIR_ADOPTED, Drifted.ADOPTED, "adopted"),
    ],
)
def test_what_became_of_a_repair_is_told_beside_its_outcome(
    trail: DynamoAuditTrail, run: Run, kind: RecordKind, became: Drifted, word: str
) -> None:
    applied = ChangeRecord(status="applied", reason="r", change=CHANGE)
    drift = Drift(became=became, why="w", now="", incident_id="inc-1", change=CHANGE)
    said = (
        (RecordKind.REPAIR_APPLIED, applied.as_json()),
        (RecordKind.INCIDENT_CLOSED, {"outcome": "repaired"}),
        (kind, {"drift": drift.as_json()}),
    )
    for record, data in said:
        trail.append(entry("inc-1", record, at=NOW, **data))
    shown = run("show", "inc-1").output
    assert f"outcome    repaired, {word} since\n" in shown
    assert f"since then {trail.chain_of('inc-1')[-1].entry.summary}" in shown
    assert ("none in place any more" in shown) == (became is not Drifted.ADOPTED)
    assert f"repaired, {word} since" in run("incidents").output
    (one,) = json.loads(run("incidents", "--json").output)
    assert one["became"] == word


def test_an_empty_list_says_so(run: Run) -> None:
    assert "no incidents since" in run("incidents", "--since", "2020-01-01").output


def test_the_whole_incident_is_shown_with_its_chain(trail: DynamoAuditTrail, run: Run) -> None:
    write_incident(trail, "inc-1", outcome="expired")
    shown = run("show", "inc-1").output
    for told in (
        "inc-1", "orders-errors", "timeout 3 s → timeout 6 s", PLAN[:12], "expired",
        "chain of 5 records whole",
    ):  # fmt: skip
        assert told in shown
    document = json.loads(run("show", "inc-1", "--json").output)
    assert len(document["records"]) == 5
    assert document["first_break"] is None


@pytest.mark.parametrize("command", ["approve", "reject", "show"])
def test_an_incident_without_a_record_is_refused_in_one_line(run: Run, command: str) -> None:
    result = run(command, "inc-404")
    assert result.exit_code == 1
    assert "Error: there is no record of an incident inc-404" in result.output


def test_an_answer_shows_the_plan_and_stands_in_the_record_with_who_gave_it(
    account: Account, trail: DynamoAuditTrail, run: Run
) -> None:
    write_incident(trail, "inc-1")
    keep_token(account, "inc-1")
    result = run("approve", "inc-1", "--comment", "fine", "--plan", PLAN[:12])
    assert result.exit_code == 0
    assert "orders: timeout 3 s → timeout 6 s" in result.output
    assert "inc-1: approved by arn:aws:" in result.output
    answer = trail.chain_of("inc-1")[-1].entry
    assert answer.kind is RecordKind.APPROVAL_ANSWERED
    assert (answer.data["answer"], answer.data["comment"]) == ("approved", "fine")
    assert answer.data["by"].startswith("arn:aws:")


def test_a_yes_is_not_used_up_while_repairs_are_paused(
    account: Account, trail: DynamoAuditTrail, run: Run
) -> None:
    write_incident(trail, "inc-1")
    keep_token(account, "inc-1")
    pauses = DynamoPauses(account.clients.dynamodb, table=STATE_TABLE, clock=account.clock)
    pauses.put(Pause(by="arn:aws:iam::1:user/anna", since=NOW))
    refused = run("approve", "inc-1")
    assert (refused.exit_code, len(refused.stderr.splitlines())) == (1, 1)
    for told in ("user/anna has paused all repairs", "since ", "resume first", "or reject"):
        assert told in refused.stderr
    assert trail.chain_of("inc-1")[-1].entry.kind is RecordKind.APPROVAL_REQUESTED
    pauses.lift()
    assert run("approve", "inc-1").exit_code == 0


def test_a_no_is_taken_while_repairs_are_paused(
    account: Account, trail: DynamoAuditTrail, run: Run
) -> None:
    write_incident(trail, "inc-1")
    keep_token(account, "inc-1")
    DynamoPauses(account.clients.dynamodb, table=STATE_TABLE, clock=account.clock).put(Pause())
    assert "inc-1: rejected by" in run("reject", "inc-1").output


def test_a_contrary_answer_is_refused_and_the_same_one_is_harmless(
    account: Account, trail: DynamoAuditTrail, run: Run
) -> None:
    write_incident(trail, "inc-1")
    keep_token(account, "inc-1")
    run("reject", "inc-1")
    contrary, same = run("approve", "inc-1"), run("reject", "inc-1")
    assert (contrary.exit_code, same.exit_code) == (1, 0)
    assert "was rejected by arn:aws:" in contrary.output
    assert "nothing new is recorded" in same.output


def test_a_question_without_a_token_has_expired(trail: DynamoAuditTrail, run: Run) -> None:
    write_incident(trail, "inc-1")
    result = run("reject", "inc-1")
    assert result.exit_code == 1
    assert "the question has expired" in result.output


def test_a_plan_that_the_incident_does_not_have_is_not_answered(
    trail: DynamoAuditTrail, run: Run
) -> None:
    write_incident(trail, "inc-1")
    result = run("approve", "inc-1", "--plan", "0" * 12)
    assert (result.exit_code, f"has no plan {'0' * 12}" in result.output) == (1, True)


def test_a_comment_has_its_limit(run: Run) -> None:
    result = run("approve", "inc-1", "--comment", "x" * 1001)
    assert result.exit_code == 2
    assert "at most 1000 characters" in result.output


def test_whole_chains_verify(trail: DynamoAuditTrail, run: Run) -> None:
    write_incident(trail, "inc-1", outcome="repaired")
    write_incident(trail, "inc-2")
    assert run("audit", "verify").output == "2 of 2 incidents: chain whole\n"
    head = trail.chain_of("inc-1")[-1].hash
    assert run("audit", "verify", "inc-1", "--head", head).exit_code == 0


@pytest.mark.parametrize("arguments", [["inc-1"], ["--since", "7d"]])
def test_an_altered_record_is_named_and_ends_with_1(
    account: Account, trail: DynamoAuditTrail, run: Run, arguments: list[str]
) -> None:
    write_incident(trail, "inc-1", outcome="repaired")
    write_incident(trail, "inc-2", outcome="repaired")
    alter(account, "inc-1", 2, "summary", "nothing happened")
    result = run("audit", "verify", *arguments)
    assert result.exit_code == 1
    assert "incident inc-1: record 2 does not follow" in result.output
    assert "inc-2:" not in result.output
    assert "THE CHAIN BREAKS at record 2" in run("show", "inc-1").output


def test_a_record_that_is_gone_breaks_the_chain(
    account: Account, trail: DynamoAuditTrail, run: Run
) -> None:
    write_incident(trail, "inc-1")
    key: Any = {"incident_id": {"S": "inc-1"}, "seq": {"N": "2"}}
    account.clients.dynamodb.delete_item(TableName=INDEXED_TABLE, Key=key)
    assert "record 3 does not follow" in run("audit", "verify", "inc-1").output


def test_a_record_that_is_none_any_more_is_named(
    account: Account, trail: DynamoAuditTrail, run: Run
) -> None:
    write_incident(trail, "inc-1")
    alter(account, "inc-1", 2, "data", "{")
    for command in (["audit", "verify", "inc-1"], ["show", "inc-1"], ["incidents"]):
        result = run(*command)
        assert result.exit_code == 1
        assert "record 2 of incident inc-1 is not a record any more" in result.output


def test_an_end_that_was_cut_off_is_found_by_the_hash_of_the_closing_event(
    trail: DynamoAuditTrail, run: Run
) -> None:
    write_incident(trail, "inc-1")
    result = run("audit", "verify", "inc-1", "--head", "f" * 64)
    assert result.exit_code == 1
    assert "the end was cut off or rewritten" in result.output
    assert run("audit", "verify", "--head", "f" * 64).exit_code == 2


def test_tables_that_are_not_there_say_how_to_choose_others(run: Run) -> None:
    result = run("incidents", "--env", "staging")
    assert result.exit_code == 1
    assert "lambda-auto-repair-audit-staging" in result.output
    assert "--env and --region" in result.output
    assert "Is the service deployed as staging in eu-central-1?" in result.output


def test_without_credentials_one_is_told_what_to_set(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    result = run("incidents")
    assert (result.exit_code, "there are no AWS credentials" in result.output) == (1, True)


def test_without_a_region_one_is_told_what_to_set(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    assert "no AWS Region is set" in run("incidents").output


def test_a_profile_that_is_not_there_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    result = run("incidents")
    assert result.exit_code == 1
    assert "nobody" in result.output


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("90m", NOW - timedelta(minutes=90)),
        ("24h", NOW - timedelta(hours=24)),
        ("7d", NOW - timedelta(days=7)),
        ("2026-03-04", datetime(2026, 3, 4, tzinfo=UTC)),
        ("2026-03-04T12:00:00Z", datetime(2026, 3, 4, 12, tzinfo=UTC)),
        ("2026-03-04T12:00:00+02:00", datetime(2026, 3, 4, 10, tzinfo=UTC)),
    ],
)
def test_a_span_is_so_long_ago_or_that_very_moment(given: str, expected: datetime) -> None:
    assert since(given, NOW) == expected


@pytest.mark.parametrize("given", ["yesterday", "", "10", "h", "999999w"])
def test_what_is_no_span_is_refused_with_examples(given: str) -> None:
    with pytest.raises(click.BadParameter, match="90m, 24h, 7d"):
        since(given, NOW)


def alter(account: Account, name: str, seq: int, attribute: str, value: str) -> None:
    account.clients.dynamodb.update_item(
        TableName=INDEXED_TABLE,
        Key={"incident_id": {"S": name}, "seq": {"N": str(seq)}},
        UpdateExpression="SET #a = :v",
        ExpressionAttributeNames={"#a": attribute},
        ExpressionAttributeValues={":v": {"S": value}},
    )
