"""The approval page's handler on the real adapters: what it answers, keeps, logs and counts."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from adapters.account import AUDIT_TABLE, NAME, STATE_TABLE, TARGET, Account, incident
from adapters.test_wiring import VARIABLES, Context
from autorepair import wiring
from autorepair.domain.approval_link import ApprovalLink
from autorepair.domain.audit import Entry, RecordKind
from autorepair.domain.change import Change, TimeoutSetting
from autorepair.domain.decision import Decision
from autorepair.ports import Ports
from autorepair.steps.approval_page import PageRequest, approval_page

CHANGE = Change(
    target=TARGET,
    before=TimeoutSetting(timeout_s=3),
    after=TimeoutSetting(timeout_s=6),
    planned_on="f" * 64,
)
ASKED = Decision(action="ask", reason="slow work", change=CHANGE, plan_hash=CHANGE.plan_hash)


class House:
    """A question that waits in the tables, and the page's handler before them."""

    def __init__(self, account: Account, log: io.StringIO) -> None:
        self.account, self.log = account, log
        self.ports: Ports = wiring.ports()
        self._say(RecordKind.ACTION_DECIDED, **ASKED.as_json())
        self._say(RecordKind.APPROVAL_REQUESTED, plan_hash=ASKED.plan_hash, timeout_s=3600)
        self.ports.state.keep_task_token(incident(), "task-token-of-the-execution", seconds=3600)
        self.token = self.ports.links.issue(
            ApprovalLink(
                incident_id=incident().id,
                plan_hash=CHANGE.plan_hash,
                fingerprint="f" * 64,
                expires_at=datetime.now(UTC) + timedelta(hours=1),
            )
        )

    def _say(self, kind: RecordKind, **data: object) -> None:
        entry = Entry(
            incident_id=incident().id,
            key=kind.value,
            kind=kind,
            at=datetime.now(UTC),
            function_name=NAME,
            summary=kind.value,
            data=data,
        )
        self.ports.audit.append(entry)

    def ask(self, method: str, body: str = "") -> dict[str, Any]:
        event = {
            "version": "2.0",
            "rawPath": f"/approval/{self.token}",
            "headers": {"content-type": "application/x-www-form-urlencoded"},
            "requestContext": {"http": {"method": method}, "stage": "$default"},
            "pathParameters": {"token": self.token},
            "body": body,
            "isBase64Encoded": False,
        }
        context: Any = Context()
        return wiring.handler_for(PageRequest, approval_page)(event, context)

    def nonce(self) -> str:
        found = re.search(r'name="nonce" value="([^"]+)"', self.ask("GET")["body"])
        assert found
        return found[1]

    def approve(self, nonce: str) -> dict[str, Any]:
        form = {"nonce": nonce, "function_name": NAME, "name": "Anna", "answer": "approved"}
        return self.ask("POST", urlencode(form))

    def kept(self) -> str:
        dynamodb = self.account.clients.dynamodb
        tables = [dynamodb.scan(TableName=name)["Items"] for name in (STATE_TABLE, AUDIT_TABLE)]
        return json.dumps(tables)


@pytest.fixture
def house(account: Account, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    caches = (wiring.settings, wiring.clients, wiring.ports)
    for cache in caches:
        cache.cache_clear()
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(wiring.logger.registered_formatter)
    wiring.logger.addHandler(handler)
    wiring.logger.setLevel(logging.DEBUG)
    yield House(account, stream)
    wiring.logger.setLevel(logging.INFO)
    wiring.logger.removeHandler(handler)  # type: ignore[attr-defined]
    for cache in caches:
        cache.cache_clear()


def test_a_person_answers_on_the_page_and_no_secret_is_kept_logged_or_counted(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    nonce = house.nonce()
    done = house.approve(nonce)
    again = house.approve(nonce)

    assert (done["statusCode"], again["statusCode"]) == (200, 200)
    records = house.ports.audit.chain_of(incident().id)
    assert [r.entry.data["by"] for r in records[2:]] == ["Anna, by the link"]
    counted = capsys.readouterr().out
    assert '"ApprovalPageSucceeded":[1.0]' in counted
    assert '"step":"approval_page"' in house.log.getvalue()
    for secret in (house.token, nonce):
        assert secret not in house.kept()
        assert secret not in counted + house.log.getvalue()
        assert secret not in json.dumps(done)


def test_no_setting_of_the_logger_puts_a_link_into_the_log(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POWERTOOLS_LOGGER_LOG_EVENT", "true")
    house.ask("GET")
    assert '"step":"approval_page"' in house.log.getvalue()
    assert house.token not in house.log.getvalue()


def test_a_table_that_is_gone_is_a_page_and_a_failure(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    house.account.clients.dynamodb.delete_table(TableName=STATE_TABLE)
    answer = house.ask("GET")

    assert answer["statusCode"] == 503
    assert STATE_TABLE not in answer["body"]
    assert '"ApprovalPageFailed":[1.0]' in capsys.readouterr().out
    assert f"table {STATE_TABLE}" in house.log.getvalue()
    assert house.token not in house.log.getvalue()
