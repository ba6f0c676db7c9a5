"""What the record says of how good the plans were."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from autorepair.domain.audit import AuditRecord, Entry, RecordKind, chain
from autorepair.domain.change import RepairKind
from autorepair.domain.policy import Mode, parse_policy
from autorepair.domain.scorecard import (
    Row,
    Step,
    Trial,
    advice_of,
    own_modes,
    rows_of,
    totals_of,
    trial_of,
)
from autorepair.domain.watched import Aftermath, Drift, Drifted, Observed, Withheld, Writer
from unit.builders import INCIDENT, applied, change, decision
from unit.fakes import NAME, NOW


def records(*said: tuple[RecordKind, dict[str, Any]]) -> list[AuditRecord]:
    made: list[AuditRecord] = []
    for n, (kind, data) in enumerate(said):
        entry = Entry(
            incident_id=INCIDENT.id,
            key=str(n),
            kind=kind,
            at=NOW + timedelta(minutes=n),
            function_name=NAME,
            summary="",
            data=data,
        )
        made.append(chain(entry, after=made[-1] if made else None))
    return made


def decided(action: str) -> tuple[RecordKind, dict[str, Any]]:
    return RecordKind.ACTION_DECIDED, decision(action=action).as_json()


def closed(outcome: str) -> tuple[RecordKind, dict[str, Any]]:
    return RecordKind.INCIDENT_CLOSED, {"outcome": outcome, "message_id": None}


def seen(
    aftermath: Aftermath, *, is_same_way: bool = False, withheld: Withheld = "observe"
) -> tuple[RecordKind, dict[str, Any]]:
    said = Observed(
        aftermath=aftermath,
        why="",
        look=1,
        withheld=withheld,
        change=change(),
        is_same_way=is_same_way,
    )
    return RecordKind.OUTCOME_OBSERVED, said.as_json()


APPLIED = (RecordKind.REPAIR_APPLIED, applied().as_json())


def found(*said: tuple[RecordKind, dict[str, Any]]) -> Trial:
    trial = trial_of(records(*said))
    assert trial is not None
    return trial


def row(**counts: int) -> Row:
    return Row(kind=RepairKind.SET_TIMEOUT, **counts)


@pytest.mark.parametrize(
    ("action", "outcome"), [("observe", "escalated"), ("ask", "rejected"), ("ask", "expired")]
)
def test_a_plan_that_was_not_made_counts_by_what_happened_next(action: str, outcome: str) -> None:
    trial = found(decided(action), closed(outcome), seen(Aftermath.SAME_VALUE))
    assert (trial.applied, trial.aftermath) == (None, Aftermath.SAME_VALUE)
    (counted,) = rows_of([trial])
    assert (counted.would_be, counted.same_value, counted.good, counted.bad) == (1, 1, 1, 0)


@pytest.mark.parametrize(
    "said",
    [
        (closed("ignored"),),
        (decided("decline"), closed("escalated")),
        (decided("ask"), closed("recovered")),
        (decided("apply"), APPLIED, closed("failed")),
        (decided("observe"),),
    ],
)
def test_where_there_was_no_plan_or_no_end_nothing_counts(
    said: tuple[tuple[RecordKind, dict[str, Any]], ...],
) -> None:
    assert trial_of(records(*said)) is None


def test_what_cannot_be_told_later_does_not_take_back_what_was_told() -> None:
    first, second = seen(Aftermath.SAME_VALUE), seen(Aftermath.UNKNOWN)
    assert found(decided("observe"), closed("escalated"), first, second).aftermath is (
        Aftermath.SAME_VALUE
    )


def test_the_later_look_counts_where_both_tell() -> None:
    first, second = seen(Aftermath.STILL_FAILING), seen(Aftermath.SAME_VALUE)
    trial = found(decided("observe"), closed("escalated"), first, second)
    assert trial.aftermath is Aftermath.SAME_VALUE


@pytest.mark.parametrize("outcome", ["repaired", "unverified", "rolled_back"])
def test_a_repair_that_was_made_counts_by_how_it_ended(outcome: str) -> None:
    trial = found(decided("apply"), APPLIED, closed(outcome))
    assert trial.applied == outcome
    assert rows_of([trial])[0].as_json()[outcome] == 1


def drifted(kind: RecordKind, became: Drifted, writer: Writer) -> tuple[RecordKind, dict[str, Any]]:
    told = Drift(
        became=became, why="", now="", writer=writer, incident_id=INCIDENT.id, change=change()
    )
    return kind, {"drift": told.as_json(), "message_id": None}


REVERTED = (RecordKind.REPAIR_REVERTED, Drifted.REVERTED)
REPLACED = (RecordKind.REPAIR_REPLACED, Drifted.REPLACED)
ADOPTED = (RecordKind.REPAIR_ADOPTED, Drifted.ADOPTED)


@pytest.mark.parametrize("outcome", ["repaired", "unverified"])
@pytest.mark.parametrize(
    ("kind", "became", "writer", "column"),
    [(*REVERTED, "deployment", "reverted"), (*ADOPTED, "unknown", "adopted")],
)
def test_what_a_deployment_made_of_a_repair_is_counted_beside(
    kind: RecordKind, became: Drifted, writer: Writer, column: str, outcome: str
) -> None:
    later = drifted(kind, became, writer)
    (counted,) = rows_of([found(decided("apply"), APPLIED, closed(outcome), later)])
    assert (counted.as_json()[outcome], counted.as_json()[column]) == (1, 1)
    assert (counted.good, counted.bad) == (1 if outcome == "repaired" else 0, 0)


@pytest.mark.parametrize("outcome", ["repaired", "unverified"])
def test_a_repair_that_a_person_put_back_speaks_against_the_plan(outcome: str) -> None:
    later = drifted(*REVERTED, "person")
    (counted,) = rows_of([found(decided("apply"), APPLIED, closed(outcome), later)])
    assert (counted.put_back, counted.repaired, counted.unverified) == (1, 0, 0)
    assert (counted.good, counted.bad) == (0, 1)


@pytest.mark.parametrize(
    ("kind", "became", "writer"),
    [(*REVERTED, "unknown"), (*REPLACED, "person"), (*REPLACED, "deployment")],
)
def test_a_repair_that_was_changed_again_is_neither_good_nor_bad(
    kind: RecordKind, became: Drifted, writer: Writer
) -> None:
    later = drifted(kind, became, writer)
    (counted,) = rows_of([found(decided("apply"), APPLIED, closed("repaired"), later)])
    assert (counted.changed_again, counted.good, counted.bad) == (1, 0, 0)


def test_a_drift_of_an_older_record_does_not_say_who_it_was() -> None:
    kind, data = drifted(*REVERTED, "person")
    del data["drift"]["writer"]
    trial = found(decided("apply"), APPLIED, closed("repaired"), (kind, data))
    assert rows_of([trial])[0].changed_again == 1


def trial_on(name: str) -> Trial:
    said = found(decided("observe"), closed("escalated"), seen(Aftermath.SAME_VALUE))
    return said.model_copy(update={"function_name": name})


def test_functions_with_a_mode_of_their_own_by_override_or_tag_are_found() -> None:
    policy = parse_policy(
        json.dumps(
            {
                "modes": {"set_timeout": "ask"},
                "overrides": [
                    {"functions": "pay-*", "policy": {"modes": {"set_timeout": "auto"}}},
                    {"functions": "same", "policy": {"modes": {"set_timeout": "ask"}}},
                ],
            }
        )
    )
    trials = [trial_on(name) for name in ("pay-out", "same", "tagged", "plain", "pay-slow")]
    tags = {
        "tagged": {"auto-repair-mode": "observe"},
        "plain": {"auto-repair-mode": "auto"},
        "pay-slow": {"auto-repair-mode": "ask"},
    }
    kind = RepairKind.SET_TIMEOUT
    assert own_modes(trials, policy, tags) == {
        ("pay-out", kind): Mode.AUTO,
        ("tagged", kind): Mode.OBSERVE,
    }


def test_a_record_of_another_version_does_not_hide_the_rest() -> None:
    odd = (RecordKind.OUTCOME_OBSERVED, {"aftermath": "something new"})
    trial = found(decided("observe"), closed("escalated"), odd)
    assert trial.aftermath is None
    assert rows_of([trial])[0].untold == 1


@pytest.mark.parametrize(
    ("aftermath", "column", "side"),
    [
        (Aftermath.RECOVERED, "recovered", "bad"),
        (Aftermath.FIXED_OTHERWISE, "fixed_otherwise", "bad"),
        (Aftermath.OTHER_VALUE, "other_value", "bad"),
        (Aftermath.STILL_FAILING, "still_failing", None),
        (Aftermath.UNKNOWN, "untold", None),
        (Aftermath.GONE, "untold", None),
        (Aftermath.REPAIRED_HERE, "untold", None),
    ],
)
def test_each_aftermath_counts_on_its_side(
    aftermath: Aftermath, column: str, side: str | None
) -> None:
    trial = found(decided("observe"), closed("escalated"), seen(aftermath))
    (counted,) = rows_of([trial])
    assert counted.as_json()[column] == 1
    assert (counted.good, counted.bad) == (0, 1 if side == "bad" else 0)


def test_another_value_on_the_same_side_speaks_for_the_plan() -> None:
    said = seen(Aftermath.OTHER_VALUE, is_same_way=True)
    (counted,) = rows_of([found(decided("observe"), closed("escalated"), said)])
    assert (counted.same_way, counted.good, counted.bad) == (1, 1, 0)


def test_rows_are_by_kind_and_function_and_totals_by_kind() -> None:
    one = found(decided("observe"), closed("escalated"), seen(Aftermath.RECOVERED))
    other = one.model_copy(update={"function_name": "other"})
    assert [r.function_name for r in rows_of([one, other, one])] == ["other", NAME]
    (total,) = totals_of([one, other, one])
    assert (total.function_name, total.would_be) == (None, 3)


@pytest.mark.parametrize(
    ("mode", "counts", "step"),
    [
        (Mode.OBSERVE, {"same_value": 4}, Step.STAY),
        (Mode.OBSERVE, {"same_value": 5}, Step.TO_ASK),
        (Mode.OBSERVE, {"same_value": 4, "recovered": 1}, Step.STAY),
        (Mode.OBSERVE, {"same_value": 9, "recovered": 1}, Step.TO_ASK),
        (Mode.ASK, {"repaired": 3}, Step.STAY),
        (Mode.ASK, {"repaired": 9}, Step.STAY),
        (Mode.ASK, {"repaired": 10}, Step.TO_AUTO),
        (Mode.ASK, {"repaired": 9, "rolled_back": 1}, Step.STAY),
        (Mode.ASK, {"repaired": 19, "rolled_back": 1}, Step.TO_AUTO),
        (Mode.ASK, {"repaired": 9, "put_back": 1}, Step.STAY),
        (Mode.AUTO, {"put_back": 5}, Step.TIGHTEN),
        (Mode.ASK, {"rolled_back": 4}, Step.STAY),
        (Mode.ASK, {"rolled_back": 5}, Step.TIGHTEN),
        (Mode.AUTO, {"repaired": 1, "rolled_back": 9}, Step.TIGHTEN),
        (Mode.AUTO, {"repaired": 5, "rolled_back": 5}, Step.STAY),
        (Mode.AUTO, {"repaired": 20}, Step.STAY),
        (Mode.OBSERVE, {"recovered": 20}, Step.STAY),
        (Mode.OFF, {"same_value": 20}, Step.STAY),
        (Mode.ASK, {"still_failing": 50, "unverified": 50, "untold": 50}, Step.STAY),
    ],
)
def test_a_mode_is_loosened_slowly_and_tightened_on_proof(
    mode: Mode, counts: dict[str, int], step: Step
) -> None:
    advice = advice_of(row(**counts), mode)
    assert advice.step is step
    assert f"{advice.good} of {advice.told}" in advice.why


def test_auto_is_never_advised_on_fewer_than_ten_whatever_they_say() -> None:
    for good in range(10):
        assert advice_of(row(same_value=good), Mode.ASK).step is Step.STAY
