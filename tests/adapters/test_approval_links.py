"""The links of the approval page in the state table."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from botocore.stub import Stubber

from adapters.account import NOW, STATE_TABLE, Account
from adapters.actions import actions_called
from autorepair.aws.approval_links import DynamoApprovalLinks
from autorepair.domain.approval_link import READABLE_FOR, ApprovalLink
from autorepair.domain.errors import AccessDeniedError, TransientServiceError

LINK = ApprovalLink(
    incident_id="inc-1",
    plan_hash="a" * 64,
    fingerprint="f" * 64,
    expires_at=NOW + timedelta(hours=1),
)
SOON = NOW + timedelta(minutes=15)


def links(account: Account, client: Any = None) -> DynamoApprovalLinks:  # noqa: ANN401 - a client
    return DynamoApprovalLinks(
        client or account.clients.dynamodb, table=STATE_TABLE, clock=account.clock
    )


def items(account: Account) -> list[dict[str, Any]]:
    return list(account.clients.dynamodb.scan(TableName=STATE_TABLE)["Items"])


def sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def test_a_token_leads_to_what_its_link_is_bound_to(account: Account) -> None:
    token = links(account).issue(LINK)
    assert links(account).find(token) == LINK


def test_a_token_is_256_random_bits_that_a_url_takes_as_they_are(account: Account) -> None:
    tokens = {links(account).issue(LINK) for _ in range(20)}
    assert len(tokens) == 20
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", token) for token in tokens)


def test_neither_token_nor_nonce_is_kept_in_the_clear(account: Account) -> None:
    token = links(account).issue(LINK)
    nonce = links(account).offer(token, until=SOON)
    kept = items(account)
    assert token not in json.dumps(kept)
    assert nonce not in json.dumps(kept)
    assert re.fullmatch(r"[A-Za-z0-9_-]{22}", nonce)
    expires = {"link": LINK.expires_at + READABLE_FOR, f"nonce#{sha256(nonce)}": SOON}
    assert {item["sk"]["S"]: item["expires_at"]["N"] for item in kept} == {
        sort: str(int(moment.timestamp())) for sort, moment in expires.items()
    }
    assert {item["pk"]["S"] for item in kept} == {f"link#{sha256(token)}"}


@pytest.mark.parametrize(
    "malformed",
    [
        "",
        "short",
        "x" * 42,
        "x" * 44,
        "x" * 42 + "=",
        "x" * 42 + "/",
        "x" * 42 + "é",
        "x" * 42 + "\n",
        "x" * 43 + "\n",
        "\ud800" * 43,
        "x" * 100_000,
        sha256("token"),
    ],
)
def test_what_is_no_token_is_not_even_looked_up(account: Account, malformed: str) -> None:
    with actions_called(account) as called:
        assert links(account).find(malformed) is None
        assert not links(account).take(malformed, "n" * 22)
        assert not links(account).take("t" * 43, malformed)
    assert called == set()


def test_an_unknown_token_leads_nowhere(account: Account) -> None:
    links(account).issue(LINK)
    assert links(account).find("t" * 43) is None


def test_the_hash_of_a_token_is_no_token(account: Account) -> None:
    links(account).issue(LINK)
    (item,) = items(account)
    assert links(account).find(item["pk"]["S"].removeprefix("link#")[:43]) is None


def test_a_link_leads_to_its_question_for_a_week_after_its_end_and_says_when_that_was(
    account: Account,
) -> None:
    token = links(account).issue(LINK)
    account.clock.move(timedelta(hours=1, days=6))
    found = links(account).find(token)
    assert found is not None
    assert found.expires_at == NOW + timedelta(hours=1)


def test_a_link_leads_nowhere_from_its_last_second_on_though_the_table_still_has_it(
    account: Account,
) -> None:
    token = links(account).issue(LINK)
    account.clock.move(timedelta(days=7, minutes=59, seconds=59))
    assert links(account).find(token) == LINK
    account.clock.move(timedelta(seconds=1))
    assert links(account).find(token) is None
    assert items(account)


def test_a_nonce_can_be_taken_once(account: Account) -> None:
    token = links(account).issue(LINK)
    nonce = links(account).offer(token, until=SOON)
    assert [links(account).take(token, nonce) for _ in range(3)] == [True, False, False]
    assert links(account).find(token) == LINK


def test_each_form_has_a_nonce_of_its_own(account: Account) -> None:
    token = links(account).issue(LINK)
    nonces = [links(account).offer(token, until=SOON) for _ in range(5)]
    assert len(set(nonces)) == 5
    assert all(links(account).take(token, nonce) for nonce in nonces)


def test_a_nonce_of_another_link_cannot_be_taken(account: Account) -> None:
    first, second = links(account).issue(LINK), links(account).issue(LINK)
    nonce = links(account).offer(first, until=SOON)
    assert not links(account).take(second, nonce)
    assert links(account).take(first, nonce)


def test_a_nonce_that_was_never_offered_cannot_be_taken(account: Account) -> None:
    token = links(account).issue(LINK)
    assert not links(account).take(token, "n" * 22)


def test_a_nonce_that_has_expired_cannot_be_taken_though_the_table_still_has_it(
    account: Account,
) -> None:
    token = links(account).issue(LINK)
    nonce = links(account).offer(token, until=SOON)
    account.clock.move(timedelta(minutes=15))
    assert not links(account).take(token, nonce)


def found(adapter: DynamoApprovalLinks) -> object:
    return adapter.find("t" * 43)


def taken(adapter: DynamoApprovalLinks) -> object:
    return adapter.take("t" * 43, "n" * 22)


def issued(adapter: DynamoApprovalLinks) -> object:
    return adapter.issue(LINK)


def offered(adapter: DynamoApprovalLinks) -> object:
    return adapter.offer("t" * 43, until=SOON)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("AccessDeniedException", AccessDeniedError),
        ("ProvisionedThroughputExceededException", TransientServiceError),
    ],
)
@pytest.mark.parametrize(
    ("call", "use"),
    [
        ("get_item", found),
        ("delete_item", taken),
        ("put_item", issued),
        ("put_item", offered),
    ],
)
def test_what_the_table_refuses_is_an_error_and_never_a_no_and_quotes_no_secret(
    account: Account,
    call: str,
    use: Callable[[DynamoApprovalLinks], object],
    code: str,
    expected: type[Exception],
) -> None:
    client: Any = account.clients._session.client("dynamodb")
    with Stubber(client) as stubber:
        stubber.add_client_error(call, code)
        with pytest.raises(expected, match=f"table {STATE_TABLE}") as caught:
            use(links(account, client))
    assert "t" * 43 not in str(caught.value)
    assert "n" * 22 not in str(caught.value)


@pytest.mark.parametrize(
    ("method", "use"), [("issue", issued), ("find", found), ("offer", offered), ("take", taken)]
)
def test_the_links_call_what_they_declare_and_nothing_else(
    account: Account, method: str, use: Callable[[DynamoApprovalLinks], object]
) -> None:
    with actions_called(account) as called:
        use(links(account))
    assert called == DynamoApprovalLinks.permissions[method]
