"""Labs side by side, a lab that is killed, a second start: nothing is left behind."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

PROJECT = Path(__file__).parents[2]
AUTOREPAIR = Path(sys.executable).with_name("autorepair")
END_S = 60


@contextmanager
def lab_process() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [AUTOREPAIR, "lab", "up"], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def wait_until_ready(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if line.startswith("LAB READY "):
            ready: dict[str, Any] = json.loads(line.removeprefix("LAB READY "))
            return ready
    raise AssertionError("the lab did not come up:\n" + "".join(said))


def call(endpoint: str, path: str, body: object = None) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    address = urlsplit(endpoint)
    connection = HTTPConnection(address.hostname or "", address.port, timeout=60)
    try:
        method = "GET" if data is None else "POST"
        connection.request(method, path, data, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"null")
    finally:
        connection.close()


def is_listening(endpoint: str) -> bool:
    address = urlsplit(endpoint)
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((address.hostname or "", address.port or 0)) == 0


def descendants(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def all_gone(processes: list[psutil.Process]) -> bool:
    deadline = time.monotonic() + END_S
    while time.monotonic() < deadline:
        if not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes):
            return True
        time.sleep(0.1)
    return False


def test_the_ready_line_names_what_other_tools_rely_on() -> None:
    with lab_process() as process:
        ready = wait_until_ready(process)
        assert set(ready) >= {
            "endpoint", "state_machine_arn", "topic_arn", "audit_table", "state_table",
            "approval_url", "evidence_bucket", "policy_parameter",
        }  # fmt: skip
        status, calls = call(ready["endpoint"], "/_lab/calls")
        assert status == 200
        assert {"service", "operation", "count"} == set(calls[0])
        assert call(ready["endpoint"], "/_lab/inbox") == (200, [])


def test_two_labs_side_by_side_and_one_killed_in_the_middle() -> None:
    with lab_process() as first, lab_process() as second:
        ready, other = wait_until_ready(first), wait_until_ready(second)
        endpoint = ready["endpoint"]
        assert endpoint != other["endpoint"]
        patient = str(PROJECT / "lab/patients/slow-invoice")
        status, admitted = call(endpoint, "/_lab/patients", {"path": patient})
        assert (status, admitted["name"]) == (201, "slow-invoice")
        assert call(endpoint, "/_lab/patients/slow-invoice/break", {})[0] == 202
        _wait_for_an_environment(first.pid)
        before = descendants(first.pid)
        assert before, "a patient is being invoked, so there are processes"

        first.kill()
        first.wait(timeout=60)

        assert all_gone(before)
        assert not is_listening(endpoint)
        assert call(other["endpoint"], "/_lab/calls")[0] == 200


def test_a_patient_can_be_driven_over_http_and_a_stopped_lab_leaves_nothing() -> None:
    with lab_process() as process:
        endpoint = wait_until_ready(process)["endpoint"]
        patient = str(PROJECT / "lab/patients/forgetful-orders")
        call(endpoint, "/_lab/patients", {"path": patient})
        call(endpoint, "/_lab/patients/forgetful-orders/break", {})
        status, reply = call(endpoint, "/_lab/patients/forgetful-orders/break", {})
        assert (status, "has not ended" in reply["error"]) == (409, True), reply
        row = _wait_for_an_outcome(endpoint, "forgetful-orders")
        assert (row["outcome"], row["action"]) == ("repaired", "set_env")
        inbox = call(endpoint, "/_lab/inbox")[1]
        assert {"topic", "subject", "message", "attributes", "at"} == set(inbox[0])
        assert "orders-lab" not in json.dumps(inbox), "a declared value has no place in a message"
        again = _break_again(endpoint, "forgetful-orders")
        assert again["incident"] not in {None, row["incident"]}
        assert (again["failed_before"], again["action"]) == (0, None), "it had been repaired"
        assert again["before"] == again["after"] == row["after"]
        children = descendants(process.pid)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
        assert all_gone(children)
        assert not is_listening(endpoint)


def test_a_patient_that_cannot_be_read_is_refused_with_a_reason(tmp_path: Path) -> None:
    with lab_process() as process:
        endpoint = wait_until_ready(process)["endpoint"]
        status, reply = call(endpoint, "/_lab/patients", {"path": str(tmp_path)})
        assert status == 400
        assert "patient.json" in reply["error"]


def _wait_for_an_environment(pid: int) -> None:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        if any("aws-lambda-rie" in " ".join(_cmdline(p)) for p in descendants(pid)):
            return
        time.sleep(0.1)
    raise AssertionError("no execution environment was started")


def _cmdline(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _break_again(endpoint: str, name: str) -> dict[str, Any]:
    deadline = time.monotonic() + 300
    while call(endpoint, f"/_lab/patients/{name}/break", {})[0] != 202:
        assert time.monotonic() < deadline, f"{name} cannot be broken again"
        time.sleep(0.2)
    return _wait_for_an_outcome(endpoint, name)


def _wait_for_an_outcome(endpoint: str, name: str) -> dict[str, Any]:
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        row: dict[str, Any] = call(endpoint, f"/_lab/patients/{name}")[1]
        # The row is finished only when the traffic after the repair has been counted.
        if row["outcome"] is not None and row["after"] is not None:
            return row
        time.sleep(0.5)
    raise AssertionError(f"{name} has no outcome: {row}")
