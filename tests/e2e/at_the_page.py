"""A person at the approval page: the link from the message, the page, the form behind it."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import requests

from autorepair_lab.account.call import Call
from autorepair_lab.clients import DUMMY_KEY
from autorepair_lab.lab import PROJECT, REGION, Lab
from autorepair_lab.patient import Patient
from e2e.scene import admitted, messages
from e2e.waiting import until

if TYPE_CHECKING:
    from types_boto3_logs import CloudWatchLogsClient

FUNCTION = "lambda-auto-repair-approval-page-dev"
ASKING = {"modes": {"set_timeout": "ask"}, "approval": {"timeout_s": 600}}
_TOKEN = r"[A-Za-z0-9_-]{43}"
_NONCE = re.compile(r'name="nonce" value="([A-Za-z0-9_-]{22})"')


class Overheard:
    """Everything that was sent to AWS, but for what carries the links to people."""

    def __init__(self, lab: Lab) -> None:
        self.calls: list[str] = []
        self.events: list[str] = []
        lab.account.add_observer(self)

    def observe(self, call: Call) -> None:
        """Take note of a call: its parameters and its body as it was sent."""
        if call.service == "events" and call.operation == "PutEvents":
            self.events.append(repr(call.parameters))
        if (call.service, call.operation) != ("sns", "Publish"):
            self.calls.append(f"{call.path} {call.query} {call.parameters!r} {call.body!r}")


@dataclass
class Visitor:
    """One person with one link, and a browser that fills the form in."""

    url: str
    function_name: str

    @property
    def token(self) -> str:
        """The secret of the link."""
        return self.url.rpartition("/")[2]

    def look(self, query: str = "", **headers: str) -> requests.Response:
        """Open the link."""
        return requests.get(self.url + query, headers=headers, timeout=60)

    def nonce(self) -> str:
        """Open the link for the number that its form carries."""
        page = self.look()
        found = _NONCE.search(page.text)
        assert found, f"no form on a page of status {page.status_code}:\n{page.text}"
        return found[1]

    def send(self, answer: str, **fields: str) -> requests.Response:
        """Send the form; what is not said is filled in as it should be."""
        form = {
            "function_name": self.function_name,
            "name": "Zoë  Müller",
            "comment": "",
            "answer": answer,
            **fields,
        }
        if "nonce" not in form:
            form["nonce"] = self.nonce()
        return requests.post(self.url, data=form, timeout=60)


def asked_about(lab: Lab, name: str, **over: object) -> tuple[Patient, Visitor]:
    """Break a slow patient whose repair asks, and give what the message links to."""
    patient = admitted(lab, "slow-invoice", name, **{"policy": ASKING, **over})
    lab.ward.break_in_background(name)
    return patient, Visitor(link_of(lab, patient.function_name), patient.function_name)


def link_of(lab: Lab, function_name: str) -> str:
    """Wait for the message that asks, and give its link."""
    pattern = re.compile(rf"{re.escape(str(lab.ready.approval_url))}/{_TOKEN}(?![\w-])")

    def found() -> str | None:
        links = {m for one in messages(lab, function_name) for m in pattern.findall(one["message"])}
        assert len(links) < 2, links
        return links.pop() if links else None

    link = until(found, f"a link in a message about {function_name}")
    return str(link)


def checked(lab: Lab) -> subprocess.CompletedProcess[str]:
    """Ask the script whether the deployment is complete."""
    return subprocess.run(
        [PROJECT / "validate-deployment.sh", "--environment", "dev"],
        env={**os.environ, **lab.ready.exports()},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def logged(lab: Lab) -> Iterator[str]:
    """Every line of every log group of the account."""
    session = boto3.Session(DUMMY_KEY, DUMMY_KEY, region_name=REGION)
    logs: CloudWatchLogsClient = session.client("logs", endpoint_url=lab.ready.endpoint)
    for page in logs.get_paginator("describe_log_groups").paginate():
        for group in page["logGroups"]:
            name = group["logGroupName"]
            for events in logs.get_paginator("filter_log_events").paginate(logGroupName=name):
                yield from (one["message"] for one in events["events"])


def kept(lab: Lab, table: str) -> list[dict[str, Any]]:
    """Every item of a table."""
    pages = lab.clients.dynamodb.get_paginator("scan").paginate(TableName=table)
    return [dict(item) for page in pages for item in page["Items"]]
