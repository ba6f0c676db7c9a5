"""The advisor: Amazon Bedrock's Converse with a tool that it has to answer through."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, cast

from botocore.parsers import ResponseParserError

from autorepair.aws.advisor_prices import cost_usd
from autorepair.aws.advisor_runbooks import Found, PackagedRunbooks, Runbooks
from autorepair.aws.errors import aws_call
from autorepair.domain.advice import (
    MOST_OUTPUT_TOKENS,
    TOOL,
    Prompt,
    prompt_of,
    read_answer,
)
from autorepair.domain.catalogue import CatalogueEntry
from autorepair.domain.diagnosis import Advice, ModelUse, RootCause
from autorepair.domain.errors import AdviceUnusableError, AutoRepairError, TransientServiceError
from autorepair.domain.evidence import Evidence

if TYPE_CHECKING:
    from types_boto3_bedrock_runtime import BedrockRuntimeClient
    from types_boto3_bedrock_runtime.type_defs import ConverseRequestTypeDef

_log = logging.getLogger(__name__)

# What botocore's parser raises on a body that is JSON and of another form than the API's.
_UNREADABLE = (ResponseParserError, AttributeError, TypeError, ValueError, RecursionError)


@dataclass(frozen=True, slots=True)
class Guardrail:
    """The Bedrock Guardrail that looks at the words of strangers, and at the answer."""

    id: str
    version: str


class BedrockAdvisor:
    """Asks a model; whatever it answers is advice, and an answer out of form is none.

    Retries are the client's own: throttling, time-outs and broken connections, up to its cap.
    No sampling parameters are sent: several models refuse them. The model has to accept a forced
    tool choice; one that does not refuses the request, and the cause stays open.
    """

    permissions: ClassVar[Mapping[str, frozenset[str]]] = {
        "advise": frozenset({"bedrock:InvokeModel", "bedrock:ApplyGuardrail", "bedrock:Retrieve"})
    }

    def __init__(
        self,
        client: BedrockRuntimeClient,
        runbooks: Runbooks,
        *,
        model_id: str,
        guardrail: Guardrail | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._runbooks = runbooks
        self._model_id = model_id
        self._guardrail = guardrail
        self._clock = clock

    def advise(self, evidence: Evidence, catalogue: Sequence[CatalogueEntry]) -> Advice:
        """Ask once; an answer that is out of form is `unknown`, and ``why`` says in what.

        Raises:
            TransientServiceError: Throttled, unavailable or too slow, after all retries.
            AccessDeniedError: The role, or the account, has no access to the model.
            ConfigurationError: There is no such model or guardrail, or it refuses the request.
        """
        found = self._found(evidence, catalogue)
        prompt = prompt_of(evidence, catalogue, found.passages)
        started = self._clock()
        answer = self._converse(prompt)
        latency_ms = round((self._clock() - started) * 1000)
        use = self._use_of(answer, latency_ms, found)
        try:
            read = read_answer(_tool_input(answer), prompt.ids)
        except AdviceUnusableError as error:
            return Advice(root_cause=RootCause.UNKNOWN, why=str(error), use=use)
        return Advice(root_cause=read.root_cause, why=read.why, cites=read.cites, use=use)

    def _found(self, evidence: Evidence, catalogue: Sequence[CatalogueEntry]) -> Found:
        """Find passages; a Knowledge Base that cannot be read is no reason to ask without any."""
        try:
            return self._runbooks.about(evidence, catalogue)
        except (AutoRepairError, *_UNREADABLE) as error:
            _log.warning("the packaged runbooks are used: %s", error)
            return PackagedRunbooks().about(evidence, catalogue)

    def _converse(self, prompt: Prompt) -> Mapping[str, Any]:
        request: ConverseRequestTypeDef = {
            "modelId": self._model_id,
            "system": [{"text": prompt.system}],
            "messages": [{"role": "user", "content": cast("Any", self._content(prompt))}],
            "inferenceConfig": {"maxTokens": MOST_OUTPUT_TOKENS},
            "toolConfig": {
                "tools": [
                    {
                        "toolSpec": {
                            "name": TOOL,
                            "description": "Names the root cause and the evidence that shows it.",
                            "inputSchema": {"json": prompt.schema},
                        }
                    }
                ],
                "toolChoice": {"tool": {"name": TOOL}},
            },
        }
        if self._guardrail is not None:
            request["guardrailConfig"] = {
                "guardrailIdentifier": self._guardrail.id,
                "guardrailVersion": self._guardrail.version,
                "trace": "disabled",
            }
        try:
            with aws_call("bedrock:InvokeModel", self._model_id):
                return cast("Mapping[str, Any]", self._client.converse(**request))
        except _UNREADABLE as error:
            raise TransientServiceError(
                f"bedrock:InvokeModel on {self._model_id} gave an answer that is no answer of "
                "Converse; the same call may work a moment later"
            ) from error

    def _content(self, prompt: Prompt) -> list[dict[str, Any]]:
        """Give the message's blocks; with a guardrail it is shown the words, and only those."""
        words: dict[str, Any] = {"text": prompt.words}
        if self._guardrail is not None:
            words = {"guardContent": {"text": {"text": prompt.words}}}
        rest = [prompt.runbooks, prompt.question]
        return [{"text": prompt.facts}, words, *({"text": text} for text in rest)]

    def _use_of(self, answer: Mapping[str, Any], latency_ms: int, found: Found) -> ModelUse:
        usage = answer.get("usage") or {}
        input_tokens, output_tokens = usage.get("inputTokens", 0), usage.get("outputTokens", 0)
        return ModelUse(
            model_id=self._model_id,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            latency_ms=latency_ms,
            cost_usd=cost_usd(
                self._model_id, input_tokens=input_tokens, output_tokens=output_tokens
            ),
            runbooks=found.source,
        )


def _tool_input(answer: Mapping[str, Any]) -> object:
    """Find what the model filled in.

    Raises:
        AdviceUnusableError: It was stopped, it wrote prose, or it called something else.
    """
    reason = answer.get("stopReason")
    if reason is None:
        raise AdviceUnusableError("what came back is no answer of Converse")
    if reason not in {"tool_use", "end_turn", "stop_sequence"}:
        raise AdviceUnusableError(f"the model gave no answer: it was stopped by {reason}")
    message = (answer.get("output") or {}).get("message") or {}
    calls = [block["toolUse"] for block in message.get("content") or [] if block.get("toolUse")]
    if not calls:
        raise AdviceUnusableError("the model answered in prose and not through the tool")
    if len(calls) > 1 or calls[0].get("name") != TOOL:
        raise AdviceUnusableError("the model called something else than the one tool, once")
    return calls[0].get("input")
