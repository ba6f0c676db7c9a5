"""Judges from the traffic after a change whether it helped, and what follows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from autorepair.domain.policy import VerificationRules
from autorepair.domain.statistics import binomial_at_least, fisher_one_sided
from autorepair.domain.verification import TrafficSample, Verdict

SIGNIFICANCE = 0.05
"""A verdict may be wrong by chance this often, over all looks at one change together."""

_Next = Literal["wait", "step", "roll_back", "done"]
# Fewer failures by this factor is help; anything less is not told from chance by a few calls.
_HALF = 0.5
# What is left at the new limit may be outliers once it is this much rarer than before.
_TENTH = 0.1


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, what the state machine does next, and the figure behind it.

    ``p_value`` is the probability of so few failures since if nothing had changed. Where ``next``
    is a further step, ``without_step`` says what becomes of this change if that is not made.
    """

    verdict: Verdict
    next: _Next
    reason: str
    p_value: float
    without_step: Literal["keep", "roll_back"] = "keep"


@dataclass(frozen=True, slots=True)
class _Look:
    """One look at the traffic since the change."""

    before: TrafficSample
    after: TrafficSample
    rules: VerificationRules
    windows_used: int
    has_step_left: bool
    still_short: bool

    @property
    def is_last(self) -> bool:
        """Whether no window is left after this one."""
        return self.windows_used >= self.rules.max_windows

    @property
    def level(self) -> float:
        """The level of one look: every look is one more chance to be wrong (Bonferroni)."""
        return SIGNIFICANCE / self.rules.max_windows

    @property
    def p_fewer(self) -> float:
        """The probability of so few failures since if nothing had changed."""
        return _p_fewer(self.before, self.after)

    @property
    def p_more(self) -> float:
        """The probability of so many failures since if nothing had changed."""
        return _p_fewer(self.after, self.before)

    @property
    def p_more_of_those_run(self) -> float:
        """Likewise, of the calls that were not refused: more at once may overrun what they call."""
        return _p_fewer(self.after.of_those_run, self.before.of_those_run)

    @property
    def is_fewer(self) -> bool:
        """Whether fewer fail than before, beyond chance."""
        return self.p_fewer <= self.level

    def has_fallen_below(self, share: float) -> bool:
        """Whether the incident's own failure is rarer than ``share`` of what it was."""
        return _rate(self.after) < share * _rate(self.before)

    @property
    def half_gone(self) -> float:
        """The share that fails if half of the incident's failures are gone, and no others are."""
        return self.before.failure_rate - (1 - _HALF) * _rate(self.before)

    def is_beyond(self, rate: float, failures: int) -> bool:
        """Whether it would be chance if so many failed at this rate.

        Taking a change back is the safe way to be wrong, so each look has the whole 5%.
        """
        chance = binomial_at_least(failures, trials=self.after.invocations, rate=rate)
        return chance <= SIGNIFICANCE


def judge(  # noqa: PLR0913 (a verdict rests on all of these, and none may be left to a default)
    before: TrafficSample,
    after: TrafficSample,
    *,
    early: TrafficSample,
    is_partial: bool,
    windows_used: int,
    rules: VerificationRules,
    still_short: bool,
    step: int,
    steps_allowed: int,
) -> Judgement:
    """Compare the traffic before with all traffic since the change, this window included.

    Failures are compared by Fisher's exact test, one-sided, at 95% over all looks together.
    Invocations that only a longer timeout let succeed (``after.rescued``) prove that it helped
    without any statistics, as long as nothing fails. ``still_short`` says that invocations now
    run into the new limit, and that a higher one is what they lack. ``windows_used`` counts this
    window, and ``step`` this change.

    It has improved only if that holds whatever becomes of those that have not ended yet: either
    if all of them fail, or by those alone that have had the time to end (``early``). And never
    while part of the traffic is not known (``is_partial``).
    """
    look = _Look(
        before,
        after,
        rules,
        windows_used,
        has_step_left=step < steps_allowed,
        still_short=still_short,
    )
    judgement = _by(look)
    if judgement.verdict is not Verdict.IMPROVED:
        return judgement
    if is_partial:
        return _undecided(look, f"the traffic is known only in part: {_figures(look)}")
    if after.pending and not any(
        _by(replace(look, after=sample.at_worst)).verdict is Verdict.IMPROVED
        for sample in (after, early)
    ):
        return _undecided(look, f"{after.pending} have not ended yet: {_figures(look)}")
    return judgement


def _by(look: _Look) -> Judgement:
    """Judge by what has ended."""
    after, rules = look.after, look.rules
    if after.invocations < rules.min_invocations:
        return _undecided(
            look, f"{after.invocations} of {rules.min_invocations} invocations seen since"
        )
    if look.p_more <= look.level:
        return _judgement(look, Verdict.WORSE, "roll_back", f"more fail: {_figures(look)}")
    if (after.refused or look.before.refused) and look.p_more_of_those_run <= look.level:
        return _judgement(look, Verdict.WORSE, "roll_back", f"more fail that run: {_run(look)}")
    if after.same_cause == 0:
        return _without_signature(look)
    return _at_new_limit(look) if look.still_short else _with_signature(look)


def _without_signature(look: _Look) -> Judgement:
    """The incident's own failure has not come back; what failed besides may well go on."""
    after = look.after
    if after.failures and after.failure_rate >= look.half_gone:
        return _unchanged_if_told(
            look,
            "the failure is gone, but invocations fail in another way",
            is_told=look.is_beyond(look.half_gone, after.failures),
        )
    if look.is_fewer:
        return _improved(look, "the failure is gone")
    if after.failures == 0 and after.rescued:
        return _improved(look, f"{after.rescued} succeeded that would have been cut before")
    return _undecided(look, f"no telling from chance yet: {_figures(look)}")


def _at_new_limit(look: _Look) -> Judgement:
    """Invocations run into the new limit as they did into the old one."""
    if look.is_fewer and look.has_fallen_below(_TENTH):
        return _improved(look, "all but a few fit the new limit")
    reason = f"the new limit is too low as well: {_figures(look)}"
    has_helped = look.is_fewer or look.after.rescued > 0
    may_stay = has_helped or look.rules.unchanged == "keep"
    if look.has_step_left:
        step = _judgement(look, Verdict.STILL_SHORT, "step", reason)
        return replace(step, without_step="keep" if may_stay else "roll_back")
    following: _Next = "done" if may_stay else "roll_back"
    return _judgement(look, Verdict.STILL_SHORT, following, f"{reason}; no further step is left")


def _with_signature(look: _Look) -> Judgement:
    """The incident's own failure came back, and nothing is left to raise."""
    if look.is_fewer and look.has_fallen_below(_HALF):
        return _improved(look, "the failure has become rarer, though it is not gone")
    return _unchanged_if_told(
        look,
        "the same failure came back",
        is_told=look.is_beyond(_HALF * _rate(look.before), look.after.same_cause),
    )


def _unchanged_if_told(look: _Look, reason: str, *, is_told: bool) -> Judgement:
    """A few failures may be the rest of many: wait, but leave nothing unproven at the end."""
    if is_told or look.is_last:
        return _unchanged(look, reason)
    return _undecided(look, f"no telling from chance yet: {_figures(look)}")


def _improved(look: _Look, reason: str) -> Judgement:
    return _judgement(look, Verdict.IMPROVED, "done", f"{reason}: {_figures(look)}")


def _unchanged(look: _Look, reason: str) -> Judgement:
    following: _Next = "roll_back" if look.rules.unchanged == "roll_back" else "done"
    return _judgement(look, Verdict.UNCHANGED, following, f"{reason}: {_figures(look)}")


def _undecided(look: _Look, reason: str) -> Judgement:
    """Wait for more traffic while windows are left; then the policy says what is kept."""
    if not look.is_last:
        return _judgement(look, Verdict.INSUFFICIENT_TRAFFIC, "wait", reason)
    following: _Next = "roll_back" if look.rules.unverified == "roll_back" else "done"
    reason += f"; all {look.rules.max_windows} windows are used up"
    return _judgement(look, Verdict.INSUFFICIENT_TRAFFIC, following, reason)


def _judgement(look: _Look, verdict: Verdict, following: _Next, reason: str) -> Judgement:
    return Judgement(verdict, following, reason, look.p_fewer)


def _p_fewer(first: TrafficSample, second: TrafficSample) -> float:
    """Give the probability that the second fails so rarely if both fail at the same rate."""
    return fisher_one_sided(
        hits_a=first.failures,
        n_a=first.invocations,
        hits_b=second.failures,
        n_b=second.invocations,
    )


def _rate(sample: TrafficSample) -> float:
    return sample.same_cause / sample.invocations if sample.invocations else 0.0


def _run(look: _Look) -> str:
    return _told(look.before.of_those_run, look.after.of_those_run)


def _figures(look: _Look) -> str:
    return _told(look.before, look.after)


def _told(before: TrafficSample, after: TrafficSample) -> str:
    return (
        f"{before.failures} of {before.invocations} failed before, "
        f"{after.failures} of {after.invocations} since"
    )
