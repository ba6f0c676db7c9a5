"""Judges from the traffic after a change whether it helped, and what follows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from autorepair.domain.policy import VerificationRules
from autorepair.domain.statistics import binomial_at_least, fisher_one_sided
from autorepair.domain.verification import Shortage, TrafficSample, Verdict

SIGNIFICANCE = 0.05
"""A verdict may be wrong by chance this often, over all looks at one change together."""

_Next = Literal["wait", "step", "roll_back", "done"]
# Fewer failures by this factor is help; anything less is not told from chance by a few calls.
_HALF = 0.5
# What is left at the new limit may be outliers once it is this much rarer than before.
_TENTH = 0.1
# So few are cut at a limit that suffices: a timeout is made for 99.9% of the durations.
_TOLERATED = 0.001
_HALF_OF_LEVEL = 0.5


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
    shortage: Shortage
    harm_share: float = 1.0
    """How much of the level harm is told at; the rest is for other looks into the same window."""

    @property
    def is_last(self) -> bool:
        """Whether no window is left after this one."""
        return self.windows_used >= self.rules.max_windows

    @property
    def level(self) -> float:
        """The level of one look: every look is one more chance to be wrong (Bonferroni)."""
        return SIGNIFICANCE / self.rules.max_windows

    @property
    def harm_level(self) -> float:
        """The level at which harm is told."""
        return self.level * self.harm_share

    @property
    def p_fewer(self) -> float:
        """The probability of so few failures since if nothing had changed.

        What is usual can only hold a verdict back: it is of the whole function, whoever calls it.
        """
        return max(_p_fewer(self.before, self.after), _p_fewer(self.past, self.after))

    @property
    def past(self) -> TrafficSample:
        """What the traffic since has to be better than too: the usual, if before was usual.

        An alarm looks at every window of the month, and speaks of the one in which by chance the
        most failed; the next one is better whatever was done. So before has to stand out from all
        of them (Bonferroni), or else the month is one past with it.
        """
        usual, before = self.before.usual, self.before
        if usual is None or not before.invocations:
            return before
        windows = max(1.0, usual.invocations / before.invocations)
        chance = fisher_one_sided(
            hits_a=before.failures,
            n_a=before.invocations,
            hits_b=usual.failures,
            n_b=usual.invocations,
        )
        return before if chance <= SIGNIFICANCE / windows else before.with_usual

    @property
    def p_more(self) -> float:
        """The probability of so many failures since if nothing had changed."""
        return _p_fewer(self.after, self.before)

    @property
    def p_more_of_those_run(self) -> float:
        """Likewise, of the calls that were not refused: more at once may overrun what they call."""
        return _p_fewer(self.after.of_those_run, self.before.of_those_run)

    @property
    def p_throttled(self) -> float:
        """The probability of so many refused calls since if nothing had changed."""
        return fisher_one_sided(
            hits_a=self.after.throttled,
            n_a=self.after.calls,
            hits_b=self.before.throttled,
            n_b=self.before.calls,
        )

    @property
    def p_unseen(self) -> float:
        """The probability of so many failures of a kind that did not show before by chance.

        The most frequent of several such kinds is the likelier to be many (Bonferroni).
        """
        chance = fisher_one_sided(
            hits_a=self.after.unseen,
            n_a=self.after.invocations,
            hits_b=0,
            n_b=self.before.invocations,
        )
        return min(1.0, chance * max(1, self.after.unseen_kinds))

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
    shortage: Shortage,
    step: int,
    steps_allowed: int,
    looks_within: int,
) -> Judgement:
    """Compare the traffic before with all traffic since the change, this window included.

    Failures are compared by Fisher's exact test, one-sided, at 95% over all looks together.
    Invocations that only a longer timeout let succeed (``after.rescued``) prove that it helped
    without any statistics, as long as nothing fails. ``shortage`` says whether a higher limit than
    the new one is what they lack. ``windows_used`` counts this window, and ``step`` this change.

    More failures, more of those that run, refused calls, and failures of a kind that was not seen
    before are each compared by the same test at the same level: any of them is worse. That work
    takes longer where it may, and costs more, is what a repair is for and counts as nothing.

    It has improved only if that holds whatever becomes of those that have not ended yet: either
    if all of them fail, or by those alone that have had the time to end (``early``). And never
    while part of the traffic is not known (``is_partial``).

    Where as many failed in the month before as in the sample ``before`` (``before.usual``), the
    alarm came by chance: then it has improved only if fewer fail than usually as well.

    Where the window was looked into for harm (``looks_within`` times), this look has half of the
    level for that, and those share the other (`harm_lately`): all together are wrong no oftener.
    """
    look = _Look(
        before,
        after,
        rules,
        windows_used,
        has_step_left=step < steps_allowed,
        shortage=shortage,
        harm_share=_HALF_OF_LEVEL if looks_within else 1.0,
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
    return _unless_tight(look, judgement)


def harm_lately(
    before: TrafficSample, lately: TrafficSample, *, rules: VerificationRules, looks_within: int
) -> Judgement | None:
    """Say whether the latest traffic is worse than the traffic before the change; None if not.

    For a look into a window that lasts long. It decides nothing else, so it uses up no window. A
    change that worked for days and then does harm does not hide behind those days. So many looks
    share half of the level of their window (Bonferroni).
    """
    look = _Look(
        before,
        lately,
        rules,
        windows_used=0,
        has_step_left=False,
        shortage=Shortage.NONE,
        harm_share=_HALF_OF_LEVEL / looks_within,
    )
    harm = _harm(look)
    return _judgement(look, Verdict.WORSE, "roll_back", f"lately {harm}") if harm else None


def _by(look: _Look) -> Judgement:
    """Judge by what has ended."""
    worse = _harm(look)
    if worse:
        return _judgement(look, Verdict.WORSE, "roll_back", worse)
    least = look.rules.min_invocations
    if look.after.invocations < least:
        return _undecided(look, f"{look.after.invocations} of {least} invocations seen since")
    if look.after.same_cause == 0:
        return _without_signature(look)
    is_short = look.shortage in {Shortage.AT_LIMIT, Shortage.FORETOLD}
    return _at_new_limit(look) if is_short else _with_signature(look)


def _harm(look: _Look) -> str:
    """Say what has become worse, beyond chance; "" where nothing has, or too little was seen."""
    after, least = look.after, look.rules.min_invocations
    if after.throttled and after.calls >= least and look.p_throttled <= look.harm_level:
        return f"more calls are refused: {_refused(look)}"
    if after.invocations < least:
        return ""
    if look.p_more <= look.harm_level:
        return f"more fail: {_figures(look)}"
    if (after.refused or look.before.refused) and look.p_more_of_those_run <= look.harm_level:
        return f"more fail that run: {_run(look)}"
    if after.unseen and look.p_unseen <= look.harm_level:
        return f"{after.unseen} fail in a way not seen before: {_figures(look)}"
    return ""


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
    reason = f"the new limit is too low as well: {_figures(look)}"
    if look.is_fewer and look.has_fallen_below(_TENTH):
        is_told = look.is_beyond(_TOLERATED, look.after.same_cause)
        if look.shortage is Shortage.FORETOLD and look.has_step_left and is_told:
            return _judgement(look, Verdict.STILL_SHORT, "step", reason)
        return _improved(look, "all but a few fit the new limit")
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


def _unless_tight(look: _Look, improved: Judgement) -> Judgement:
    """What nearly fills the new limit fails at the next larger input: it has helped, not cured."""
    if look.shortage is not Shortage.TIGHT:
        return improved
    reason = f"{improved.reason}; nearly all of the new limit is used"
    if not look.has_step_left:
        return replace(improved, reason=f"{reason}, and no further step is left")
    return replace(improved, verdict=Verdict.STILL_SHORT, next="step", reason=reason)


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


def _refused(look: _Look) -> str:
    before, after = look.before, look.after
    return (
        f"{before.throttled} of {before.calls} calls before, "
        f"{after.throttled} of {after.calls} since"
    )


def _figures(look: _Look) -> str:
    return _told(look.before, look.after) + _usually(look)


def _usually(look: _Look) -> str:
    usual = look.before.usual
    if usual is None or look.past == look.before:
        return ""
    return f"; {usual.failures} of {usual.invocations} failed in the month before, so that is usual"


def _told(before: TrafficSample, after: TrafficSample) -> str:
    return (
        f"{before.failures} of {before.invocations} failed before, "
        f"{after.failures} of {after.invocations} since"
    )
