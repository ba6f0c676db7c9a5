"""Whom a deployment asks where the rules leave a cause open, and what is counted of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapters.test_wiring import VARIABLES, Context
from autorepair import wiring
from autorepair.aws.advisor import BedrockAdvisor
from autorepair.aws.clients import Clients
from autorepair.aws.unknown_advisor import UnknownAdvisor
from autorepair.domain.diagnosis import Consultation, Diagnosis, ModelUse, RootCause
from autorepair.domain.errors import ConfigurationError
from autorepair.domain.value import Value
from autorepair.ports import Advisor, Ports
from contract import templates

USE = ModelUse(
    model_id="m", input_tokens=9000, output_tokens=150, latency_ms=2100, cost_usd=0.02145
)


class Nothing(Value):
    """An input without members."""


@pytest.fixture(autouse=True)
def _deployed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    for cache in (wiring.settings, wiring.clients, wiring.ports):
        cache.cache_clear()


def advisor_under(**variables: str) -> Advisor:
    given = wiring.AdvisorSettings.from_environment({"AWS_REGION": "us-east-1", **variables})
    return wiring.advisor_of(given, Clients("us-east-1"))


def test_by_default_nobody_is_asked() -> None:
    assert isinstance(advisor_under(), UnknownAdvisor)
    assert isinstance(advisor_under(DIAGNOSIS_MODE="rules"), UnknownAdvisor)


def test_the_switch_makes_it_ask_a_model() -> None:
    asked = advisor_under(DIAGNOSIS_MODE="rules_then_model")
    assert isinstance(asked, BedrockAdvisor)
    assert asked._model_id == wiring.DEFAULT_MODEL_ID
    assert asked._guardrail is None


def test_model_knowledge_base_and_guardrail_are_settings() -> None:
    asked: Any = advisor_under(
        DIAGNOSIS_MODE="rules_then_model",
        ADVISOR_MODEL_ID="eu.some-model",
        KNOWLEDGE_BASE_ID="ABCDEFGHIJ",
        GUARDRAIL_ID="gr12345678ab",
        GUARDRAIL_VERSION="3",
    )
    assert asked._model_id == "eu.some-model"
    assert asked._runbooks._id == "ABCDEFGHIJ"
    assert (asked._guardrail.id, asked._guardrail.version) == ("gr12345678ab", "3")


@pytest.mark.parametrize(("name", "value"), [("DIAGNOSIS_MODE", "model"), ("ADVISOR_MODEL_ID", "")])
def test_a_wrong_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        advisor_under(**{name: value})


def test_the_default_model_is_that_of_the_template() -> None:
    parameters = templates.load("template.yaml")["Parameters"]
    assert parameters["AdvisorModelId"]["Default"] == wiring.DEFAULT_MODEL_ID


def test_a_model_is_waited_for_longer_and_tried_less_often() -> None:
    aws: Any = Clients("us-east-1")
    model, base = aws.bedrock_runtime.made, aws.bedrock_agent_runtime.made
    assert model.meta.config.read_timeout == 28
    assert model.meta.config.retries["total_max_attempts"] == 3
    assert base.meta.config.read_timeout == 5
    assert aws.sns.made.meta.config.read_timeout == 8
    stack = templates.load("stacks/functions.yaml")
    limit = templates.functions(stack)["DiagnoseIssueFunction"]["Timeout"]
    connect, backoff = 2, 3
    longest = 3 * (28 + connect) + backoff + 2 * (5 + connect) + 1
    assert longest < limit


def counted(consultation: Consultation | None, capsys: pytest.CaptureFixture[str]) -> str:
    def diagnose_issue(given: Nothing, ports: Ports) -> Diagnosis:
        del given, ports
        return Diagnosis(
            root_cause=RootCause.UNKNOWN,
            confidence=0.0,
            source="none",
            why="so",
            consultation=consultation,
        )

    context: Any = Context()
    wiring.handler_for(Nothing, diagnose_issue)({}, context)
    emitted = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    assert len(emitted) == 1
    return json.dumps(emitted[0])


def test_what_asking_took_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    said = Consultation(named=RootCause.CODE_BUG, is_heard=False, reason="no signal", use=USE)
    emitted = counted(said, capsys)
    for figure in (
        '"AdviceUnheard": [1.0]',
        '"AdviceInputTokens": [9000.0]',
        '"AdviceOutputTokens": [150.0]',
        '"AdviceLatency": [2100.0]',
        '"AdviceCostUsd": [0.02145]',
        '"DiagnoseIssueSucceeded": [1.0]',
    ):
        assert figure in emitted


def test_a_model_that_could_not_be_asked_is_counted_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = Consultation(named=RootCause.UNKNOWN, is_heard=False, reason="throttled", use=None)
    emitted = counted(said, capsys)
    assert '"AdviceUnheard": [1.0]' in emitted
    assert "AdviceLatency" not in emitted


def test_nothing_is_counted_where_nobody_was_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Advice" not in counted(None, capsys)
