"""What operators declared: listed without values, resolved only for writing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.stub import Stubber

from adapters.account import NAME, OTHER_SECRET, SECRET, Account
from adapters.actions import actions_called
from autorepair.aws.known_config import SsmKnownConfig
from autorepair.domain.declared_reference import DeclaredReference
from autorepair.domain.errors import (
    AccessDeniedError,
    TransientServiceError,
    UndeclaredValueError,
)


def make_secret(account: Account, value: str, *, is_enrolled: bool = True) -> None:
    tags = [{"Key": "auto-repair", "Value": "enabled"}] if is_enrolled else []
    account.clients.secretsmanager.create_secret(
        Name="prod/db",
        SecretString=value,
        Tags=tags,  # type: ignore[arg-type]
    )


def test_declarations_are_listed_by_name_and_kind(account: Account) -> None:
    account.declare("STAGE", {"type": "literal", "value": "production-stage"})
    account.declare("DATABASE_URL", {"type": "literal", "value": OTHER_SECRET})
    account.declare("MISSING", {"type": "ssm", "name": "/app/missing"})
    account.declare("NODE_OPTIONS", {"type": "absent"})

    declared = account.known_config.declared(account.configuration())

    assert [(d.name, d.kind, d.matches_current) for d in declared] == [
        ("DATABASE_URL", "literal", False),
        ("MISSING", "ssm", False),
        ("NODE_OPTIONS", "absent", True),
        ("STAGE", "literal", True),
    ]


def test_references_name_what_is_declared_and_hold_no_value(account: Account) -> None:
    account.declare("STAGE", {"type": "literal", "value": SECRET})
    account.declare("DATABASE_URL", {"type": "secretsmanager", "name": "prod/db", "key": "url"})
    account.declare("TABLE", {"type": "ssm", "name": "/app/table"})
    account.declare("NODE_OPTIONS", {"type": "absent"})
    account.declare("TOKEN", {"type": "ssm", "name": "/app/token"}, "SecureString")
    account.declare("BROKEN", "{")
    with actions_called(account) as called:
        found = account.known_config.references(NAME)
    assert found == {
        "DATABASE_URL": DeclaredReference(kind="secretsmanager", name="prod/db", key="url"),
        "TABLE": DeclaredReference(kind="ssm", name="/app/table"),
    }
    assert called == SsmKnownConfig.permissions["references"]


def test_whether_a_secret_or_parameter_matches_is_not_known(account: Account) -> None:
    account.declare("DATABASE_URL", {"type": "secretsmanager", "name": "prod/db", "key": "url"})
    account.declare("STAGE", {"type": "literal", "value": "x"}, kind="SecureString")

    declared = account.known_config.declared(account.configuration())

    assert [(d.name, d.kind, d.matches_current) for d in declared] == [
        ("DATABASE_URL", "secretsmanager", None),
        ("STAGE", "literal", None),
    ]


def test_nothing_is_known_of_an_environment_that_cannot_be_read(account: Account) -> None:
    account.declare("STAGE", {"type": "literal", "value": "production-stage"})
    account.declare("NODE_OPTIONS", {"type": "absent"})
    unreadable = account.configuration(Environment={"Error": {"ErrorCode": "X"}})

    declared = account.known_config.declared(unreadable)

    assert [d.matches_current for d in declared] == [None, None]


def test_more_declarations_than_one_page_are_all_listed(account: Account) -> None:
    for number in range(25):
        account.declare(f"NAME_{number:02}", {"type": "absent"})

    assert len(account.known_config.declared(account.configuration())) == 25


def test_declarations_of_other_functions_are_not_listed(account: Account) -> None:
    account.clients.ssm.put_parameter(
        Name="/lambda-auto-repair/dev/known-config/orders-2/A",
        Value='{"type": "absent"}',
        Type="String",
    )

    assert account.known_config.declared(account.configuration()) == ()


def test_a_parameter_that_is_no_declaration_declares_nothing(account: Account) -> None:
    account.declare("A", "just text")
    account.declare("B", {"type": "literal"})
    account.declare("C", {"type": "absent"})

    declared = account.known_config.declared(account.configuration())

    assert [d.name for d in declared] == ["C"]


def test_a_list_never_holds_a_declared_value(account: Account) -> None:
    account.declare("DATABASE_URL", {"type": "literal", "value": SECRET})

    declared = account.known_config.declared(account.configuration())

    assert SECRET not in repr(declared)


@pytest.mark.parametrize("kind", ["String", "SecureString"])
def test_a_literal_resolves_to_its_value(account: Account, kind: str) -> None:
    account.declare("A", {"type": "literal", "value": SECRET}, kind=kind)

    assert account.known_config.resolve(NAME, "A") == SECRET


def test_a_parameter_resolves_to_its_decrypted_value(account: Account) -> None:
    account.clients.ssm.put_parameter(Name="/app/url", Value=SECRET, Type="SecureString")
    account.declare("A", {"type": "ssm", "name": "/app/url"})

    assert account.known_config.resolve(NAME, "A") == SECRET


@pytest.mark.parametrize(("key", "expected"), [("url", SECRET), ("port", "5432"), (None, None)])
def test_a_secret_resolves_whole_or_by_key(
    account: Account, key: str | None, expected: str | None
) -> None:
    content = json.dumps({"url": SECRET, "port": 5432})
    make_secret(account, content)
    account.declare("A", {"type": "secretsmanager", "name": "prod/db", "key": key})

    assert account.known_config.resolve(NAME, "A") == (expected or content)


def test_a_secret_without_the_enrolment_tag_is_not_read(account: Account) -> None:
    make_secret(account, SECRET, is_enrolled=False)
    account.declare("A", {"type": "secretsmanager", "name": "prod/db"})

    with pytest.raises(UndeclaredValueError, match="auto-repair=enabled"):
        account.known_config.resolve(NAME, "A")


@pytest.mark.parametrize(
    ("secret", "key"),
    [(SECRET, "url"), (json.dumps({"other": SECRET}), "url"), (json.dumps([SECRET]), "url")],
)
def test_a_secret_without_the_key_names_the_key_and_no_value(
    account: Account, secret: str, key: str
) -> None:
    make_secret(account, secret)
    account.declare("A", {"type": "secretsmanager", "name": "prod/db", "key": key})

    with pytest.raises(UndeclaredValueError, match="key url") as caught:
        account.known_config.resolve(NAME, "A")
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "entry",
    [
        {"type": "absent"},
        {"type": "ssm", "name": "/not/there"},
        {"type": "secretsmanager", "name": "not/there"},
        {"type": "env", "value": SECRET},
        SECRET,
    ],
)
def test_what_has_no_value_is_undeclared_and_quotes_nothing(
    account: Account, entry: object
) -> None:
    account.declare("A", entry)

    with pytest.raises(UndeclaredValueError, match="known-config/orders/A") as caught:
        account.known_config.resolve(NAME, "A")
    assert SECRET not in str(caught.value)


def test_a_variable_without_a_declaration_is_undeclared(account: Account) -> None:
    with pytest.raises(UndeclaredValueError, match="known-config/orders/A"):
        account.known_config.resolve(NAME, "A")


@pytest.mark.parametrize(
    ("code", "expected"),
    [("ThrottlingException", TransientServiceError), ("AccessDeniedException", AccessDeniedError)],
)
def test_declarations_that_cannot_be_listed_are_not_taken_for_none(
    account: Account, code: str, expected: type[Exception]
) -> None:
    ssm: Any = account.clients._session.client("ssm")
    known_config = SsmKnownConfig(
        ssm, account.clients.secretsmanager, account.digester, prefix="/prefix/"
    )
    with Stubber(ssm) as stubber:
        stubber.add_client_error("get_parameters_by_path", code)
        with pytest.raises(expected, match="/prefix/orders"):
            known_config.declared(account.configuration())


def test_a_throttled_source_is_transient(account: Account) -> None:
    ssm: Any = account.clients._session.client("ssm")
    known_config = SsmKnownConfig(
        ssm, account.clients.secretsmanager, account.digester, prefix="/prefix"
    )
    with Stubber(ssm) as stubber:
        stubber.add_client_error("get_parameter", "ThrottlingException")
        with pytest.raises(TransientServiceError):
            known_config.resolve(NAME, "A")
