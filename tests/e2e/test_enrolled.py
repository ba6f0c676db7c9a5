"""A function without an alarm of its own: enrolled, repaired, its alarm re-fitted, handed over."""

from __future__ import annotations

import json
import shutil
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from autorepair_lab.lab import PROJECT, Lab
from autorepair_lab.patient import read_patient
from e2e.scene import operator
from e2e.waiting import until

SLOW = PROJECT / "lab" / "patients" / "slow-invoice"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as running:
        yield running


def unwatched(lab: Lab, folder: Path, **over: object) -> str:
    """Admit a slow patient that nobody watches or looks after; gives its function's name."""
    shutil.copytree(SLOW, folder, ignore=shutil.ignore_patterns("__pycache__"))
    described: dict[str, Any] = json.loads((folder / "patient.json").read_text())
    (folder / "patient.json").write_text(json.dumps({**described, "tags": {}, **over}))
    patient = read_patient(folder)
    name = lab.ward.admit(patient)
    cloudwatch = lab.clients.cloudwatch
    named = cloudwatch.describe_alarms(AlarmNamePrefix=name)["MetricAlarms"]
    cloudwatch.delete_alarms(AlarmNames=[one["AlarmName"] for one in named])
    return name


def drive(lab: Lab, name: str, *, pages: int = 4, count: int = 6) -> None:
    payload = json.dumps({"invoice": "2026-0117", "pages": pages}).encode()
    invoke = lab.clients.lambda_.invoke
    with ThreadPoolExecutor(3) as callers:
        list(callers.map(lambda _: invoke(FunctionName=name, Payload=payload), range(count)))


def break_it(lab: Lab, name: str) -> None:
    """Let it fail until its alarms see so: a minute may end between one failure and the next."""
    wanted = {own(name, "errors"), own(name, "timeouts")}

    def is_seen() -> bool:
        drive(lab, name)
        look_at_alarms(lab)
        found = lab.clients.cloudwatch.describe_alarms(AlarmNames=sorted(wanted))["MetricAlarms"]
        return {one["StateValue"] for one in found} == {"ALARM"}

    until(is_seen, f"the alarms of {name}")


def own(name: str, kind: str) -> str:
    return f"lambda-auto-repair-dev-{name}-{kind}"


def look_at_alarms(lab: Lab) -> None:
    """Let every alarm look at its metric, as CloudWatch does each minute."""
    request = urllib.request.Request(  # noqa: S310 - the lab's own address
        f"{lab.ready.endpoint}/_lab/alarms/evaluate", data=b"{}", method="POST"
    )
    with urllib.request.urlopen(request, timeout=300) as answer:  # noqa: S310 - as above
        assert answer.status == HTTPStatus.OK


def duration_ms(lab: Lab, name: str) -> float:
    """The threshold of the function's own duration alarm."""
    found = lab.clients.cloudwatch.describe_alarms(AlarmNames=[own(name, "duration")])
    return float(found["MetricAlarms"][0]["Threshold"])


def timeout_s(lab: Lab, name: str) -> int:
    return int(lab.clients.lambda_.get_function_configuration(FunctionName=name)["Timeout"])


def records_of(lab: Lab, name: str, *kinds: str) -> list[dict[str, Any]]:
    """The records of a function of some kinds, in the order of their chains."""
    found = lab.clients.dynamodb.query(
        TableName=lab.ready.audit_table,
        IndexName="by-function",
        KeyConditionExpression="function_name = :name",
        ExpressionAttributeValues={":name": {"S": name}},
    )["Items"]
    ordered = sorted(found, key=lambda one: int(one["seq"]["N"]))
    return [dict(one) for one in ordered if one["kind"]["S"] in kinds]


def closed(lab: Lab, name: str) -> str:
    """Wait for the end of the function's incident; gives its id."""
    (end,) = until(lambda: records_of(lab, name, "incident_closed"), "the end of the incident")
    return str(end["incident_id"]["S"])


def test_a_function_without_alarms_is_enrolled_repaired_and_handed_over(
    lab: Lab, tmp_path: Path
) -> None:
    name = unwatched(lab, tmp_path / "enrolled")
    early = operator(lab, "enrol", name)
    assert (early.returncode, "invoke the function once" in early.stderr) == (1, True)
    drive(lab, name, count=1)
    enrolled = operator(lab, "enrol", name)
    assert enrolled.returncode == 0, enrolled.stderr
    assert duration_ms(lab, name) == 0.8 * 2000

    break_it(lab, name)
    until(lambda: records_of(lab, name, "repair_applied"), "the repair")
    drive(lab, name)
    incident = closed(lab, name)

    # The alarm on time-outs watches a metric that names no function: its log does.
    seen = records_of(lab, name, "incident_opened", "alarm_joined")
    alarms = {json.loads(one["data"]["S"])["alarm"]["name"] for one in seen}
    # Where the failures lay in two minutes, its alarm on slowness is right to join.
    assert alarms - {own(name, "duration")} == {own(name, "errors"), own(name, "timeouts")}
    repaired_s = timeout_s(lab, name)
    assert 3 <= repaired_s <= 6
    assert duration_ms(lab, name) == 800 * repaired_s
    (fitted,) = records_of(lab, name, "alarm_fitted")
    assert f"1600 ms -> {800 * repaired_s} ms" in fitted["summary"]["S"]

    shown = operator(lab, "show", incident, "--patch")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.endswith(f"    Properties:\n      Timeout: {repaired_s}\n")
    (message,) = [one["message"] for one in lab.account.inbox() if incident in one["message"]]
    assert f"  Timeout: {repaired_s}\n" in message
    assert f"autorepair show {incident} --patch --env dev" in message

    assert operator(lab, "unenrol", name).returncode == 0
    left = lab.clients.cloudwatch.describe_alarms(AlarmNamePrefix=own(name, ""))["MetricAlarms"]
    assert (left, lab.clients.lambda_.list_tags(Resource=arn(lab, name))["Tags"]) == ([], {})


def arn(lab: Lab, name: str) -> str:
    found = lab.clients.lambda_.get_function_configuration(FunctionName=name)
    return str(found["FunctionArn"])


def test_a_useless_repair_takes_its_alarm_back_along(lab: Lab, tmp_path: Path) -> None:
    name = unwatched(lab, tmp_path / "useless", policy={"limits": {"steps_per_incident": 1}})
    drive(lab, name, count=1)
    assert operator(lab, "enrol", name).returncode == 0
    break_it(lab, name)
    until(lambda: records_of(lab, name, "repair_applied"), "the repair")
    # Invoices have become so long that no second more or less matters.
    drive(lab, name, pages=40)
    incident = closed(lab, name)

    assert records_of(lab, name, "rollback_done")
    assert (timeout_s(lab, name), duration_ms(lab, name)) == (2, 1600)
    assert len(records_of(lab, name, "alarm_fitted")) == 2
    refused = operator(lab, "show", incident, "--patch")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "keeps no change in place" in refused.stderr


def test_an_operators_pause_and_policy_are_told_to_people(lab: Lab, tmp_path: Path) -> None:
    assert operator(lab, "pause", "--reason", "migration", "--for", "1h").returncode == 0
    assert operator(lab, "resume").returncode == 0
    policy = json.loads(operator(lab, "policy", "show", "--text").stdout)
    policy["caps"]["timeout_s"], policy["limits"]["cooldown_s"] = 600, 60
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(policy))
    done = operator(lab, "policy", "set", str(file))
    assert done.returncode == 0, done.stderr

    told = {one["attributes"]["kind"]: one for one in lab.account.inbox() if one["attributes"]}
    assert "migration" in told["repairs_paused"]["message"]
    assert "migration" in told["repairs_resumed"]["message"]
    assert "caps.timeout_s: 900 -> 600" in told["policy_set"]["message"]
    assert "WARNING" not in told["policy_set"]["message"]
    assert "the storm breaker has not tripped" in operator(lab, "policy", "show").stderr
