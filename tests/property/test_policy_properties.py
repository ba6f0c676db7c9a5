"""What has to hold of any two policies: a change that is not said to loosen allows nothing more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from autorepair.domain.policy import EnvironmentRules, Policy
from autorepair.domain.policy_loosening import loosens
from autorepair.domain.policy_review import differences
from autorepair.domain.schedule import Freeze, Schedule

PATTERNS = st.lists(st.text("AB*?[]!-", min_size=1, max_size=4), max_size=3).map(tuple)
NAMES = st.lists(st.text("AB", max_size=4), max_size=8)
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
HOURS = st.none() | st.tuples(st.integers(0, 24), st.integers(0, 24)).filter(lambda h: h[0] != h[1])
FREEZES = st.lists(
    st.builds(
        lambda start, lasts: Freeze(
            start=NOON + timedelta(hours=start), end=NOON + timedelta(hours=start + lasts)
        ),
        st.integers(-6, 6),
        st.integers(1, 6),
    ),
    max_size=2,
).map(tuple)
SCHEDULES = st.builds(
    Schedule,
    timezone=st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata"]),
    allowed_hours=HOURS,
    freeze=FREEZES,
)


def is_said_to_loosen(before: Policy, after: Policy) -> bool:
    return any(loosens(one, before) for one in differences(before, after))


@given(PATTERNS, PATTERNS, NAMES)
def test_no_name_may_be_touched_that_could_not_be_before_unless_it_is_said(
    before: tuple[str, ...], after: tuple[str, ...], names: list[str]
) -> None:
    old, new = EnvironmentRules(allow=before), EnvironmentRules(allow=after)
    if not is_said_to_loosen(Policy(env=old), Policy(env=new)):
        assert [n for n in names if new.may_touch(n) and not old.may_touch(n)] == []


@given(PATTERNS, PATTERNS, NAMES)
def test_no_name_is_written_without_asking_that_was_asked_about_before_unless_it_is_said(
    before: tuple[str, ...], after: tuple[str, ...], names: list[str]
) -> None:
    old, new = EnvironmentRules(never_unattended=before), EnvironmentRules(never_unattended=after)
    if not is_said_to_loosen(Policy(env=old), Policy(env=new)):
        assert [n for n in names if old.must_ask(n) and not new.must_ask(n)] == []


@given(SCHEDULES, SCHEDULES)
def test_no_hour_is_open_for_repairs_that_was_closed_before_unless_it_is_said(
    before: Schedule, after: Schedule
) -> None:
    if not is_said_to_loosen(Policy(schedule=before), Policy(schedule=after)):
        moments = [NOON + timedelta(minutes=30 * n) for n in range(-48, 49)]
        opened = [m for m in moments if before.refusal_at(m) and not after.refusal_at(m)]
        assert opened == []
