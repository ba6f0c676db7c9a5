"""What others change between the evidence and the decision, what is told of it and asked."""

from __future__ import annotations

from datetime import timedelta

import pytest

from autorepair.domain.change import (
    Absent,
    Change,
    DeclaredSource,
    EnvironmentSetting,
    ReservedConcurrencySetting,
    Setting,
    TimeoutSetting,
)
from autorepair.domain.changed_since import changed_since
from autorepair.domain.circumstances import ChangedSince
from autorepair.domain.configuration import VariableDigest
from autorepair.domain.decision import Decision, RefusalCode
from autorepair.domain.masked_evidence import masked
from autorepair.domain.masking import Masker
from autorepair.domain.verification import Verdict
from autorepair.steps.collect_metrics_and_logs import (
    CollectMetricsAndLogsInput,
    collect_metrics_and_logs,
)
from autorepair.steps.determine_action import DetermineActionInput, determine_action
from unit.builders import (
    AUTO,
    DIAGNOSIS,
    INCIDENT,
    TARGET,
    applied,
    decision,
    evidence,
    kept,
    slow_invocations,
    verification,
)
from unit.fakes import NOW, FakeFunctions, FakePolicies, World, configuration
from unit.logbook import QUIET

SEEN = configuration()
SHORT = verification(verdict=Verdict.STILL_SHORT, next="step")


def since(own: Change | None = None, /, **changes: object) -> ChangedSince | None:
    return changed_since(SEEN, configuration(**changes), own)


def edit(before: Setting, after: Setting) -> Change:
    return Change(target=TARGET, before=before, after=after, planned_on="f1")


def digest(name: str, value: str) -> VariableDigest:
    return VariableDigest(name=name, size_bytes=1, digest=value)


def decided(changed: dict[str, object], **keys: object) -> Decision:
    """Decide on evidence of the function as it was before it was changed."""
    world = World(functions=FakeFunctions(configuration(**changed)), policies=FakePolicies(AUTO))
    state = {"incident": INCIDENT, "evidence": kept(world), "diagnosis": DIAGNOSIS, **keys}
    return determine_action(DetermineActionInput.model_validate(state), world.ports)


def told(decision_: Decision) -> tuple[str, RefusalCode | None]:
    return decision_.action, decision_.refusal.code if decision_.refusal else None


def test_a_function_that_is_as_it_was_seen_was_not_changed() -> None:
    assert since() is None
    assert since(tags={"auto-repair": "enabled", "team": "shop"}, revision_id="other") is None


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("code_sha256", "code-2", "its code"),
        ("layers", ("arn:layer:2",), "its layers"),
        ("handler", "app.other", "its handler"),
        ("runtime", "python3.13", "its runtime"),
        ("architecture", "arm64", "its architecture"),
        ("image_command", ("app.other",), "its image's command"),
    ],
)
def test_what_is_run_is_told_apart_from_what_it_is_run_with(
    field: str, value: object, words: str
) -> None:
    assert since(**{field: value}) == ChangedSince(told=words, is_code=True)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("memory_mb", 192, "its memory"),
        ("timeout_s", 9, "its timeout"),
        ("ephemeral_storage_mb", 1024, "its ephemeral storage"),
        ("reserved_concurrency", 5, "its reserved concurrency"),
        ("role_arn", "arn:other", "its role"),
        ("has_vpc", True, "its network"),
        ("env_names", ("TABLE", "QUEUE"), "its environment (QUEUE)"),
        ("env_digests", (digest("TABLE", "d2"),), "its environment (TABLE)"),
    ],
)
def test_settings_that_were_changed_are_named(field: str, value: object, words: str) -> None:
    assert since(**{field: value}) == ChangedSince(told=words, is_code=False)


def test_what_has_no_field_of_its_own_is_told_by_the_fingerprint() -> None:
    moved = SEEN.model_copy(update={"fingerprint": "other"})
    found = changed_since(SEEN, moved, None)
    assert found == ChangedSince(told="another setting of its configuration", is_code=False)


def test_all_that_was_changed_is_told_together() -> None:
    found = since(code_sha256="code-2", memory_mb=192)
    assert found == ChangedSince(told="its code and its memory", is_code=True)


def test_what_the_incident_itself_has_changed_does_not_count() -> None:
    longer = edit(TimeoutSetting(timeout_s=3), TimeoutSetting(timeout_s=6))
    assert since(longer, timeout_s=6) is None
    assert since(longer, timeout_s=6, memory_mb=192) == ChangedSince(
        told="its memory", is_code=False
    )
    reserved = edit(
        ReservedConcurrencySetting(reserved_concurrency=None),
        ReservedConcurrencySetting(reserved_concurrency=5),
    )
    assert since(reserved, reserved_concurrency=5) is None
    named = edit(
        EnvironmentSetting(variables={"QUEUE": Absent()}),
        EnvironmentSetting(variables={"QUEUE": DeclaredSource()}),
    )
    assert since(named, env_names=("TABLE", "QUEUE")) is None
    also = since(named, env_names=("QUEUE",))
    assert also == ChangedSince(told="its environment (TABLE)", is_code=False)


@pytest.mark.parametrize("changed", [{"code_sha256": "code-2"}, {"memory_mb": 192}])
def test_what_was_changed_after_the_evidence_is_not_repaired_unattended(
    changed: dict[str, object],
) -> None:
    asked = ("ask", RefusalCode.RECENT_DEPLOYMENT)
    assert told(decided(changed)) == asked
    replanned = decided(changed, decision=decision(), change=applied(status="stale"))
    assert told(replanned) == asked
    assert "since the evidence was collected somebody has changed" in replanned.reason


def test_code_that_comes_between_two_steps_is_asked_about_as_well() -> None:
    further = {"change": applied(), "verification": SHORT}
    assert told(decided({"timeout_s": 6}, **further)) == ("apply", None)
    asked = decided({"timeout_s": 6, "code_sha256": "code-2"}, **further)
    assert told(asked) == ("ask", RefusalCode.RECENT_DEPLOYMENT)


def test_code_that_came_after_the_failures_and_before_the_evidence_is_asked_about() -> None:
    mended_at = NOW - timedelta(minutes=2)
    here = configuration(code_sha256="code-2", last_modified=mended_at)
    world = World(functions=FakeFunctions(here), policies=FakePolicies(AUTO))
    world.logs.invocations = slow_invocations()
    seen = collect_metrics_and_logs(CollectMetricsAndLogsInput(incident=INCIDENT), world.ports)
    seen = seen.model_copy(update={"traffic": QUIET})
    given = DetermineActionInput(incident=INCIDENT, evidence=seen, diagnosis=DIAGNOSIS)
    decision_ = determine_action(given, world.ports)
    assert told(decision_) == ("ask", RefusalCode.RECENT_DEPLOYMENT)
    assert "after the trouble had begun" in decision_.reason


def test_a_secret_in_the_command_of_an_image_is_no_change_for_being_masked() -> None:
    secret = ("app.handler", "--password=hunter2hunter")
    found = configuration(package_type="Image", image_command=secret)
    stored = masked(evidence(configured=found), Masker(b"a key")).configuration
    assert stored.image_command != secret
    assert changed_since(stored, found, None) is None
    other = found.model_copy(update={"image_command": ("app.other", secret[1])})
    assert changed_since(stored, other, None) == ChangedSince(
        told="its image's command", is_code=True
    )
