"""From environment variables to a handler."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_type_hints

import pytest
from pydantic import ConfigDict

from adapters.account import ACCOUNT, AUDIT_TABLE, REGION, SECRET, STATE_TABLE, Account
from autorepair import wiring
from autorepair.aws.clients import Clients, LazyClient
from autorepair.domain.errors import (
    ConfigurationError,
    MalformedEventError,
    PolicyUnreadableError,
    TransientServiceError,
)
from autorepair.domain.page import PageResponse
from autorepair.domain.value import Value
from autorepair.ports import Ports

VARIABLES = {
    "AWS_REGION": REGION,
    "ENVIRONMENT": "dev",
    "AUDIT_TABLE": AUDIT_TABLE,
    "STATE_TABLE": STATE_TABLE,
    "EVIDENCE_BUCKET": "evidence",
    "TOPIC_ARN": f"arn:aws:sns:{REGION}:{ACCOUNT}:topic",
    "EVENT_BUS": "bus",
    "POLICY_PARAMETER": "/policy",
    "KNOWN_CONFIG_PREFIX": "/known-config",
    "DIGEST_KEY_ID": "digest-key",
    "SNAPSHOT_KEY_ID": "snapshot-key",
    "ENABLE_APPROVAL_WORKFLOW": "false",
    "STATE_MACHINE_ARN": f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:repair",
}


@dataclass
class Context:
    """What Lambda hands to a handler, as far as the logger reads it."""

    function_name: str = "lambda-auto-repair-name-it-dev"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:function"
    aws_request_id: str = "request-1"


class NameItInput(Value):
    model_config = ConfigDict(extra="ignore")

    name: str


class Named(Value):
    greeting: str


def name_it(given: NameItInput, ports: Ports) -> Named:
    if given.name == "throttled":
        raise TransientServiceError("lambda:Read on arn failed with Throttling")
    if given.name == "broken":
        raise KeyError(SECRET)
    return Named(greeting=f"{given.name} in {ports.region}")


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    caches = (wiring.settings, wiring.clients, wiring.ports)
    for cache in caches:
        cache.cache_clear()
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(wiring.logger.registered_formatter)
    wiring.logger.addHandler(handler)
    yield stream
    wiring.logger.removeHandler(handler)  # type: ignore[attr-defined]
    for cache in caches:
        cache.cache_clear()


def handle(event: dict[str, Any]) -> dict[str, Any]:
    context: Any = Context()
    return wiring.handler_for(NameItInput, name_it)(event, context)


def lines(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


def test_a_step_gets_its_input_and_gives_its_key(
    log: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    event = {"name": "orders", "incident": {"id": "i1"}, "evidence": SECRET}

    assert handle(event) == {"greeting": f"orders in {REGION}"}

    (line,) = lines(log)
    assert (line["incident_id"], line["step"], line["message"]) == ("i1", "name_it", "done")
    assert line["function_request_id"] == "request-1"
    assert SECRET not in log.getvalue()
    assert '"NameItSucceeded":[1.0]' in capsys.readouterr().out


class WithoutPolicy(Value):
    pass


def test_a_policy_that_cannot_be_read_is_counted_with_the_step_that_met_it(
    log: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    def do_without(_given: NameItInput, ports: Ports) -> WithoutPolicy:
        with pytest.raises(PolicyUnreadableError):
            ports.policies.current()
        return WithoutPolicy()

    wiring.handler_for(NameItInput, do_without)({"name": "orders"}, Context())  # type: ignore[arg-type]  # what Lambda passes
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (told["PolicyUnreadable"], told["DoWithoutSucceeded"]) == ([1.0], [1.0])
    (metrics,) = told["_aws"]["CloudWatchMetrics"]
    assert (metrics["Namespace"], metrics["Dimensions"]) == ("LambdaAutoRepair", [["service"]])
    assert told["service"] == "lambda-auto-repair"
    assert lines(log)


def test_the_incident_is_found_one_level_deeper_too(log: io.StringIO) -> None:
    handle({"name": "orders", "state": {"incident": {"id": "i2"}}})

    assert lines(log)[0]["incident_id"] == "i2"


@pytest.mark.parametrize("event", [{"incident": "x"}, {"state": "x"}, {"incident": {"id": 5}}])
def test_an_event_without_an_incident_is_no_trouble(
    log: io.StringIO, event: dict[str, Any]
) -> None:
    handle({"name": "orders"} | event)

    assert lines(log)[0].get("incident_id") is None


def test_keys_of_one_event_do_not_stay_for_the_next(log: io.StringIO) -> None:
    handle({"name": "orders", "incident": {"id": "i1"}})
    handle({"name": "orders"})

    assert [line.get("incident_id") for line in lines(log)] == ["i1", None]


def test_a_malformed_event_is_named_and_not_quoted(log: io.StringIO) -> None:
    with pytest.raises(MalformedEventError, match="NameItInput: name: ") as caught:
        handle({"name": {"secret": SECRET}})

    assert SECRET not in str(caught.value) + log.getvalue()
    assert caught.value.__cause__ is None


def test_an_error_of_ours_is_logged_counted_and_raised(
    log: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(TransientServiceError):
        handle({"name": "throttled"})

    (line,) = lines(log)
    assert (line["level"], line["error"]) == ("ERROR", "TransientServiceError")
    assert "Throttling" in line["message"]
    assert '"NameItFailed":[1.0]' in capsys.readouterr().out


def test_an_unexpected_error_is_counted_and_its_words_are_not_logged(log: io.StringIO) -> None:
    with pytest.raises(KeyError):
        handle({"name": "broken"})

    (line,) = lines(log)
    assert (line["message"], line["error"]) == ("failed unexpectedly", "KeyError")
    assert SECRET not in log.getvalue()


@pytest.mark.parametrize("missing", sorted(VARIABLES))
def test_a_missing_variable_is_named(missing: str) -> None:
    variables = {name: value for name, value in VARIABLES.items() if name != missing}

    with pytest.raises(ConfigurationError, match=missing):
        wiring.Settings.from_environment(variables)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ENABLE_APPROVAL_WORKFLOW", "False"),
        ("ENABLE_APPROVAL_WORKFLOW", "yes"),
        ("ENVIRONMENT", "production"),
        ("STATE_MACHINE_ARN", "repair"),
        ("AUDIT_TABLE", ""),
    ],
)
def test_a_wrong_variable_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        wiring.Settings.from_environment(VARIABLES | {name: value})


@pytest.mark.parametrize(("word", "is_required"), [("true", True), ("false", False)])
def test_the_word_false_is_not_true(word: str, *, is_required: bool) -> None:
    given = wiring.Settings.from_environment(VARIABLES | {"ENABLE_APPROVAL_WORKFLOW": word})

    assert given.is_approval_required is is_required
    assert given.account_id == ACCOUNT


@pytest.mark.parametrize("url", ["", "https://api.example.com/approval"])
def test_where_the_approval_page_is_need_not_be_told(account: Account, url: str) -> None:
    told = VARIABLES | ({"APPROVAL_URL": url} if url else {})
    given = wiring.Settings.from_environment(told)

    assert wiring.connected(given, account.clients).approval_url == url


def sorry(_given: WithoutPolicy, _ports: Ports) -> PageResponse:
    return PageResponse(status=503, headers={}, body=SECRET, failure="denied on table state")


def test_a_page_that_had_to_say_sorry_is_a_failure_in_log_and_metrics(
    log: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    context: Any = Context()
    page = wiring.handler_for(WithoutPolicy, sorry)({}, context)

    assert page == {"statusCode": 503, "headers": {}, "body": SECRET}
    (line,) = lines(log)
    assert (line["level"], line["message"]) == ("ERROR", "denied on table state")
    assert SECRET not in log.getvalue()
    told = capsys.readouterr().out
    assert '"SorryFailed":[1.0]' in told
    assert "SorrySucceeded" not in told


def test_a_step_that_needs_no_client_makes_none(log: io.StringIO) -> None:
    handle({"name": "orders"})

    made = [client for client in wiring.clients()._lazy.values() if "made" in vars(client)]
    assert wiring.clients()._lazy
    assert made == []
    assert log.getvalue()


def test_clients_are_made_while_the_environment_starts(
    log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "f")

    wiring.handler_for(NameItInput, name_it, uses=("s3",))

    made = {name for name, client in wiring.clients()._lazy.items() if "made" in vars(client)}
    assert made == {"s3"}
    assert log.getvalue() == ""


def test_every_adapter_declares_what_each_method_of_its_port_needs(account: Account) -> None:
    given = wiring.Settings.from_environment(VARIABLES)
    connected = wiring.connected(given, account.clients)
    without_aws = {"clock", "account_id", "region", "is_approval_required", "approval_url"}

    for name, protocol in get_type_hints(Ports).items():
        if name in without_aws:
            continue
        methods = {m for m in vars(protocol) if not m.startswith("_")}
        declared = set(getattr(connected, name).permissions)
        assert methods <= declared, name


def test_one_configuration_serves_all_clients() -> None:
    client: Any = Clients(REGION).sns

    assert isinstance(client, LazyClient)
    config = client.made.meta.config
    assert (config.connect_timeout, config.read_timeout) == (2, 8)
    assert config.retries["mode"] == "standard"
    assert "lambda-auto-repair" in config.user_agent_extra
