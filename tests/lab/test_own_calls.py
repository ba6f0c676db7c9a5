"""`/_lab/calls` counts what others call; the lab's own calls only when they are asked for."""

from __future__ import annotations

import json
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from autorepair_lab.clients import Clients
from lab.account_support import running_lab


def get(endpoint: str, path: str) -> tuple[int, Any]:
    address = urlsplit(endpoint)
    connection = HTTPConnection(address.hostname or "", address.port, timeout=60)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_the_labs_own_calls_are_left_out_unless_they_are_asked_for(tmp_path: Path) -> None:
    with running_lab(tmp_path) as lab:
        own = Clients(lab.account.endpoint, "us-east-1")
        for _ in range(3):
            own.dynamodb.list_tables()
        own.ssm.describe_parameters()
        lab.client("dynamodb").list_tables()
        lab.client("kms").list_keys()
        lab.client("kms").list_keys()

        left = get(lab.account.endpoint, "/_lab/calls")
        everything = get(lab.account.endpoint, "/_lab/calls?include=lab")

    assert left == (
        200,
        [
            {"service": "kms", "operation": "ListKeys", "count": 2},
            {"service": "dynamodb", "operation": "ListTables", "count": 1},
        ],
    )
    counted = {(one["service"], one["operation"]): one["count"] for one in everything[1]}
    assert counted == {
        ("dynamodb", "ListTables"): 4,
        ("kms", "ListKeys"): 2,
        ("ssm", "DescribeParameters"): 1,
    }


def test_a_parameter_that_is_not_known_is_refused(tmp_path: Path) -> None:
    with running_lab(tmp_path) as lab:
        status, answer = get(lab.account.endpoint, "/_lab/calls?include=all")
    assert status == 400
    assert "include=lab" in answer["error"]
