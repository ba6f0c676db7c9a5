from __future__ import annotations

import pytest

from autorepair.domain.change import (
    Absent,
    AliasMove,
    AliasSetting,
    Change,
    ChangeRecord,
    DeclaredSource,
    EnvironmentSetting,
    EphemeralStorageSetting,
    MemorySetting,
    RepairKind,
    ReservedConcurrencySetting,
    SealedValue,
    Setting,
    TimeoutSetting,
)
from autorepair.domain.incident import Target
from unit.logbook import TARGET

PAIRS: list[tuple[Setting, Setting, RepairKind]] = [
    (TimeoutSetting(timeout_s=3), TimeoutSetting(timeout_s=6), RepairKind.SET_TIMEOUT),
    (MemorySetting(memory_mb=128), MemorySetting(memory_mb=384), RepairKind.SET_MEMORY),
    (
        EnvironmentSetting(variables={"A": Absent(), "B": SealedValue(snapshot_id="s")}),
        EnvironmentSetting(variables={"A": DeclaredSource(), "B": Absent()}),
        RepairKind.SET_ENV,
    ),
    (
        EphemeralStorageSetting(ephemeral_storage_mb=512),
        EphemeralStorageSetting(ephemeral_storage_mb=2048),
        RepairKind.SET_EPHEMERAL_STORAGE,
    ),
    (
        ReservedConcurrencySetting(reserved_concurrency=5),
        ReservedConcurrencySetting(reserved_concurrency=20),
        RepairKind.SET_RESERVED_CONCURRENCY,
    ),
    (
        AliasSetting(alias="live", version="42"),
        AliasSetting(alias="live", version="41"),
        RepairKind.ROLLBACK_VERSION,
    ),
]


@pytest.mark.parametrize(("before", "after", "kind"), PAIRS)
def test_a_change_knows_its_kind_and_its_undoing(
    before: Setting, after: Setting, kind: RepairKind
) -> None:
    change = Change(target=TARGET, before=before, after=after, planned_on="f1", leads_to="f2")
    undo = change.inverse()
    assert (change.kind, undo.kind) == (kind, kind)
    assert (undo.before, undo.after, undo.planned_on, undo.leads_to) == (after, before, "f2", "f1")
    assert undo.inverse() == change


@pytest.mark.parametrize(("before", "after", "kind"), PAIRS)
def test_a_change_survives_the_state_data(
    before: Setting, after: Setting, kind: RepairKind
) -> None:
    change = Change(target=TARGET, before=before, after=after, planned_on="f1")
    assert Change.model_validate(change.as_json()) == change
    assert change.as_json()["after"]["kind"] == kind.value


def plan(after_s: int = 6, planned_on: str = "f1", leads_to: str | None = None) -> Change:
    return Change(
        target=TARGET,
        before=TimeoutSetting(timeout_s=3),
        after=TimeoutSetting(timeout_s=after_s),
        planned_on=planned_on,
        leads_to=leads_to,
    )


def test_the_hash_of_a_plan_is_stable_and_stays_when_it_is_applied() -> None:
    assert plan().plan_hash == plan(leads_to="f2").plan_hash
    assert plan().plan_hash == Change.model_validate(plan().as_json()).plan_hash


def test_any_other_plan_has_another_hash() -> None:
    hashes = {plan().plan_hash, plan(7).plan_hash, plan(planned_on="f9").plan_hash}
    assert len({*hashes, plan().inverse().plan_hash}) == 4


def test_two_steps_are_undone_as_one() -> None:
    first = plan(6, "f1", "f2")
    second = first.model_copy(
        update={
            "before": TimeoutSetting(timeout_s=6),
            "after": TimeoutSetting(timeout_s=12),
            "planned_on": "f2",
            "leads_to": "f3",
        }
    )
    whole = second.after_step(first)
    assert (whole.inverse().after, whole.inverse().leads_to) == (TimeoutSetting(timeout_s=3), "f1")
    assert second.after_step(None) == second
    record = ChangeRecord(status="applied", reason="", change=second, step=2, origin=first)
    assert record.in_place == whole
    assert record.model_copy(update={"status": "rolled_back"}).in_place is None
    assert record.model_copy(update={"status": "refused"}).in_place == first


OLD_RECORD = {
    "target": {
        "function_name": "orders",
        "function_arn": "arn:aws:lambda:eu-central-1:123456789012:function:orders",
        "account_id": "123456789012",
        "region": "eu-central-1",
        "qualifier": None,
    },
    "before": {"kind": "set_timeout", "timeout_s": 3},
    "after": {"kind": "set_timeout", "timeout_s": 6},
    "planned_on": "f1",
    "leads_to": "f2",
}
OLD_HASH = "4184ed062d8308365f28cc0bde7f4daa0e1dd54488f20b82daa2a476f5567b12"


def test_a_change_recorded_before_there_were_releases_reads_and_hashes_as_it_did() -> None:
    old = Change.model_validate(OLD_RECORD)
    assert isinstance(old.target, Target)
    assert old.release is None
    assert old.plan_hash == OLD_HASH


LIVE = AliasMove(alias="live", former="7", staying=("beta",))


def released(published: str | None = None, **changes: object) -> Change:
    move = LIVE.model_copy(update={"published": published})
    return plan().model_copy(update={"release": move, **changes})


def test_a_release_is_undone_exactly_and_its_undoing_undone() -> None:
    done = released().led(leads_to="f2", version="8")
    assert done.release is not None
    assert (done.release.start, done.release.end) == ("7", "8")
    undo = done.inverse()
    assert undo.release is not None
    assert (undo.release.start, undo.release.end) == ("8", "7")
    assert undo.inverse() == done
    # Of one that was cut short nobody knows what was published.
    cut = released().inverse()
    assert cut.release is not None
    assert (cut.release.start, cut.release.end) == (None, "7")
    assert cut.inverse() == released()


def test_what_was_published_does_not_alter_the_plan_and_another_alias_does() -> None:
    assert released().plan_hash == released("8").plan_hash != plan().plan_hash
    other = LIVE.model_copy(update={"alias": "beta"})
    assert released().plan_hash != plan().model_copy(update={"release": other}).plan_hash
    assert Change.model_validate(released("8").as_json()) == released("8")


def test_two_steps_by_an_alias_are_undone_as_one_move() -> None:
    first = released().led(leads_to="f2", version="8")
    move = AliasMove(alias="live", former="8")
    second = plan(12, "f2").model_copy(
        update={"before": TimeoutSetting(timeout_s=6), "release": move}
    )
    cut = second.after_step(first).release
    whole = second.led(leads_to="f3", version="9").after_step(first).release
    assert cut is not None
    assert whole is not None
    assert (cut.former, cut.published, cut.passed) == ("7", None, ("8",))
    assert (whole.former, whole.published) == ("7", "9")
