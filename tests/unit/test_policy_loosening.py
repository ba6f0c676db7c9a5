from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import JsonValue

from autorepair.domain.change import RepairKind
from autorepair.domain.policy import Mode, Policy, parse_policy
from autorepair.domain.policy_loosening import loosens
from autorepair.domain.policy_review import Difference, differences

# Of each value: a stricter and a freer one. None: it matters in neither direction.
DIRECTIONS: dict[str, tuple[JsonValue, JsonValue] | None] = {
    **{f"modes.{kind.value}": ("observe", "ask") for kind in RepairKind},
    "caps.timeout_s": (60, 900),
    "caps.memory_mb": (128, 3008),
    "caps.ephemeral_storage_mb": (512, 4096),
    "caps.reserved_concurrency": (0, 200),
    "caps.added_cost_usd_month": (0.0, 50.0),
    "limits.cooldown_s": (3600, 60),
    "limits.repairs_per_function_day": (1, 3),
    "limits.repairs_per_account_hour": (0, 20),
    "limits.steps_per_incident": (1, 3),
    "limits.incident_spacing_s": None,
    "breaker.repairs": (3, 10),
    "breaker.window_s": (600, 60),
    "breaker.same_cause_functions": (2, 5),
    "verification.window_s": (600, 60),
    "verification.max_windows": (6, 1),
    "verification.min_invocations": (30, 5),
    "verification.unchanged": ("roll_back", "keep"),
    "verification.unverified": ("roll_back", "keep"),
    "verification.probe": (False, True),
    "approval.timeout_s": (3600, 86_400),
    "settle_s": None,
    "schedule.timezone": None,
    "schedule.allowed_hours": ([9, 17], None),
    "schedule.freeze": ([{"start": "2026-12-24T00:00Z", "end": "2026-12-27T00:00Z"}], []),
    "env.allow": (["SHOP_*"], ["SHOP_*", "*"]),
    "env.never_unattended": (["PATH", "LD_PRELOAD"], ["PATH"]),
}
MORE: list[tuple[str, JsonValue, JsonValue]] = [
    ("modes.set_env", "off", "auto"),
    ("schedule.allowed_hours", [22, 2], [22, 6]),
    ("schedule.allowed_hours", [10, 16], [9, 17]),
    (
        "schedule.freeze",
        [{"start": "2026-12-24T00:00Z", "end": "2027-01-02T00:00Z"}],
        [{"start": "2026-12-24T00:00Z", "end": "2026-12-27T00:00Z", "reason": "a holiday"}],
    ),
    ("env.allow", ["SHOP_TABLE"], ["SHOP_*"]),
    ("env.allow", ["SHOP_*"], ["*"]),
    ("env.never_unattended", ["LD_*"], ["LD_PRELOAD"]),
    ("overrides[pay-*].limits.cooldown_s", 3600, 60),
    ("overrides[[ab]-*].modes.set_env", "ask", "auto"),
]
# Where nobody can tell, it may allow more, so both directions are told as such.
EITHER: list[tuple[str, JsonValue, JsonValue]] = [
    ("overrides[pay-*].limits.cooldown_s", None, 3600),
    ("overrides[pay-*].schedule.allowed_hours", None, [9, 17]),
    ("overrides[pay-*].schedule.timezone", "UTC", "Europe/Berlin"),
    ("overrides[pay-*]", None, {}),
    ("overrides, their order", ["a", "b"], ["b", "a"]),
    ("env.allow", ["A[BC]"], ["A?"]),
    ("env.allow", ["A?"], ["?A"]),
    ("a.key.of.a.later.release", "a", "b"),
    ("schedule.freeze", [{"start": "a", "end": "b"}], [{"start": "c", "end": "d"}]),
]


def allows_more(path: str, before: JsonValue, after: JsonValue) -> bool:
    return loosens(Difference(path=path, before=before, after=after), Policy())


def paths(value: dict[str, Any], path: str = "") -> Iterator[str]:
    for key, below in value.items():
        name = f"{path}.{key}" if path else key
        yield from paths(below, name) if isinstance(below, dict) else (name,)


def test_of_every_value_of_the_policy_it_is_said_here_which_way_loosens() -> None:
    whole = Policy(modes=dict.fromkeys(RepairKind, Mode.OBSERVE)).model_dump(mode="json")
    assert set(paths(whole)) == {*DIRECTIONS, "overrides"}


@pytest.mark.parametrize(
    ("path", "strict", "loose"),
    [*((path, *pair) for path, pair in DIRECTIONS.items() if pair is not None), *MORE],
)
def test_what_allows_more_is_told_from_what_allows_less(
    path: str, strict: JsonValue, loose: JsonValue
) -> None:
    assert allows_more(path, strict, loose)
    assert not allows_more(path, loose, strict)


@pytest.mark.parametrize("path", [path for path, pair in DIRECTIONS.items() if pair is None])
def test_what_matters_in_neither_direction_allows_nothing(path: str) -> None:
    for before, after in ((1, 2), (2, 1)):
        assert not allows_more(path, before, after)


@pytest.mark.parametrize(("path", "one", "other"), EITHER)
def test_what_cannot_be_told_may_allow_more(path: str, one: JsonValue, other: JsonValue) -> None:
    assert allows_more(path, one, other)
    assert allows_more(path, other, one)


def test_another_time_zone_may_allow_more_where_hours_were_limited_before() -> None:
    limited = parse_policy('{"schedule": {"allowed_hours": [9, 17]}}')
    moved = Difference(path="schedule.timezone", before="UTC", after="Europe/Berlin")
    assert loosens(moved, limited)
    assert not loosens(moved, Policy())


@pytest.mark.parametrize(
    ("said", "is_more"),
    [({"schedule": {"allowed_hours": [9, 17]}}, True), ({"limits": {"cooldown_s": 60}}, False)],
)
def test_another_time_zone_moves_the_hours_that_only_an_override_says(
    said: dict[str, JsonValue], *, is_more: bool
) -> None:
    policy = {"overrides": [{"functions": "pay-*", "policy": said}]}
    before = parse_policy(json.dumps(policy))
    after = parse_policy(json.dumps(policy | {"schedule": {"timezone": "Asia/Tokyo"}}))
    (one,) = differences(before, after)
    assert (one.path, loosens(one, before)) == ("schedule.timezone", is_more)


def test_a_first_limit_of_the_hours_allows_less_with_its_time_zone_too() -> None:
    text = '{"schedule": {"allowed_hours": [9, 17], "timezone": "Europe/Berlin"}}'
    found = differences(Policy(), parse_policy(text))
    assert [one.path for one in found] == ["schedule.timezone", "schedule.allowed_hours"]
    assert not any(loosens(one, Policy()) for one in found)


def test_a_value_that_only_one_of_the_two_has_may_allow_more() -> None:
    assert allows_more("caps.timeout_s", None, 900)


def test_the_defaults_loosen_nothing_against_themselves() -> None:
    assert differences(Policy(), Policy()) == ()
