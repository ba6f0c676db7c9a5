from __future__ import annotations

import json
from typing import Any, cast

import pytest
from cfnlint.api import lint  # type: ignore[import-untyped]  # cfn-lint ships no types
from cfnlint.decode import cfn_yaml  # type: ignore[import-untyped]  # cfn-lint ships no types

from autorepair.domain.audit import AuditRecord, Entry, RecordKind, chain
from autorepair.domain.change import (
    Absent,
    AliasMove,
    AliasSetting,
    Change,
    ChangeRecord,
    DeclaredSource,
    EnvironmentSetting,
    EphemeralStorageSetting,
    MemorySetting,
    ReservedConcurrencySetting,
    SealedValue,
    Setting,
    TimeoutSetting,
)
from autorepair.domain.declared_reference import DeclaredReference
from autorepair.domain.errors import NothingKeptError
from autorepair.domain.verification import Verdict
from autorepair.views.patch import Kept, Owner, kept_change, owner_of, patch_of, permanent_snippet
from unit.builders import TARGET, applied, change, rollback, verification
from unit.fakes import NOW

OWNER = Owner(stack="shop-prod", logical_id="Invoices")
DECLARED = EnvironmentSetting(variables={"TABLE": DeclaredSource(), "OLD": Absent()})
REFERENCES = {
    "PLAIN": DeclaredReference(kind="ssm", name="/shop/table"),
    "SECRET": DeclaredReference(kind="secretsmanager", name="shop/db", key="password"),
    "WHOLE": DeclaredReference(kind="secretsmanager", name="shop/token"),
}
SETTINGS: list[Setting] = [
    TimeoutSetting(timeout_s=12),
    MemorySetting(memory_mb=384),
    EphemeralStorageSetting(ephemeral_storage_mb=2048),
    ReservedConcurrencySetting(reserved_concurrency=20),
    ReservedConcurrencySetting(reserved_concurrency=None),
    DECLARED,
    EnvironmentSetting(variables={**dict.fromkeys(REFERENCES, DeclaredSource())}),
    EnvironmentSetting(variables={"NO": DeclaredSource(), "on": SealedValue(snapshot_id="s")}),
]


def to(after: Setting, release: AliasMove | None = None) -> Change:
    return Change(target=TARGET, before=after, after=after, planned_on="f", release=release)


def parsed(text: str) -> dict[str, Any] | None:
    if not any(line and not line.startswith("#") for line in text.splitlines()):
        return None
    return cast("dict[str, Any]", cfn_yaml.loads(text))


def properties(text: str) -> dict[str, Any]:
    document = parsed(text)
    assert document is not None
    (resource,) = document["Resources"].values()
    return dict(resource["Properties"])


def faults_in(resources: dict[str, Any]) -> list[str]:
    """What cfn-lint finds wrong with a template of these resources."""
    template = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Transform": "AWS::Serverless-2016-10-31",
        "Resources": resources,
    }
    return [str(one) for one in lint(json.dumps(template), regions=["us-east-1"])]


def whole(kind: str, setting: Setting) -> dict[str, Any]:
    """A function's resource with the patch in it."""
    code = (
        {"InlineCode": "x"} if kind == "AWS::Serverless::Function" else {"Code": {"ZipFile": "x"}}
    )
    role = {"Role": "arn:aws:iam::123456789012:role/x"}
    plain = {"Runtime": "python3.13", "Handler": "index.handler", **code, **role}
    text = patch_of(to(setting), owner=OWNER, references=REFERENCES)
    return {"Type": kind, "Properties": {**plain, **properties(text)}}


@pytest.mark.parametrize("kind", ["AWS::Serverless::Function", "AWS::Lambda::Function"])
def test_a_template_takes_the_patch_of_every_kind_of_repair(kind: str) -> None:
    assert faults_in({f"F{n}": whole(kind, one) for n, one in enumerate(SETTINGS)}) == []


def test_a_patch_that_a_template_does_not_take_would_be_seen() -> None:
    wrong = whole("AWS::Serverless::Function", MemorySetting(memory_mb=1))
    (fault,) = faults_in({"F": wrong})
    assert "minimum of 128" in fault


def test_the_patch_names_function_stack_and_resource() -> None:
    text = patch_of(change(), owner=OWNER)
    assert "patient-slow-invoice: into the resource Invoices of the stack shop-prod" in text
    assert properties(text) == {"Timeout": 6}


def test_a_function_of_no_stack_gets_a_name_that_a_template_takes() -> None:
    document = parsed(patch_of(change()))
    assert document is not None
    assert list(document["Resources"]) == ["PatientSlowInvoice"]


@pytest.mark.parametrize(
    ("tags", "owner"),
    [
        (
            {
                "aws:cloudformation:stack-name": "shop-prod",
                "aws:cloudformation:logical-id": "Invoices",
            },
            OWNER,
        ),
        ({"aws:cloudformation:stack-name": "shop-prod"}, None),
        ({"auto-repair": "enabled"}, None),
    ],
)
def test_the_owner_is_read_from_the_tags_that_cloudformation_sets(
    tags: dict[str, str], owner: Owner | None
) -> None:
    assert owner_of(tags) == owner


def test_a_declared_value_is_referred_to_where_it_is_kept() -> None:
    after = EnvironmentSetting(variables=dict.fromkeys(REFERENCES, DeclaredSource()))
    assert properties(patch_of(to(after), references=REFERENCES))["Environment"]["Variables"] == {
        "PLAIN": "{{resolve:ssm:/shop/table}}",
        "SECRET": "{{resolve:secretsmanager:shop/db:SecretString:password}}",
        "WHOLE": "{{resolve:secretsmanager:shop/token}}",
    }


@pytest.mark.parametrize(
    "reference",
    [
        DeclaredReference(kind="ssm", name="arn:aws:ssm:us-east-1:1:parameter/x"),
        DeclaredReference(kind="secretsmanager", name="db", key="a:b"),
        DeclaredReference(kind="secretsmanager", name="db'}}\n  Evil: true"),
        None,
    ],
)
def test_what_cloudformation_cannot_refer_to_is_said_by_a_placeholder(
    reference: DeclaredReference | None,
) -> None:
    after = EnvironmentSetting(variables={"TABLE": DeclaredSource()})
    references = {"TABLE": reference} if reference else {}
    found = properties(patch_of(to(after), references=references))
    assert found == {"Environment": {"Variables": {"TABLE": "<the declared value of TABLE>"}}}


def test_a_variable_that_must_not_be_set_is_removed_by_hand_and_never_the_whole_map() -> None:
    text = patch_of(to(EnvironmentSetting(variables={"OLD": Absent()})))
    assert parsed(text) is None
    assert "# Environment, Variables, OLD: remove it" in text


def test_names_that_yaml_reads_as_something_else_stay_names() -> None:
    found = properties(patch_of(to(SETTINGS[-1])))["Environment"]["Variables"]
    assert set(found) == {"NO", "on"}


def test_an_alias_that_went_back_has_no_property_that_would_keep_it_there() -> None:
    text = patch_of(to(AliasSetting(alias="live", version="41")))
    assert parsed(text) is None
    assert "version 41" in text
    assert "AutoPublishAlias" in text


def test_a_repair_that_was_published_is_the_functions_property_too() -> None:
    release = AliasMove(alias="live", former="1", published="2")
    lines = permanent_snippet(to(TimeoutSetting(timeout_s=12), release))
    assert lines[0] == "Timeout: 12"
    told = " ".join(line.removeprefix("# ") for line in lines[1:])
    assert "A version for this Lambda function exists ( 2 )" in told
    assert "together with a change of the code or of the function's Description" in told
    assert "publishes nothing" in told


def records(*said: tuple[RecordKind, dict[str, Any]]) -> tuple[AuditRecord, ...]:
    found: list[AuditRecord] = []
    for number, (kind, data) in enumerate(said):
        entry = Entry(
            incident_id="inc-1",
            key=str(number),
            kind=kind,
            at=NOW,
            function_name=None,
            summary="s",
            data=data,
        )
        found.append(chain(entry, after=found[-1] if found else None))
    return tuple(found)


def closed(outcome: str) -> tuple[RecordKind, dict[str, Any]]:
    return RecordKind.INCIDENT_CLOSED, {"outcome": outcome}


APPLIED = (RecordKind.REPAIR_APPLIED, applied().as_json())


@pytest.mark.parametrize("outcome", ["repaired", "unverified"])
def test_what_an_incident_kept_is_what_it_applied(outcome: str) -> None:
    assert kept_change(records(APPLIED, closed(outcome))) == Kept(change=change(is_applied=True))


def test_of_several_steps_the_sum_is_kept() -> None:
    first = change()
    second = Change(
        target=TARGET,
        before=first.after,
        after=TimeoutSetting(timeout_s=12),
        planned_on=first.leads_to,
    )
    further = ChangeRecord(status="applied", reason="r", change=second, step=2, origin=first)
    told = (RecordKind.REPAIR_APPLIED, further.as_json())
    found = kept_change(records(APPLIED, told, closed("repaired"))).change
    assert (found.before, found.after) == (first.before, second.after)


OVERTAKEN = (
    RecordKind.REPAIR_VERIFIED,
    verification(verdict=Verdict.OVERTAKEN).as_json(),
)


@pytest.mark.parametrize("written", [APPLIED, (RecordKind.REPAIR_OVERTAKEN, APPLIED[1])])
def test_what_was_left_to_somebody_else_has_a_patch_that_may_not_be_needed(
    written: tuple[RecordKind, dict[str, Any]],
) -> None:
    found = kept_change(records(written, OVERTAKEN, closed("escalated")))
    assert found == Kept(change=change(is_applied=True), is_handed_over=True)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (
            [APPLIED, OVERTAKEN, (RecordKind.ROLLBACK_DONE, {}), closed("escalated")],
            "keeps no change",
        ),
        ([APPLIED], "has not ended"),
        ([closed("escalated")], "ended as escalated"),
        ([APPLIED, closed("failed")], "ended as failed"),
        (
            [APPLIED, (RecordKind.ROLLBACK_DONE, rollback().as_json()), closed("unverified")],
            "ended as unverified and keeps no change",
        ),
        (
            [APPLIED, (RecordKind.REPAIR_OVERTAKEN, APPLIED[1]), closed("unverified")],
            "keeps no change",
        ),
    ],
)
def test_where_nothing_was_kept_there_is_nothing_to_make_permanent(
    said: list[tuple[RecordKind, dict[str, Any]]], why: str
) -> None:
    with pytest.raises(NothingKeptError, match=why):
        kept_change(records(*said))
