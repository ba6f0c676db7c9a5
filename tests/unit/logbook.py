"""Writes logs as Lambda writes them, and makes evidence of what they tell."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Literal

from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.diagnosis import Diagnosis, Finding, Need, RootCause
from autorepair.domain.evidence import (
    Caller,
    DeclaredVariable,
    Evidence,
    EvidenceSummary,
    Gap,
    RecentChange,
)
from autorepair.domain.incident import Target
from autorepair.domain.log_format import RawEvent, assemble
from autorepair.domain.traffic import Traffic

START = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
TARGET = Target(
    function_name="patient-slow-invoice",
    function_arn="arn:aws:lambda:eu-west-1:123456789012:function:patient-slow-invoice",
    account_id="123456789012",
    region="eu-west-1",
)


QUIET = Traffic(
    since=START - timedelta(days=30),
    until=START,
    invocations_month=1000.0,
    mean_ms=500.0,
    peak_per_s=0.1,
    peak_concurrency=1.0,
    cut_off_share=0.0,
)
"""A function that is called so seldom that no change of it costs a cent, or wants for room."""


def configured(**changes: object) -> FunctionConfiguration:
    plain = FunctionConfiguration(
        function_name=TARGET.function_name,
        function_arn=TARGET.function_arn,
        version="$LATEST",
        memory_mb=256,
        timeout_s=10,
        log_group="/aws/lambda/patient-slow-invoice",
        revision_id="r1",
        fingerprint="f1",
        tags={"auto-repair": "enabled"},
    )
    return plain.model_copy(update=changes)


def diagnosed(
    cause: RootCause = RootCause.TIMEOUT_TOO_LOW, need: Need | None = None, **changes: object
) -> Diagnosis:
    plain = Diagnosis(
        root_cause=cause,
        confidence=0.9,
        source="rules",
        why="it is so",
        need=need,
        is_repairable=True,
        failing_versions=("$LATEST",),
    )
    return plain.model_copy(update=changes)


def summed_up(**changes: object) -> EvidenceSummary:
    plain = EvidenceSummary(
        bucket="evidence",
        key="inc-1.json",
        sha256="0" * 64,
        collected_at=START,
        window_start=START - timedelta(minutes=15),
        window_end=START,
        invocations=10,
        failures=6,
        log_lines=40,
        traffic=QUIET,
        gaps=(),
    )
    return plain.model_copy(update=changes)


class Logbook:
    """One function's log in the text format, one call after another."""

    def __init__(self, *, memory_mb: int = 256, timeout_s: float = 10, stream: str = "a") -> None:
        self.events: list[RawEvent] = []
        self.memory_mb = memory_mb
        self.timeout_s = timeout_s
        self.now = START
        self.calls = 0
        self.enter(stream)

    def enter(self, stream: str, *, version: str = "$LATEST") -> None:
        """Go on in another execution environment."""
        self.stream = f"2026/03/04/[{version}]{stream}"
        self.is_cold = True

    def write(self, message: str, *, after_s: float = 0.0) -> None:
        at = self.now + timedelta(seconds=after_s)
        self.events.append(RawEvent(f"e{len(self.events)}", at, self.stream, message))

    def call(
        self,
        duration_ms: float,
        *,
        used_mb: int = 100,
        says: Iterable[tuple[float, str]] = (),
        ending: str = "",
        status: str = "",
        last_words: str = "",
    ) -> str:
        """One invocation: START, what it says (seconds, words), END and REPORT."""
        self.calls += 1
        request_id = f"00000000-0000-4000-8000-{self.calls:012d}"
        init = "\tInit Duration: 120.00 ms" if self.is_cold else ""
        if self.is_cold:
            self.write("INIT_START Runtime Version: python:3.12.v72")
            self.now += timedelta(seconds=0.12)
        self.is_cold = False
        self.write(f"START RequestId: {request_id} Version: $LATEST")
        for after_s, words in says:
            self.write(words, after_s=after_s)
        self.now += timedelta(milliseconds=duration_ms)
        if ending:
            self.write(ending.format(id=request_id))
        self.write(f"END RequestId: {request_id}")
        self.write(
            f"REPORT RequestId: {request_id}\tDuration: {duration_ms:.2f} ms"
            f"\tBilled Duration: {duration_ms:.0f} ms\tMemory Size: {self.memory_mb} MB"
            f"\tMax Memory Used: {used_mb} MB{init}\t{status}"
        )
        if last_words:
            self.write(last_words.format(id=request_id))
        self.now += timedelta(seconds=5)
        return request_id

    def succeed(self, *durations_ms: float, used_mb: int = 100) -> None:
        for duration_ms in durations_ms:
            self.call(duration_ms, used_mb=used_mb)

    def time_out(self, says: Iterable[tuple[float, str]] = (), *, used_mb: int = 100) -> None:
        self.call(
            self.timeout_s * 1000,
            used_mb=used_mb,
            says=says,
            ending=f"2026-03-04T05:06:07Z {{id}} Task timed out after {self.timeout_s:.2f} seconds",
            status="Status: timeout",
        )
        self.is_cold = True

    def be_killed(self, *, used_mb: int | None = None) -> None:
        self.call(
            800,
            used_mb=used_mb or self.memory_mb,
            status="Status: error\tError Type: Runtime.OutOfMemory",
            last_words="RequestId: {id} Error: Runtime exited with error: signal: killed\n"
            "Runtime.ExitError",
        )
        self.is_cold = True

    def fail(self, words: str, *, used_mb: int = 100) -> None:
        self.call(4, used_mb=used_mb, says=[(0.001, words)])

    def evidence(
        self,
        *,
        declared: Iterable[str] = (),
        differing: Iterable[str] = (),
        unwanted: Iterable[str] = (),
        equal: Iterable[str] = (),
        gaps: Iterable[Gap] = (),
        callers: Iterable[Caller] = (),
        changes: Iterable[RecentChange] = (),
        **configuration: object,
    ) -> Evidence:
        invocations, lines = assemble(self.events)
        settings = {"memory_mb": self.memory_mb, "timeout_s": round(self.timeout_s)}
        return Evidence(
            incident_id="inc-1",
            collected_at=self.now,
            window_start=START,
            window_end=self.now,
            configuration=configured(**{**settings, **configuration}),
            invocations=invocations,
            log_lines=lines,
            declared=(
                *(DeclaredVariable(name=n, kind="literal") for n in declared),
                *_told(differing, matches=False),
                *_told(unwanted, kind="absent", matches=False),
                *_told(equal, matches=True),
            ),
            gaps=tuple(gaps),
            callers=tuple(callers),
            changes=tuple(changes),
        )


def _told(
    names: Iterable[str], *, matches: bool, kind: Literal["literal", "absent"] = "literal"
) -> Iterable[DeclaredVariable]:
    return [DeclaredVariable(name=n, kind=kind, matches_current=matches) for n in names]


def cites_exist(finding: Finding | Diagnosis, evidence: Evidence) -> bool:
    """Whether a finding cites something, and only lines that are there."""
    known = {line.id for line in evidence.log_lines}
    return bool(finding.cites) and set(finding.cites) <= known
