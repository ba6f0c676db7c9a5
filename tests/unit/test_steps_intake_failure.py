"""An intake that fails leaves a record, tells people once, and believes nothing of its event."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from autorepair.domain.audit import AuditRecord, Entry, RecordKind
from autorepair.domain.errors import AccessDeniedError, TransientServiceError
from autorepair.steps.intake import blank_incident, incident_id_of
from autorepair.steps.parse_alarm_event import ParseAlarmEventInput, parse_alarm_event
from autorepair.steps.reconcile import ReconcileInput, reconcile
from autorepair.watch import ClosedIncident, Execution
from unit import failing
from unit.builders import INCIDENT, applied
from unit.fakes import ARN, NAME, NOW, FakeAudit, FakeFunctions, World, configuration

EXECUTION = INCIDENT.execution_arn
ID = incident_id_of(EXECUTION, started_at=NOW)
BLANK = blank_incident(EXECUTION, started_at=NOW)
EVENTS = Path(__file__).parents[2] / "events" / "alarm"
ALARM: dict[str, Any] = json.loads((EVENTS / "single_metric.json").read_text())
MANUAL = {"functionName": NAME, "manual": True}
STARTED_MS = int(NOW.timestamp() * 1000)


class AuditThatFailsOnce(FakeAudit):
    """Fails to append the first entry of a kind."""

    def __init__(self, kind: RecordKind) -> None:
        super().__init__()
        self._kind: RecordKind | None = kind

    def append(self, entry: Entry) -> AuditRecord:
        if entry.kind is self._kind:
            self._kind = None
            raise AccessDeniedError("the audit table")
        return super().append(entry)


def event_functions(event: dict[str, Any]) -> set[str]:
    stats = [query.get("metricStat") for query in event["detail"]["configuration"]["metrics"]]
    return {stat["metric"]["dimensions"]["FunctionName"] for stat in stats if stat}


def intake(world: World, event: object) -> None:
    given = ParseAlarmEventInput(event=event, execution_arn=EXECUTION, started_at=NOW)
    parse_alarm_event(given, world.ports)


def ended(world: World, status: str = "FAILED") -> tuple[str, ...]:
    """Reconcile as it is called at once when the execution has ended badly."""
    world.executions.by_arn[EXECUTION] = Execution(status, ended_at=NOW)  # type: ignore[arg-type]  # a parameter
    event = {"detail": {"executionArn": EXECUTION, "startDate": STARTED_MS}}
    return reconcile(ReconcileInput.model_validate(event), world.ports).done


def test_a_failure_before_anything_was_opened_is_recorded_with_its_alarm_and_told_once() -> None:
    world = World()
    world.functions.read_errors = [AccessDeniedError("lambda:ListTags")]
    with pytest.raises(AccessDeniedError):
        intake(world, ALARM)
    result = failing.handled(world, event=ALARM)
    assert (result.undo, result.troubles) == ("nothing_to_undo", ())
    handling, closing = world.audit.chain_of(ID)
    assert handling.entry.kind is RecordKind.FAILURE_HANDLED
    assert handling.entry.function_name == NAME
    assert handling.entry.data["alarm"]["name"] == ALARM["detail"]["alarmName"]
    assert closing.entry.data["outcome"] == "failed"
    (sent,) = world.notifier.sent
    assert NAME in sent.message
    assert ID in sent.message
    assert ended(world) == ()
    assert len(world.notifier.sent) == 1


def test_a_failure_between_opening_and_recording_closes_what_was_opened_and_tells_once() -> None:
    world = World(audit=AuditThatFailsOnce(RecordKind.INCIDENT_OPENED))
    with pytest.raises(AccessDeniedError):
        intake(world, ALARM)
    assert ARN in world.state.open_on
    failing.handled(world, event=ALARM)
    assert world.state.open_on == {}
    assert world.audit.kinds(ID) == [RecordKind.FAILURE_HANDLED, RecordKind.INCIDENT_CLOSED]
    assert ended(world) == ()
    assert [NAME in sent.message for sent in world.notifier.sent] == [True]


def test_a_failure_after_the_record_closes_the_incident_that_the_record_tells_of() -> None:
    world = World()
    intake(world, ALARM)
    failing.handled(world, event=ALARM)
    assert world.state.open_on == {}
    assert world.audit.kinds(ID)[-1] is RecordKind.INCIDENT_CLOSED
    assert ended(world) == ()
    assert len(world.notifier.sent) == 1


@pytest.mark.parametrize("since", ["back to OK", "not enrolled"])
def test_what_an_earlier_run_opened_and_could_not_record_is_gone_through(since: str) -> None:
    world = World(audit=AuditThatFailsOnce(RecordKind.INCIDENT_OPENED))
    with pytest.raises(AccessDeniedError):
        intake(world, ALARM)
    if since == "back to OK":
        world.alarms.recovered.add(ALARM["detail"]["alarmName"])
    else:
        world.functions.somebody_changes(tags={})
    intake(world, ALARM)
    assert world.state.open_on[ARN].incident_id == ID
    assert world.audit.kinds(ID) == [RecordKind.INCIDENT_OPENED]


def test_an_intake_that_failed_before_it_opened_anything_silences_no_alarm() -> None:
    world = World()
    world.functions.read_errors = [TransientServiceError("throttled")]
    with pytest.raises(TransientServiceError):
        intake(world, ALARM)
    failing.handled(world, event=ALARM)
    assert world.state.closed == {}


def test_half_a_character_in_the_reason_does_not_keep_the_alarm_from_being_recorded() -> None:
    world = World()
    event = json.loads(json.dumps(ALARM))
    event["detail"]["state"]["reason"] = "threshold \ud800 crossed"
    intake(world, event)
    (opened,) = world.audit.chain_of(ID)
    assert opened.entry.data["reason"] == "threshold ? crossed"


def test_an_incident_that_the_event_itself_claims_is_never_believed() -> None:
    world = World()
    world.state.open(INCIDENT)
    world.state.remember_change(INCIDENT, applied())
    forged = MANUAL | {"incident": INCIDENT.as_json(), "failure": {"Error": "x"}}
    result = failing.handled(world, f"{EXECUTION}-forged", event=forged)
    assert result.undo == "nothing_to_undo"
    assert world.functions.applied == []
    assert world.state.open_on[ARN].incident_id == INCIDENT.id
    assert world.audit.chain_of(INCIDENT.id) == ()


@pytest.mark.parametrize("event", [None, [], "text", 7, {}, {"detail": {"alarmName": "x"}}])
def test_an_event_that_says_nothing_is_recorded_under_its_execution(event: object) -> None:
    world = World()
    failing.handled(world, event=event)
    handling, closing = world.audit.chain_of(ID)
    assert (handling.entry.function_name, handling.entry.data["alarm"]) == (None, None)
    assert handling.entry.data["execution"] == EXECUTION
    assert closing.entry.kind is RecordKind.INCIDENT_CLOSED
    assert ID in world.notifier.sent[0].message


def test_a_namesake_of_another_account_is_not_taken_for_ours() -> None:
    world = World()
    failing.handled(world, event=json.loads((EVENTS / "cross_account.json").read_text()))
    assert world.audit.chain_of(ID)[0].entry.function_name is None
    assert world.state.closed == {}


def test_what_was_opened_cannot_be_looked_up_and_people_are_told_all_the_same() -> None:
    world = World()
    world.audit.error = TransientServiceError("the audit table")
    result = failing.handled(world, event=MANUAL)
    assert result.message_id == "message-1"
    assert [t.partition(":")[0] for t in result.troubles] == ["record", "close"]


def test_handled_twice_it_is_told_and_recorded_once() -> None:
    world = World()
    for _ in range(2):
        failing.handled(world, event=ALARM)
    assert len(world.audit.chain_of(ID)) == 2
    assert len(world.notifier.sent) == 1


@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT", "ABORTED"])
def test_an_execution_that_died_before_any_record_gets_one_from_reconcile(status: str) -> None:
    world = World()
    assert ended(world, status) == (f"{EXECUTION}: closed as failed",)
    assert world.audit.kinds(ID) == [RecordKind.FAILURE_HANDLED, RecordKind.INCIDENT_CLOSED]
    assert status in world.notifier.sent[0].message
    assert ended(world, status) == ()
    assert len(world.notifier.sent) == 1


def test_an_alarm_that_was_turned_away_is_accounted_for_already() -> None:
    world = World()
    intake(world, json.loads((EVENTS / "malformed.json").read_text()))
    assert ended(world) == ()
    assert world.notifier.sent == []


def test_the_incident_without_a_record_is_found_by_its_execution() -> None:
    assert BLANK.id == ID
    assert (BLANK.disposition, BLANK.target) == ("ignored", None)


def test_what_was_opened_is_closed_where_it_was_opened_though_the_index_lags() -> None:
    event = json.loads((EVENTS / "metric_math_several_functions.json").read_text())
    first, second = sorted(event_functions(event))[:2]
    functions = FakeFunctions(configuration(first), configuration(second))
    world = World(functions=functions, audit=AuditThatFailsOnce(RecordKind.INCIDENT_OPENED))
    # The first has had its turn.
    world.state.closed[ARN.replace(NAME, first)] = ClosedIncident("inc-earlier", NOW)
    with pytest.raises(AccessDeniedError):
        intake(world, event)
    assert list(world.state.open_on) == [ARN.replace(NAME, second)]
    world.state.unsettled = lambda: iter(())  # type: ignore[method-assign]  # a lagging index
    failing.handled(world, event=event)
    assert world.state.open_on == {}
    assert second in world.notifier.sent[0].message


# ------------------------------------------------------- alarms of functions nobody enrolled


def failed_intake(world: World, event: object) -> None:
    failing.handled(world, event=event)
    assert world.audit.kinds(ID) == [RecordKind.FAILURE_HANDLED, RecordKind.INCIDENT_CLOSED]


def test_a_failure_over_a_function_that_is_not_enrolled_is_recorded_and_not_told() -> None:
    world = World(functions=FakeFunctions(configuration(tags={})))
    failed_intake(world, ALARM)
    assert world.notifier.sent == []


def test_whose_function_it_is_cannot_be_told_and_so_nobody_is() -> None:
    world = World()
    world.functions.read_errors = [TransientServiceError("throttled")] * 9
    failed_intake(world, ALARM)
    assert world.notifier.sent == []


def test_an_alarm_that_names_no_function_is_told_to_nobody() -> None:
    world = World()
    failed_intake(world, json.loads((EVENTS / "composite.json").read_text()))
    assert world.notifier.sent == []


def test_who_starts_an_incident_by_hand_is_told_of_its_failure() -> None:
    world = World(functions=FakeFunctions(configuration(tags={})))
    failed_intake(world, MANUAL)
    assert len(world.notifier.sent) == 1
