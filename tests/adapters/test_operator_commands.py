"""`autorepair pause`, `resume` and `policy` against an emulated account."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from moto.sns.models import sns_backends

from adapters.account import ACCOUNT, REGION, STATE_TABLE, TARGET, Account
from adapters.indexed import INDEXED_TABLE, entry, indexed_trail
from autorepair.aws.audit_trail import DynamoAuditTrail
from autorepair.aws.incident_state import DynamoIncidentState
from autorepair.aws.repair_ledger import DynamoRepairLedger
from autorepair.domain.audit import RecordKind
from autorepair.domain.ledger import AccountLedger, Trip
from autorepair.domain.policy import parse_policy
from autorepair_cli.main import main

PARAMETER = "/lambda-auto-repair/dev/policy"
FIRST = '{"modes":{"set_timeout":"auto"}}'
Run = Callable[..., Result]


@pytest.fixture
def trail(account: Account) -> DynamoAuditTrail:
    return indexed_trail(account)


@pytest.fixture
def run(account: Account, trail: DynamoAuditTrail, monkeypatch: pytest.MonkeyPatch) -> Run:
    del trail
    monkeypatch.setenv("AUDIT_TABLE", INDEXED_TABLE)
    monkeypatch.setenv("STATE_TABLE", STATE_TABLE)
    monkeypatch.setenv("POLICY_PARAMETER", PARAMETER)
    monkeypatch.setenv("EVENT_BUS", "default")
    account.clients.ssm.put_parameter(Name=PARAMETER, Value=FIRST, Type="String")

    def invoke(*arguments: str) -> Result:
        result = CliRunner().invoke(main, arguments)
        # A SystemExit is how click ends; anything else would be a stack trace.
        assert isinstance(result.exception, SystemExit | None), result.exception
        return result

    return invoke


def text_of(account: Account) -> str:
    return account.clients.ssm.get_parameter(Name=PARAMETER)["Parameter"]["Value"]


def acts(account: Account) -> list[tuple[str, str]]:
    """What operators did, in order: kind and summary."""
    found = account.clients.dynamodb.scan(TableName=INDEXED_TABLE)["Items"]
    ordered = sorted(found, key=lambda item: (item["incident_id"]["S"], int(item["seq"]["N"])))
    return [(item["kind"]["S"], item["summary"]["S"]) for item in ordered]


def is_paused(account: Account) -> bool:
    state = DynamoIncidentState(account.clients.dynamodb, table=STATE_TABLE, clock=account.clock)
    return state.pause_in_force() is not None


def written(folder: Path, text: str) -> str:
    file = folder / "policy.json"
    file.write_text(text)
    return str(file)


def test_a_pause_holds_until_it_is_lifted_and_both_are_recorded(account: Account, run: Run) -> None:
    paused = run("pause", "--reason", "migration")
    assert (paused.exit_code, is_paused(account)) == (0, True), paused.output
    assert "arn:aws:" in paused.output
    assert "(migration)" in run("policy", "show").stderr
    resumed = run("resume")
    assert (resumed.exit_code, is_paused(account)) == (0, False), resumed.output
    assert [kind for kind, _ in acts(account)] == ["repairs_paused", "repairs_resumed"]
    assert all("migration" in summary for _, summary in acts(account))


def test_nothing_is_resumed_or_recorded_that_was_not_paused(account: Account, run: Run) -> None:
    assert "not paused" in run("resume").output
    assert acts(account) == []


def test_a_second_pause_takes_the_place_of_the_first_and_says_so(
    account: Account, run: Run
) -> None:
    run("pause", "--reason", "one")
    again = run("pause", "--reason", "two", "--for", "8h")
    assert "in the place of" in again.output
    assert " until " in again.output
    assert is_paused(account)


@pytest.mark.parametrize("span", ["never", "2020-01-01T00:00:00Z", "0s"])
def test_a_pause_ends_in_the_future_or_not_at_all(account: Account, run: Run, span: str) -> None:
    assert run("pause", "--for", span).exit_code == 2
    assert not is_paused(account)


def test_what_operators_did_is_checked_with_the_chains_and_listed_as_no_incident(
    trail: DynamoAuditTrail, run: Run
) -> None:
    run("pause")
    run("resume")
    assert "no incidents" in run("incidents").output
    # One chain for each month, and one may begin in between.
    acts_whole = r"([12]) of \1 months of operators' acts: chain whole\n"
    assert re.fullmatch(acts_whole, run("audit", "verify").output)
    trail.append(entry("inc-1", at=datetime.now(UTC)))
    verified = run("audit", "verify").output
    assert re.fullmatch(f"1 of 1 incidents: chain whole\n{acts_whole}", verified)


def test_the_policy_is_shown_with_its_defaults_or_as_it_stands(run: Run) -> None:
    shown = json.loads(run("policy", "show").stdout)
    assert shown["modes"]["set_timeout"] == "auto"
    assert shown["modes"]["set_memory"] == "observe"
    assert shown["limits"]["repairs_per_account_hour"] == 20
    assert run("policy", "show", "--text").stdout.strip() == FIRST


def test_the_policy_of_one_function_has_its_overrides_in_it(account: Account, run: Run) -> None:
    text = '{"overrides":[{"functions":"pay-*","policy":{"limits":{"cooldown_s":7}}}]}'
    account.clients.ssm.put_parameter(Name=PARAMETER, Value=text, Overwrite=True)
    shown = json.loads(run("policy", "show", "--function", "pay-out").stdout)
    assert shown["limits"]["cooldown_s"] == 7
    assert json.loads(run("policy", "show").stdout)["limits"]["cooldown_s"] == 3600


def test_a_policy_that_cannot_be_used_is_refused_fault_by_fault(
    account: Account, run: Run, tmp_path: Path
) -> None:
    text = '{"modes": {"set_timeout": "maybe"}, "limits": {"cooldown": 1, "cooldown_s": -1}}'
    file = written(tmp_path, text)
    for command in ("validate", "set"):
        refused = run("policy", command, file)
        assert refused.exit_code == 1
        for told in (
            "modes.set_timeout:", "take one of 'off', 'observe', 'ask' or 'auto'",
            "limits.cooldown:", "the policy knows cooldown_s",
            "limits.cooldown_s:", "at least 0", "3 faults",
        ):  # fmt: skip
            assert told in refused.stderr
        remains = "refused; nothing is written, the policy in force stays as it is"
        assert (remains in refused.stderr) is (command == "set")
        assert ("nothing is repaired" in refused.stderr) is (command == "validate")
    assert (text_of(account), acts(account)) == (FIRST, [])


def test_what_is_no_json_is_refused_with_the_place(run: Run, tmp_path: Path) -> None:
    refused = run("policy", "validate", written(tmp_path, '{"modes": '))
    assert (refused.exit_code, "Invalid JSON" in refused.stderr) == (1, True)


@pytest.mark.parametrize(
    "faulty",
    [
        (b"\xef\xbb\xbf{}", "begins with a byte order mark"),
        ("{}".encode("utf-16"), "is no text in UTF-8 (byte 0): save it as UTF-8"),
        (b"", "is empty"),
        (b" \n", "is empty"),
    ],
)
@pytest.mark.parametrize("command", ["validate", "set"])
def test_a_file_that_no_editor_shows_as_faulty_is_refused_with_what_to_do(
    account: Account, run: Run, tmp_path: Path, faulty: tuple[bytes, str], command: str
) -> None:
    content, told = faulty
    file = tmp_path / "policy.json"
    file.write_bytes(content)
    refused = run("policy", command, str(file))
    assert (refused.exit_code, len(refused.stderr.splitlines())) == (1, 1)
    assert f"{file} {told}" in refused.stderr
    assert (text_of(account), acts(account)) == (FIRST, [])


def test_a_policy_that_is_set_shows_what_differs_and_is_recorded(
    account: Account, run: Run, tmp_path: Path
) -> None:
    text = '{\n  "modes": {"set_timeout": "ask"},\n  "limits": {"cooldown_s": 60}\n}\n'
    file = written(tmp_path, text)
    assert run("policy", "validate", file).exit_code == 0
    tried = run("policy", "set", file, "--dry-run")
    assert ("nothing is written" in tried.output, text_of(account)) == (True, FIRST)
    done = run("policy", "set", file)
    assert done.exit_code == 0, done.output
    assert 'modes.set_timeout: "auto" -> "ask"' in done.output
    assert "limits.cooldown_s: 3600 -> 60" in done.output
    assert parse_policy(text_of(account)) == parse_policy(text)
    ((kind, summary),) = acts(account)
    assert (kind, "cooldown_s: 3600 -> 60" in summary) == (RecordKind.POLICY_SET, True)


@pytest.mark.parametrize(
    "same", [FIRST, json.dumps({"modes": {"set_timeout": "auto", "set_env": "observe"}})]
)
@pytest.mark.parametrize("options", [[], ["--dry-run"]])
def test_a_policy_that_says_the_same_is_neither_written_recorded_nor_told(
    account: Account, run: Run, tmp_path: Path, same: str, options: list[str]
) -> None:
    done = run("policy", "set", written(tmp_path, same), *options)
    assert (done.exit_code, done.output) == (
        0,
        f"nothing changes: {PARAMETER} says the same already\n",
    )
    assert (text_of(account), acts(account)) == (FIRST, [])


def test_the_policy_that_only_observes_takes_the_place_of_an_unreadable_one(
    account: Account, run: Run, tmp_path: Path
) -> None:
    account.clients.ssm.put_parameter(Name=PARAMETER, Value="{", Overwrite=True)
    assert run("policy", "set", written(tmp_path, "{}")).exit_code == 0
    assert text_of(account) == "{}"
    assert [kind for kind, _ in acts(account)] == ["policy_set"]


def test_of_an_override_each_value_that_differs_is_shown(run: Run, tmp_path: Path) -> None:
    def settling(seconds: int) -> str:
        asked = {"modes": {"set_timeout": "ask"}, "settle_s": seconds}
        return json.dumps({"overrides": [{"functions": "pay-*", "policy": asked}]})

    assert run("policy", "set", written(tmp_path, settling(9))).exit_code == 0
    again = run("policy", "set", written(tmp_path, settling(30)))
    assert "overrides[pay-*].settle_s: 9 -> 30\n" in again.output
    assert "set_timeout" not in again.output


def test_a_policy_that_cannot_be_recorded_is_not_set(
    account: Account, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = text_of(account)
    monkeypatch.setenv("AUDIT_TABLE", "there-is-none")
    file = written(tmp_path, '{"modes": {"set_timeout": "ask"}}')
    assert run("policy", "set", file).exit_code == 1
    assert text_of(account) == before


def test_an_endpoint_that_is_no_url_is_told_in_a_line(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "rubbish")
    done = run("incidents")
    assert done.exit_code == 1
    assert "AWS_ENDPOINT_URL is not a URL" in done.output


@pytest.mark.parametrize("command", [["incidents"], ["policy", "show"], ["enrol", "orders"]])
def test_an_endpoint_where_nobody_answers_is_told_with_what_to_check(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    # Bound, so that nobody else gets the port, but nobody listens.
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        done = run(*command)
    assert (done.exit_code, len(done.stderr.splitlines())) == (1, 1)
    assert f'Could not connect to the endpoint URL: "{endpoint}' in done.stderr
    assert "; check AWS_ENDPOINT_URL" in done.stderr


def test_a_region_without_a_deployment_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AUDIT_TABLE", "POLICY_PARAMETER"):
        monkeypatch.delenv(name)
    for command in (["incidents"], ["policy", "show"], ["scorecard"]):
        done = run(*command, "--region", "eu-west-3", "--env", "staging")
        assert done.exit_code == 1
        assert "Is the service deployed as staging in eu-west-3?" in done.stderr


def test_a_region_that_is_none_is_told_in_the_words_of_the_client(run: Run) -> None:
    done = run("incidents", "--region", "foo bar")
    assert (done.exit_code, "'foo bar' doesn't match" in done.stderr) == (1, True)


def test_in_the_place_of_an_unreadable_policy_a_readable_one_may_be_set(
    account: Account, run: Run, tmp_path: Path
) -> None:
    account.clients.ssm.put_parameter(Name=PARAMETER, Value="{", Overwrite=True)
    shown = run("policy", "show")
    assert (shown.exit_code, "Invalid JSON" in shown.stderr) == (1, True)
    done = run("policy", "set", written(tmp_path, FIRST))
    assert (done.exit_code, text_of(account)) == (0, FIRST)
    assert "so far only observing" in done.stderr


def test_a_policy_that_the_parameter_does_not_hold_is_refused(
    account: Account, run: Run, tmp_path: Path
) -> None:
    names = [f"NAME_{number}" for number in range(500)]
    refused = run("policy", "set", written(tmp_path, json.dumps({"env": {"allow": names}})))
    assert (refused.exit_code, text_of(account)) == (1, FIRST)
    assert "the parameter holds 4096" in refused.stderr


TOPIC = "lambda-auto-repair-notifications-dev"


@pytest.fixture
def inbox(account: Account) -> Callable[[], list[tuple[str, str]]]:
    """People's topic under the name the stack gives it; what was sent there, with its subject."""
    arn = account.clients.sns.create_topic(Name=TOPIC)["TopicArn"]

    def sent() -> list[tuple[str, str]]:
        topic = sns_backends[ACCOUNT][REGION].topics[arn]
        return [(subject or "", text) for _, text, subject, _, _ in topic.sent_notifications]

    return sent


def test_people_are_told_who_paused_and_who_resumed(
    run: Run, inbox: Callable[[], list[tuple[str, str]]]
) -> None:
    assert "people are told" in run("pause", "--reason", "migration", "--for", "8h").output
    run("resume")
    (paused, why), (resumed, before) = inbox()
    assert (paused, resumed) == (
        "[Auto-Repair] repairs are paused (dev)",
        "[Auto-Repair] repairs go on (dev)",
    )
    assert "Why: migration" in why
    assert "arn:aws:" in why
    assert "(migration)" in before


def test_people_are_told_what_of_the_policy_differs_and_where_it_allows_more(
    run: Run, inbox: Callable[[], list[tuple[str, str]]], tmp_path: Path
) -> None:
    text = '{"modes": {"set_timeout": "ask", "set_memory": "auto"}}'
    done = run("policy", "set", written(tmp_path, text))
    assert 'modes.set_memory: "observe" -> "auto"  (allows more, or may)' in done.output
    assert 'modes.set_timeout: "auto" -> "ask"\n' in done.output
    ((subject, message),) = inbox()
    assert subject == "[Auto-Repair] policy LOOSENED (dev)"
    assert "WARNING: it allows more than before, or may: modes.set_memory\n" in message


def test_a_dry_run_tells_nobody(
    run: Run, inbox: Callable[[], list[tuple[str, str]]], tmp_path: Path
) -> None:
    run("policy", "set", written(tmp_path, "{}"), "--dry-run")
    assert inbox() == []


def test_without_a_topic_to_publish_to_it_is_done_all_the_same_and_said(
    account: Account, run: Run, tmp_path: Path
) -> None:
    for command in (["pause"], ["resume"], ["policy", "set", written(tmp_path, "{}")]):
        done = run(*command)
        assert (done.exit_code, "nobody was told:" in done.stderr) == (0, True), done.output
    assert (is_paused(account), text_of(account)) == (False, "{}")
    assert len(acts(account)) == 3


def test_the_policy_is_shown_with_how_the_storm_breaker_stands(account: Account, run: Run) -> None:
    assert "the storm breaker has not tripped" in run("policy", "show").stderr
    now = datetime.now(UTC)
    trip = Trip(since=now, last_at=now, by="inc-9", why="a storm", functions=("orders",))
    ledger = DynamoRepairLedger(account.clients.dynamodb, table=STATE_TABLE, clock=account.clock)
    tripped = AccountLedger(trip=trip)
    ledger.update(TARGET, lambda found: (found.model_copy(update={"of_account": tripped}), None))
    shown = run("policy", "show")
    assert "by incident inc-9: a storm: orders" in shown.stderr
    assert json.loads(shown.stdout)["breaker"]["window_s"] == 600
    run("pause")
    assert "`autorepair resume` does not end it" in run("resume").stderr


def test_a_ledger_that_cannot_be_read_does_not_hide_the_policy(account: Account, run: Run) -> None:
    account.clients.dynamodb.put_item(
        TableName=STATE_TABLE,
        Item={
            "pk": {"S": "repairs"},
            "sk": {"S": "account"},
            "entries": {"S": "{"},
            "version": {"N": "1"},
        },
    )
    shown = run("policy", "show")
    assert (shown.exit_code, "storm breaker stands is unknown" in shown.stderr) == (0, True)
