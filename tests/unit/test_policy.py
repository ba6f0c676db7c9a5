from __future__ import annotations

import json

import pytest

from autorepair.domain.change import RepairKind
from autorepair.domain.errors import PolicyUnreadableError
from autorepair.domain.policy import EnvironmentRules, Mode, Policy, parse_policy

DESIGNED = {
    "modes": {"set_timeout": "auto", "set_memory": "auto", "set_env": "ask"},
    "caps": {"timeout_s": 900, "memory_mb": 3008, "added_cost_usd_month": 50},
    "limits": {"cooldown_s": 3600, "repairs_per_function_day": 3, "steps_per_incident": 3},
    "breaker": {"repairs": 10, "window_s": 600, "same_cause_functions": 5},
    "verification": {"window_s": 600, "max_windows": 6, "min_invocations": 5},
    "approval": {"timeout_s": 86400},
    "settle_s": 60,
    "schedule": {"timezone": "UTC", "allowed_hours": None, "freeze": []},
    "env": {"allow": ["*"], "never_unattended": ["LD_PRELOAD"]},
}

BACKWARDS = json.dumps(
    {"schedule": {"freeze": [{"start": "2026-01-02T00:00Z", "end": "2026-01-01T00:00Z"}]}}
)
STEPS_AND_WINDOWS = '{"limits": {"steps_per_incident": 7}, "verification": {"max_windows": 100}}'
OVERRIDDEN_STEPS = json.dumps(
    {
        "verification": {"max_windows": 100},
        "overrides": [{"functions": "a", "policy": {"limits": {"steps_per_incident": 7}}}],
    }
)


def test_a_policy_is_read_as_it_is_written() -> None:
    policy = parse_policy(json.dumps(DESIGNED))
    assert policy.mode_of(RepairKind.SET_TIMEOUT) is Mode.AUTO
    assert policy.mode_of(RepairKind.SET_ENV) is Mode.ASK
    assert policy.caps.memory_mb == 3008


def test_what_a_policy_does_not_say_is_at_its_strictest() -> None:
    policy = parse_policy("{}")
    assert {policy.mode_of(kind) for kind in RepairKind} == {Mode.OBSERVE}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("not json", "policy"),
        ('{"modes": {"set_timeout": "always"}}', "modes"),
        ('{"caps": {"timeout_s": 901}}', "caps.timeout_s"),
        ('{"caps": {"memory_mb": 64}}', "caps.memory_mb"),
        ('{"mode": {}}', "mode"),
        ('{"limits": {"steps_per_incident": 0}}', "limits.steps_per_incident"),
        ('{"limits": {"steps_per_incident": 9}}', "limits.steps_per_incident"),
        (STEPS_AND_WINDOWS, "allow fewer steps or windows"),
        (OVERRIDDEN_STEPS, "allow fewer steps or windows"),
        ('{"schedule": {"timezone": "Mars/Olympus"}}', "schedule.timezone"),
        ('{"schedule": {"timezone": "../etc/passwd"}}', "schedule.timezone"),
        ('{"schedule": {"allowed_hours": [99, -4]}}', "schedule.allowed_hours"),
        ('{"schedule": {"allowed_hours": [9, 9]}}', "schedule.allowed_hours"),
        (BACKWARDS, "schedule.freeze"),
        ('{"verification": {"window_s": 604800, "max_windows": 2}}', "verification"),
    ],
)
def test_a_faulty_policy_is_unreadable_and_the_fault_is_named(text: str, fault: str) -> None:
    with pytest.raises(PolicyUnreadableError, match=fault):
        parse_policy(text)


@pytest.mark.parametrize("wish", [*Mode])
@pytest.mark.parametrize("mode", [*Mode])
def test_a_tag_tightens_and_never_loosens(mode: Mode, wish: Mode) -> None:
    policy = Policy(modes={RepairKind.SET_MEMORY: mode})
    tags = {"auto-repair-mode": wish.value}
    tightened = policy.tightened_by(tags, is_approval_required=False)
    order = list(Mode)
    expected = min(mode, wish, key=order.index)
    assert tightened.mode_of(RepairKind.SET_MEMORY) is expected


def test_a_wish_that_is_not_understood_only_observes() -> None:
    policy = Policy(modes=dict.fromkeys(RepairKind, Mode.AUTO))
    tightened = policy.tightened_by({"auto-repair-mode": "manual"}, is_approval_required=False)
    assert tightened.mode_of(RepairKind.SET_ENV) is Mode.OBSERVE


def test_required_approval_caps_every_mode_at_ask() -> None:
    policy = Policy(modes={RepairKind.SET_TIMEOUT: Mode.AUTO, RepairKind.SET_ENV: Mode.OFF})
    tightened = policy.tightened_by({}, is_approval_required=True)
    assert tightened.mode_of(RepairKind.SET_TIMEOUT) is Mode.ASK
    assert tightened.mode_of(RepairKind.SET_ENV) is Mode.OFF


def test_patterns_decide_which_variables_may_be_touched() -> None:
    rules = EnvironmentRules(allow=("APP_*", "LOG_LEVEL"))
    assert rules.may_touch("APP_MODE")
    assert not rules.may_touch("DATABASE_URL")
    assert EnvironmentRules().must_ask("LD_PRELOAD")
    assert not EnvironmentRules().must_ask("LOG_LEVEL")


@pytest.mark.parametrize(
    "name",
    [
        "AWS_CONFIG_FILE",
        "BUNDLE_GEMFILE",
        "CLASSPATH",
        "CORECLR_ENABLE_PROFILING",
        "CORECLR_PROFILER",
        "CORECLR_PROFILER_PATH",
        "DOTNET_ADDITIONAL_DEPS",
        "GEM_HOME",
        "GEM_PATH",
        "NEW_RELIC_LAMBDA_HANDLER",
        "OPENSSL_CONF",
        "PERL5DB",
        "PYTHONPLATLIBDIR",
        "PYTHONUSERBASE",
    ],
)
def test_what_makes_a_runtime_load_other_code_is_never_written_unattended(name: str) -> None:
    assert EnvironmentRules().must_ask(name)


@pytest.mark.parametrize("number", ["Infinity", "-Infinity", "NaN", "1e400"])
@pytest.mark.parametrize("key", ["caps.added_cost_usd_month", "limits.incident_spacing_s"])
def test_what_is_no_number_is_no_limit(key: str, number: str) -> None:
    part, name = key.split(".")
    said = f'{{"{part}": {{"{name}": {number}}}}}'
    with pytest.raises(PolicyUnreadableError, match=name):
        parse_policy(said)
    with pytest.raises(PolicyUnreadableError):
        parse_policy(f'{{"overrides": [{{"functions": "*", "policy": {said}}}]}}')


def test_overrides_apply_to_the_functions_they_name_the_later_ones_last() -> None:
    policy = parse_policy(
        json.dumps(
            {
                "modes": {"set_timeout": "auto"},
                "overrides": [
                    {"functions": "pay-*", "policy": {"modes": {"set_timeout": "ask"}}},
                    {"functions": "pay-out", "policy": {"caps": {"timeout_s": 30}}},
                ],
            }
        )
    )
    assert policy.for_function("patient-slow-invoice").mode_of(RepairKind.SET_TIMEOUT) is Mode.AUTO
    assert policy.for_function("pay-in").mode_of(RepairKind.SET_TIMEOUT) is Mode.ASK
    payout = policy.for_function("pay-out")
    assert (payout.mode_of(RepairKind.SET_TIMEOUT), payout.caps.timeout_s) == (Mode.ASK, 30)


def test_a_faulty_override_makes_the_policy_unreadable() -> None:
    text = '{"overrides": [{"functions": "*", "policy": {"caps": {"timeout_s": 0}}}]}'
    with pytest.raises(PolicyUnreadableError, match="timeout_s"):
        parse_policy(text)


def test_the_most_steps_go_with_the_usual_windows_and_the_most_windows_with_the_usual_steps() -> (
    None
):
    assert parse_policy('{"limits": {"steps_per_incident": 8}}').verification.max_windows == 6
    assert parse_policy('{"verification": {"max_windows": 100}}').limits.steps_per_incident == 3
