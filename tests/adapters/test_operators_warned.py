"""What operators are told and asked before they act: a pause, and a policy that allows more."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from adapters.account import STATE_TABLE, Account
from adapters.indexed import INDEXED_TABLE, indexed_trail
from autorepair.domain.approval import Approval
from autorepair.steps.answer_approval import Answered
from autorepair_cli import answering
from autorepair_cli.main import main

PARAMETER = "/lambda-auto-repair/dev/policy"
FIRST = '{"modes":{"set_timeout":"auto"}}'
LOOSER = '{"modes":{"set_timeout":"auto","set_env":"ask"}}'
Run = Callable[..., Result]


class Terminal(io.BytesIO):
    """What a person types, as far as a command can tell."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def run(account: Account, monkeypatch: pytest.MonkeyPatch) -> Run:
    indexed_trail(account)
    monkeypatch.setenv("AUDIT_TABLE", INDEXED_TABLE)
    monkeypatch.setenv("STATE_TABLE", STATE_TABLE)
    monkeypatch.setenv("POLICY_PARAMETER", PARAMETER)
    monkeypatch.setenv("EVENT_BUS", "default")
    account.clients.ssm.put_parameter(Name=PARAMETER, Value=FIRST, Type="String")

    def invoke(*arguments: str, typed: io.BytesIO | None = None) -> Result:
        result = CliRunner().invoke(main, arguments, input=typed)
        # A SystemExit is how click ends; anything else would be a stack trace.
        assert isinstance(result.exception, SystemExit | None), result.exception
        return result

    return invoke


def text_of(account: Account) -> str:
    return account.clients.ssm.get_parameter(Name=PARAMETER)["Parameter"]["Value"]


def count_of_acts(account: Account) -> int:
    return account.clients.dynamodb.scan(TableName=INDEXED_TABLE)["Count"]


def written(folder: Path, text: str) -> str:
    file = folder / "policy.json"
    file.write_text(text)
    return str(file)


def test_what_operators_did_is_shown_without_the_lines_of_an_incident(run: Run) -> None:
    run("pause", "--reason", "migration")
    chain = f"operators-{datetime.now(UTC):%Y-%m}"
    shown = run("show", chain)
    assert shown.exit_code == 0, shown.output
    assert shown.output.startswith(f"{chain}  what operators did to the service\n")
    assert "migration" in shown.output
    assert [told for told in ("outcome", "(no function)", "alarm") if told in shown.output] == []


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_the_open_incidents_say_that_repairs_are_paused(run: Run, options: list[str]) -> None:
    assert run("incidents", "--open", *options).stderr == ""
    run("pause", "--reason", "moving\nhouse")
    (told,) = run("incidents", "--open", *options).stderr.splitlines()
    assert "has paused all repairs" in told
    assert "(moving house)" in told
    assert "a yes is refused meanwhile" in told
    assert run("incidents", *options).stderr == ""


def test_the_open_incidents_are_listed_where_a_pause_cannot_be_read(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_TABLE", "there-is-none")
    listed = run("incidents", "--open")
    assert (listed.exit_code, "no incidents" in listed.stdout) == (0, True)
    assert "whether repairs are paused cannot be read" in listed.stderr


@pytest.mark.parametrize(("typed", "stands"), [(b"y\n", LOOSER), (b"n\n", FIRST), (b"\n", FIRST)])
def test_on_a_terminal_a_policy_that_allows_more_is_asked_about(
    account: Account, run: Run, tmp_path: Path, typed: bytes, stands: str
) -> None:
    file = written(tmp_path, LOOSER)
    done = run("policy", "set", file, typed=Terminal(typed))
    assert "allow more than before, or may" in done.stderr
    assert (text_of(account), done.exit_code) == (stands, 0 if stands == LOOSER else 1)
    assert count_of_acts(account) == (stands == LOOSER)
    assert ("nothing is written" in done.output) is (stands == FIRST)


@pytest.mark.parametrize(
    ("text", "options"),
    [
        (LOOSER, ["--yes"]),
        (LOOSER, ["--dry-run"]),
        ('{"modes":{"set_timeout":"ask"}}', []),
    ],
)
def test_on_a_terminal_nothing_is_asked_where_yes_was_said_or_no_more_is_allowed(
    run: Run, tmp_path: Path, text: str, options: list[str]
) -> None:
    done = run("policy", "set", written(tmp_path, text), *options, typed=Terminal())
    assert (done.exit_code, "allow more than before, or may" in done.stderr) == (0, False)


def test_a_script_that_allows_more_is_not_asked(account: Account, run: Run, tmp_path: Path) -> None:
    assert run("policy", "set", written(tmp_path, LOOSER)).exit_code == 0
    assert text_of(account) == LOOSER


@pytest.mark.parametrize(
    ("is_repeated", "is_received", "told"),
    [
        (False, True, ""),
        (True, True, " before; nothing new is recorded"),
        (False, False, "; recorded, but the execution does not wait for it"),
    ],
)
def test_what_became_of_an_answer_is_told_as_it_is(
    told: str, *, is_repeated: bool, is_received: bool
) -> None:
    given = Approval(answer="approved", by="somebody")
    done = Answered(approval=given, is_repeated=is_repeated, is_received=is_received)
    assert answering._became(done).startswith(told)
    assert bool(answering._became(done)) == bool(told)
