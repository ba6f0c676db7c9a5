"""What the month before says of an alarm: whether more failed than usually does."""

from __future__ import annotations

from autorepair.domain.traffic import Usual
from autorepair.domain.verification import Verdict, Verification
from unit.aftermath import since, verified, world_after
from unit.builders import invocations

FOUR_OF_24 = [*invocations(20, "success", duration_ms=20.0), *invocations(4)]


def after_sixty_successes(usual: Usual | None) -> Verification:
    quick = since(60, duration_ms=20.0)
    return verified(world_after(*quick), before=FOUR_OF_24, usual=usual)


def test_a_few_failures_more_than_usual_prove_nothing_when_they_stop() -> None:
    usual = Usual(invocations=24_000, failures=1200)
    found = after_sixty_successes(usual)
    assert (found.verdict, found.next) == (Verdict.INSUFFICIENT_TRAFFIC, "wait")
    assert "1200 of 24000 failed in the month before" in found.reason
    assert found.before.usual == usual


def test_failures_that_are_new_prove_it_when_they_stop() -> None:
    for usual in (None, Usual(invocations=24_000, failures=2)):
        found = after_sixty_successes(usual)
        assert (found.verdict, found.next) == (Verdict.IMPROVED, "done")
        assert "in the month before" not in found.reason
