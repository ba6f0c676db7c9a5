from __future__ import annotations

import pytest

from autorepair.causes.concurrency import CONCURRENCY_LIMITED
from autorepair.domain.decision import RefusalCode
from autorepair.domain.diagnosis import ConcurrencyNeed, Finding, RootCause
from autorepair.domain.evidence import AccountConcurrency, Evidence
from autorepair.repairs.planner import Surroundings
from autorepair.repairs.set_reserved_concurrency import plan_reserved_concurrency
from unit.around import series, with_metrics
from unit.deciding import AUTO
from unit.logbook import TARGET, Logbook, configured, diagnosed


def throttled(*says: str, description: str = "", tags: dict[str, str] | None = None) -> Evidence:
    """Ten of ten reserved executions run, and calls are turned away; each call says one line."""
    log = Logbook()
    for words in says or ("done",):
        log.call(500, says=[(0.1, words)])
    evidence = with_metrics(
        log.evidence(reserved_concurrency=10, description=description, tags=tags or {}),
        series("Invocations", "Sum", [40] * 10 + [300] * 6),
        series("Throttles", "Sum", [0] * 10 + [100] * 6),
        series("Errors", "Sum", [0] * 16),
        series("Duration", "Average", [500] * 16),
        series("ConcurrentExecutions", "Maximum", [2] * 10 + [10] * 6),
    )
    account = AccountConcurrency(limit=1000, unreserved=860)
    return evidence.model_copy(update={"concurrency": account})


def find(evidence: Evidence) -> Finding:
    finding = CONCURRENCY_LIMITED.diagnose(evidence)
    assert finding is not None
    return finding


def is_for_people(finding: Finding) -> bool:
    return finding.need is None and not finding.is_repairable


def test_without_a_word_of_a_purpose_more_is_wanted() -> None:
    finding = find(throttled())
    assert isinstance(finding.need, ConcurrencyNeed)
    assert finding.confidence >= 0.9


@pytest.mark.parametrize(
    "description",
    [
        "CRM writer. Reserved concurrency protects the small database",
        "kept at ten on purpose",
        "Nebenläufigkeit begrenzt wegen Aurora",
    ],
)
def test_a_purpose_in_the_description_makes_it_one_for_people(description: str) -> None:
    assert is_for_people(find(throttled(description=description)))


@pytest.mark.parametrize(
    "note",
    ["reserved=10 because RDS max_connections=12", "do not raise (DBA)", "reserved: licence of 10"],
)
def test_a_purpose_in_any_tag_makes_it_one_for_people(note: str) -> None:
    assert is_for_people(find(throttled(tags={"auto-repair": "enabled", "note": note})))


def test_a_description_of_the_work_is_no_purpose_of_the_reservation() -> None:
    finding = find(throttled(description="Writes hotel reservations to the database"))
    assert isinstance(finding.need, ConcurrencyNeed)


@pytest.mark.parametrize(
    "words",
    [
        "connection 10/12 in use on crm-db",
        "active connections: 95 of 100",
        "9 out of 10 sessions taken",
        "Verbindung 11 von 12 belegt",
        "数据库连接 10/12",
    ],
)
def test_connections_that_are_nearly_all_taken_hold_it_back_and_are_cited(words: str) -> None:
    evidence = throttled(*[words] * 4)
    finding = find(evidence)
    assert is_for_people(finding)
    assert {line.id for line in evidence.log_lines if words in line.message} & set(finding.cites)


@pytest.mark.parametrize(
    "says",
    [
        ["connection 10/100 in use"] * 4,
        # The pool of one process, full whenever the one execution in it works.
        ["pool: connections 1/1 in use"] * 4,
        # Work that is counted from its beginning to its end.
        [f"closed connection {n} of 20" for n in range(5, 21)],
        ["report of 10/12/2025, session opened"] * 4,
        # Once or twice is a peak.
        ["connection 10/12 in use"] * 2,
    ],
)
def test_other_counts_hold_nothing_back(says: list[str]) -> None:
    assert isinstance(find(throttled(*says)).need, ConcurrencyNeed)


def test_a_reservation_that_is_meant_so_is_not_raised_whoever_diagnosed_it() -> None:
    there = configured(reserved_concurrency=10, description="capped for the partner")
    need = ConcurrencyNeed(executions=20, seen_at_reserved=10)
    planned = plan_reserved_concurrency(
        there,
        diagnosed(RootCause.CONCURRENCY_LIMITED, need),
        AUTO,
        Surroundings(TARGET, account=AccountConcurrency(limit=1000, unreserved=860)),
    )
    assert getattr(planned, "code", None) is RefusalCode.DELIBERATE_LIMIT
