"""Runbook passages for the model: from a Knowledge Base, or from the runbooks in the package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from autorepair.aws.errors import aws_call
from autorepair.domain.advice import Passage, matching, query_of
from autorepair.domain.advice_exhibits import clipped
from autorepair.domain.catalogue import CatalogueEntry
from autorepair.domain.evidence import Evidence

if TYPE_CHECKING:
    from types_boto3_bedrock_agent_runtime import AgentsforBedrockRuntimeClient

# Beside the code: in the layer a folder, in a checkout a link to the project's knowledge/.
_KNOWLEDGE = Path(__file__).parents[1] / "knowledge"
_MOST_PASSAGES = 4
_LONGEST_PASSAGE = 1_800


@dataclass(frozen=True, slots=True)
class Found:
    """Passages, and where they are from."""

    passages: tuple[Passage, ...]
    source: Literal["knowledge_base", "package"]


class Runbooks(Protocol):
    """Finds passages about an incident."""

    permissions: ClassVar[Mapping[str, frozenset[str]]]

    def about(self, evidence: Evidence, catalogue: Sequence[CatalogueEntry]) -> Found:
        """Find what the runbooks say of what the failures say."""
        ...


class PackagedRunbooks:
    """The runbooks that the layer ships: those of the causes that the log speaks of."""

    permissions: ClassVar[Mapping[str, frozenset[str]]] = {"about": frozenset()}

    def about(self, evidence: Evidence, catalogue: Sequence[CatalogueEntry]) -> Found:
        """Give the runbooks of the best-matching causes; none where the log speaks of none."""
        entries = matching(evidence, catalogue, _MOST_PASSAGES)
        passages = tuple(Passage(e.runbook, _text(e.runbook)) for e in entries)
        return Found(passages, "package")


class KnowledgeBaseRunbooks:
    """A Bedrock Knowledge Base that was fed with the runbooks (and with an operator's own)."""

    permissions: ClassVar[Mapping[str, frozenset[str]]] = {"about": frozenset({"bedrock:Retrieve"})}

    def __init__(self, client: AgentsforBedrockRuntimeClient, *, knowledge_base_id: str) -> None:
        self._client = client
        self._id = knowledge_base_id

    def about(self, evidence: Evidence, catalogue: Sequence[CatalogueEntry]) -> Found:
        """Retrieve the passages nearest to what the failures say.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: They cannot be retrieved.
        """
        del catalogue
        with aws_call("bedrock:Retrieve", f"knowledge base {self._id}"):
            answer = self._client.retrieve(
                knowledgeBaseId=self._id,
                retrievalQuery={"text": query_of(evidence)},
                retrievalConfiguration={
                    "vectorSearchConfiguration": {"numberOfResults": _MOST_PASSAGES}
                },
            )
        found = (_passage(result) for result in answer.get("retrievalResults", []))
        return Found(tuple(p for p in found if p.text), "knowledge_base")


def _passage(result: Mapping[str, Any]) -> Passage:
    text = str((result.get("content") or {}).get("text") or "")
    where = ((result.get("location") or {}).get("s3Location") or {}).get("uri")
    return Passage(str(where or "knowledge base")[-100:], clipped(text, _LONGEST_PASSAGE, 0))


def _text(runbook: str) -> str:
    path = _KNOWLEDGE / f"{runbook}.md"
    return clipped(path.read_text(encoding="utf-8"), _LONGEST_PASSAGE, 0)
