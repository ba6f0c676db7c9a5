from __future__ import annotations

import pytest

from autorepair.domain.audit import RecordKind
from autorepair.domain.change import AliasMove, AliasSetting, Change
from autorepair.domain.errors import AccessDeniedError, TransientServiceError
from autorepair.domain.incident import Alarm, Incident
from autorepair.steps.alarm_standing import obstacle_to_a_write, silenced_by
from autorepair.steps.recording import record
from unit.builders import INCIDENT, TARGET, change
from unit.fakes import NOW, World


def alarm(name: str, **facts: object) -> Alarm:
    plain = Alarm(name=name, arn=f"arn:{name}", kind="metric", changed_at=NOW)
    return plain.model_copy(update=facts)


def raised_by(first: Alarm | None, qualifier: str | None = None) -> Incident:
    target = TARGET.model_copy(update={"qualifier": qualifier})
    return INCIDENT.model_copy(update={"alarm": first, "target": target})


def join(world: World, joining: Alarm, **data: object) -> None:
    record(
        world.ports,
        INCIDENT,
        key=f"joined/{joining.name}",
        kind=RecordKind.ALARM_JOINED,
        summary="joined",
        data={"alarm": joining.as_json(), **data},
    )


def test_an_alarm_that_stands_is_no_obstacle() -> None:
    assert obstacle_to_a_write(raised_by(alarm("errors")), World().ports) is None


def test_an_alarm_back_to_ok_has_recovered() -> None:
    world = World()
    world.alarms.recovered.add("errors")
    obstacle = obstacle_to_a_write(raised_by(alarm("errors")), world.ports)
    assert obstacle is not None
    assert (obstacle.status, "errors is no longer in ALARM" in obstacle.reason) == (
        "recovered",
        True,
    )


def test_an_alarm_that_is_gone_has_recovered() -> None:
    world = World()
    world.alarms.gone.add("errors")
    obstacle = obstacle_to_a_write(raised_by(alarm("errors")), world.ports)
    assert obstacle is not None
    assert obstacle.status == "recovered"


def test_an_alarm_silenced_since_is_an_obstacle() -> None:
    world = World()
    world.alarms.silent["errors"] = "the mute rule maintenance"
    obstacle = obstacle_to_a_write(raised_by(alarm("errors")), world.ports)
    assert obstacle is not None
    assert (obstacle.status, obstacle.reason) == (
        "refused",
        "the alarm errors is silenced by the mute rule maintenance",
    )


def test_an_alarm_that_joined_and_stands_is_enough_when_the_first_has_recovered() -> None:
    world = World()
    world.alarms.recovered.add("errors")
    join(world, alarm("throttles"))
    assert obstacle_to_a_write(raised_by(alarm("errors")), world.ports) is None


def test_an_alarm_that_joined_and_is_not_silenced_is_enough() -> None:
    world = World()
    world.alarms.silent["errors"] = "its owner, who disabled its actions"
    join(world, alarm("health", kind="composite"))
    assert obstacle_to_a_write(raised_by(alarm("errors")), world.ports) is None


def test_several_alarms_all_back_to_ok_have_recovered() -> None:
    world = World()
    world.alarms.recovered |= {"errors", "throttles"}
    join(world, alarm("throttles"))
    obstacle = obstacle_to_a_write(raised_by(alarm("errors")), world.ports)
    assert obstacle is not None
    assert obstacle.reason == "errors, throttles are no longer in ALARM"


@pytest.mark.parametrize("first", [None, alarm("manual", kind="manual")])
def test_a_start_by_hand_has_no_alarm_to_ask(first: Alarm | None) -> None:
    world = World()
    assert obstacle_to_a_write(raised_by(first), world.ports) is None
    assert world.alarms.asked == []


def test_alarms_that_may_not_be_asked_are_an_explained_obstacle() -> None:
    world = World()
    world.alarms.silence_error = AccessDeniedError("grant cloudwatch:ListAlarmMuteRules")
    obstacle = obstacle_to_a_write(raised_by(alarm("errors")), world.ports)
    assert obstacle is not None
    assert (obstacle.status, "ListAlarmMuteRules" in obstacle.reason) == ("refused", True)


def test_alarms_that_cannot_be_asked_just_now_are_asked_again() -> None:
    world = World()
    world.alarms.error = TransientServiceError("throttled")
    with pytest.raises(TransientServiceError):
        obstacle_to_a_write(raised_by(alarm("errors")), world.ports)


def test_an_incident_is_silenced_while_all_its_alarms_are() -> None:
    world = World()
    muted = raised_by(alarm("errors", silenced_by="a rule"))
    join(world, alarm("throttles", silenced_by="another rule"))
    assert silenced_by(muted, world.ports) == "a rule"
    join(world, alarm("health"))
    assert silenced_by(muted, world.ports) is None


def test_a_start_by_hand_that_joins_does_not_speak_for_the_alarm() -> None:
    world = World()
    join(world, alarm("manual", kind="manual"))
    assert silenced_by(raised_by(alarm("errors", silenced_by="a rule")), world.ports) == "a rule"


def test_a_record_that_holds_no_alarm_is_passed_over() -> None:
    world = World()
    world.alarms.recovered.add("errors")
    record(world.ports, INCIDENT, key="odd", kind=RecordKind.ALARM_JOINED, summary="joined")
    obstacle = obstacle_to_a_write(raised_by(alarm("errors")), world.ports)
    assert obstacle is not None


MOVES_LIVE = change().model_copy(update={"release": AliasMove(alias="live", former="7")})
TURNS_LIVE_BACK = change().model_copy(
    update={
        "before": AliasSetting(alias="live", version="7"),
        "after": AliasSetting(alias="live", version="6"),
    }
)


@pytest.mark.parametrize(
    ("of", "moving"),
    [("live", None), ("live", MOVES_LIVE), (None, MOVES_LIVE), (None, TURNS_LIVE_BACK)],
)
@pytest.mark.parametrize("other", ["beta", "$LATEST"])
def test_an_alarm_of_another_alias_does_not_keep_an_incident_going(
    of: str | None, moving: Change | None, other: str
) -> None:
    world = World()
    world.alarms.recovered.add("errors")
    join(world, alarm("others"), qualifier=other)
    obstacle = obstacle_to_a_write(raised_by(alarm("errors"), of), world.ports, change=moving)
    assert obstacle is not None
    assert obstacle.status == "recovered"


@pytest.mark.parametrize("data", [{"qualifier": "live"}, {"qualifier": None}, {}])
def test_an_alarm_of_the_same_alias_or_of_the_whole_function_does(data: dict[str, object]) -> None:
    world = World()
    world.alarms.recovered.add("errors")
    join(world, alarm("throttles"), **data)
    incident = raised_by(alarm("errors"), "live")
    assert obstacle_to_a_write(incident, world.ports, change=MOVES_LIVE) is None


def test_what_is_changed_for_the_whole_function_goes_by_the_alarms_of_every_alias() -> None:
    world = World()
    world.alarms.recovered.add("errors")
    join(world, alarm("throttles"), qualifier="beta")
    incident = raised_by(alarm("errors"))
    assert obstacle_to_a_write(incident, world.ports, change=change()) is None


def test_an_alarm_of_another_alias_does_not_speak_for_one_that_is_silenced() -> None:
    world = World()
    join(world, alarm("others"), qualifier="beta")
    muted = raised_by(alarm("errors", silenced_by="a rule"), "live")
    assert silenced_by(muted, world.ports) == "a rule"
