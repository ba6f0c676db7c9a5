from __future__ import annotations

import pytest
from pydantic import JsonValue

from autorepair.domain.policy import Policy
from autorepair.domain.policy_loosening import loosens
from autorepair.domain.policy_review import Difference, differences

CASES: list[tuple[str, JsonValue, JsonValue]] = [
    # The first is the stricter one.
    ("modes.set_timeout", "observe", "ask"),
    ("modes.set_env", "off", "auto"),
    ("caps.timeout_s", 60, 900),
    ("caps.added_cost_usd_month", 0.0, 50.0),
    ("limits.cooldown_s", 3600, 60),
    ("limits.repairs_per_function_day", 1, 3),
    ("limits.repairs_per_account_hour", 0, 20),
    ("limits.steps_per_incident", 1, 3),
    ("breaker.repairs", 3, 10),
    ("breaker.same_cause_functions", 2, 5),
    ("breaker.window_s", 600, 60),
    ("verification.min_invocations", 30, 5),
    ("verification.unchanged", "roll_back", "keep"),
    ("verification.unverified", "roll_back", "keep"),
    ("schedule.allowed_hours", [9, 17], None),
    ("schedule.allowed_hours", [22, 2], [22, 6]),
    ("schedule.freeze", [{"start": "a", "end": "b"}], []),
    ("env.allow", ["SHOP_*"], ["SHOP_*", "*"]),
    ("env.never_unattended", ["PATH", "LD_PRELOAD"], ["PATH"]),
]


@pytest.mark.parametrize(("path", "strict", "loose"), CASES)
def test_what_allows_more_is_told_from_what_allows_less(
    path: str, strict: JsonValue, loose: JsonValue
) -> None:
    assert loosens(Difference(path=path, before=strict, after=loose))
    assert not loosens(Difference(path=path, before=loose, after=strict))


@pytest.mark.parametrize(
    "path", ["settle_s", "approval.timeout_s", "verification.window_s", "limits.incident_spacing_s"]
)
def test_what_only_takes_longer_or_shorter_allows_nothing(path: str) -> None:
    for before, after in ((1, 2), (2, 1)):
        assert not loosens(Difference(path=path, before=before, after=after))


@pytest.mark.parametrize("path", ["overrides", "schedule.timezone", "a.key.of.a.later.release"])
def test_what_cannot_be_told_may_allow_more(path: str) -> None:
    assert loosens(Difference(path=path, before="a", after="b"))


def test_a_value_that_only_one_of_the_two_has_may_allow_more() -> None:
    assert loosens(Difference(path="caps.timeout_s", before=None, after=900))


def test_the_defaults_loosen_nothing_against_themselves() -> None:
    assert differences(Policy(), Policy()) == ()
