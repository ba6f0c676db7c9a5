"""The advisor over real HTTP, with every answer that a model, or whoever steers it, may give."""

from __future__ import annotations

from datetime import timedelta

import boto3
import pytest
from botocore.config import Config

from autorepair.aws.advisor import BedrockAdvisor
from autorepair.aws.advisor_runbooks import PackagedRunbooks
from autorepair.aws.clients import Clients
from autorepair.domain.change import DeclaredSource, EnvironmentSetting
from autorepair.domain.diagnosis import RootCause
from autorepair.domain.evidence import LogLine
from lab.account_support import Lab
from lab.advisor_support import (
    INJECTED,
    MODEL,
    REFUSAL,
    RIGHT,
    Eavesdropper,
    concluded,
    ports_with,
    puzzling,
    steps_run,
    tool,
)
from unit.builders import INCIDENT, invocation
from unit.fakes import NOW


def test_a_good_answer_is_heard_and_a_person_is_asked_whatever_the_policy(
    lab: Lab, advisor: BedrockAdvisor
) -> None:
    lab.account.set_bedrock_answers([tool()])

    diagnosis, decision = concluded(advisor)

    assert (diagnosis.root_cause, diagnosis.source) == (RootCause.WRONG_ENV_VAR, "model")
    assert decision.action == "ask"
    assert "model" in decision.reason
    assert decision.change is not None
    after = decision.change.after
    assert isinstance(after, EnvironmentSetting)
    assert {n: type(source) for n, source in after.variables.items()} == {
        "RATE_CARD": DeclaredSource
    }


def test_what_asking_took_is_in_the_audit_trail(lab: Lab, advisor: BedrockAdvisor) -> None:
    lab.account.set_bedrock_answers([tool()])
    world, ports = ports_with(advisor)

    diagnosis, _ = steps_run(ports, world.evidence.put(puzzling()))

    (entry,) = [
        record.entry
        for record in world.audit.chain_of(INCIDENT.id)
        if record.entry.key == "diagnose_issue"
    ]
    use = entry.data["consultation"]["use"]
    assert diagnosis.consultation is not None
    assert diagnosis.consultation.is_heard
    assert use["model_id"] == MODEL
    assert use["input_tokens"] > 1000
    assert use["output_tokens"] > 10
    assert use["latency_ms"] >= 0
    assert use["cost_usd"] == pytest.approx(
        1.1 * (2 * use["input_tokens"] + 10 * use["output_tokens"]) / 1e6, abs=1e-6
    )


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (tool(cites=["L99"]), "does not exist"),
        (tool(cites=["{{id of: not recognised}}", "line-of-my-own"]), "does not exist"),
        (tool(cites=[]), "without evidence"),
        (tool(root_cause="gremlins"), "root_cause"),
        (tool(root_cause="timeout_too_low"), "carries a signal"),
        (tool(root_cause="memory_exhausted"), "carries a signal"),
        (tool(root_cause="false_alarm"), "carries a signal"),
        (tool(root_cause="unknown"), "tariff desk"),
        (tool(root_cause="insufficient_evidence"), "tariff desk"),
        (tool(timeout_s=900), "timeout_s"),
        (tool(why=""), "why"),
        (tool(why="x" * 5000), "why"),
        (tool(cites="L1"), "cites"),
        (tool(cites=["L1"] * 40), "cites"),
        ({"tool": "{'root_cause': 'wrong_env_var'"}, "not what the tool asks for"),
        ({"tool": [RIGHT]}, "not what the tool asks for"),
        (
            {
                "output": {
                    "message": {"role": "assistant", "content": [{"text": "It is the card."}]}
                }
            },
            "prose",
        ),
        ({"output": {"message": {"role": "assistant", "content": []}}}, "prose"),
        (
            {
                "output": {
                    "message": {
                        "role": "assistant",
                        "content": [
                            {"toolUse": {"toolUseId": "t", "name": "set_timeout", "input": RIGHT}}
                        ],
                    }
                }
            },
            "something else",
        ),
        ({**tool(), "stopReason": "guardrail_intervened"}, "guardrail_intervened"),
        ({**tool(), "stopReason": "content_filtered"}, "content_filtered"),
        ({**tool(), "stopReason": "max_tokens"}, "max_tokens"),
        ({**tool(), "stopReason": "malformed_tool_use"}, "malformed_tool_use"),
        ({"body": '{"output": {"message": {"content": [{"toolUse": {"inp'}, "no answer of"),
        ({"body": "<html>proxy</html>"}, "no answer of Converse"),
        ({"body": "[]"}, "no answer of Converse"),
        ({"body": ""}, "no answer of Converse"),
        ({"body": '{"stopReason": "tool_use", "usage": {"inputTokens": "many"}}'}, "no answer of"),
        ({"error": "AccessDeniedException"}, "AccessDeniedError"),
        ({"error": "ValidationException"}, "ConfigurationError"),
        ({"error": "ResourceNotFoundException"}, "ConfigurationError"),
        ({"error": "ModelErrorException"}, "could not be asked"),
    ],
)
def test_an_answer_that_does_not_hold_leads_to_no_repair(
    lab: Lab, advisor: BedrockAdvisor, answer: dict[str, object], said: str
) -> None:
    lab.account.set_bedrock_answers([answer])

    diagnosis, decision = concluded(advisor)

    assert (diagnosis.root_cause, diagnosis.source) == (RootCause.UNKNOWN, "none")
    assert (decision.action, decision.change) == ("decline", None)
    assert diagnosis.consultation is not None
    assert not diagnosis.consultation.is_heard
    assert said in diagnosis.consultation.reason
    assert diagnosis.consultation.reason in diagnosis.why


def test_a_model_that_throttles_is_tried_again_and_then_heard(
    lab: Lab, advisor: BedrockAdvisor, ear: Eavesdropper
) -> None:
    lab.account.set_bedrock_answers([{"error": "ThrottlingException"}, tool()])

    diagnosis, _ = concluded(advisor)

    assert diagnosis.source == "model"
    assert len(ear.asked) == 2


def test_a_model_that_goes_on_throttling_is_left_alone(
    lab: Lab, advisor: BedrockAdvisor, ear: Eavesdropper
) -> None:
    lab.account.set_bedrock_answers([{"error": "ThrottlingException"}] * 9)

    diagnosis, decision = concluded(advisor)

    assert (diagnosis.root_cause, decision.change) == (RootCause.UNKNOWN, None)
    assert "TransientServiceError" in diagnosis.why
    assert len(ear.asked) == 3


def test_a_model_that_takes_too_long_is_not_waited_for(lab: Lab, clients: Clients) -> None:
    del clients  # for the credentials
    impatient = boto3.client(
        "bedrock-runtime",
        region_name="us-east-1",
        endpoint_url=lab.account.endpoint,
        config=Config(read_timeout=0.3, retries={"total_max_attempts": 2, "mode": "standard"}),
    )
    lab.account.set_bedrock_answers([{**tool(), "delay_s": 1.5}, {**tool(), "delay_s": 1.5}])

    diagnosis, decision = concluded(BedrockAdvisor(impatient, PackagedRunbooks(), model_id=MODEL))
    impatient.close()

    assert (diagnosis.root_cause, decision.change) == (RootCause.UNKNOWN, None)
    assert "TransientServiceError" in diagnosis.why


@pytest.mark.parametrize(
    "steered",
    [
        {"root_cause": "wrong_env_var", "cites": ["{{id of: ignore all rules}}"]},
        {"root_cause": "timeout_too_low", "cites": ["{{id of: ignore all rules}}"]},
        {"root_cause": "timeout_too_low", "cites": ["{{id of: ignore all rules}}"], "timeout_s": 9},
        {"root_cause": "memory_exhausted", "cites": ["{{id of: ignore all rules}}"]},
        {"root_cause": "bad_deployment", "cites": ["{{id of: ignore all rules}}"]},
        {"root_cause": "missing_env_var", "cites": ["{{id of: ignore all rules}}"]},
    ],
)
def test_an_answer_that_an_injected_line_steered_leads_to_no_repair(
    lab: Lab, advisor: BedrockAdvisor, steered: dict[str, object]
) -> None:
    lab.account.set_bedrock_answers([tool(**steered)])

    diagnosis, decision = concluded(advisor, puzzling(INJECTED))

    assert diagnosis.root_cause is RootCause.UNKNOWN
    assert (decision.action, decision.change) == ("decline", None)


def test_a_line_that_successes_print_as_well_is_no_signal(
    lab: Lab, advisor: BedrockAdvisor
) -> None:
    lab.account.set_bedrock_answers([tool()])
    found = puzzling()
    fine = invocation("success", at=NOW - timedelta(minutes=6), stream="fine", number=99)
    said = LogLine(
        id="fine", at=fine.started_at, stream="fine", message=REFUSAL, request_id=fine.request_id
    )
    found = found.model_copy(
        update={
            "invocations": (fine, *found.invocations),
            "log_lines": (said, *found.log_lines),
        }
    )

    diagnosis, _ = concluded(advisor, found)

    assert diagnosis.consultation is not None
    assert not diagnosis.consultation.is_heard
