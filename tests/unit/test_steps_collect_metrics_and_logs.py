from __future__ import annotations

from datetime import timedelta

import pytest

from autorepair.domain.audit import RecordKind
from autorepair.domain.errors import (
    AccessDeniedError,
    TargetNotFoundError,
    TransientServiceError,
)
from autorepair.domain.evidence import (
    Caller,
    DeclaredVariable,
    Evidence,
    EvidenceSummary,
    Gap,
    MetricSeries,
)
from autorepair.domain.incident import Incident
from autorepair.steps.collect_metrics_and_logs import (
    CollectMetricsAndLogsInput,
    collect_metrics_and_logs,
    window_start,
)
from unit.builders import ALARM, INCIDENT, incident, invocations
from unit.fakes import NOW, FakeFunctions, World, configuration


def collected(world: World, of: Incident = INCIDENT) -> EvidenceSummary:
    return collect_metrics_and_logs(CollectMetricsAndLogsInput(incident=of), world.ports)


def whole(world: World) -> Evidence:
    (evidence,) = world.evidence.kept.values()
    return evidence


def test_everything_that_was_read_is_kept_and_summed_up() -> None:
    world = World()
    world.logs.invocations = invocations(4)
    world.callers.callers = (Caller(kind="sqs", source="queue", timeout_limit_s=30),)
    world.known_config.variables = (DeclaredVariable(name="TABLE", kind="literal"),)
    world.metrics.series = (
        MetricSeries(
            id="m1", namespace="AWS/Lambda", metric_name="Errors", statistic="Sum", period_s=60,
            points=((NOW, 4.0),),
        ),
    )  # fmt: skip
    summary = collected(world)
    assert (summary.invocations, summary.failures, summary.gaps) == (4, 4, ())
    assert whole(world).callers == world.callers.callers
    assert whole(world).declared == world.known_config.variables
    assert whole(world).metrics == world.metrics.series
    assert world.kinds(INCIDENT) == [RecordKind.EVIDENCE_COLLECTED]


@pytest.mark.parametrize("error", [AccessDeniedError("denied"), TransientServiceError("down")])
def test_each_source_that_cannot_be_read_is_a_gap_and_not_an_empty_list(error: Exception) -> None:
    world = World()
    for source in (world.logs, world.metrics, world.callers, world.known_config):
        source.error = error
    gaps = collected(world).gaps
    assert [gap.source for gap in gaps] == ["logs", "metrics", "callers", "known_config"]
    assert all(type(error).__name__ in gap.reason for gap in gaps)


def test_gaps_that_the_sources_name_themselves_are_kept() -> None:
    world = World()
    world.logs.gaps = [Gap(source="logs", reason="budget used up")]
    world.callers.gaps = (Gap(source="callers", reason="denied"),)
    assert [gap.source for gap in collected(world).gaps] == ["logs", "callers"]


def test_without_a_configuration_there_is_no_evidence() -> None:
    world = World(functions=FakeFunctions())
    with pytest.raises(TargetNotFoundError):
        collected(world)
    assert world.evidence.kept == {}


def test_a_fault_in_our_own_code_is_not_taken_for_a_gap() -> None:
    world = World()
    world.logs.error = KeyError("bug")
    with pytest.raises(KeyError):
        collected(world)


@pytest.mark.parametrize(
    ("timeout_s", "minutes"), [(3, 15), (300, 15), (301, 15 + 2 / 60), (900, 35)]
)
def test_the_window_holds_the_longest_invocation_before_the_alarm(
    timeout_s: int, minutes: float
) -> None:
    start = window_start(INCIDENT, configuration(timeout_s=timeout_s), opened_at=NOW)
    assert ALARM.changed_at - start == timedelta(minutes=minutes)


def test_the_window_holds_all_that_the_alarm_looked_at() -> None:
    long_ago = NOW - timedelta(hours=2)
    slow = incident(alarm=ALARM.model_copy(update={"evaluated_from": long_ago}))
    assert window_start(slow, configuration(), opened_at=NOW) == long_ago


def test_without_an_alarm_the_window_ends_at_the_opening() -> None:
    start = window_start(incident(alarm=None), configuration(), opened_at=NOW)
    assert NOW - start == timedelta(minutes=15)


def test_the_log_is_read_up_to_now() -> None:
    world = World()
    world.clock.advance(90)
    collected(world)
    assert world.logs.reads[0][1] == NOW + timedelta(seconds=90)
