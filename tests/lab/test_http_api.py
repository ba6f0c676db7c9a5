"""HTTP APIs in the lab: routed, permitted, invoked and answered as API Gateway does it."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from lab.account_support import Failure, Lab, create_function, running_lab

NAME = "page"
GATEWAY = "apigateway.amazonaws.com"
NOT_FOUND = (404, {"message": "Not Found"})
BROKEN = (500, {"message": "Internal Server Error"})
FORMAT = '{"key":"$context.routeKey","status":"$context.status","what":"$context.unheard"}'


class Door:
    """One API with a route to show and one to answer, as the service has it."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.gateway = lab.client("apigatewayv2")
        made = self.gateway.create_api(Name="door", ProtocolType="HTTP")
        self.api, self.endpoint = made["ApiId"], ""
        self.endpoint = self.gateway.get_api(ApiId=self.api)["ApiEndpoint"]

    def route(self, key: str, function: str, **settings: object) -> None:
        integration = self.gateway.create_integration(
            ApiId=self.api,
            IntegrationType="AWS_PROXY",
            IntegrationUri=function,
            PayloadFormatVersion="2.0",
            **settings,
        )
        target = f"integrations/{integration['IntegrationId']}"
        self.gateway.create_route(ApiId=self.api, RouteKey=key, Target=target)

    def open(self, **settings: object) -> None:
        settings = {"AutoDeploy": True, **settings}
        self.gateway.create_stage(ApiId=self.api, StageName="$default", **settings)

    def permit(self, function: str, source: str, *, sid: str, principal: str = GATEWAY) -> None:
        name, _, alias = function.rpartition(":")
        self.lab.client("lambda").add_permission(
            FunctionName=name,
            Qualifier=alias,
            StatementId=sid,
            Action="lambda:InvokeFunction",
            Principal=principal,
            SourceArn=f"arn:aws:execute-api:us-east-1:123456789012:{source}",
        )

    def ask(self, method: str, path: str, **more: Any) -> requests.Response:  # noqa: ANN401 - keywords of requests
        return requests.request(method, f"{self.endpoint}{path}", timeout=30, **more)

    def said(self, method: str, path: str, **more: Any) -> tuple[int, object]:  # noqa: ANN401 - likewise
        answer = self.ask(method, path, **more)
        return answer.status_code, answer.json()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running_lab(tmp_path_factory.mktemp("http")) as running:
        yield running


@pytest.fixture(scope="module")
def alias(lab: Lab) -> str:
    """The ARN of the published alias that the API calls."""
    functions = lab.client("lambda")
    create_function(functions, NAME, Publish=True)
    made = functions.create_alias(FunctionName=NAME, Name="live", FunctionVersion="1")
    return str(made["AliasArn"])


@pytest.fixture(scope="module")
def door(lab: Lab, alias: str) -> Door:
    lab.client("logs").create_log_group(logGroupName="/access")
    made = Door(lab)
    for key in ("GET /approval/{token}", "POST /approval/{token}"):
        made.route(key, alias)
    group = "arn:aws:logs:us-east-1:123456789012:log-group:/access:*"
    made.open(AccessLogSettings={"DestinationArn": group, "Format": FORMAT})
    made.permit(alias, f"{made.api}/*/*/approval/*", sid="door")
    return made


@pytest.fixture(autouse=True)
def _as_it_came(lab: Lab) -> Iterator[None]:
    """Let the function give back its event, unless a test says otherwise."""
    yield
    lab.runtime.answers.clear()


def test_the_address_of_an_api_is_one_on_this_machine(lab: Lab, door: Door) -> None:
    assert door.endpoint == f"{lab.account.endpoint}/_lab/http-api/{door.api}"


def test_a_function_is_handed_the_request_in_payload_format_2(door: Door, alias: str) -> None:
    event = door.ask(
        "GET",
        "/approval/abc%20d?lang=zh&lang=en&empty=",
        headers={"Accept-Language": "de", "Cookie": "a=1; b=2"},
    ).json()
    assert (event["version"], event["routeKey"]) == ("2.0", "GET /approval/{token}")
    assert (event["rawPath"], event["pathParameters"]) == ("/approval/abc d", {"token": "abc d"})
    assert event["rawQueryString"] == "lang=zh&lang=en&empty="
    assert event["queryStringParameters"] == {"lang": "zh,en", "empty": ""}
    assert event["headers"]["accept-language"] == "de"
    assert (event["cookies"], "cookie" in event["headers"]) == (["a=1", "b=2"], False)
    assert ("body" in event, event["isBase64Encoded"]) == (False, False)
    context = event["requestContext"]
    assert (context["apiId"], context["stage"]) == (door.api, "$default")
    assert (context["http"]["method"], context["http"]["path"]) == ("GET", "/approval/abc d")
    assert context["http"]["sourceIp"] == "127.0.0.1"
    assert door.lab.runtime.specs[-1].arn == alias


def test_a_form_reaches_the_function_in_base64_and_text_as_it_is(door: Door) -> None:
    form = door.ask("POST", "/approval/abc", data={"name": "Zoë"}).json()
    assert form["isBase64Encoded"] is True
    assert base64.b64decode(form["body"]) == b"name=Zo%C3%AB"
    text = door.ask("POST", "/approval/abc", json={"a": "ü"}).json()
    assert (text["isBase64Encoded"], json.loads(text["body"])) == (False, {"a": "ü"})


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/approval/abc"),
        ("DELETE", "/approval/abc"),
        ("OPTIONS", "/approval/abc"),
        ("GET", "/approval"),
        ("GET", "/approval/"),
        ("GET", "/approval/abc/more"),
        ("GET", "/$default/approval/abc"),
        ("GET", "/other"),
        ("GET", ""),
    ],
)
def test_what_no_route_names_reaches_no_function(door: Door, method: str, path: str) -> None:
    before = len(door.lab.runtime.specs)
    assert door.said(method, path) == NOT_FOUND
    assert len(door.lab.runtime.specs) == before


def test_a_head_is_not_taken_for_a_get(door: Door) -> None:
    assert door.ask("HEAD", "/approval/abc").status_code == 404


def test_the_answer_of_a_function_is_passed_on(door: Door) -> None:
    answer = {
        "statusCode": 409,
        "headers": {"content-type": "text/html; charset=utf-8", "X-Frame-Options": "DENY"},
        "cookies": ["one=1", "two=2; Secure"],
        "body": "<p>ü</p>",
    }
    door.lab.runtime.answers[NAME] = lambda *_: json.dumps(answer).encode()
    found = door.ask("GET", "/approval/abc")
    assert (found.status_code, found.content.decode()) == (409, "<p>ü</p>")
    assert found.headers["Content-Type"] == "text/html; charset=utf-8"
    assert found.headers["X-Frame-Options"] == "DENY"
    assert found.headers["Apigw-Requestid"]
    assert found.raw.headers.getlist("Set-Cookie") == answer["cookies"]


@pytest.mark.parametrize(
    ("answer", "body", "kind"),
    [
        ({"plain": True}, b'{"plain": true}', "application/json"),
        ("words", b"words", "application/json"),
        ({"statusCode": 200, "body": "words"}, b"words", "text/plain; charset=utf-8"),
        ({"statusCode": 200}, b"", "text/plain; charset=utf-8"),
        (
            {"statusCode": 200, "body": "AP8=", "isBase64Encoded": True},
            b"\x00\xff",
            "text/plain; charset=utf-8",
        ),
    ],
)
def test_what_an_answer_leaves_out_is_inferred(
    door: Door, answer: object, body: bytes, kind: str
) -> None:
    door.lab.runtime.answers[NAME] = lambda *_: json.dumps(answer).encode()
    found = door.ask("GET", "/approval/abc")
    assert (found.status_code, found.content) == (200, body)
    assert found.headers["Content-Type"] == kind


@pytest.mark.parametrize(
    "answer",
    [
        {"statusCode": "two hundred"},
        {"statusCode": True},
        {"statusCode": 99},
        {"statusCode": 200, "body": {"not": "text"}},
        {"statusCode": 200, "body": "no base64!", "isBase64Encoded": True},
        {"statusCode": 200, "headers": ["a"]},
        {"statusCode": 200, "headers": {"A": {"b": 1}}},
        {"statusCode": 200, "cookies": "a=1"},
    ],
)
def test_a_malformed_answer_is_an_error_of_the_server(door: Door, answer: object) -> None:
    door.lab.runtime.answers[NAME] = lambda *_: json.dumps(answer).encode()
    assert door.said("GET", "/approval/abc") == BROKEN


def test_a_function_that_fails_shows_nothing_of_its_error(door: Door) -> None:
    door.lab.runtime.answers[NAME] = lambda *_: Failure(b'{"errorMessage": "secret"}')
    assert door.said("GET", "/approval/abc") == BROKEN


def test_a_function_that_takes_longer_than_the_integration_waits_is_given_up(
    lab: Lab, alias: str
) -> None:
    slow = Door(lab)
    slow.route("GET /slow", alias, TimeoutInMillis=50)
    slow.open()
    slow.permit(alias, f"{slow.api}/*", sid="slow")

    def answer(*_: object) -> bytes:
        time.sleep(0.5)
        return b"{}"

    lab.runtime.answers[NAME] = answer
    assert slow.said("GET", "/slow") == (503, {"message": "Service Unavailable"})


def test_nothing_is_served_before_it_is_deployed(lab: Lab, alias: str) -> None:
    staged = Door(lab)
    staged.route("GET /page", alias)
    staged.permit(alias, f"{staged.api}/*", sid="staged")
    assert staged.said("GET", "/page") == NOT_FOUND
    staged.open(AutoDeploy=False)
    assert staged.said("GET", "/page") == NOT_FOUND


@pytest.mark.parametrize(
    ("sid", "source", "principal", "is_let_in"),
    [
        ("by-the-api", "{api}/*", GATEWAY, True),
        ("by-the-route", "{api}/*/GET/page/*", GATEWAY, True),
        ("other-api", "other/*", GATEWAY, False),
        ("other-method", "{api}/*/POST/page/*", GATEWAY, False),
        ("other-service", "{api}/*", "events.amazonaws.com", False),
    ],
)
def test_a_function_is_called_only_for_whom_its_policy_names(
    lab: Lab, alias: str, sid: str, source: str, principal: str, *, is_let_in: bool
) -> None:
    guarded = Door(lab)
    guarded.route("GET /page/{name}", alias)
    guarded.open()
    guarded.permit(alias, source.format(api=guarded.api), sid=sid, principal=principal)
    answer = guarded.said("GET", "/page/one")
    assert answer[0] == (200 if is_let_in else 500)


def test_a_policy_on_the_function_does_not_open_its_alias(lab: Lab) -> None:
    functions = lab.client("lambda")
    create_function(functions, "aliased", Publish=True)
    made = functions.create_alias(FunctionName="aliased", Name="live", FunctionVersion="1")
    door = Door(lab)
    door.route("GET /page", made["AliasArn"])
    door.open()
    functions.add_permission(
        FunctionName="aliased", StatementId="all", Action="lambda:InvokeFunction", Principal=GATEWAY
    )
    assert door.said("GET", "/page") == BROKEN


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/pets/dog", "GET /pets/dog"),
        ("/pets/cat", "GET /pets/{kind}"),
        ("/pets/cat/1", "GET /{rest+}"),
        ("/", "$default"),
    ],
)
def test_the_most_exact_route_is_taken(lab: Lab, alias: str, path: str, key: str) -> None:
    many = Door(lab)
    for one in (
        "$default",
        "ANY /pets/{kind}",
        "GET /{rest+}",
        "GET /pets/{kind}",
        "GET /pets/dog",
    ):
        many.route(one, alias)
    many.open()
    many.permit(alias, f"{many.api}/*", sid=many.api)
    assert many.ask("GET", path).json()["routeKey"] == key


def test_the_access_log_holds_what_its_format_names_and_nothing_else(door: Door) -> None:
    door.ask("GET", "/approval/very-secret")
    door.ask("GET", "/elsewhere")
    found = door.lab.client("logs").filter_log_events(logGroupName="/access")["events"]
    lines = [json.loads(one["message"]) for one in found]
    assert {"key": "GET /approval/{token}", "status": "200", "what": "-"} in lines
    assert {"key": "-", "status": "404", "what": "-"} in lines
    assert "very-secret" not in json.dumps(lines)


def test_an_api_that_is_not_there_is_said_to_be_missing(lab: Lab) -> None:
    found = requests.get(f"{lab.account.endpoint}/_lab/http-api/nowhere/x", timeout=10)
    assert (found.status_code, found.json()) == (404, {"error": "there is no HTTP API nowhere"})
