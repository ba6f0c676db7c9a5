"""How thoroughly properties are tested: as a rule with 100 examples each, on request with more."""

from __future__ import annotations

from hypothesis import settings

# Not "ci": Hypothesis loads a profile of that name by itself wherever CI is set.
settings.register_profile("thorough", max_examples=10_000, deadline=None)
