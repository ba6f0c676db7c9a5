from __future__ import annotations

import json

import pytest

from autorepair.domain.change import RepairKind
from autorepair.domain.errors import PolicyUnreadableError
from autorepair.domain.policy import Limits, Mode, Policy, parse_policy
from autorepair.domain.policy_review import Difference, differences, faults_of


def only_fault(policy: object) -> tuple[str, str]:
    (fault,) = faults_of(json.dumps(policy))
    return fault.path, fault.remedy


def test_a_policy_that_the_service_can_act_under_has_no_fault() -> None:
    assert faults_of("{}") == ()
    assert faults_of(Policy().model_dump_json()) == ()


@pytest.mark.parametrize(
    ("policy", "path", "remedy"),
    [
        ({"limit": {}}, "limit", "here the policy knows modes, caps, limits"),
        ({"caps": {"memory": 1}}, "caps.memory", "knows timeout_s, memory_mb"),
        ({"caps": {"memory_mb": 64}}, "caps.memory_mb", "at least 128"),
        ({"caps": {"memory_mb": 99999}}, "caps.memory_mb", "at most 10240"),
        ({"caps": {"memory_mb": "much"}}, "caps.memory_mb", "whole number"),
        ({"caps": 3}, "caps", "an object"),
        ({"env": {"allow": "*"}}, "env.allow", "a list"),
        ({"env": {"allow": [1]}}, "env.allow.0", "quotation marks"),
        ({"modes": {"set_timeout": True}}, "modes.set_timeout", "'observe'"),
        ({"overrides": [{"policy": {}}]}, "overrides.0.functions", "add it"),
        ({"schedule": {"timezone": "Mars"}}, "schedule.timezone", "so that this holds"),
        ({"breaker": {"repairs": 1001}}, "breaker.repairs", "at most 1000"),
        ({"limits": {"repairs_per_account_hour": 1001}}, "limits.repairs_per_account_hour", "1000"),
    ],
)
def test_each_fault_names_its_path_and_what_to_do(policy: object, path: str, remedy: str) -> None:
    found, told = only_fault(policy)
    assert found == path
    assert remedy in told


def test_a_fault_of_an_override_is_not_taken_for_one_of_the_policy_itself() -> None:
    override = {"functions": "a*", "policy": {"limits": {"cooldown_s": -1}}}
    path, remedy = only_fault({"limits": {"cooldown_s": 1}, "overrides": [override]})
    assert (path, "at least 0" in remedy) == ("overrides, as a policy: limits.cooldown_s", True)


def test_all_faults_are_told_at_once() -> None:
    found = faults_of('{"settle_s": -1, "caps": {"timeout_s": 0}, "x": 1}')
    assert sorted(fault.path for fault in found) == ["caps.timeout_s", "settle_s", "x"]


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"observe"'])
def test_what_is_no_policy_at_all_has_one_fault(text: str) -> None:
    (fault,) = faults_of(text)
    assert fault.path == "policy"
    assert fault.remedy


def test_what_differs_is_told_by_path_and_what_does_not_is_left_out() -> None:
    before = Policy(modes={RepairKind.SET_TIMEOUT: Mode.AUTO}, limits=Limits(cooldown_s=60))
    after = parse_policy('{"modes": {"set_memory": "ask"}, "env": {"allow": ["DB_*"]}}')
    assert differences(before, before) == ()
    assert differences(before, after) == (
        Difference(path="modes.set_timeout", before="auto", after=None),
        Difference(path="limits.cooldown_s", before=60, after=3600),
        Difference(path="env.allow", before=["*"], after=["DB_*"]),
        Difference(path="modes.set_memory", before=None, after="ask"),
    )


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ('{"modes": {"set_timeout": "off"}, "modes": {"set_timeout": "auto"}}', "modes"),
        ('{"caps": {"timeout_s": 60, "timeout_s": 600}}', "timeout_s"),
        ('{"verification": {"probe": "yes"}}', "verification.probe"),
        ('{"caps": {"timeout_s": "600"}}', "caps.timeout_s"),
        ('{"limits": {"repairs_per_function_day": true}}', "limits.repairs_per_function_day"),
    ],
)
def test_nothing_is_guessed_of_what_is_said_twice_or_in_another_type(text: str, path: str) -> None:
    assert path in {fault.path for fault in faults_of(text)}
    with pytest.raises(PolicyUnreadableError, match=path.rsplit(".", maxsplit=1)[-1]):
        parse_policy(text)


def overridden(*given: tuple[str, object]) -> Policy:
    overrides = [{"functions": pattern, "policy": policy} for pattern, policy in given]
    return parse_policy(json.dumps({"overrides": overrides}))


ASKED = {"modes": {"set_timeout": "ask"}, "limits": {"cooldown_s": 60}}


def test_of_overrides_each_value_is_told_that_was_added_removed_or_changed() -> None:
    before = overridden(("pay-*", ASKED), ("old", {"caps": {"timeout_s": 9}}))
    after = overridden(("pay-*", ASKED | {"limits": {"cooldown_s": 90}}), ("new", {"settle_s": 0}))
    assert differences(before, after) == (
        Difference(path="overrides[pay-*].limits.cooldown_s", before=60, after=90),
        Difference(path="overrides[old].caps.timeout_s", before=9, after=None),
        Difference(path="overrides[new].settle_s", before=None, after=0),
    )


def test_another_order_of_overrides_is_told_since_the_later_one_wins() -> None:
    one, other = ("pay-*", {"settle_s": 1}), ("*-out", {"settle_s": 2})
    (order,) = differences(overridden(one, other), overridden(other, one))
    assert order.path == "overrides, their order"
    assert order.after == ["overrides[*-out]", "overrides[pay-*]"]


def test_two_overrides_of_one_pattern_are_told_apart() -> None:
    once = overridden(("a", {"settle_s": 1}))
    twice = overridden(("a", {"settle_s": 1}), ("a", {"settle_s": 2}))
    (added,) = differences(once, twice)
    assert (added.path, added.after) == ("overrides[a #2].settle_s", 2)


def test_an_override_that_says_nothing_yet_is_told_as_well() -> None:
    (added,) = differences(Policy(), overridden(("a", {})))
    assert (added.path, added.after) == ("overrides[a]", {})
