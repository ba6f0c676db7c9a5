"""The approval page in the templates: open as little as can be, gone where it is switched off."""

from __future__ import annotations

import fnmatch
import json
import re
from typing import Any

import pytest

from autorepair_lab.deploy.intrinsics import Scope, choose, evaluate_conditions, references, resolve
from contract import templates
from contract.templates import Template

# What a line of the access log may say; all else might hold the path, and with it the token.
MAY_BE_LOGGED = {"requestId", "routeKey", "status", "identity.sourceIp", "requestTime"}
OF_THE_PAGE = {
    "ApprovalAnswerRoute",
    "ApprovalApi",
    "ApprovalIntegration",
    "ApprovalPageFunction",
    "ApprovalPageLogGroup",
    "ApprovalPagePermission",
    "ApprovalPageRole",
    "ApprovalShowRoute",
    "ApprovalStage",
}


@pytest.fixture
def stack() -> Template:
    return templates.load("stacks/functions.yaml")


def properties(stack: Template, name: str) -> dict[str, Any]:
    found: dict[str, Any] = stack["Resources"][name]["Properties"]
    return found


def faults_of_the_log(stack: Template) -> list[str]:
    """Name what the access log's format has that could carry the token."""
    text = properties(stack, "ApprovalStage")["AccessLogSettings"]["Format"]
    named = set(re.findall(r"\$context\.([\w.]+)", text))
    return sorted(named - MAY_BE_LOGGED)


def test_the_access_log_cannot_carry_the_token(stack: Template) -> None:
    settings = properties(stack, "ApprovalStage")["AccessLogSettings"]
    assert faults_of_the_log(stack) == []
    assert set(json.loads(settings["Format"])) == {"requestId", "routeKey", "status", "ip", "time"}


@pytest.mark.parametrize("variable", ["path", "integration.error", "authorizer.x"])
def test_a_format_that_could_carry_the_token_would_be_seen(stack: Template, variable: str) -> None:
    settings = properties(stack, "ApprovalStage")["AccessLogSettings"]
    settings["Format"] = settings["Format"].replace("$context.routeKey", f"$context.{variable}")
    assert faults_of_the_log(stack) == [variable]


def test_two_routes_and_nothing_else_lead_to_the_page(stack: Template) -> None:
    routes = templates.resources(stack, "AWS::ApiGatewayV2::Route").values()
    assert {one["Properties"]["RouteKey"] for one in routes} == {
        "GET /approval/{token}",
        "POST /approval/{token}",
    }
    integration = properties(stack, "ApprovalIntegration")
    assert integration["IntegrationUri"] == {"Ref": "ApprovalPageFunction.Alias"}
    assert integration["PayloadFormatVersion"] == "2.0"
    stages = templates.resources(stack, "AWS::ApiGatewayV2::Stage")
    assert set(stages) == {"ApprovalStage"}
    assert "CorsConfiguration" not in properties(stack, "ApprovalApi")


def test_whoever_guesses_tokens_is_slowed_down(stack: Template) -> None:
    limits = properties(stack, "ApprovalStage")["DefaultRouteSettings"]
    assert limits == {"ThrottlingRateLimit": 10, "ThrottlingBurstLimit": 20}


def test_the_page_gives_up_before_the_api_does(stack: Template) -> None:
    assert properties(stack, "ApprovalPageFunction")["Timeout"] < 30


def test_only_this_api_may_call_the_page(stack: Template) -> None:
    calling = [
        one["Properties"]
        for one in templates.resources(stack, "AWS::Lambda::Permission").values()
        if templates.mentions(one, "ApprovalPageFunction")
    ]
    assert [one["Principal"] for one in calling] == ["apigateway.amazonaws.com"]
    assert calling[0]["FunctionName"] == {"Ref": "ApprovalPageFunction.Alias"}
    assert ":${ApprovalApi}/" in calling[0]["SourceArn"]["Fn::Sub"]


def test_who_asks_knows_where_the_page_is(stack: Template) -> None:
    variables = properties(stack, "RequestApprovalFunction")["Environment"]["Variables"]
    where = {"Fn::Sub": "${ApprovalApi.ApiEndpoint}/approval"}
    assert variables == {"APPROVAL_URL": {"Fn::If": ["HasApprovalPage", where, ""]}}
    assert stack["Outputs"]["ApprovalUrl"]["Value"] == where


def test_the_answer_is_handed_over_with_the_right_that_iam_knows(stack: Template) -> None:
    """It knows no resource for it; the key of this state machine is what narrows it."""
    allowed = tuple(templates.allowed(stack, "ApprovalPageRole"))
    resources = {action: one["Resource"] for one in allowed for action in templates.actions(one)}
    assert resources["states:SendTaskSuccess"] == "*"
    sealing = [one for one in allowed if "kms:GenerateDataKey" in templates.actions(one)]
    assert templates.mentions(sealing, "states.${AWS::Region}.amazonaws.com")
    (who,) = [
        role
        for role in templates.resources(stack, "AWS::IAM::Role")
        for one in templates.allowed(stack, role)
        if "states:SendTaskSuccess" in templates.actions(one)
    ]
    assert who == "ApprovalPageRole"


def test_the_role_of_the_page_touches_its_own_items_only(stack: Template) -> None:
    """The internet reaches this function: no lease, pause or remembered change is its to write."""
    keys = {
        action: one.get("Condition", {})["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
        for one in templates.allowed(stack, "ApprovalPageRole")
        if templates.mentions(one["Resource"], "${StateTableName}")
        for action in templates.actions(one)
    }
    assert keys == {
        "dynamodb:GetItem": ["link#*", "incident#*", "pause"],
        "dynamodb:PutItem": ["link#*"],
        "dynamodb:DeleteItem": ["link#*"],
    }


def test_who_came_by_a_link_can_still_be_seen_when_the_page_is_switched_off() -> None:
    off = deployed("stacks/functions.yaml", EnableApprovalPage="false")
    assert "ApprovalAccessLogGroup" in off["Resources"]


def test_nothing_that_is_called_by_a_state_is_open_to_the_internet(stack: Template) -> None:
    for name in templates.functions(stack):
        if name != "ApprovalPageFunction":
            parts = templates.resources(stack, "AWS::ApiGatewayV2::Integration")
            assert not templates.mentions(parts, name), name


def test_the_key_lets_in_every_log_group_that_it_seals(stack: Template) -> None:
    """Or the group cannot be made, and neither can the stack."""
    statements = templates.load("stacks/main.yaml")["Resources"]["ServiceKey"]["Properties"][
        "KeyPolicy"
    ]["Statement"]
    (let_in,) = [
        one["Condition"]["ArnLike"]["kms:EncryptionContext:aws:logs:arn"]
        for one in statements
        if "kms:EncryptionContext:aws:logs:arn" in one.get("Condition", {}).get("ArnLike", {})
    ]
    patterns = [one["Fn::Sub"].partition(":log-group:")[2] for one in let_in]
    for name, group in templates.resources(stack, "AWS::Logs::LogGroup").items():
        own = group["Properties"]["LogGroupName"]["Fn::Sub"]
        assert any(fnmatch.fnmatchcase(own, one) for one in patterns), name


# ------------------------------------------------------------------------------------- switched off


def deployed(name: str, **parameters: str) -> Template:
    """Give a template with what these parameters leave of it."""
    template = templates.load(name)
    given = {n: p.get("Default", n) for n, p in template["Parameters"].items()} | parameters
    conditions = evaluate_conditions(template.get("Conditions", {}), given, {})
    for section in ("Resources", "Outputs"):
        kept = {
            logical: choose(part, conditions)
            for logical, part in template[section].items()
            if conditions.get(part.get("Condition", ""), True)
        }
        template[section] = kept
    return template


def dangling(template: Template) -> set[str]:
    known = {*template["Resources"], *template["Parameters"]}
    found = references([template["Resources"], template["Outputs"]])
    # SAM makes these of a function: `ApprovalPageFunction.Alias`.
    names = {one.partition(".")[0] for one in found if "::" not in one}
    return names - known


@pytest.mark.parametrize(
    ("name", "off"),
    [
        ("template.yaml", {"EnableApprovalPage": "false"}),
        ("stacks/functions.yaml", {"EnableApprovalPage": "false"}),
        ("stacks/monitoring.yaml", {"ApprovalApiId": ""}),
    ],
)
def test_where_the_page_is_switched_off_nothing_refers_to_it(
    name: str, off: dict[str, str]
) -> None:
    assert dangling(deployed(name, **off)) == set()


def test_switched_off_nothing_of_the_page_is_deployed_and_no_message_has_a_link() -> None:
    on, off = (
        deployed("stacks/functions.yaml", EnableApprovalPage=value) for value in ("true", "false")
    )
    assert set(on["Resources"]) - set(off["Resources"]) == OF_THE_PAGE
    assert set(on["Outputs"]) - set(off["Outputs"]) == {"ApprovalApiId", "ApprovalUrl"}
    variables = properties(off, "RequestApprovalFunction")["Environment"]["Variables"]
    assert variables == {"APPROVAL_URL": ""}
    root = deployed("template.yaml", EnableApprovalPage="false")
    assert "ApprovalUrl" not in root["Outputs"]
    assert properties(root, "MonitoringStack")["Parameters"]["ApprovalApiId"] == ""


@pytest.mark.parametrize(("api", "is_watched"), [("abcdefgh", True), ("", False)])
def test_the_pages_alarm_turns_the_health_light_and_is_on_the_dashboard(
    api: str, *, is_watched: bool
) -> None:
    template = deployed("stacks/monitoring.yaml", ApprovalApiId=api)
    scope = Scope(
        {"Environment": "dev"},
        {},
        {},
        ref=lambda name: name,
        attribute=lambda name, attribute: f"{name}.{attribute}",
        import_value=lambda name: name,
        dynamic=lambda _service, reference: reference,
    )
    rule = resolve(properties(template, "HealthAlarm")["AlarmRule"], scope)
    assert ('ALARM("ApprovalPageErrorsAlarm")' in rule) is is_watched
    assert re.fullmatch(r'ALARM\("\w+"\)(\s+OR ALARM\("\w+"\))*', rule.strip())
    board = json.loads(resolve(properties(template, "Dashboard")["DashboardBody"], scope))
    alarms = board["widgets"][0]["properties"]["alarms"]
    assert ("ApprovalPageErrorsAlarm.Arn" in alarms) is is_watched
    assert {one.removesuffix(".Arn") for one in alarms} == set(
        re.findall(r'ALARM\("(\w+)"\)', rule)
    )


def test_a_page_that_fails_raises_an_alarm_that_speaks() -> None:
    alarm = properties(templates.load("stacks/monitoring.yaml"), "ApprovalPageErrorsAlarm")
    watched = {one["MetricStat"]["Metric"]["MetricName"] for one in alarm["Metrics"][:-1]}
    assert watched == {"Errors", "5xx"}
    assert alarm["AlarmActions"] == [{"Ref": "NotificationTopicArn"}]
