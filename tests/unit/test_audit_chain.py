from __future__ import annotations

from autorepair.domain.audit import (
    GENESIS,
    AuditRecord,
    Entry,
    RecordKind,
    chain,
    first_break,
)
from unit.logbook import START


def entry(number: int, summary: str = "it was so") -> Entry:
    return Entry(
        incident_id="inc-1",
        key=f"step/{number}",
        kind=RecordKind.DIAGNOSIS_MADE,
        at=START,
        function_name="patient-slow-invoice",
        summary=summary,
        data={"number": number, "nested": {"b": [1.5, None], "a": "é"}},
    )


def chained(*entries: Entry) -> tuple[AuditRecord, ...]:
    records: list[AuditRecord] = []
    for one in entries:
        records.append(chain(one, after=records[-1] if records else None))
    return tuple(records)


def test_records_follow_one_another_from_the_first_on() -> None:
    records = chained(entry(1), entry(2), entry(3))
    assert [record.seq for record in records] == [1, 2, 3]
    assert records[0].prev_hash == GENESIS
    assert records[1].prev_hash == records[0].hash
    assert first_break(records) is None
    assert first_break(()) is None


def test_a_record_survives_storage() -> None:
    records = chained(entry(1), entry(2))
    stored = tuple(AuditRecord.model_validate_json(r.model_dump_json()) for r in records)
    assert first_break(stored) is None


def test_an_altered_summary_breaks_the_chain_where_it_was_altered() -> None:
    first, second, third = chained(entry(1), entry(2), entry(3))
    forged = second.model_copy(update={"entry": entry(2, "it was otherwise")})
    assert first_break((first, forged, third)) == 2


def test_a_record_hashed_anew_breaks_the_chain_behind_it() -> None:
    first, _, third = chained(entry(1), entry(2), entry(3))
    forged = chain(entry(2, "it was otherwise"), after=first)
    assert first_break((first, forged, third)) == 3


def test_a_missing_swapped_or_repeated_record_breaks_the_chain() -> None:
    first, second, third = chained(entry(1), entry(2), entry(3))
    assert first_break((first, third)) == 3
    assert first_break((second, third)) == 2
    assert first_break((first, third, second)) == 3
    assert first_break((first, first, second)) == 1
