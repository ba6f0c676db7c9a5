"""The base of every value that travels between states."""

from __future__ import annotations

from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict


class Value(BaseModel):
    """A frozen value that refuses fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    def as_json(self) -> dict[str, Any]:
        """Give the value as plain JSON types, as state data and records carry it."""
        return self.model_dump(mode="json")


Instant = AwareDatetime
"""A moment with its time zone; a naive datetime is refused."""
