from __future__ import annotations

import pytest

from autorepair.domain.change import Change, MemorySetting
from autorepair.domain.circumstances import Circumstances, EnvironmentKey
from autorepair.domain.configuration import ProductVariant
from autorepair.domain.decision import RefusalCode
from unit.deciding import BACK, LONGER, MORE_AT_ONCE, MORE_ROOM, change, decided, setting, told
from unit.logbook import configured

ARN = "arn:aws:kms:eu-central-1:123456789012:key/1"
USABLE = EnvironmentKey(arn=ARN, state="Enabled", is_enrolled=True)
LARGER = change(MemorySetting(memory_mb=256), MemorySetting(memory_mb=512))
WRITES = (LONGER, LARGER, MORE_ROOM, setting("APP_MODE"))


def sealed_by(**changes: object) -> Circumstances:
    return Circumstances(key=USABLE.model_copy(update=changes))


def test_functions_of_the_service_itself_are_never_repaired() -> None:
    own = configured(function_name="lambda-auto-repair-verify-repair-dev")
    assert told(decided(configuration=own)) == ("decline", RefusalCode.OWN_FUNCTION)


@pytest.mark.parametrize("tags", [{}, {"auto-repair": "disabled"}])
def test_a_function_that_is_not_enrolled_is_left_alone(tags: dict[str, str]) -> None:
    assert told(decided(configuration=configured(tags=tags))) == (
        "decline",
        RefusalCode.NOT_ENROLLED,
    )


@pytest.mark.parametrize(
    "unsettled",
    [{"state": "Pending"}, {"last_update_status": "InProgress"}, {"last_update_status": "Failed"}],
)
def test_a_function_that_has_not_settled_is_left_alone(unsettled: dict[str, str]) -> None:
    decision = decided(configuration=configured(**unsettled))
    assert told(decision) == ("decline", RefusalCode.NOT_ACTIVE)


@pytest.mark.parametrize("variant", list(ProductVariant))
@pytest.mark.parametrize("planned", [LONGER, MORE_AT_ONCE, BACK])
def test_what_is_no_plain_function_is_left_alone_and_told_what_to_do(
    variant: ProductVariant, planned: Change
) -> None:
    decision = decided(planned, configuration=configured(variants=(variant,)))
    assert told(decision) == ("decline", RefusalCode.PRODUCT_VARIANT)
    assert ": " in decision.reason


def test_a_function_made_for_lambda_at_edge_is_left_alone() -> None:
    decision = decided(circumstances=Circumstances(is_edge=True))
    assert told(decision) == ("decline", RefusalCode.PRODUCT_VARIANT)
    assert "publish a version" in decision.reason


def test_a_role_that_cannot_be_read_makes_it_ask() -> None:
    decision = decided(circumstances=Circumstances(unread_role="iam:GetRole was denied"))
    assert told(decision) == ("ask", RefusalCode.PRODUCT_VARIANT)
    assert "iam:GetRole was denied" in decision.reason


@pytest.mark.parametrize("planned", WRITES)
@pytest.mark.parametrize(
    "lacking",
    [{"is_enrolled": False}, {"state": "Disabled"}, {"trouble": "kms:DescribeKey was denied"}],
)
def test_nothing_is_sealed_with_a_key_that_may_not_be_used(
    planned: Change, lacking: dict[str, object]
) -> None:
    decision = decided(planned, circumstances=sealed_by(**lacking))
    assert told(decision) == ("decline", RefusalCode.KEY_WITHOUT_GRANTS)
    assert ARN in decision.reason
    assert "aws kms " in decision.reason


@pytest.mark.parametrize("planned", WRITES)
def test_an_enrolled_key_that_is_enabled_stands_in_no_way(planned: Change) -> None:
    assert told(decided(planned, circumstances=sealed_by())) == ("apply", None)


@pytest.mark.parametrize("planned", [MORE_AT_ONCE, BACK])
def test_what_seals_nothing_needs_no_key(planned: Change) -> None:
    assert told(decided(planned, circumstances=sealed_by(is_enrolled=False))) == ("apply", None)


def test_a_key_that_is_not_enrolled_is_told_before_the_environment_that_it_hides() -> None:
    hidden = configured(is_env_unreadable=True)
    decision = decided(
        setting("APP_MODE"), configuration=hidden, circumstances=sealed_by(is_enrolled=False)
    )
    assert told(decision) == ("decline", RefusalCode.KEY_WITHOUT_GRANTS)
