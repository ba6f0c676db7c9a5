"""The definition of the state machine: whole, ends everywhere, reads only what was written."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from autorepair.aws.incident_state import KEPT_FOR
from autorepair.domain import errors
from autorepair.domain.decision import Decision
from autorepair.domain.policy import (
    MAX_VERIFICATION_S,
    ApprovalRules,
    Policy,
    VerificationRules,
)
from autorepair.steps.watch_window import LONGEST_UNSEEN_S
from contract import asl_graph as graph

ROOT = Path(__file__).parents[2]
DEFINITION = ROOT / "statemachine" / "repair.asl.json"
PIN = Path(__file__).parent / "asl_validator"

KEY_OF = {
    "ParseAlarmEvent": "$",  # it begins the state data: {"incident": ...}
    "IntakeFailed": "$",  # nothing of the raw event is taken for state data
    "CollectMetricsAndLogs": "evidence",
    "DiagnoseIssue": "diagnosis",
    "DetermineAction": "decision",
    "RequestApproval": "approval",
    "ApprovalExpired": "approval",  # writes what RequestApproval would have, had somebody answered
    "ExecuteRepair": "change",
    "VerifyRepair": "verification",
    "RollBackRepair": "rollback",
    "NotifyResult": "notification",
    "HandleFailure": "failure",
}
# https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html and, for Lambda,
# https://docs.aws.amazon.com/step-functions/latest/dg/bp-lambda-serviceexception.html
RESERVED_BY_AWS = frozenset(
    {
        "States.ALL",
        "States.Timeout",
        "Lambda.AWSLambdaException",
        "Lambda.ClientExecutionTimeoutException",
        "Lambda.SdkClientException",
        "Lambda.ServiceException",
        "Lambda.TooManyRequestsException",
        "Lambda.Unknown",
        "Runtime.ExitError",
        "Sandbox.Timedout",
    }
)


@pytest.fixture
def definition() -> graph.Definition:
    parsed: graph.Definition = json.loads(DEFINITION.read_text())
    return parsed


@pytest.fixture(scope="session")
def validator() -> list[str]:
    """The command of npm's asl-validator at the locked version, installed once per lock file."""
    tools = Path(sys.executable).parent
    lock = PIN / "package-lock.json"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    home = ROOT / "build" / "npm" / "asl_validator" / digest
    if not home.exists():
        _install(home, tools)
    return [str(tools / "node"), str(home / "node_modules" / ".bin" / "asl-validator")]


def _install(home: Path, tools: Path) -> None:
    home.parent.mkdir(parents=True, exist_ok=True)
    # Made aside and then renamed: tests that run side by side never see half of it.
    with tempfile.TemporaryDirectory(dir=home.parent) as scratch:
        aside = Path(scratch) / "made"
        shutil.copytree(PIN, aside)
        subprocess.run(
            [tools / "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=aside,
            env={**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"},
            check=True,
            capture_output=True,
            timeout=300,
        )
        try:
            aside.rename(home)
        except OSError:
            if not home.exists():
                raise


def test_aws_grammar_accepts_the_definition(validator: list[str]) -> None:
    done = subprocess.run(
        [*validator, "--json-path", DEFINITION], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_grammar_check_bites(
    validator: list[str], definition: graph.Definition, tmp_path: Path
) -> None:
    definition["States"]["NotifyResult"]["Next"] = "Nowhere"
    broken = tmp_path / "broken.json"
    broken.write_text(json.dumps(definition))
    done = subprocess.run(
        [*validator, "--json-path", broken], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "Nowhere" in done.stdout + done.stderr


def test_the_pinned_validator_names_no_package_host() -> None:
    assert "resolved" not in (PIN / "package-lock.json").read_text()


@pytest.mark.parametrize(
    "check", [graph.dangling, graph.unreachable, graph.endless, graph.unwritten_reads]
)
def test_the_graph_has_no_fault(
    check: Callable[[graph.Definition], list[str]], definition: graph.Definition
) -> None:
    assert check(definition) == []


def test_a_further_step_that_is_not_made_leaves_nothing_unhelpful(
    definition: graph.Definition,
) -> None:
    """Every way from a decision to the end without a write passes the check of what stays."""
    states = graph.states_of(definition)
    not_made = ("ChooseAction", "CheckApproval", "ApprovalExpired", "CheckChange")
    for name in not_made:
        following = states[name].get("Default") or states[name]["Next"]
        assert following == "CheckWhatStays", name
    (undo,) = states["CheckWhatStays"]["Choices"]
    assert (undo["Variable"], undo["Next"]) == ("$.decision.otherwise", "RollBackRepair")
    assert undo["StringEquals"] in get_args(Decision.model_fields["otherwise"].annotation)
    assert states["CheckWhatStays"]["Default"] == "NotifyResult"


def _leads_nowhere(states: dict[str, Any]) -> None:
    states["CheckApproval"]["Default"] = "Nowhere"


def _is_cut_off(states: dict[str, Any]) -> None:
    states["CheckVerification"]["Choices"].pop()
    states["CheckWhatStays"]["Choices"].pop()


def _goes_in_circles(states: dict[str, Any]) -> None:
    states["NotifyResult"]["Next"] = "NotifyResult"
    states["NotifyResult"]["Catch"] = []


def _reads_what_nobody_writes(states: dict[str, Any]) -> None:
    states["CheckChange"]["Choices"][0]["Variable"] = "$.changes.status"


def _reads_what_only_one_way_writes(states: dict[str, Any]) -> None:
    states["NotifyResult"]["Parameters"] = {"answer.$": "$.approval.answer"}


def _reads_what_was_lost_on_the_way(states: dict[str, Any]) -> None:
    states["DiagnoseIssue"].update(ResultPath="$", ResultSelector={"diagnosis.$": "$"})


@pytest.mark.parametrize(
    ("break_it", "check", "complaint"),
    [
        (_leads_nowhere, graph.dangling, "CheckApproval leads to Nowhere"),
        (_is_cut_off, graph.unreachable, "RollBackRepair is never reached"),
        (_goes_in_circles, graph.endless, "NotifyResult never comes to an end"),
        (_reads_what_nobody_writes, graph.unwritten_reads, "CheckChange reads $.changes"),
        (_reads_what_only_one_way_writes, graph.unwritten_reads, "NotifyResult reads $.approval"),
    ],
)
def test_each_graph_check_bites(
    break_it: Callable[[dict[str, Any]], None],
    check: Callable[[graph.Definition], list[str]],
    complaint: str,
    definition: graph.Definition,
) -> None:
    break_it(definition["States"])
    assert [fault for fault in check(definition) if complaint in fault]


def test_a_step_that_replaces_the_state_data_loses_what_was_there(
    definition: graph.Definition,
) -> None:
    before = graph.keys_at_entry(copy.deepcopy(definition))["DetermineAction"]
    _reads_what_was_lost_on_the_way(definition["States"])
    after = graph.keys_at_entry(definition)["DetermineAction"]
    assert before == {"incident", "evidence", "diagnosis"}
    assert after == {"diagnosis"}


def test_a_caught_step_is_not_taken_to_have_written_its_key(definition: graph.Definition) -> None:
    assert graph.keys_at_entry(definition)["HandleFailure"] == {"failure"}


def test_each_state_writes_the_one_key_it_owns(definition: graph.Definition) -> None:
    owned: dict[str, set[str]] = {}
    for name, key in KEY_OF.items():
        owned.setdefault(key, set()).add(name)
    written = {
        key: {n for n in names if not n.endswith(".Catch")}
        for key, names in graph.written_keys(definition).items()
    }
    assert written == owned


def test_a_catch_writes_the_failure_or_the_missing_answer(definition: graph.Definition) -> None:
    catches = {
        (key, name)
        for key, names in graph.written_keys(definition).items()
        for name in names
        if name.endswith(".Catch") and key != "failure"
    }
    assert catches == {("approval", "RequestApproval.Catch"), ("$", "ParseAlarmEvent.Catch")}


def test_nothing_of_the_raw_event_reaches_the_handling_of_a_failure_but_as_the_event(
    definition: graph.Definition,
) -> None:
    states = graph.states_of(definition)
    (catcher,) = states["ParseAlarmEvent"]["Catch"]
    assert (catcher["ResultPath"], catcher["Next"]) == ("$", "IntakeFailed")
    failed = states["IntakeFailed"]
    assert failed["Parameters"] == {"failure.$": "$", "event.$": "$$.Execution.Input"}
    assert failed["Next"] == "HandleFailure"
    by_intake = {n for n, s in states.items() if "IntakeFailed" in dict(graph.successors(s))}
    assert by_intake == {"ParseAlarmEvent"}


def test_every_task_is_limited_in_time(definition: graph.Definition) -> None:
    for name, state in graph.tasks_of(definition).items():
        limits = {"TimeoutSeconds", "TimeoutSecondsPath"} & set(state)
        assert len(limits) == 1, name


def test_every_retry_spreads_out_and_is_capped(definition: graph.Definition) -> None:
    for name, state in graph.tasks_of(definition).items():
        assert state["Retry"], name
        for retry in state["Retry"]:
            assert retry["JitterStrategy"] == "FULL", name
            assert retry["BackoffRate"] > 1, name
            assert 0 < retry["IntervalSeconds"] <= retry["MaxDelaySeconds"] <= 60, name
            assert 0 < retry["MaxAttempts"] <= 8, name
            assert "States.ALL" not in retry["ErrorEquals"], name


def test_every_task_retries_what_is_transient(definition: graph.Definition) -> None:
    wanted = {
        "TransientServiceError",
        "RecordConflictError",
        "Lambda.TooManyRequestsException",
        "Lambda.ServiceException",
    }
    for name, state in graph.tasks_of(definition).items():
        retried = {e for retry in state["Retry"] for e in retry["ErrorEquals"]}
        assert wanted <= retried, name


def test_every_task_hands_failures_over(definition: graph.Definition) -> None:
    for name, state in graph.tasks_of(definition).items():
        last = state["Catch"][-1]
        assert last["ErrorEquals"] == ["States.ALL"], name
        ways = {"HandleFailure": "RepairFailed", "ParseAlarmEvent": "IntakeFailed"}
        assert last["Next"] == ways.get(name, "HandleFailure"), name


def test_a_failed_run_ends_in_a_failure(definition: graph.Definition) -> None:
    states = graph.states_of(definition)
    assert states["HandleFailure"]["Next"] == "RepairFailed"
    assert states["RepairFailed"]["Type"] == "Fail"


def test_every_error_name_is_awss_or_our_own(definition: graph.Definition) -> None:
    for name, state in graph.tasks_of(definition).items():
        own = graph.error_names(state) - RESERVED_BY_AWS
        strangers = {e for e in own if not _is_an_error_of_ours(e)}
        assert strangers == set(), name


def _is_an_error_of_ours(name: str) -> bool:
    found = getattr(errors, name, None)
    return isinstance(found, type) and issubclass(found, errors.AutoRepairError)


def test_the_machine_outlasts_the_longest_approvals_and_verifications(
    definition: graph.Definition,
) -> None:
    longest_answer = max(
        m.le
        for m in ApprovalRules.model_fields["timeout_s"].metadata
        if getattr(m, "le", None) is not None
    )
    steps = Policy().limits.steps_per_incident
    # One step more may be asked for: a stale plan is made anew once.
    longest = (steps + 1) * longest_answer + steps * MAX_VERIFICATION_S
    assert longest < definition["TimeoutSeconds"] < 365 * 86_400


def test_the_looks_at_a_change_fit_the_history_of_an_execution() -> None:
    """It ends at 25,000 events: a wait, a task that is tried twice and a choice are 12 of them."""
    windows = max(
        m.le
        for m in VerificationRules.model_fields["max_windows"].metadata
        if getattr(m, "le", None) is not None
    )
    looks = windows + MAX_VERIFICATION_S // LONGEST_UNSEEN_S
    assert Policy().limits.steps_per_incident * looks * 12 < 25_000


def test_what_an_incident_left_is_kept_longer_than_its_execution_lasts(
    definition: graph.Definition,
) -> None:
    assert KEPT_FOR.total_seconds() > definition["TimeoutSeconds"]


def test_steps_get_only_what_the_contract_gives_them(definition: graph.Definition) -> None:
    tasks = graph.tasks_of(definition)
    assert tasks["ParseAlarmEvent"]["Parameters"] == {
        "event.$": "$",
        "execution_arn.$": "$$.Execution.Id",
        "started_at.$": "$$.Execution.StartTime",
    }
    assert tasks["RequestApproval"]["Parameters"]["Payload"] == {
        "task_token.$": "$$.Task.Token",
        "state.$": "$",
    }
    assert tasks["HandleFailure"]["Parameters"] == {
        "execution_arn.$": "$$.Execution.Id",
        "started_at.$": "$$.Execution.StartTime",
        "state.$": "$",
    }
    others = set(tasks) - {"ParseAlarmEvent", "RequestApproval", "HandleFailure"}
    assert [n for n in others if "Parameters" in tasks[n] or "InputPath" in tasks[n]] == []


def test_each_step_is_called_by_its_own_name(definition: graph.Definition) -> None:
    for name, state in graph.tasks_of(definition).items():
        by_parameter = state.get("Parameters", {}).get("FunctionName", state["Resource"])
        assert by_parameter == f"${{{name}Function}}"
