from __future__ import annotations

import pytest

from autorepair.domain.change import AliasSetting, Change, TimeoutSetting
from autorepair.domain.circumstances import Circumstances, EnvironmentKey
from autorepair.domain.configuration import ENROLMENT_TAG, ENROLMENT_VALUE
from autorepair.domain.decision import RefusalCode
from autorepair.domain.deployment import Stack
from autorepair.domain.errors import AccessDeniedError, TargetNotFoundError
from autorepair.domain.evidence import Alias
from autorepair.ports import Releases
from autorepair.repairs.planner import refused
from autorepair.steps.determine_action import DetermineActionInput, determine_action
from autorepair.steps.surroundings import circumstances_of
from unit.builders import AUTO, DIAGNOSIS, INCIDENT, change, decision, kept
from unit.executing import ASKED, YES, executed, timeout_now
from unit.fakes import ARN, FakeFunctions, FakePolicies, World, configuration

KEY = "arn:aws:kms:us-east-1:123456789012:key/1"
UPDATING = Stack(stack_id="arn:stack", name="shop", status="UPDATE_IN_PROGRESS")
ROLE = "arn:aws:iam::123456789012:role/orders"
DIVIDED = Releases(aliases=(Alias(name="live", version="7", also={"8": 0.1}),), versions=())


def auto(**configured: object) -> World:
    plain = configuration(**{"role_arn": ROLE, **configured})
    return World(functions=FakeFunctions(plain), policies=FakePolicies(AUTO))


def read(world: World, planned: Change | None = None) -> Circumstances:
    (configured,) = world.functions.by_name.values()
    return circumstances_of(planned or change(), configured, world.ports)


def test_where_nothing_stands_in_the_way_nothing_is_told() -> None:
    assert read(auto()) == Circumstances()


def test_a_stack_in_progress_is_a_deployment_under_way() -> None:
    world = auto()
    done = UPDATING.model_copy(update={"name": "top", "status": "UPDATE_COMPLETE"})
    world.stacks.stacks = (UPDATING, done)
    assert read(world).deployments == ("its stack shop is UPDATE_IN_PROGRESS",)


def test_an_alias_that_divides_its_traffic_is_a_deployment_under_way() -> None:
    world = auto()
    world.releases.releases = DIVIDED
    assert read(world).deployments == ("its alias live sends 10% to 8 beside version 7",)


def test_what_could_be_read_is_told_beside_what_could_not() -> None:
    world = auto()
    world.stacks.error = AccessDeniedError("no DescribeStacks")
    world.releases.releases = DIVIDED
    found = read(world)
    assert found.unread_deployments == "no DescribeStacks"
    assert len(found.deployments) == 1


def test_a_function_that_is_gone_is_not_merely_unread() -> None:
    world = auto()
    world.releases.error = TargetNotFoundError("gone")
    with pytest.raises(TargetNotFoundError):
        read(world)


def test_only_a_write_that_seals_the_environment_looks_at_the_key() -> None:
    world = auto(kms_key_arn=KEY)
    found = read(world).key
    assert found is not None
    assert found.arn == KEY
    moved = change().model_copy(
        update={
            "before": AliasSetting(alias="live", version="8"),
            "after": AliasSetting(alias="live", version="7"),
        }
    )
    assert read(world, moved).key is None
    assert read(auto()).key is None


def test_a_role_that_trusts_edge_servers_tells_a_function_for_lambda_at_edge() -> None:
    world = auto()
    world.roles.services = frozenset({"lambda.amazonaws.com", "edgelambda.amazonaws.com"})
    assert read(world).is_edge


def test_outside_of_the_region_of_lambda_at_edge_the_role_is_not_read() -> None:
    world = auto(function_arn=ARN.replace("us-east-1", "eu-west-1"))
    world.roles.error = AccessDeniedError("no GetRole")
    assert read(world) == Circumstances()


def test_a_role_that_cannot_be_read_is_told() -> None:
    world = auto()
    world.roles.error = AccessDeniedError("no GetRole")
    assert read(world).unread_role == "no GetRole"


def test_where_nothing_is_planned_nothing_is_read() -> None:
    world = auto(kms_key_arn=KEY)
    world.stacks.error = AccessDeniedError("no DescribeStacks")
    refusal = refused(RefusalCode.UNKNOWN_CAUSE, "nobody knows")
    (configured,) = world.functions.by_name.values()
    assert circumstances_of(refusal, configured, world.ports) == Circumstances()


def test_determine_action_asks_while_the_stack_is_updated() -> None:
    world = auto()
    world.stacks.stacks = (UPDATING,)
    given = DetermineActionInput(incident=INCIDENT, evidence=kept(world), diagnosis=DIAGNOSIS)
    decided = determine_action(given, world.ports)
    assert decided.action == "ask"
    assert decided.refusal is not None
    assert decided.refusal.code is RefusalCode.DEPLOYMENT_RUNNING


def test_determine_action_declines_on_a_key_that_is_not_enrolled() -> None:
    world = auto(kms_key_arn=KEY)
    world.environment_keys.keys[KEY] = EnvironmentKey(arn=KEY, state="Enabled")
    given = DetermineActionInput(incident=INCIDENT, evidence=kept(world), diagnosis=DIAGNOSIS)
    decided = determine_action(given, world.ports)
    assert decided.action == "decline"
    assert decided.refusal is not None
    assert decided.refusal.code is RefusalCode.KEY_WITHOUT_GRANTS


def test_a_deployment_that_begins_before_the_write_has_it_decided_anew() -> None:
    world = auto()
    world.stacks.stacks = (UPDATING,)
    record = executed(world)
    assert record.status == "stale"
    assert "UPDATE_IN_PROGRESS" in record.reason
    assert timeout_now(world) == 3


def test_who_agreed_before_the_deployment_began_is_asked_again() -> None:
    world = auto()
    world.releases.releases = DIVIDED
    record = executed(world, decision=ASKED, approval=YES)
    assert record.status == "stale"
    assert world.functions.writes == 0


def test_who_agreed_knowing_of_the_deployment_has_it_written() -> None:
    world = auto()
    world.stacks.stacks = (UPDATING,)
    knowing = refused(RefusalCode.DEPLOYMENT_RUNNING, "its stack shop is UPDATE_IN_PROGRESS")
    asked = ASKED.model_copy(update={"refusal": knowing})
    record = executed(world, decision=asked, approval=YES)
    assert record.status == "applied"
    assert timeout_now(world) == 6


MEANT = {ENROLMENT_TAG: ENROLMENT_VALUE, "note": "do-not-raise"}


def test_who_agreed_before_the_owner_said_not_to_is_asked_again() -> None:
    world = auto()
    world.functions.somebody_changes(tags=MEANT)
    record = executed(world, decision=ASKED, approval=YES)
    assert (record.status, timeout_now(world)) == ("stale", 3)
    assert "do-not-raise" in record.reason


def test_who_agreed_knowing_what_the_owner_says_has_it_written() -> None:
    world = auto()
    world.functions.somebody_changes(tags=MEANT)
    knowing = refused(RefusalCode.DELIBERATE_LIMIT, "a tag of the function says 'do-not-raise'")
    asked = ASKED.model_copy(update={"refusal": knowing})
    assert executed(world, decision=asked, approval=YES).status == "applied"
    assert timeout_now(world) == 6


def test_the_second_time_a_deployment_comes_between_it_is_given_up() -> None:
    world = auto()
    world.stacks.stacks = (UPDATING,)
    record = executed(world, decision=decision(is_replanned=True))
    assert record.status == "refused"
    assert world.functions.writes == 0


def test_a_key_that_was_taken_away_since_the_decision_stops_the_write() -> None:
    world = auto(kms_key_arn=KEY)
    world.environment_keys.keys[KEY] = EnvironmentKey(arn=KEY, state="PendingDeletion")
    record = executed(world)
    assert record.status == "refused"
    assert KEY in record.reason
    assert isinstance(change().before, TimeoutSetting)
    assert timeout_now(world) == 3
