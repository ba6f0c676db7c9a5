from __future__ import annotations

import pytest

from autorepair.domain.policy import VerificationRules
from autorepair.domain.traffic import Usual
from autorepair.domain.verdict import Judgement, harm_lately, judge
from autorepair.domain.verification import Shortage, TrafficSample, Verdict

ALL_FAILED = TrafficSample(invocations=6, failures=6, same_cause=6)
RULES = VerificationRules()


def seen(
    invocations: int,
    failures: int = 0,
    same_cause: int | None = None,
    rescued: int = 0,
    pending: int = 0,
    **more: int,
) -> TrafficSample:
    return TrafficSample(
        invocations=invocations,
        failures=failures,
        same_cause=failures if same_cause is None else same_cause,
        rescued=rescued,
        pending=pending,
        **more,
    )


def judged(
    after: TrafficSample,
    before: TrafficSample = ALL_FAILED,
    *,
    windows_used: int = 1,
    early: TrafficSample | None = None,
    is_partial: bool = False,
    shortage: Shortage = Shortage.NONE,
    step: int = 1,
    looks_within: int = 0,
    **rules: object,
) -> Judgement:
    return judge(
        before,
        after,
        early=early or after,
        is_partial=is_partial,
        windows_used=windows_used,
        rules=VerificationRules.model_validate(rules),
        shortage=shortage,
        step=step,
        steps_allowed=3,
        looks_within=looks_within,
    )


def told(judgement: Judgement) -> tuple[Verdict, str]:
    return judgement.verdict, judgement.next


def test_no_failure_where_all_failed_is_improved() -> None:
    judgement = judged(seen(6))
    assert told(judgement) == (Verdict.IMPROVED, "done")
    assert judgement.p_value == pytest.approx(1 / 924)
    assert "0 of 6 since" in judgement.reason


def test_too_few_invocations_wait_and_are_kept_when_the_windows_are_used_up() -> None:
    few = seen(2)
    assert told(judged(few)) == (Verdict.INSUFFICIENT_TRAFFIC, "wait")
    assert told(judged(few, windows_used=6)) == (Verdict.INSUFFICIENT_TRAFFIC, "done")
    undone = judged(few, windows_used=6, unverified="roll_back")
    assert told(undone) == (Verdict.INSUFFICIENT_TRAFFIC, "roll_back")


def test_what_may_be_chance_is_not_called_improved() -> None:
    rare = seen(12, 3)
    assert told(judged(seen(12), rare)) == (Verdict.INSUFFICIENT_TRAFFIC, "wait")


def test_rescued_invocations_prove_the_help_where_numbers_cannot() -> None:
    rare = seen(12, 3)
    assert told(judged(seen(12, rescued=3), rare)) == (Verdict.IMPROVED, "done")


def test_rescued_invocations_prove_nothing_where_others_fail() -> None:
    rare = seen(12, 3)
    mixed = judged(seen(12, 1, same_cause=0, rescued=3), rare)
    assert told(mixed) == (Verdict.INSUFFICIENT_TRAFFIC, "wait")


def test_every_further_look_asks_for_more() -> None:
    before, after = seen(4, 4), seen(6)
    assert told(judged(after, before, max_windows=1)) == (Verdict.IMPROVED, "done")
    assert told(judged(after, before, max_windows=50)) == (Verdict.INSUFFICIENT_TRAFFIC, "wait")


def test_the_same_failure_coming_back_is_unchanged_and_rolled_back() -> None:
    assert told(judged(seen(6, 6))) == (Verdict.UNCHANGED, "roll_back")
    assert told(judged(seen(6, 6), unchanged="keep")) == (Verdict.UNCHANGED, "done")


def test_another_failure_in_its_place_is_unchanged_too() -> None:
    judgement = judged(seen(6, 6, same_cause=0))
    assert told(judgement) == (Verdict.UNCHANGED, "roll_back")
    assert "another way" in judgement.reason


def test_what_failed_besides_may_go_on_when_the_incidents_own_failure_is_gone() -> None:
    before = seen(5000, 150, same_cause=50)
    assert told(judged(seen(20_000, 400, same_cause=0), before)) == (Verdict.IMPROVED, "done")
    replaced = judged(seen(20_000, 600, same_cause=0), before)
    assert told(replaced) == (Verdict.UNCHANGED, "roll_back")


def test_more_failures_than_before_are_worse() -> None:
    assert told(judged(seen(40, 20), seen(40, 4))) == (Verdict.WORSE, "roll_back")


def test_a_few_more_failures_are_not_yet_called_worse() -> None:
    assert judged(seen(10, 3), seen(10, 2)).verdict is not Verdict.WORSE


def test_a_new_limit_that_is_too_low_as_well_is_taken_further() -> None:
    assert told(judged(seen(6, 6), shortage=Shortage.AT_LIMIT)) == (Verdict.STILL_SHORT, "step")


def test_without_a_step_left_only_what_helped_is_kept() -> None:
    last = judged(seen(6, 6), shortage=Shortage.AT_LIMIT, step=3)
    assert told(last) == (Verdict.STILL_SHORT, "roll_back")
    helped = judged(seen(8, 4, rescued=4), shortage=Shortage.AT_LIMIT, step=3)
    assert told(helped) == (Verdict.STILL_SHORT, "done")
    kept = judged(seen(6, 6), shortage=Shortage.AT_LIMIT, step=3, unchanged="keep")
    assert told(kept) == (Verdict.STILL_SHORT, "done")


def test_a_rare_outlier_at_the_new_limit_is_no_reason_to_go_on() -> None:
    assert told(judged(seen(100, 2), seen(50, 40), shortage=Shortage.AT_LIMIT)) == (
        Verdict.IMPROVED,
        "done",
    )


def test_a_failure_that_has_become_much_rarer_is_improved() -> None:
    assert told(judged(seen(100, 10), seen(100, 60))) == (Verdict.IMPROVED, "done")


def test_a_failure_that_may_have_become_rarer_waits_for_more_traffic() -> None:
    before, after = seen(8, 4), seen(8, 1)
    assert told(judged(after, before)) == (Verdict.INSUFFICIENT_TRAFFIC, "wait")
    assert told(judged(after, before, windows_used=6)) == (Verdict.UNCHANGED, "roll_back")


def test_before_that_shows_nothing_proves_nothing() -> None:
    assert told(judged(seen(10), seen(0))) == (Verdict.INSUFFICIENT_TRAFFIC, "wait")


@pytest.mark.parametrize("same", [1, 0], ids=["the incident's own", "another"])
def test_one_failure_that_may_be_what_is_left_of_many_takes_nothing_back(same: int) -> None:
    before = seen(100, 20)
    assert told(judged(seen(6, 1, same), before)) == (Verdict.INSUFFICIENT_TRAFFIC, "wait")
    assert told(judged(seen(200, 5, same * 5), before)) == (Verdict.IMPROVED, "done")
    assert told(judged(seen(60, 12, same * 12), before)) == (Verdict.UNCHANGED, "roll_back")


def test_a_failure_that_nobody_could_tell_from_the_old_one_does_not_stay_at_the_end() -> None:
    last = judged(seen(6, 1), seen(100, 20), windows_used=6)
    assert told(last) == (Verdict.UNCHANGED, "roll_back")


def test_those_that_have_not_ended_may_all_fail() -> None:
    slow = judged(seen(20, rescued=20, pending=20), seen(20, 10), early=seen(0))
    assert told(slow) == (Verdict.INSUFFICIENT_TRAFFIC, "wait")
    assert "20 have not ended yet" in slow.reason
    last = judged(seen(20, rescued=20, pending=20), seen(20, 10), early=seen(0), windows_used=6)
    assert told(last) == (Verdict.INSUFFICIENT_TRAFFIC, "done")


def test_a_few_that_have_not_ended_hold_nothing_up_where_they_cannot_turn_the_verdict() -> None:
    assert told(judged(seen(20, pending=1), seen(20, 18), early=seen(0))) == (
        Verdict.IMPROVED,
        "done",
    )


def test_under_steady_traffic_those_begun_long_ago_decide() -> None:
    steady, before = seen(60, rescued=30, pending=20), seen(100, 10)
    assert told(judged(steady, before, early=seen(40, rescued=20))) == (Verdict.IMPROVED, "done")
    failing_slowly = judged(steady, before, early=seen(20, rescued=5, pending=15))
    assert told(failing_slowly) == (Verdict.INSUFFICIENT_TRAFFIC, "wait")


def test_a_log_read_only_in_part_shows_no_improvement() -> None:
    partial = judged(seen(60), is_partial=True)
    assert told(partial) == (Verdict.INSUFFICIENT_TRAFFIC, "wait")
    assert "in part" in partial.reason
    assert told(judged(seen(6, 6), is_partial=True)) == (Verdict.UNCHANGED, "roll_back")


def test_a_further_step_says_what_becomes_of_this_one_without_it() -> None:
    hangs = judged(seen(6, 6), shortage=Shortage.AT_LIMIT)
    assert (hangs.next, hangs.without_step) == ("step", "roll_back")
    helped = judged(seen(8, 4, rescued=4), shortage=Shortage.AT_LIMIT)
    assert (helped.next, helped.without_step) == ("step", "keep")
    assert judged(seen(6, 6), shortage=Shortage.AT_LIMIT, unchanged="keep").without_step == "keep"


def test_what_nearly_fills_the_new_limit_gets_a_further_step_and_stays_without_one() -> None:
    tight = judged(seen(6), shortage=Shortage.TIGHT)
    assert (*told(tight), tight.without_step) == (Verdict.STILL_SHORT, "step", "keep")
    assert "nearly all of the new limit is used" in tight.reason
    last = judged(seen(6), shortage=Shortage.TIGHT, step=3)
    assert told(last) == (Verdict.IMPROVED, "done")
    assert "no further step is left" in last.reason


def test_a_tight_limit_asks_for_nothing_before_the_help_is_proven() -> None:
    unproven = judged(seen(12), seen(12, 3), shortage=Shortage.TIGHT)
    assert told(unproven) == (Verdict.INSUFFICIENT_TRAFFIC, "wait")
    partial = judged(seen(6), shortage=Shortage.TIGHT, is_partial=True)
    assert told(partial) == (Verdict.INSUFFICIENT_TRAFFIC, "wait")
    failing = judged(seen(6, 6), shortage=Shortage.TIGHT)
    assert told(failing) == (Verdict.UNCHANGED, "roll_back")


def test_a_few_at_the_new_limit_are_taken_further_where_the_need_is_told() -> None:
    before, after = seen(50, 40), seen(100, 2)
    foretold = judged(after, before, shortage=Shortage.FORETOLD)
    assert (*told(foretold), foretold.without_step) == (Verdict.STILL_SHORT, "step", "keep")
    assert told(judged(after, before, shortage=Shortage.FORETOLD, step=3)) == (
        Verdict.IMPROVED,
        "done",
    )


def test_one_in_a_thousand_at_the_new_limit_is_what_a_limit_leaves() -> None:
    after = seen(2000, 3)
    assert judged(after, seen(50, 40), shortage=Shortage.FORETOLD).verdict is Verdict.IMPROVED


def test_newly_refused_calls_are_worse_however_well_the_others_go() -> None:
    refused = judged(seen(6, calls=40, throttled=12), seen(6, 6, calls=30))
    assert told(refused) == (Verdict.WORSE, "roll_back")
    assert "0 of 30 calls before, 12 of 40 since" in refused.reason
    all_refused = judged(seen(0, calls=40, throttled=40), seen(6, 6, calls=30))
    assert told(all_refused) == (Verdict.WORSE, "roll_back")


def test_refused_calls_that_may_be_chance_or_were_there_before_are_not_worse() -> None:
    rare = judged(seen(6, calls=40, throttled=1), seen(6, 6, calls=30))
    assert told(rare) == (Verdict.IMPROVED, "done")
    as_ever = judged(seen(6, calls=40, throttled=12), seen(6, 6, calls=30, throttled=9))
    assert told(as_ever) == (Verdict.IMPROVED, "done")
    unknown = judged(seen(6, calls=40, throttled=12), ALL_FAILED)
    assert told(unknown) == (Verdict.IMPROVED, "done")


def test_a_failure_of_a_kind_not_seen_before_is_worse() -> None:
    new = judged(seen(20, 8, same_cause=0, unseen=8, unseen_kinds=1), seen(20, 16))
    assert told(new) == (Verdict.WORSE, "roll_back")
    assert "in a way not seen before" in new.reason
    known = judged(seen(20, 8, same_cause=0), seen(20, 16))
    assert told(known) == (Verdict.INSUFFICIENT_TRAFFIC, "wait")


def test_a_new_kind_of_failure_is_weighed_against_chance_and_against_how_many_kinds() -> None:
    before = seen(500, 400)
    once = seen(500, 1, same_cause=0, unseen=1, unseen_kinds=1)
    assert told(judged(once, before)) == (Verdict.IMPROVED, "done")
    eight = {"failures": 8, "same_cause": 0, "unseen": 8}
    assert judged(seen(500, **eight, unseen_kinds=1), before).verdict is Verdict.WORSE
    assert judged(seen(500, **eight, unseen_kinds=3), before).verdict is Verdict.IMPROVED


def test_what_has_not_ended_takes_nothing_from_the_other_counts() -> None:
    sample = seen(8, 2, pending=3, rescued=1, calls=9, throttled=1, unseen=1)
    assert sample.at_worst == seen(11, 5, rescued=1, calls=9, throttled=1, unseen=1)


def test_looks_into_a_window_share_its_level_so_that_many_are_not_wrong_oftener() -> None:
    before, after = seen(40, 6), seen(40, 17)
    alone, shared = judged(after, before), judged(after, before, looks_within=84)
    assert (alone.verdict, shared.verdict) == (Verdict.WORSE, Verdict.UNCHANGED)
    told_at = [
        next(n for n in range(21) if harm_lately(before, seen(20, n), rules=RULES, looks_within=m))
        for m in (1, 12, 84)
    ]
    assert told_at == sorted(set(told_at))
    assert told_at[-1] < 20


def test_a_look_into_a_window_tells_harm_only() -> None:
    before = seen(40, 6)
    for lately in (seen(40), seen(40, 6), seen(3, 3)):
        assert harm_lately(before, lately, rules=RULES, looks_within=12) is None
    harm = harm_lately(before, seen(20, 20), rules=RULES, looks_within=12)
    assert harm is not None
    assert told(harm) == (Verdict.WORSE, "roll_back")
    assert harm.reason == "lately more fail: 6 of 40 failed before, 20 of 20 since"


def with_usual(before: TrafficSample, failures: int, invocations: int) -> TrafficSample:
    usual = Usual(invocations=invocations, failures=failures)
    return before.model_copy(update={"usual": usual})


def test_after_a_burst_of_what_always_fails_the_usual_is_no_improvement() -> None:
    """Of 288 windows of a month one has 13 failures where 5 are usual, by chance."""
    burst, quiet = seen(500, 13), seen(1000, 8)
    assert told(judged(quiet, burst))[0] is Verdict.IMPROVED
    judgement = judged(quiet, with_usual(burst, 1440, 144_000))
    assert told(judgement) == (Verdict.INSUFFICIENT_TRAFFIC, "wait")
    assert "1440 of 144000 failed in the month before, so that is usual" in judgement.reason


def test_what_always_failed_and_is_gone_has_improved() -> None:
    chronic = with_usual(seen(100, 8), 20_000, 288_000)
    assert told(judged(seen(200), chronic))[0] is Verdict.IMPROVED


def test_a_month_that_was_worse_proves_nothing_by_itself() -> None:
    """Another alias of the function may fail much oftener than the one that is repaired."""
    calm = with_usual(seen(100, 5), 90_000, 288_000)
    assert judged(seen(20), calm).p_value == judged(seen(20), seen(100, 5)).p_value
    assert told(judged(seen(20), calm))[0] is Verdict.INSUFFICIENT_TRAFFIC


def test_an_incident_that_stands_out_of_its_month_is_compared_with_itself() -> None:
    incident = seen(100, 40)
    without, beside = judged(seen(66, 3), incident), with_usual(incident, 100, 100_000)
    assert judged(seen(66, 3), beside) == without
    assert without.verdict is Verdict.IMPROVED


def test_a_nightly_job_stands_out_by_two_nights() -> None:
    """Of 14 such pairs of nights none had failed: 1 in 435 is beyond 5% of 14 looks."""
    nights = with_usual(seen(2, 2), 0, 28)
    assert told(judged(seen(20), nights)) == told(judged(seen(20), seen(2, 2)))
