"""Tests never time: an example may take as long as a busy machine needs."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# Not "ci": Hypothesis loads a profile of that name by itself wherever CI is set.
settings.register_profile("thorough", settings.get_profile("untimed"), max_examples=10_000)
settings.load_profile("untimed")
