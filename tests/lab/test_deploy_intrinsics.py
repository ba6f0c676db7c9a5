"""Intrinsic functions and templates, without an account."""

from __future__ import annotations

import pytest

from autorepair_lab.deploy.errors import TemplateError
from autorepair_lab.deploy.intrinsics import (
    Scope,
    choose,
    evaluate_conditions,
    references,
    resolve,
)
from autorepair_lab.deploy.plan import ordered
from autorepair_lab.deploy.resources.buckets import unconditional
from autorepair_lab.deploy.resources.states import substitute
from autorepair_lab.deploy.stacks import s3_location
from autorepair_lab.deploy.template import bind, read


def unknown(name: str, *_: str) -> str:
    raise TemplateError(f"unknown {name}")


def scope(conditions: dict[str, bool] | None = None) -> Scope:
    refs = {"Queue": "https://queue"}
    attributes = {("Queue", "Arn"): "arn:queue", ("Nested", "Outputs.Name"): "table"}
    return Scope(
        parameters={"Env": "dev", "Zones": ["a", "b"], "AWS::Region": "us-east-1"},
        mappings={"Sizes": {"dev": {"memory": 128}}},
        conditions=conditions or {},
        ref=lambda name: refs[name] if name in refs else unknown(name),
        attribute=lambda name, attribute: attributes[name, attribute],
        import_value=lambda name: f"imported {name}",
        dynamic=lambda service, reference: f"<{service} {reference}>",
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"Ref": "Env"}, "dev"),
        ({"Ref": "Queue"}, "https://queue"),
        ({"Fn::GetAtt": ["Queue", "Arn"]}, "arn:queue"),
        ({"Fn::GetAtt": "Nested.Outputs.Name"}, "table"),
        ({"Fn::GetAtt": ["Nested", "Outputs", "Name"]}, "table"),
        ({"Fn::Sub": "${Env}-${Queue.Arn}-${!Literal}"}, "dev-arn:queue-${Literal}"),
        ({"Fn::Sub": ["${a}/${Env}", {"a": {"Ref": "Queue"}}]}, "https://queue/dev"),
        ({"Fn::Join": ["-", ["a", {"Ref": "Env"}, 3]]}, "a-dev-3"),
        ({"Fn::Select": ["1", {"Ref": "Zones"}]}, "b"),
        ({"Fn::Split": ["|", "a|b"]}, ["a", "b"]),
        ({"Fn::FindInMap": ["Sizes", {"Ref": "Env"}, "memory"]}, 128),
        ({"Fn::FindInMap": ["Sizes", "prod", "memory", {"DefaultValue": 256}]}, 256),
        ({"Fn::Base64": "hi"}, "aGk="),
        ({"Fn::ImportValue": {"Fn::Sub": "x-${Env}"}}, "imported x-dev"),
        ({"Fn::ToJsonString": {"a": {"Ref": "Env"}}}, '{"a":"dev"}'),
        ({"Fn::Length": {"Ref": "Zones"}}, 2),
        ("{{resolve:ssm:/a/b:1}}", "<ssm /a/b:1>"),
        ({"a": {"Ref": "AWS::NoValue"}, "b": [1, {"Ref": "AWS::NoValue"}]}, {"b": [1]}),
        ({"Condition": {"Bool": {"aws:SecureTransport": "false"}}},) * 2,
    ],
)
def test_a_function_resolves_as_on_aws(value: object, expected: object) -> None:
    assert resolve(value, scope()) == expected


@pytest.mark.parametrize(
    "value",
    [
        {"Ref": "Nobody"},
        {"Fn::Cidr": ["10.0.0.0/8", 1, 1]},
        {"Fn::FindInMap": ["Sizes", "prod", "memory"]},
        {"Fn::Select": [7, ["a"]]},
        {"Fn::Sub": "${Zones}"},
        {"Fn::If": ["Undeclared", 1, 2]},
        {"Fn::Join": ["-", "not a list"]},
    ],
)
def test_what_cannot_be_resolved_is_refused(value: object) -> None:
    with pytest.raises(TemplateError):
        resolve(value, scope())


def test_if_takes_its_branch_and_may_leave_a_property_out() -> None:
    value = {"a": {"Fn::If": ["Yes", {"Ref": "Env"}, 0]}, "b": {"Fn::If": ["No", 1, NO_VALUE]}}
    assert resolve(value, scope({"Yes": True, "No": False})) == {"a": "dev"}


NO_VALUE = {"Ref": "AWS::NoValue"}


def test_only_the_taken_branch_makes_a_dependency() -> None:
    value = {"a": {"Fn::If": ["Yes", {"Ref": "Left"}, {"Ref": "Right"}]}}
    assert references(choose(value, {"Yes": True})) == {"Left"}


def test_sub_refers_to_what_is_not_its_own_variable() -> None:
    assert references({"Fn::Sub": ["${a} ${Queue.Arn} ${!b}", {"a": {"Ref": "Topic"}}]}) == {
        "Queue",
        "Topic",
    }


def test_conditions_build_on_each_other() -> None:
    declared = {
        "Prod": {"Fn::Equals": [{"Ref": "Env"}, "prod"]},
        "Small": {"Fn::And": [{"Fn::Not": [{"Condition": "Prod"}]}, {"Condition": "Asked"}]},
        "Asked": {"Fn::Or": [{"Condition": "Prod"}, {"Fn::Equals": [1, "1"]}]},
    }
    found = evaluate_conditions(declared, {"Env": "dev"}, {})
    assert found == {"Prod": False, "Small": True, "Asked": True}


def test_conditions_in_a_circle_are_refused() -> None:
    declared = {"A": {"Fn::Not": [{"Condition": "B"}]}, "B": {"Condition": "A"}}
    with pytest.raises(TemplateError, match="unresolved condition"):
        evaluate_conditions(declared, {}, {})


def test_resources_come_after_what_they_need() -> None:
    assert ordered({"c": ["b"], "b": ["a"], "a": []}) == ["a", "b", "c"]


def test_a_circle_of_resources_is_named() -> None:
    with pytest.raises(TemplateError, match=r"Circular dependency between resources: \[a, b\]"):
        ordered({"a": ["b"], "b": ["a"]})


def test_short_forms_and_unquoted_dates_are_read_as_cloudformation_does() -> None:
    body = """
Resources:
  A:
    Type: X
    Properties: {V: 2012-10-17, B: !GetAtt Q.Arn, C: !If [IsProd, !Ref D, !Sub "${E}"]}
"""
    assert read(body).resources["A"]["Properties"] == {
        "V": "2012-10-17",
        "B": {"Fn::GetAtt": ["Q", "Arn"]},
        "C": {"Fn::If": ["IsProd", {"Ref": "D"}, {"Fn::Sub": "${E}"}]},
    }


@pytest.mark.parametrize(
    "body",
    [
        "Resources: {}",
        "Resource: {A: {Type: X}}",
        "Resources: {A: {Properties: {}}}",
        "Resources: {A: {Type: X, Propertys: {}}}",
        "just text",
        "{not json",
    ],
)
def test_a_malformed_template_is_refused(body: str) -> None:
    with pytest.raises(TemplateError):
        read(body)


@pytest.mark.parametrize(
    ("spec", "given", "message"),
    [
        ({"Type": "String"}, None, "must have values"),
        ({"Type": "String", "AllowedValues": ["a"]}, "b", "AllowedValues"),
        ({"Type": "String", "AllowedPattern": "[a-z]+"}, "1", "failed to satisfy constraint"),
        ({"Type": "Number", "MaxValue": 5}, "6", "not greater than 5"),
        ({"Type": "Number", "MinValue": 5}, "4", "not less than 5"),
        ({"Type": "Number"}, "many", "must be a number"),
        ({"Type": "String", "MinLength": 2}, "x", "long"),
    ],
)
def test_a_parameter_that_breaks_its_declaration_is_refused(
    spec: dict[str, object], given: str | None, message: str
) -> None:
    values = {} if given is None else {"P": given}
    with pytest.raises(TemplateError, match=message):
        bind({"P": spec}, values, unknown)


def test_an_undeclared_parameter_is_refused() -> None:
    with pytest.raises(TemplateError, match="do not exist in the template"):
        bind({}, {"P": "1"}, unknown)


def test_a_parameter_may_be_a_list_or_the_name_of_a_stored_value() -> None:
    declared = {
        "L": {"Type": "CommaDelimitedList"},
        "S": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/x"},
    }
    bound = bind(declared, {"L": "a, b"}, lambda name: f"value of {name}")
    assert (bound["L"].value, bound["S"].value) == (["a", "b"], "value of /x")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://s3.amazonaws.com/b/k/x.template", ("b", "k/x.template", None)),
        ("https://s3.eu-west-1.amazonaws.com/b/k?versionId=7", ("b", "k", "7")),
        ("https://b.s3.amazonaws.com/k", ("b", "k", None)),
        ("https://my.b.s3.eu-west-1.amazonaws.com/k%20x", ("my.b", "k x", None)),
        ("http://127.0.0.1:5000/b/k", ("b", "k", None)),
        ("s3://b/k", ("b", "k", None)),
    ],
)
def test_every_form_of_template_url_is_understood(
    url: str, expected: tuple[str, str, str | None]
) -> None:
    assert s3_location(url) == expected


def test_substitution_escapes_and_leaves_unknown_names() -> None:
    assert substitute('{"a": "${A}", "b": "${B}"}', {"A": 'say "x"'}) == (
        '{"a": "say \\"x\\"", "b": "${B}"}'
    )


def test_conditional_denials_are_left_to_aws_and_plain_ones_are_kept() -> None:
    plain = {"Effect": "Deny", "Action": "s3:DeleteObject"}
    tls = {"Effect": "Deny", "Action": "s3:*", "Condition": {"Bool": {}}}
    assert unconditional({"Statement": [plain, tls]}) == {"Statement": [plain]}
