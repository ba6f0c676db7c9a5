"""What has to hold of the pure core whatever it is given."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autorepair.causes.weighing import diagnose
from autorepair.domain.audit import AuditRecord, Entry, RecordKind, chain, first_break
from autorepair.domain.change import (
    Absent,
    Change,
    DeclaredSource,
    EnvironmentSetting,
    MemorySetting,
    SealedValue,
    TimeoutSetting,
)
from autorepair.domain.diagnosis import MemoryNeed, RootCause, TimeoutNeed
from autorepair.domain.evidence import Caller, Evidence
from autorepair.domain.log_format import RawEvent, assemble
from autorepair.domain.policy import Caps, Policy, VerificationRules
from autorepair.domain.statistics import fisher_one_sided
from autorepair.domain.verdict import judge
from autorepair.domain.verification import Shortage, TrafficSample, Verdict
from autorepair.repairs.planner import Surroundings
from autorepair.repairs.registry import plan
from unit.logbook import START, TARGET, configured, diagnosed

ID = "00000000-0000-4000-8000-00000000000{}"
FRAGMENTS = st.sampled_from(
    [
        "START RequestId: " + ID.format(1) + " Version: $LATEST",
        "START RequestId: " + ID.format(2) + " Version: 7",
        "END RequestId: " + ID.format(1),
        "REPORT RequestId: " + ID.format(1) + "\tDuration: 3000.00 ms\tMemory Size: 128 MB\t"
        "Max Memory Used: 128 MB\tStatus: timeout",
        "REPORT RequestId: " + ID.format(2) + "\tDuration: 9 ms\tMemory Size: 0 MB\t"
        "Max Memory Used: 0 MB\tStatus: error\tError Type: Runtime.OutOfMemory",
        "2026-03-04T05:06:07Z " + ID.format(1) + " Task timed out after 3.00 seconds",
        "RequestId: " + ID.format(2) + " Error: Runtime exited with error: signal: killed",
        "[ERROR] KeyError: 'ORDERS_TABLE'\nTraceback\n    os.environ['ORDERS_TABLE']",
        "INIT_START Runtime Version: python:3.12",
        "INIT_REPORT Init Duration: 9999.00 ms\tPhase: init\tStatus: timeout",
        '{"type": "platform.report", "record": {"requestId": "a", "status": "timeout"}}',
        '{"type": "platform.start", "record": {"requestId": "a"}}',
        "page 3 of 4",
        '{"errorMessage": "\\udfff", "errorType": "\\ud800", "stackTrace": ["\\ud801"]}',
        "[ERROR] E: no\nTraceback (most recent call last):\n  File",
    ]
)
MESSAGES = st.one_of(
    FRAGMENTS,
    st.text(),
    st.binary().map(lambda raw: raw.decode(errors="replace")),
    st.text(st.characters(categories=["Cs", "Cc", "L"])),
    st.builds(lambda head, tail: head + tail, FRAGMENTS, st.text()),
    st.builds(lambda text, cut: text[cut:], FRAGMENTS, st.integers(0, 60)),
)
EVENTS = st.lists(
    st.builds(
        lambda ms, stream, message: (START + timedelta(milliseconds=ms), stream, message),
        st.integers(-(10**9), 10**9),
        st.sampled_from(["2026/03/04/[$LATEST]a", "2026/03/04/[7]b", "", "odd"]),
        MESSAGES,
    ),
    max_size=25,
).map(lambda rows: [RawEvent(f"e{n}", *row) for n, row in enumerate(rows)])


@given(EVENTS)
def test_no_log_text_in_any_order_ever_raises(events: list[RawEvent]) -> None:
    invocations, lines = assemble(events)
    # Lines that go on with a trace are one event with its first.
    assert {line.id for line in lines} <= {event.id for event in events}
    assert len({line.id for line in lines}) == len(lines)
    assert len({i.request_id for i in invocations}) == len(invocations)
    assert {line.request_id for line in lines} <= {None, *(i.request_id for i in invocations)}


@given(EVENTS, st.sampled_from([1, 3, 10]), st.sampled_from([128, 512]))
def test_every_diagnosis_cites_only_lines_that_exist(
    events: list[RawEvent], timeout_s: int, memory_mb: int
) -> None:
    invocations, lines = assemble(events)
    evidence = Evidence(
        incident_id="inc-1",
        collected_at=START,
        window_start=START,
        window_end=START,
        configuration=configured(timeout_s=timeout_s, memory_mb=memory_mb),
        invocations=invocations,
        log_lines=lines,
    )
    diagnosis = diagnose(evidence)
    assert set(diagnosis.cites) <= {line.id for line in lines}
    assert diagnosis.source == "rules" or not diagnosis.is_repairable
    assert Evidence.model_validate_json(evidence.model_dump_json()) == evidence


SOURCES = st.one_of(
    st.just(Absent()), st.just(DeclaredSource()), st.builds(SealedValue, snapshot_id=st.text())
)
ENVIRONMENTS = st.builds(
    EnvironmentSetting, variables=st.dictionaries(st.text(max_size=5), SOURCES, max_size=4)
)
TIMEOUTS = st.builds(TimeoutSetting, timeout_s=st.integers(1, 900))
MEMORIES = st.builds(MemorySetting, memory_mb=st.integers(128, 10_240))
PRINTS = st.none() | st.text()
CHANGES = st.one_of(
    *(
        st.builds(
            Change,
            target=st.just(TARGET),
            before=settings,
            after=settings,
            planned_on=PRINTS,
            leads_to=PRINTS,
        )
        for settings in (TIMEOUTS, MEMORIES, ENVIRONMENTS)
    )
)


@given(CHANGES)
def test_the_inverse_of_the_inverse_is_the_change(change: Change) -> None:
    assert change.inverse().inverse() == change
    assert change.inverse().kind is change.kind
    assert Change.model_validate_json(change.model_dump_json()) == change


@given(CHANGES, CHANGES)
def test_equal_hashes_mean_equal_plans(one: Change, other: Change) -> None:
    is_same = one.model_copy(update={"leads_to": None}) == other.model_copy(
        update={"leads_to": None}
    )
    assert (one.plan_hash == other.plan_hash) is is_same


LIMITS = st.lists(
    st.builds(
        lambda limit: Caller(kind="other", source="c", timeout_limit_s=limit),
        st.none() | st.floats(0, 2000),
    ),
    max_size=3,
)


@given(
    present=st.integers(1, 900),
    cap=st.integers(1, 900),
    need_ms=st.floats(0, 1e7),
    basis=st.sampled_from(["fitted", "doubled", "observed"]),
    callers=LIMITS,
)
def test_no_timeout_is_lowered_or_passes_a_cap_or_a_caller(
    present: int, cap: int, need_ms: float, basis: str, callers: list[Caller]
) -> None:
    need = TimeoutNeed.model_validate({"duration_ms": need_ms, "basis": basis})
    result = plan(
        configured(timeout_s=present),
        diagnosed(RootCause.TIMEOUT_TOO_LOW, need),
        Policy(caps=Caps(timeout_s=cap)),
        Surroundings(TARGET, tuple(callers)),
    )
    if isinstance(result, Change):
        assert isinstance(result.after, TimeoutSetting)
        limits = [c.timeout_limit_s for c in callers if c.timeout_limit_s is not None]
        assert present < result.after.timeout_s <= min([cap, *limits])
        # A fitted need has a fifth to spare.
        if basis != "doubled":
            assert result.after.timeout_s >= need_ms / 1000 / (1.2 if basis == "fitted" else 1.0)


@given(
    present=st.integers(128, 10_240),
    cap=st.integers(128, 10_240),
    need_mb=st.floats(0, 20_000),
    basis=st.sampled_from(["doubled", "observed", "formerly_sufficient", "processor"]),
)
def test_no_memory_is_lowered_or_passes_a_cap(
    present: int, cap: int, need_mb: float, basis: str
) -> None:
    need = MemoryNeed.model_validate({"memory_mb": need_mb, "basis": basis})
    result = plan(
        configured(memory_mb=present),
        diagnosed(RootCause.MEMORY_EXHAUSTED, need),
        Policy(caps=Caps(memory_mb=cap)),
        Surroundings(TARGET),
    )
    if isinstance(result, Change):
        assert isinstance(result.after, MemorySetting)
        assert present < result.after.memory_mb <= cap
        assert result.after.memory_mb % 64 == 0 or result.after.memory_mb == cap


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
ENTRIES = st.builds(
    Entry,
    incident_id=st.just("inc-1"),
    key=st.text(),
    kind=st.sampled_from(RecordKind),
    at=st.integers(0, 10**6).map(lambda s: START + timedelta(seconds=s)),
    function_name=st.none() | st.text(),
    summary=st.text(),
    data=st.dictionaries(st.text(), JSON, max_size=3),
)


@given(st.lists(ENTRIES, min_size=1, max_size=5), st.data())
def test_the_audit_chain_shows_any_tampering(entries: list[Entry], data: st.DataObject) -> None:
    records: list[AuditRecord] = []
    for entry in entries:
        records.append(chain(entry, after=records[-1] if records else None))
    assert first_break(tuple(records)) is None
    at = data.draw(st.integers(0, len(records) - 1))
    victim = records[at]
    forgeries: list[dict[str, object]] = [
        {"entry": victim.entry.model_copy(update={"summary": victim.entry.summary + "!"})},
        {"entry": victim.entry.model_copy(update={"data": {"forged": True}})},
        {"entry": victim.entry.model_copy(update={"key": victim.entry.key + "x"})},
        {"seq": victim.seq + 1},
        {"prev_hash": "f" * 64},
        {"hash": "f" * 64},
    ]
    records[at] = victim.model_copy(update=data.draw(st.sampled_from(forgeries)))
    assert first_break(tuple(records)) is not None


COUNTS = st.integers(0, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(COUNTS, COUNTS)
def test_an_exact_test_gives_a_probability_and_favours_fewer_hits(
    a: tuple[int, int], b: tuple[int, int]
) -> None:
    p = fisher_one_sided(hits_a=a[0], n_a=a[1], hits_b=b[0], n_b=b[1])
    assert 0 < p <= 1
    if b[0]:
        fewer = fisher_one_sided(hits_a=a[0], n_a=a[1], hits_b=b[0] - 1, n_b=b[1])
        assert fewer <= p or fewer == pytest.approx(p)


SAMPLES = st.integers(0, 40).flatmap(
    lambda n: st.integers(0, n).flatmap(
        lambda failed: st.builds(
            TrafficSample,
            invocations=st.just(n),
            failures=st.just(failed),
            same_cause=st.integers(0, failed),
            rescued=st.integers(0, n - failed),
            pending=st.integers(0, 5),
        )
    )
)


@given(
    before=SAMPLES,
    after=SAMPLES,
    windows=st.integers(1, 6),
    shortage=st.sampled_from(Shortage),
    is_partial=st.booleans(),
    step=st.integers(1, 3),
)
def test_a_verdict_never_waits_for_ever_and_never_keeps_what_is_worse(
    *,
    before: TrafficSample,
    after: TrafficSample,
    windows: int,
    shortage: Shortage,
    is_partial: bool,
    step: int,
) -> None:
    rules = VerificationRules()
    judgement = judge(
        before,
        after,
        early=after,
        is_partial=is_partial,
        windows_used=windows,
        rules=rules,
        shortage=shortage,
        step=step,
        steps_allowed=3,
        looks_within=0,
    )
    assert judgement.next != "wait" or windows < rules.max_windows
    assert judgement.next != "step" or step < 3
    if judgement.verdict in {Verdict.WORSE, Verdict.UNCHANGED}:
        assert judgement.next == "roll_back"
    if judgement.verdict is Verdict.IMPROVED:
        assert after.invocations >= rules.min_invocations
        assert not is_partial
        assert after.failure_rate < before.failure_rate or before.failures == 0
        assert after.at_worst.failure_rate < before.failure_rate or before.failures == 0
