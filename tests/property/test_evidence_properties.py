"""Whatever bytes a log holds, in whatever order and by whatever clock: no fault, and no repair."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from autorepair.causes.weighing import diagnose
from autorepair.domain.change import Change, RepairKind
from autorepair.domain.evidence import (
    AccountConcurrency,
    Alias,
    Caller,
    DeclaredVariable,
    Evidence,
    PublishedVersion,
)
from autorepair.domain.log_events import RawEvent, joined
from autorepair.domain.log_format import assemble
from autorepair.domain.log_sampling import LogSampler, is_mark
from autorepair.domain.policy import Mode, Policy
from autorepair.domain.signatures import signatures
from autorepair.domain.trends import environments, onset
from autorepair.steps.planning import plan_step
from unit.logbook import START, TARGET, Logbook, configured

EVERYTHING = Policy(modes=dict.fromkeys(RepairKind, Mode.AUTO))
STREAMS = st.sampled_from(["2026/03/04/[$LATEST]a", "2026/03/04/[7]b", "", "odd"])
SKEWS = st.integers(-(10**9), 10**9).map(lambda ms: timedelta(milliseconds=ms))
BYTES = st.one_of(
    st.binary(max_size=200).map(lambda raw: raw.decode(errors="replace")),
    st.binary(max_size=200).map(lambda raw: raw.decode("latin-1")),
    st.text(max_size=200),
    st.text(st.characters(categories=["Cs", "Cc", "L", "Nd"]), max_size=200),
    st.sampled_from(["{", "}", "[ERROR] ", "REPORT RequestId: ", "\t", "    at ", "panic: ", "\n"]),
)
# Lines as a runtime writes them one by one, so that they are put together.
PIECES = st.sampled_from(
    [
        "[ERROR] KeyError: 'A'",
        "Traceback (most recent call last):",
        '  File "a.py", line 1',
        "\tat shop.App.handle(App.java:7)",
        "Caused by: java.io.IOException: closed",
        "panic: no",
        "goroutine 1 [running]:",
        "",
        "Error raised from handler method",
        "{",
        '  "errorType": "Function<KeyError>"',
        "}",
        "and on it goes",
    ]
)


def at(skew: timedelta) -> datetime:
    return START + skew


@st.composite
def logs(draw: st.DrawFn, messages: st.SearchStrategy[str]) -> list[RawEvent]:
    rows = draw(st.lists(st.tuples(SKEWS, STREAMS, messages), max_size=25))
    return [
        RawEvent(f"e{n}", at(skew), stream, words) for n, (skew, stream, words) in enumerate(rows)
    ]


def evidence_of(events: Sequence[RawEvent]) -> Evidence:
    """Everything that a repair could lean on is there, but for a failure."""
    invocations, lines = assemble(events)
    return Evidence(
        incident_id="inc-1",
        collected_at=START,
        window_start=START,
        window_end=START,
        configuration=configured(env_names=("STAGE",), reserved_concurrency=5),
        invocations=invocations,
        log_lines=lines,
        callers=(Caller(kind="sqs", source="queue", timeout_limit_s=900),),
        declared=(
            DeclaredVariable(name="STAGE", kind="literal", matches_current=True),
            DeclaredVariable(name="A_TABLE", kind="literal", matches_current=False),
        ),
        aliases=(Alias(name="live", version="7"),),
        versions=(
            PublishedVersion(version="6", code_sha256="a", timeout_s=10, memory_mb=256),
            PublishedVersion(version="7", code_sha256="b", timeout_s=10, memory_mb=256),
        ),
        concurrency=AccountConcurrency(limit=1000, unreserved=900),
    )


def is_left_alone(evidence: Evidence) -> bool:
    diagnosis = diagnose(evidence)
    known = {line.id for line in evidence.log_lines}
    assert set(diagnosis.cites) <= known
    planned = plan_step(TARGET, evidence.configuration, diagnosis, EVERYTHING, evidence, step=1)
    return not isinstance(planned, Change)


@given(logs(BYTES))
def test_no_bytes_in_a_log_lead_to_a_repair(events: list[RawEvent]) -> None:
    assert is_left_alone(evidence_of(events))


@given(st.lists(BYTES, max_size=8), st.randoms(use_true_random=False), st.lists(SKEWS, max_size=8))
def test_a_healthy_log_in_any_order_and_by_any_clock_leads_to_no_repair(
    printed: list[str], chance: Random, skews: list[timedelta]
) -> None:
    log = Logbook()
    for words in [*printed, "a plain word"]:
        log.call(40, says=[(0.001, words)])
    events = list(log.events)
    chance.shuffle(events)
    by_stream = dict(enumerate(skews))
    skewed = [
        RawEvent(e.id, e.at + by_stream.get(n % 9, timedelta(0)), e.stream, e.message)
        for n, e in enumerate(events)
    ]
    assert is_left_alone(evidence_of(skewed))


@given(logs(BYTES | PIECES))
def test_signatures_and_trends_take_any_text(events: list[RawEvent]) -> None:
    invocations, lines = assemble(events)
    told = signatures(invocations, lines)
    assert {one.first_line_id for one in told} <= {line.id for line in lines}
    assert all(one.first_at <= one.last_at and len(one.template) <= 240 for one in told)
    assert sum(t.invocations for t in environments(invocations)) == len(invocations)
    assert (onset(invocations, ()) is None) == (not any(i.has_failed for i in invocations))


@given(st.lists(st.tuples(st.integers(0, 1500), STREAMS, PIECES), max_size=30))
def test_putting_traces_together_loses_no_line_and_keeps_the_order(
    rows: list[tuple[int, str, str]],
) -> None:
    events = [
        RawEvent(f"e{n}", at(timedelta(milliseconds=ms)), stream, words)
        for n, (ms, stream, words) in enumerate(sorted(rows, key=lambda row: row[0]))
    ]
    whole = list(joined(events))
    for stream in {event.stream for event in events}:
        before = "\n".join(e.message for e in events if e.stream == stream)
        assert "\n".join(e.message for e in whole if e.stream == stream) == before
    assert [e.at for e in whole] == sorted(e.at for e in whole)
    assert {e.id for e in whole} <= {e.id for e in events}


@given(logs(BYTES | PIECES))
def test_sampling_a_log_keeps_only_what_was_there(events: list[RawEvent]) -> None:
    sampler = LogSampler()
    for event in sorted(events, key=lambda event: event.at):
        if is_mark(event.message):
            sampler.take(event)
    sampler.finish()
    assert {event.id for event in sampler.events} <= {event.id for event in events}
    assert len(sampler.failing) <= sampler.failures
