"""Tests never time: an example may take as long as a busy machine needs."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
# Not "ci": Hypothesis loads a profile of that name by itself wherever CI is set.
settings.register_profile("thorough", max_examples=10_000, deadline=None)
settings.load_profile("untimed")
