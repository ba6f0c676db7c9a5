from __future__ import annotations

import pytest

from autorepair.domain.audit import RecordKind
from autorepair.domain.diagnosis import Advice, Diagnosis, RootCause
from autorepair.domain.errors import (
    AccessDeniedError,
    ConfigurationError,
    EvidenceMissingError,
    TransientServiceError,
)
from autorepair.domain.evidence import EvidenceSummary, Invocation, LogLine
from autorepair.steps.diagnose_issue import DiagnoseIssueInput, diagnose_issue
from unit.builders import INCIDENT, evidence, invocation, invocations, kept, slow_invocations
from unit.fakes import NOW, World

FAILED = tuple(invocations(4, "error", duration_ms=10.0))
LINE = LogLine(
    id="line-1",
    at=NOW,
    stream="old",
    message="still waiting for the tariff desk, no answer so far",
    request_id=FAILED[0].request_id,
)


def diagnosed(world: World, summary: EvidenceSummary) -> Diagnosis:
    given = DiagnoseIssueInput(incident=INCIDENT, evidence=summary)
    return diagnose_issue(given, world.ports)


def puzzling(world: World, *seen: Invocation) -> EvidenceSummary:
    """Failures that no rule explains."""
    return world.evidence.put(evidence(*(seen or FAILED), lines=(LINE,)))


def advised(world: World, cause: RootCause, *cites: str) -> Diagnosis:
    world.advisor.advice = Advice(root_cause=cause, why="it looks like it", cites=cites)
    return diagnosed(world, puzzling(world))


def test_rules_that_prove_a_cause_leave_nothing_to_ask() -> None:
    world = World()
    diagnosis = diagnosed(world, kept(world, *slow_invocations()))
    assert (diagnosis.root_cause, diagnosis.source) == (RootCause.TIMEOUT_TOO_LOW, "rules")
    assert world.advisor.asked == 0
    assert world.kinds(INCIDENT) == [RecordKind.DIAGNOSIS_MADE]


def test_too_little_evidence_is_not_put_to_the_advisor() -> None:
    world = World()
    diagnosis = diagnosed(world, world.evidence.put(evidence(invocation("success"))))
    assert diagnosis.root_cause is RootCause.INSUFFICIENT_EVIDENCE
    assert world.advisor.asked == 0


def test_an_advisor_that_cites_existing_lines_is_heard() -> None:
    world = World()
    diagnosis = advised(world, RootCause.DOWNSTREAM_SLOW, "line-1")
    assert (diagnosis.root_cause, diagnosis.source) == (RootCause.DOWNSTREAM_SLOW, "model")
    assert diagnosis.confidence < 0.8


@pytest.mark.parametrize("cites", [(), ("line-2",), ("line-1", "made-up")])
def test_an_advisor_without_existing_evidence_is_not_believed(cites: tuple[str, ...]) -> None:
    diagnosis = advised(World(), RootCause.DOWNSTREAM_SLOW, *cites)
    assert (diagnosis.root_cause, diagnosis.source) == (RootCause.UNKNOWN, "none")
    assert "without evidence" in diagnosis.why


def test_an_advisor_whose_citations_do_not_bear_on_the_cause_is_not_believed() -> None:
    diagnosis = advised(World(), RootCause.PERMISSION_DENIED, "line-1")
    assert (diagnosis.root_cause, diagnosis.source) == (RootCause.UNKNOWN, "none")
    assert "carries a signal" in diagnosis.why
    assert diagnosis.consultation is not None
    assert diagnosis.consultation.named is RootCause.PERMISSION_DENIED
    assert not diagnosis.consultation.is_heard


def test_an_advisor_that_does_not_know_changes_nothing() -> None:
    diagnosis = advised(World(), RootCause.UNKNOWN, "line-1")
    assert diagnosis.source == "none"
    assert diagnosis.consultation is None


def test_a_cause_that_only_an_advisor_names_has_no_size_to_set() -> None:
    diagnosis = advised(World(), RootCause.DOWNSTREAM_SLOW, "line-1")
    assert diagnosis.need is None
    assert not diagnosis.is_repairable


@pytest.mark.parametrize(
    "error",
    [TransientServiceError("down"), AccessDeniedError("denied"), ConfigurationError("no model")],
)
def test_an_advisor_that_cannot_be_asked_leaves_the_cause_unknown(error: Exception) -> None:
    world = World()
    world.advisor.error = error
    diagnosis = diagnosed(world, puzzling(world))
    assert diagnosis.root_cause is RootCause.UNKNOWN
    assert type(error).__name__ in diagnosis.why


def test_diagnosed_twice_is_recorded_once() -> None:
    world = World()
    summary = kept(world)
    assert diagnosed(world, summary) == diagnosed(world, summary)
    assert len(world.kinds(INCIDENT)) == 1


def test_diagnosed_again_what_was_recorded_stands_whatever_the_advisor_says_now() -> None:
    world = World()
    world.advisor.error = TransientServiceError("down")
    summary = puzzling(world)
    first = diagnosed(world, summary)
    world.advisor.error = None
    cites = ("line-1",)
    world.advisor.advice = Advice(root_cause=RootCause.DOWNSTREAM_SLOW, why="slow", cites=cites)
    assert diagnosed(world, summary) == first
    assert world.audit.chain_of(INCIDENT.id)[-1].entry.data == first.as_json()


def test_evidence_that_is_gone_is_not_taken_for_nothing_wrong() -> None:
    world = World()
    summary = kept(world)
    world.evidence.kept.clear()
    with pytest.raises(EvidenceMissingError):
        diagnosed(world, summary)


def test_the_diagnosis_quotes_what_it_cites_for_people_without_the_log() -> None:
    world = World()
    world.advisor.advice = Advice(
        root_cause=RootCause.DOWNSTREAM_SLOW, why="it looks like it", cites=("line-1",)
    )
    quotes = diagnosed(world, puzzling(world)).quotes
    assert quotes == (f"{NOW:%H:%M:%S} {LINE.message}",)
    recorded = world.audit.chain_of(INCIDENT.id)[-1].entry.data
    assert tuple(recorded["quotes"]) == quotes
