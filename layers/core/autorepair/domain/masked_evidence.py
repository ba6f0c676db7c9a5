"""Evidence without secrets and personal data: what may be stored, shown and sent."""

from __future__ import annotations

from typing import Any

from autorepair.domain.evidence import Evidence
from autorepair.domain.masking import Masker

# What others wrote, wherever it stands in the evidence. All other texts are names, ids and figures
# that AWS gives, and a mask in one of those would break what refers to it.
_WORDS_OF_OTHERS = frozenset(
    {
        "message", "note", "reason", "state_reason", "template", "error_type", "principal",
        "before", "after", "image_command", "image_entry_point", "description", "tags",
        "last_result",
    }
)  # fmt: skip


def masked(evidence: Evidence, masker: Masker) -> Evidence:
    """Give the evidence with every word that others wrote masked; masked evidence stays as it is.

    A value that stands in several places has the same mask in all of them.
    """
    known: dict[str, str] = {}

    def mask(text: str) -> str:
        if text not in known:
            known[text] = masker.mask(text)
        return known[text]

    def walk(value: Any) -> Any:  # noqa: ANN401 - any part of a JSON document
        if isinstance(value, dict):
            return {
                name: words(part) if name in _WORDS_OF_OTHERS else walk(part)
                for name, part in value.items()
            }
        return [walk(part) for part in value] if isinstance(value, list | tuple) else value

    def words(value: Any) -> Any:  # noqa: ANN401 - as above
        if isinstance(value, str):
            return mask(value)
        if isinstance(value, dict):
            return {name: words(part) for name, part in value.items()}
        return [words(part) for part in value] if isinstance(value, list | tuple) else value

    return Evidence.model_validate(walk(evidence.model_dump()))
