from __future__ import annotations

import json
from datetime import timedelta

import pytest

from autorepair.domain.audit import RecordKind
from autorepair.domain.change import ChangeRecord
from autorepair.domain.errors import (
    AccessDeniedError,
    ConfigurationError,
    TargetNotFoundError,
    TransientServiceError,
)
from autorepair.domain.evidence import (
    AccountConcurrency,
    Alias,
    Caller,
    DeclaredVariable,
    EventSource,
    Evidence,
    EvidenceSummary,
    Gap,
    LogLine,
    MetricSeries,
    SettingChange,
)
from autorepair.domain.incident import Incident, Target
from autorepair.domain.recent_changes import MOST_CHANGES, TrailEvent
from autorepair.ports import Releases
from autorepair.steps.collect_metrics_and_logs import (
    CollectMetricsAndLogsInput,
    collect_metrics_and_logs,
    window_start,
)
from autorepair.steps.determine_action import DetermineActionInput, determine_action
from autorepair.steps.diagnose_issue import DiagnoseIssueInput, diagnose_issue
from unit.builders import ALARM, AUTO, INCIDENT, applied, incident, invocations
from unit.fake_evidence import by_the_hour
from unit.fakes import NOW, FakeFunctions, FakePolicies, World, configuration


def collected(world: World, of: Incident = INCIDENT) -> EvidenceSummary:
    return collect_metrics_and_logs(CollectMetricsAndLogsInput(incident=of), world.ports)


def whole(world: World) -> Evidence:
    (evidence,) = world.evidence.kept.values()
    return evidence


def test_everything_that_was_read_is_kept_and_summed_up() -> None:
    world = World()
    world.logs.invocations = invocations(4)
    world.callers.callers = (Caller(kind="sqs", source="queue", timeout_limit_s=30),)
    world.callers.event_sources = (EventSource(kind="sqs", source="queue", batch_size=10),)
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
    assert whole(world).event_sources == world.callers.event_sources
    assert whole(world).alarm == INCIDENT.alarm
    assert whole(world).declared == world.known_config.variables
    assert whole(world).metrics == world.metrics.series
    assert world.kinds(INCIDENT) == [RecordKind.EVIDENCE_COLLECTED]


@pytest.mark.parametrize(
    "error",
    [AccessDeniedError("denied"), TransientServiceError("down"), ConfigurationError("no such key")],
)
def test_each_source_that_cannot_be_read_is_a_gap_and_not_an_empty_list(error: Exception) -> None:
    world = World()
    sources = (
        world.logs, world.metrics, world.callers, world.known_config, world.change_log,
        world.snapshots, world.concurrency,
    )  # fmt: skip
    for source in sources:
        source.error = error
    gaps = collected(world).gaps
    assert sorted(gap.source for gap in gaps) == [
        "callers", "changes", "concurrency", "known_config", "logs", "metrics", "snapshots",
        "traffic",
    ]  # fmt: skip
    assert all(type(error).__name__ in gap.reason for gap in gaps)


def test_traffic_is_read_over_a_month_and_told_in_the_summary() -> None:
    world = World()
    world.metrics.hours = (
        by_the_hour("Invocations", "Sum", *[10.0] * 720),
        by_the_hour("Errors", "Sum", *[0.5] * 720),
        by_the_hour("Duration", "Average", *[500.0] * 720),
        by_the_hour("ConcurrentExecutions", "Maximum", *[3.0] * 720),
    )
    world.logs.invocations = [*invocations(3), *invocations(9, "success", duration_ms=400.0)]
    traffic = collected(world).traffic
    assert traffic is not None
    assert world.metrics.asked_by_the_hour == [(NOW - timedelta(days=30), NOW)]
    assert traffic.invocations_month == pytest.approx(7200)
    assert (traffic.mean_ms, traffic.peak_concurrency) == (500.0, 3.0)
    assert traffic.cut_off_share == pytest.approx(0.25)
    # The latest hours are the incident's own.
    assert traffic.usual is not None
    assert traffic.usual.failure_rate == pytest.approx(0.05, abs=0.0001)
    assert traffic.usual.invocations < 7200
    assert whole(world).traffic == traffic


def test_the_room_in_the_account_is_told_in_the_summary() -> None:
    assert collected(World()).concurrency == AccountConcurrency(limit=1000, unreserved=900)


def test_collected_again_what_was_recorded_stands() -> None:
    world = World()
    first = collected(world)
    world.logs.invocations = invocations(4)
    assert collected(world) == first
    assert world.audit.chain_of(INCIDENT.id)[-1].entry.data == first.as_json()


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


@pytest.mark.parametrize("days", [1, 21, 4_000])
def test_an_alarm_that_has_stood_for_long_is_judged_by_what_goes_wrong_now(days: int) -> None:
    since = NOW - timedelta(days=days)
    old = incident(alarm=ALARM.model_copy(update={"changed_at": since, "evaluated_from": None}))
    start = window_start(old, configuration(), opened_at=NOW)
    assert NOW - start == timedelta(hours=3, minutes=15)


def test_however_long_the_alarm_evaluates_a_day_is_looked_at() -> None:
    week = {"changed_at": NOW, "evaluated_from": NOW - timedelta(days=7)}
    slow = incident(alarm=ALARM.model_copy(update=week))
    assert window_start(slow, configuration(), opened_at=NOW) == NOW - timedelta(days=1)


def since_the_last(world: World, change: ChangeRecord | None, *, closed_s: float) -> timedelta:
    """Close an incident, with what it changed, and say how far back the next one looks."""
    if change is not None:
        world.state.remember_change(INCIDENT, change)
    world.clock.advance(-closed_s)
    world.state.open(INCIDENT)
    world.state.close(INCIDENT)
    world.clock.advance(closed_s)
    collected(world, incident(id="inc-next"))
    evidence = whole(world)
    return evidence.window_end - evidence.window_start


def written(minutes: float, status: str = "kept") -> ChangeRecord:
    at = NOW - timedelta(minutes=minutes)
    return applied(status=status).model_copy(update={"applied_at": at})


@pytest.mark.parametrize(
    ("change", "minutes"),
    [
        (written(10), 10),
        (written(1), 2),
        (written(600), 16),
        (written(10, "rolled_back"), 5),
        (written(10, "handed_over"), 5),
        (applied(status="refused").model_copy(update={"applied_at": None}), 16),
        (None, 16),
    ],
)
def test_what_failed_before_the_last_repair_is_no_evidence(
    change: ChangeRecord | None, minutes: float
) -> None:
    assert since_the_last(World(), change, closed_s=300) == timedelta(minutes=minutes)


def test_a_last_repair_that_cannot_be_read_leaves_the_window_wide() -> None:
    world = World()

    def denied(_target: Target) -> None:
        raise AccessDeniedError("dynamodb:GetItem")

    world.state.last_closed = denied  # type: ignore[method-assign,assignment]  # a fault
    collected(world)
    assert whole(world).window_start < NOW - timedelta(minutes=15)


def test_without_an_alarm_the_window_ends_at_the_opening() -> None:
    start = window_start(incident(alarm=None), configuration(), opened_at=NOW)
    assert NOW - start == timedelta(minutes=15)


def test_the_log_is_read_up_to_now() -> None:
    world = World()
    world.clock.advance(90)
    collected(world)
    assert world.logs.reads[0][1] == NOW + timedelta(seconds=90)


def test_versions_and_aliases_are_read_only_where_traffic_goes_to_them() -> None:
    world = World()
    collected(world)
    assert world.releases.reads == 0

    world.logs.invocations = [invocations(1)[0].model_copy(update={"version": "7"})]
    world.releases.releases = Releases(aliases=(Alias(name="live", version="7"),), versions=())
    world.evidence.kept.clear()
    collected(world)
    assert whole(world).aliases == world.releases.releases.aliases


def test_an_alarm_on_an_alias_asks_for_the_releases_too() -> None:
    world = World()
    world.releases.error = AccessDeniedError("denied")
    on_alias = INCIDENT.subject.model_copy(update={"qualifier": "live"})
    gaps = collected(world, incident(target=on_alias)).gaps
    assert [gap.source for gap in gaps] == ["releases"]


def test_what_was_changed_is_kept_with_what_it_replaced() -> None:
    world = World()
    world.change_log.events = (
        TrailEvent(
            id="e1",
            at=NOW - timedelta(days=2),
            name="CreateFunction",
            principal="somebody",
            settings={"timeout_s": 30},
        ),
        TrailEvent(
            id="e2",
            at=NOW - timedelta(hours=1),
            name="UpdateFunctionConfiguration",
            principal="somebody",
            settings={"timeout_s": 3},
        ),
    )
    assert collected(world).changes == 2
    latest = whole(world).changes[-1]
    assert latest.setting("timeout_s") == SettingChange(name="timeout_s", before=30, after=3)


def test_the_state_stays_small_however_much_there_was_to_read() -> None:
    world = World(policies=FakePolicies(AUTO))
    text = "x" * 1000
    world.logs.invocations = invocations(3000)
    world.logs.lines = [
        LogLine(id=f"l{n}", at=NOW, stream="s", message=text) for n in range(20_000)
    ]
    world.logs.gaps = [Gap(source="logs", reason=text)] * 100
    world.callers.gaps = (Gap(source="callers/" + "q" * 100, reason=text),) * 300
    world.change_log.events = tuple(
        TrailEvent(
            id=f"e{n}",
            at=NOW - timedelta(minutes=n),
            name="UpdateFunctionConfiguration",
            principal=text,
            settings={"handler": text + str(n), "layers": text},
        )
        for n in range(500)
    )
    summary = collected(world)
    assert summary.log_lines == 20_000
    assert len(whole(world).changes) == MOST_CHANGES
    state = {"incident": INCIDENT.as_json(), "evidence": summary.as_json()}
    given = DiagnoseIssueInput(incident=INCIDENT, evidence=summary)
    state["diagnosis"] = (diagnosis := diagnose_issue(given, world.ports)).as_json()
    decision = determine_action(
        DetermineActionInput(incident=INCIDENT, evidence=summary, diagnosis=diagnosis), world.ports
    )
    state["decision"] = decision.as_json()
    assert len(json.dumps(state).encode()) < 64 * 1024


def test_failures_and_environments_are_summed_up_with_what_was_changed_before() -> None:
    world = World()
    world.logs.invocations = invocations(3)
    first = world.logs.invocations[0]
    world.logs.lines = [
        LogLine(
            id=str(i.report_id), at=i.started_at, stream=i.stream, request_id=i.request_id,
            message="[ERROR] KeyError: 'A'\nTraceback (most recent call last):\n  File",
        )
        for i in world.logs.invocations
    ]  # fmt: skip
    world.change_log.events = (
        TrailEvent(
            id="e1", at=first.started_at - timedelta(minutes=5), name="UpdateFunctionCode",
            principal="somebody",
        ),
    )  # fmt: skip
    collected(world)
    evidence = whole(world)
    assert [one.count for one in evidence.signatures] == [3]
    assert [trend.invocations for trend in evidence.environments] == [3]
    assert evidence.onset is not None
    assert evidence.onset.first_failure_at == first.started_at
    assert evidence.onset.changes == ("change:e1",)
