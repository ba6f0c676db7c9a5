"""What the tests of the aftercare share: a world after an incident, and who changes it since."""

from __future__ import annotations

from datetime import datetime, timedelta

from autorepair.domain.audit import RecordKind
from autorepair.domain.change import (
    Change,
    DeclaredSource,
    EnvironmentSetting,
    SealedValue,
    Setting,
)
from autorepair.domain.configuration import FunctionConfiguration, VariableDigest
from autorepair.domain.evidence import MetricSeries
from autorepair.domain.recent_changes import TrailEvent
from autorepair.domain.watched import Drift, WatchedRepair
from autorepair.steps.drift_watch import DriftWatched, DriftWatchInput, drift_watch
from autorepair.steps.notify_result import NotifyResultInput, notify_result
from unit.builders import INCIDENT, TARGET, applied, course, decision, verification
from unit.fakes import NOW, FakeFunctions, World, configuration

APPLIED_AT = NOW
QUARTER_S = 900
ANNA = "arn:aws:iam::123456789012:user/anna"


def repaired(**changes: object) -> World:
    """A world in which a timeout of 3 s was raised to 6 s, and the incident has closed."""
    world = World(functions=FakeFunctions(configuration(timeout_s=6, **changes)))
    world.state.open(INCIDENT)
    close(world, change=applied(), verification=verification())
    world.clock.advance(QUARTER_S)
    return world


def withheld(*, action: str = "observe", **keys: object) -> World:
    """A world in which the timeout should have been raised, and was not."""
    world = World(functions=FakeFunctions(configuration()))
    world.state.open(INCIDENT)
    close(world, decision=decision(action=action), **keys)
    world.announcer.announced.clear()
    return world


def close(world: World, **keys: object) -> None:
    given = NotifyResultInput.model_validate(course(**keys).as_json())
    notify_result(given, world.ports)
    world.notifier.sent.clear()
    world.announcer.announced.clear()


def look(world: World, **given: int) -> DriftWatched:
    return drift_watch(DriftWatchInput(**given), world.ports)


def somebody_sets(world: World, *, at: datetime | None = None, **settings: object) -> None:
    """Let a person change the function: its configuration moves, and CloudTrail has the request."""
    moment = at or world.clock.now()
    world.functions.somebody_changes(last_modified=moment, **settings)
    world.change_log.events = (*world.change_log.events, request(moment, **settings))


def request(at: datetime, **facts: object) -> TrailEvent:
    known = {"is_own", "is_deployment", "writes_environment", "name", "alias"}
    settings = {k: v for k, v in facts.items() if k not in known}
    plain = TrailEvent(
        id=f"event-{at:%H%M%S}",
        at=at,
        name="UpdateFunctionConfiguration",
        principal=ANNA,
        settings={k: v for k, v in settings.items() if isinstance(v, int | str)},
    )
    return plain.model_copy(update={k: v for k, v in facts.items() if k in known})


def traffic(invocations: float, errors: float) -> tuple[MetricSeries, ...]:
    figures = {"Invocations": invocations, "Errors": errors}
    return tuple(
        MetricSeries(
            id=f"metric:{name}.Sum",
            namespace="AWS/Lambda",
            metric_name=name,
            statistic="Sum",
            period_s=60,
            points=((NOW, value),),
        )
        for name, value in figures.items()
    )


def variables(**digests: str) -> FunctionConfiguration:
    """A function whose variables have these digests."""
    held = tuple(VariableDigest(name=n, size_bytes=1, digest=d) for n, d in digests.items())
    plain = configuration(env_names=tuple(digests), env_digests=held)
    return plain.model_copy(update={"fingerprint": f"env {sorted(digests.items())}"})


def variable_change(before: FunctionConfiguration, after: FunctionConfiguration) -> Change:
    former: Setting = EnvironmentSetting(
        variables={"TABLE": SealedValue(snapshot_id=before.fingerprint)}
    )
    return Change(
        target=TARGET,
        before=former,
        after=EnvironmentSetting(variables={"TABLE": DeclaredSource()}),
        planned_on=before.fingerprint,
        leads_to=after.fingerprint,
    )


def watched(change: Change, **facts: object) -> WatchedRepair:
    plain = WatchedRepair(
        incident=INCIDENT, change=change, applied_at=APPLIED_AT, since=NOW, due_at=NOW
    )
    return plain.model_copy(update=facts)


def last(world: World) -> RecordKind:
    return world.kinds(INCIDENT)[-1]


def drift(world: World) -> Drift:
    return Drift.model_validate(world.audit.chain_of(INCIDENT.id)[-1].entry.data["drift"])


def days(count: float) -> timedelta:
    return timedelta(days=count)
