"""Writing environment variables: merged, bounded, reversible, and never shown."""

from __future__ import annotations

import pytest

from adapters.account import ARN, ENV, OTHER_SECRET, SECRET, TARGET, Account, ScriptedLambda
from autorepair.domain.change import (
    Absent,
    Change,
    DeclaredSource,
    EnvironmentSetting,
    SealedValue,
    VariableSource,
)
from autorepair.domain.errors import (
    ChangeRefusedError,
    EnvironmentUnreadableError,
    StaleConfigurationError,
    UndeclaredValueError,
)

SEALED = SealedValue(snapshot_id="snapshot-1")


def to_env(
    account: Account, before: dict[str, VariableSource], after: dict[str, VariableSource]
) -> Change:
    return Change(
        target=TARGET,
        before=EnvironmentSetting(variables=before),
        after=EnvironmentSetting(variables=after),
        planned_on=account.fingerprint(),
    )


def test_the_whole_environment_is_written_and_no_key_is_lost(
    account: Account, scripted: ScriptedLambda
) -> None:
    account.declare("DATABASE_URL", {"type": "literal", "value": OTHER_SECRET})
    after = {"DATABASE_URL": OTHER_SECRET, "STAGE": ENV["STAGE"]}
    scripted.reads().writes("r1", Environment={"Variables": after})
    scripted.reads(Environment={"Variables": after}).describes()

    settled = scripted.functions.apply(
        to_env(account, {"DATABASE_URL": SEALED}, {"DATABASE_URL": DeclaredSource()})
    )

    assert settled.env_names == ("DATABASE_URL", "STAGE")
    scripted.ends()


def test_a_variable_that_was_replaced_can_be_given_back(
    account: Account, scripted: ScriptedLambda
) -> None:
    account.declare("DATABASE_URL", {"type": "literal", "value": OTHER_SECRET})
    changed = {"Variables": ENV | {"DATABASE_URL": OTHER_SECRET}}
    scripted.reads().writes("r1", Environment=changed).reads(Environment=changed).describes()
    scripted.reads(Environment=changed).writes("r1+", Environment={"Variables": ENV})
    scripted.reads().describes()
    change = to_env(account, {"DATABASE_URL": SEALED}, {"DATABASE_URL": DeclaredSource()})

    led_to = scripted.functions.apply(change).fingerprint
    undo = change.model_copy(update={"leads_to": led_to}).inverse()
    restored = scripted.functions.apply(undo)

    assert restored.fingerprint == change.planned_on
    scripted.ends()


def test_a_variable_that_was_missing_is_added_and_taken_away_again(
    account: Account, scripted: ScriptedLambda
) -> None:
    account.declare("QUEUE", {"type": "literal", "value": "jobs"})
    added = {"Variables": ENV | {"QUEUE": "jobs"}}
    scripted.reads().writes("r1", Environment=added).reads(Environment=added).describes()
    scripted.reads(Environment=added).writes("r1+", Environment={"Variables": ENV})
    scripted.reads().describes()
    change = to_env(account, {"QUEUE": Absent()}, {"QUEUE": DeclaredSource()})

    scripted.functions.apply(change)
    scripted.functions.apply(change.inverse())

    scripted.ends()


def test_an_environment_change_made_twice_is_written_once(
    account: Account, scripted: ScriptedLambda
) -> None:
    account.declare("QUEUE", {"type": "literal", "value": "jobs"})
    scripted.reads(Environment={"Variables": ENV | {"QUEUE": "jobs"}}).describes()

    scripted.functions.apply(to_env(account, {"QUEUE": Absent()}, {"QUEUE": DeclaredSource()}))

    scripted.ends()


def test_an_undeclared_value_stops_the_write(account: Account, scripted: ScriptedLambda) -> None:
    scripted.reads()

    with pytest.raises(UndeclaredValueError, match="known-config/orders/QUEUE"):
        scripted.functions.apply(to_env(account, {"QUEUE": Absent()}, {"QUEUE": DeclaredSource()}))
    scripted.ends()


def test_an_environment_that_cannot_be_read_is_never_written_over(
    account: Account, scripted: ScriptedLambda
) -> None:
    unreadable = {"Error": {"ErrorCode": "AccessDeniedException", "Message": "kms"}}
    account.declare("QUEUE", {"type": "literal", "value": "jobs"})
    scripted.reads(Environment=unreadable)
    change = to_env(account, {"QUEUE": Absent()}, {"QUEUE": DeclaredSource()})
    planned_on = account.fingerprint(Environment=unreadable)

    with pytest.raises(EnvironmentUnreadableError, match="KMS key"):
        scripted.functions.apply(change.model_copy(update={"planned_on": planned_on}))
    scripted.ends()


def test_an_environment_over_four_kilobytes_is_refused_before_the_write(
    account: Account, scripted: ScriptedLambda
) -> None:
    large = {"Variables": {"BIG": "x" * 4080}}
    account.declare("QUEUE", {"type": "literal", "value": "jobs"})
    scripted.reads(Environment=large)
    change = to_env(account, {"QUEUE": Absent()}, {"QUEUE": DeclaredSource()})

    with pytest.raises(ChangeRefusedError, match="Lambda takes 4096"):
        scripted.functions.apply(
            change.model_copy(update={"planned_on": account.fingerprint(Environment=large)})
        )
    scripted.ends()


def test_an_undoing_without_a_former_value_is_refused_before_the_write(
    account: Account, scripted: ScriptedLambda
) -> None:
    account.declare("QUEUE", {"type": "literal", "value": "jobs"})
    scripted.reads()

    with pytest.raises(ChangeRefusedError, match="has to say `absent`"):
        scripted.functions.apply(to_env(account, {"QUEUE": SEALED}, {"QUEUE": DeclaredSource()}))
    scripted.ends()


def test_a_refused_environment_is_not_quoted_anywhere(
    account: Account, scripted: ScriptedLambda
) -> None:
    account.declare("QUEUE", {"type": "literal", "value": OTHER_SECRET})
    said = f'exceeded the limit. String measured: {{"DATABASE_URL":"{SECRET}"}}'
    scripted.reads().fails("update_function_configuration", "InvalidParameterValueException", said)

    with pytest.raises(ChangeRefusedError) as caught:
        scripted.functions.apply(to_env(account, {"QUEUE": Absent()}, {"QUEUE": DeclaredSource()}))

    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_value_that_is_there_already_is_not_taken_for_a_change_that_was_made(
    account: Account, scripted: ScriptedLambda
) -> None:
    account.declare("DATABASE_URL", {"type": "literal", "value": SECRET})
    account.snapshots.seal(SEALED.snapshot_id, ARN, "DATABASE_URL", SECRET)
    scripted.reads()
    change = to_env(account, {"DATABASE_URL": SEALED}, {"DATABASE_URL": DeclaredSource()})

    with pytest.raises(ChangeRefusedError, match="as declared already") as caught:
        scripted.functions.apply(change)
    assert SECRET not in str(caught.value)
    scripted.ends()


def test_a_variable_declared_absent_is_taken_out_and_given_back_exactly(
    account: Account, scripted: ScriptedLambda
) -> None:
    account.declare("DATABASE_URL", {"type": "absent"})
    without = {"Variables": {"STAGE": ENV["STAGE"]}}
    scripted.reads().writes("r1", Environment=without).reads(Environment=without).describes()
    scripted.reads(Environment=without).writes("r1+", Environment={"Variables": ENV})
    scripted.reads().describes()
    change = to_env(account, {"DATABASE_URL": SEALED}, {"DATABASE_URL": Absent()})

    led_to = scripted.functions.apply(change).fingerprint
    undo = change.model_copy(update={"leads_to": led_to}).inverse()

    assert scripted.functions.apply(undo).fingerprint == change.planned_on
    scripted.ends()


def test_a_change_that_was_cut_short_is_undone_if_what_it_set_stands_there(
    account: Account, scripted: ScriptedLambda
) -> None:
    account.snapshots.seal(SEALED.snapshot_id, ARN, "DATABASE_URL", SECRET)
    account.declare("DATABASE_URL", {"type": "literal", "value": OTHER_SECRET})
    written = {"Variables": ENV | {"DATABASE_URL": OTHER_SECRET}}
    scripted.reads(Environment=written).writes("r1", Environment={"Variables": ENV})
    scripted.reads().describes()
    change = to_env(account, {"DATABASE_URL": SEALED}, {"DATABASE_URL": DeclaredSource()})

    assert scripted.functions.apply(change.inverse()).fingerprint == change.planned_on
    scripted.ends()


def test_a_change_that_was_cut_short_does_not_undo_what_a_person_set_since(
    account: Account, scripted: ScriptedLambda
) -> None:
    account.snapshots.seal(SEALED.snapshot_id, ARN, "DATABASE_URL", SECRET)
    account.declare("DATABASE_URL", {"type": "literal", "value": OTHER_SECRET})
    scripted.reads(Environment={"Variables": ENV | {"DATABASE_URL": "set by a person"}})
    change = to_env(account, {"DATABASE_URL": SEALED}, {"DATABASE_URL": DeclaredSource()})

    with pytest.raises(StaleConfigurationError):
        scripted.functions.apply(change.inverse())
    scripted.ends()


def test_what_cannot_be_told_from_a_persons_value_is_not_undone(
    account: Account, scripted: ScriptedLambda
) -> None:
    # Nothing is declared here: HandleFailure may not read it either.
    account.snapshots.seal(SEALED.snapshot_id, ARN, "DATABASE_URL", SECRET)
    scripted.reads(Environment={"Variables": ENV | {"DATABASE_URL": OTHER_SECRET}})
    change = to_env(account, {"DATABASE_URL": SEALED}, {"DATABASE_URL": DeclaredSource()})

    with pytest.raises(StaleConfigurationError):
        scripted.functions.apply(change.inverse())
    scripted.ends()


def test_an_undoing_whose_sealed_value_is_gone_says_so(
    account: Account, scripted: ScriptedLambda
) -> None:
    account.declare("DATABASE_URL", {"type": "literal", "value": OTHER_SECRET})
    scripted.reads(Environment={"Variables": ENV | {"DATABASE_URL": OTHER_SECRET}})
    change = to_env(account, {"DATABASE_URL": SEALED}, {"DATABASE_URL": DeclaredSource()})

    with pytest.raises(UndeclaredValueError, match="snapshot-1") as caught:
        scripted.functions.apply(change.inverse())
    assert OTHER_SECRET not in str(caught.value)
    scripted.ends()


def test_a_variable_that_somebody_set_meanwhile_makes_the_plan_stale_and_is_not_shown(
    account: Account, scripted: ScriptedLambda
) -> None:
    account.declare("QUEUE", {"type": "literal", "value": "jobs"})
    scripted.reads(Environment={"Variables": ENV | {"QUEUE": OTHER_SECRET}})

    with pytest.raises(StaleConfigurationError) as caught:
        scripted.functions.apply(to_env(account, {"QUEUE": Absent()}, {"QUEUE": DeclaredSource()}))
    assert OTHER_SECRET not in str(caught.value)
    scripted.ends()
