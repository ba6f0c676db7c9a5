"""Whatever starts an execution, intake ends with a record and never with an error."""

from __future__ import annotations

import copy
import json
from datetime import datetime
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from autorepair.domain.audit import RecordKind
from autorepair.domain.described_alarm import children_of
from autorepair.domain.incident import Incident
from autorepair.steps.collect_metrics_and_logs import window_start
from autorepair.steps.parse_alarm_event import ParseAlarmEventInput, parse_alarm_event
from unit.fakes import NOW, World, configuration

EVENTS = Path(__file__).parents[2] / "events" / "alarm"
SAMPLES = [json.loads(path.read_text()) for path in sorted(EVENTS.glob("*.json"))]
EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:repair:one"
TEXT = st.one_of(st.text(), st.text(st.characters(categories=["Cs", "Cc", "L"])))
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXT)
ANY_JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXT, inner, max_size=4)),
    max_leaves=20,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:  # noqa: ANN401 - JSON
    found = [path] if path else []
    parts: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        parts = list(value.items())
    elif isinstance(value, list):
        parts = list(enumerate(value))
    for key, part in parts:
        found += places(part, (*path, key))
    return found


@st.composite
def damaged(draw: st.DrawFn) -> Any:  # noqa: ANN401 - JSON
    """A sample event of which one to three parts are gone or are something else."""
    event = copy.deepcopy(draw(st.sampled_from(SAMPLES)))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(places(event) or [("functionName",)]))
        parent = event
        for key in path[:-1]:
            parent = parent[key]
        if isinstance(parent, dict) and draw(st.booleans()):
            parent.pop(path[-1], None)
        else:
            parent[path[-1]] = draw(ANY_JSON)
    return event


def taken_in(event: object) -> tuple[Incident, World]:
    world = World()
    given_ = ParseAlarmEventInput(event=event, execution_arn=EXECUTION, started_at=NOW)
    return parse_alarm_event(given_, world.ports), world


@given(ANY_JSON)
def test_what_is_no_alarm_is_ignored_with_a_record_of_what_was_wrong(event: Any) -> None:  # noqa: ANN401 - JSON
    incident, world = taken_in(event)
    (record,) = world.audit.chain_of(incident.id)
    assert incident.disposition == "ignored"
    assert record.entry.kind is RecordKind.ALARM_IGNORED
    assert incident.reason
    assert incident.reason in record.entry.summary
    json.dumps(record.entry.as_json(), allow_nan=False).encode()


@given(damaged())
def test_a_damaged_event_ends_in_a_record_and_in_state_data_that_others_can_use(event: Any) -> None:  # noqa: ANN401 - JSON
    incident, world = taken_in(event)
    assert world.kinds(incident) in ([RecordKind.ALARM_IGNORED], [RecordKind.INCIDENT_OPENED])
    assert (incident.disposition == "opened") == (world.state.open_on != {})
    carried = json.dumps(incident.as_json(), allow_nan=False, ensure_ascii=False).encode()
    assert len(carried) < 16_000
    assert Incident.model_validate_json(carried) == incident
    if incident.disposition == "opened":
        start = window_start(incident, configuration(), opened_at=incident.opened_at)
        assert isinstance(start, datetime)


@given(st.one_of(TEXT, st.text('ALRM()"\\ ORNTKab', max_size=60)))
def test_no_rule_of_a_composite_alarm_is_too_odd_to_be_read(rule: str) -> None:
    assert all(children_of(rule))
