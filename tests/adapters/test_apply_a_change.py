"""Compare-and-swap on a target function, against the shapes that AWS answers in."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.account import ARN, ENV, TARGET, Account, ScriptedLambda
from autorepair.domain.change import (
    Change,
    MemorySetting,
    SealedValue,
    TimeoutSetting,
)
from autorepair.domain.errors import (
    AccessDeniedError,
    ChangeRefusedError,
    StaleConfigurationError,
    TargetNotFoundError,
    TransientServiceError,
    UpdateFailedError,
    UpdateInProgressError,
)

SEALED = SealedValue(snapshot_id="snapshot-1")


def to_timeout(account: Account, timeout_s: int = 10, **known: Any) -> Change:  # noqa: ANN401 - Change's fields
    fields = {"planned_on": account.fingerprint()} | known
    return Change(
        target=TARGET,
        before=TimeoutSetting(timeout_s=3),
        after=TimeoutSetting(timeout_s=timeout_s),
        **fields,
    )


def test_a_change_is_written_on_the_revision_that_was_read(
    account: Account, scripted: ScriptedLambda
) -> None:
    scripted.reads(RevisionId="r7").writes("r7", Timeout=10).reads(Timeout=10).describes()

    settled = scripted.functions.apply(to_timeout(account))

    assert settled.timeout_s == 10
    assert settled.fingerprint == account.fingerprint(Timeout=10)
    scripted.ends()


def test_a_write_is_waited_for_until_it_has_settled(
    account: Account, scripted: ScriptedLambda
) -> None:
    scripted.reads().writes("r1", MemorySize=256)
    for _ in range(3):
        scripted.reads(MemorySize=256, LastUpdateStatus="InProgress", RevisionId="r2")
    scripted.reads(MemorySize=256, RevisionId="r3").describes({"auto-repair": "enabled"})
    change = Change(
        target=TARGET,
        before=MemorySetting(memory_mb=128),
        after=MemorySetting(memory_mb=256),
        planned_on=account.fingerprint(),
    )

    settled = scripted.functions.apply(change)

    assert (settled.revision_id, settled.memory_mb) == ("r3", 256)
    assert settled.is_enrolled
    assert len(scripted.slept) == 3
    scripted.ends()


def test_a_reading_from_before_the_write_is_not_taken_for_the_outcome(
    account: Account, scripted: ScriptedLambda
) -> None:
    scripted.reads(RevisionId="r1").writes("r1", Timeout=10)
    scripted.reads(RevisionId="r1").reads(Timeout=10, RevisionId="r2").describes()

    assert scripted.functions.apply(to_timeout(account)).timeout_s == 10
    scripted.ends()


def test_a_revision_that_moved_while_an_update_settled_is_read_again(
    account: Account, scripted: ScriptedLambda
) -> None:
    scripted.reads(RevisionId="r1").fails(
        "update_function_configuration", "PreconditionFailedException", status=412
    )
    scripted.reads(RevisionId="r2").writes("r2", Timeout=10).reads(Timeout=10).describes()

    assert scripted.functions.apply(to_timeout(account)).timeout_s == 10
    scripted.ends()


def test_a_revision_that_moved_with_another_configuration_is_stale(
    account: Account, scripted: ScriptedLambda
) -> None:
    scripted.reads(RevisionId="r1").fails(
        "update_function_configuration", "PreconditionFailedException", status=412
    )
    scripted.reads(RevisionId="r2", Timeout=60)

    with pytest.raises(StaleConfigurationError, match="the timeout is 60 s and not 3 s"):
        scripted.functions.apply(to_timeout(account))
    scripted.ends()


def test_a_revision_that_keeps_moving_is_given_up(
    account: Account, scripted: ScriptedLambda
) -> None:
    for attempt in range(3):
        scripted.reads(RevisionId=f"r{attempt}").fails(
            "update_function_configuration", "PreconditionFailedException", status=412
        )

    with pytest.raises(StaleConfigurationError, match="revision"):
        scripted.functions.apply(to_timeout(account))
    scripted.ends()


def test_a_write_that_was_sent_twice_is_found_however_late_readings_show_it(
    account: Account, scripted: ScriptedLambda
) -> None:
    scripted.reads(RevisionId="r1").fails(
        "update_function_configuration", "PreconditionFailedException", status=412
    )
    for _ in range(4):
        scripted.reads(RevisionId="r1")
    scripted.reads(RevisionId="r2", Timeout=10).describes()

    assert scripted.functions.apply(to_timeout(account)).timeout_s == 10
    assert scripted.slept == [0.25, 0.5, 1.0, 2.0]
    scripted.ends()


def test_a_revision_that_is_refused_and_shown_all_the_same_may_hide_a_write(
    account: Account, scripted: ScriptedLambda
) -> None:
    scripted.reads(RevisionId="r1").fails(
        "update_function_configuration", "PreconditionFailedException", status=412
    )
    for _ in range(5):
        scripted.reads(RevisionId="r1")

    with pytest.raises(TransientServiceError, match="refuses the revision"):
        scripted.functions.apply(to_timeout(account))
    scripted.ends()


def test_an_update_that_somebody_else_began_is_waited_for(
    account: Account, scripted: ScriptedLambda
) -> None:
    scripted.reads().fails("update_function_configuration", "ResourceConflictException", status=409)
    scripted.reads(LastUpdateStatus="InProgress").reads(RevisionId="r4")
    scripted.writes("r4", Timeout=10).reads(Timeout=10).describes()

    assert scripted.functions.apply(to_timeout(account)).timeout_s == 10
    scripted.ends()


def test_an_update_that_never_settles_ends_the_waiting(
    account: Account, scripted: ScriptedLambda
) -> None:
    for _ in range(60):
        scripted.reads(LastUpdateStatus="InProgress")

    with pytest.raises(UpdateInProgressError, match=ARN):
        scripted.functions.apply(to_timeout(account))
    assert 60 <= sum(scripted.slept) < 70


def test_an_update_that_lambda_cannot_put_into_effect_is_an_error(
    account: Account, scripted: ScriptedLambda
) -> None:
    scripted.reads().writes("r1", Timeout=10)
    scripted.reads(
        Timeout=10, LastUpdateStatus="Failed", LastUpdateStatusReasonCode="SubnetOutOfIPAddresses"
    )

    with pytest.raises(UpdateFailedError, match="SubnetOutOfIPAddresses"):
        scripted.functions.apply(to_timeout(account))
    scripted.ends()


def test_a_change_made_twice_is_written_once(account: Account, scripted: ScriptedLambda) -> None:
    scripted.reads(Timeout=10, RevisionId="r3").describes()

    settled = scripted.functions.apply(to_timeout(account))

    assert settled.fingerprint == account.fingerprint(Timeout=10)
    scripted.ends()


def test_a_function_that_somebody_set_to_another_value_is_not_taken_for_changed(
    account: Account, scripted: ScriptedLambda
) -> None:
    scripted.reads(Timeout=60)

    with pytest.raises(StaleConfigurationError, match="60 s"):
        scripted.functions.apply(to_timeout(account))


@pytest.mark.parametrize(
    "moved",
    [
        {"CodeSha256": "new code"},
        {"Layers": [{"Arn": f"arn:aws:lambda:eu-central-1:{ARN[24:36]}:layer:tools:2"}]},
        {"Role": "arn:aws:iam::123456789012:role/other"},
        {"Environment": {"Variables": ENV | {"STAGE": "other"}}},
        {"Handler": "other.handler"},
        {"EphemeralStorage": {"Size": 1024}},
    ],
)
def test_any_other_setting_that_moved_makes_the_plan_stale(
    account: Account, scripted: ScriptedLambda, moved: dict[str, Any]
) -> None:
    scripted.reads(**moved)

    with pytest.raises(StaleConfigurationError):
        scripted.functions.apply(to_timeout(account))
    scripted.ends()


@pytest.mark.parametrize(
    "moved",
    [
        {"RevisionId": "r9"},
        {"LastModified": "2026-02-02T02:02:02.000+0000"},
        {"State": "Inactive"},
        {"RuntimeVersionConfig": {"RuntimeVersionArn": "arn:aws:lambda:eu-central-1::runtime:x"}},
        {"EphemeralStorage": {"Size": 512}},
        {"VpcConfig": {"SubnetIds": [], "SecurityGroupIds": [], "VpcId": ""}},
    ],
)
def test_what_moves_by_itself_leaves_the_fingerprint_alone(
    account: Account, moved: dict[str, Any]
) -> None:
    assert account.fingerprint(**moved) == account.fingerprint()


def test_an_answer_that_was_lost_is_found_by_looking(
    account: Account, scripted: ScriptedLambda
) -> None:
    scripted.reads().loses_the_answer().reads(Timeout=10, RevisionId="r2").describes()

    assert scripted.functions.apply(to_timeout(account)).timeout_s == 10
    scripted.ends()


def test_a_request_that_was_lost_is_transient(account: Account, scripted: ScriptedLambda) -> None:
    scripted.reads().loses_the_answer().reads()

    with pytest.raises(TransientServiceError, match="UpdateFunctionConfiguration"):
        scripted.functions.apply(to_timeout(account))
    scripted.ends()


def test_a_plan_without_a_fingerprint_is_never_written(
    account: Account, scripted: ScriptedLambda
) -> None:
    with pytest.raises(StaleConfigurationError, match="plan it again"):
        scripted.functions.apply(to_timeout(account, planned_on=None))


def test_the_inverse_of_a_change_that_was_cut_short_is_made_if_it_leads_back(
    account: Account, scripted: ScriptedLambda
) -> None:
    scripted.reads(Timeout=10, RevisionId="r2").writes("r2", Timeout=3).reads().describes()

    restored = scripted.functions.apply(to_timeout(account).inverse())

    assert restored.fingerprint == account.fingerprint()
    scripted.ends()


def test_the_inverse_of_a_change_that_was_cut_short_before_its_write_writes_nothing(
    account: Account, scripted: ScriptedLambda
) -> None:
    scripted.reads().describes()

    assert scripted.functions.apply(to_timeout(account).inverse()).timeout_s == 3
    scripted.ends()


def test_the_inverse_of_a_change_that_was_cut_short_spares_what_others_changed_since(
    account: Account, scripted: ScriptedLambda
) -> None:
    scripted.reads(Timeout=10, MemorySize=512)

    with pytest.raises(StaleConfigurationError):
        scripted.functions.apply(to_timeout(account).inverse())
    scripted.ends()


def test_a_writer_that_takes_the_setting_back_at_once_is_reported(
    account: Account, scripted: ScriptedLambda
) -> None:
    scripted.reads().writes("r1", Timeout=10).reads(Timeout=5)

    with pytest.raises(StaleConfigurationError, match="right after the write"):
        scripted.functions.apply(to_timeout(account))


@pytest.mark.parametrize("timeout_s", [0, 901])
def test_a_timeout_that_lambda_does_not_take_is_refused_before_the_write(
    account: Account, scripted: ScriptedLambda, timeout_s: int
) -> None:
    scripted.reads()

    with pytest.raises(ChangeRefusedError, match="1 to 900 s"):
        scripted.functions.apply(to_timeout(account, timeout_s))
    scripted.ends()


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("TooManyRequestsException", 429, TransientServiceError),
        ("ServiceException", 500, TransientServiceError),
        ("AccessDeniedException", 403, AccessDeniedError),
        ("ResourceNotFoundException", 404, TargetNotFoundError),
    ],
)
def test_a_reading_that_fails_says_why(
    scripted: ScriptedLambda, code: str, status: int, expected: type[Exception]
) -> None:
    scripted.fails("get_function_configuration", code, status=status)

    with pytest.raises(expected, match=rf"lambda:GetFunctionConfiguration on {ARN}"):
        scripted.functions.read(TARGET)


def test_a_refused_value_is_told_with_lambdas_own_words(
    account: Account, scripted: ScriptedLambda
) -> None:
    scripted.reads().fails(
        "update_function_configuration", "InvalidParameterValueException", "too much memory"
    )

    with pytest.raises(ChangeRefusedError, match="too much memory"):
        scripted.functions.apply(to_timeout(account))
