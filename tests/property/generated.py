"""What the properties are held over: configurations, diagnoses, policies, surroundings, histories.

Values are drawn close to where behaviour turns (limits, windows, the function's own settings), for
what lies far from any limit is seldom wrong.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

from hypothesis import strategies as st

from autorepair.domain.change import (
    AliasSetting,
    Change,
    ChangeRecord,
    EphemeralStorageSetting,
    MemorySetting,
    RepairKind,
    ReservedConcurrencySetting,
    Setting,
    TimeoutSetting,
)
from autorepair.domain.circumstances import Circumstances, EnvironmentKey
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.decision import Decision, Refusal
from autorepair.domain.diagnosis import (
    ConcurrencyNeed,
    Diagnosis,
    MemoryNeed,
    RootCause,
    StorageNeed,
    TimeoutNeed,
    VersionNeed,
)
from autorepair.domain.evidence import AccountConcurrency, Alias, Caller, PublishedVersion
from autorepair.domain.ledger import AccountLedger, Booking, History, Ledger, Trip, Write
from autorepair.domain.pause import Pause
from autorepair.domain.policy import (
    Caps,
    EnvironmentRules,
    Limits,
    Mode,
    Policy,
)
from autorepair.domain.schedule import Freeze, Schedule
from autorepair.domain.traffic import Traffic
from autorepair.repairs.guardrails import decide
from autorepair.repairs.planner import Surroundings
from unit.logbook import START, TARGET, configured, diagnosed, summed_up

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
VERSIONS = ("40", "41", "42")
ACTIONS = ("decline", "observe", "ask", "apply")
"""From the strictest to the freest."""

CONFIGURATIONS = st.builds(
    configured,
    timeout_s=st.integers(1, 900),
    memory_mb=st.integers(128, 10_240),
    ephemeral_storage_mb=st.integers(512, 10_240),
    reserved_concurrency=st.none() | st.integers(0, 400),
)
_SEEN = st.none() | st.integers(1, 10_240)
_AMOUNTS = st.floats(0, 20_000)
SIZES = st.one_of(
    st.builds(
        TimeoutNeed,
        duration_ms=st.floats(0, 2e6),
        basis=st.sampled_from(["fitted", "doubled", "observed"]),
        seen_at_timeout_s=_SEEN,
    ).map(lambda need: diagnosed(RootCause.TIMEOUT_TOO_LOW, need)),
    st.builds(
        MemoryNeed,
        memory_mb=_AMOUNTS,
        basis=st.sampled_from(["doubled", "observed", "formerly_sufficient", "processor"]),
        seen_at_memory_mb=_SEEN,
    ).map(lambda need: diagnosed(RootCause.CPU_STARVED, need)),
    st.builds(
        StorageNeed,
        storage_mb=_AMOUNTS,
        basis=st.sampled_from(["observed", "doubled"]),
        seen_at_storage_mb=_SEEN,
    ).map(lambda need: diagnosed(RootCause.EPHEMERAL_STORAGE_FULL, need)),
    st.builds(
        ConcurrencyNeed, executions=st.floats(0, 2000), seen_at_reserved=st.none() | _SEEN
    ).map(lambda need: diagnosed(RootCause.CONCURRENCY_LIMITED, need)),
)
"""Diagnoses that a larger size cures."""
MOVES = st.builds(
    VersionNeed,
    alias=st.sampled_from(["live", "test"]),
    bad_version=st.sampled_from(VERSIONS),
    good_version=st.sampled_from(VERSIONS),
).map(lambda need: diagnosed(RootCause.BAD_DEPLOYMENT, need, failing_versions=("42",)))
DIAGNOSES = SIZES | MOVES

CAPS = st.builds(
    Caps,
    timeout_s=st.integers(1, 900),
    memory_mb=st.integers(128, 10_240),
    ephemeral_storage_mb=st.integers(512, 10_240),
    reserved_concurrency=st.integers(0, 1000),
    added_cost_usd_month=st.floats(0, 200) | st.just(1e9),
)
OPEN_POLICIES = CAPS.map(lambda caps: Policy(modes=dict.fromkeys(RepairKind, Mode.AUTO), caps=caps))
"""Everything is unattended; only the caps differ."""
_HOUR = timedelta(hours=1)
_FREEZES = [
    Freeze(start=NOON + start * _HOUR, end=NOON + end * _HOUR)
    for start, end in ((-26, -1), (-1, 0), (-1, 1), (0, 1), (1, 5))
]
_SCHEDULES = st.builds(
    lambda timezone, hours, freeze: Schedule(timezone=timezone, allowed_hours=hours, freeze=freeze),
    st.sampled_from(["UTC", "Europe/Berlin", "Asia/Shanghai"]),
    st.sampled_from([None, None, (9, 17), (12, 13), (13, 14), (22, 6), (20, 12), (0, 24)]),
    st.sampled_from([(), (), *((one,) for one in _FREEZES), tuple(_FREEZES[-2:])]),
)
_LIMITS = st.builds(
    lambda cooldown_s, daily, hourly, steps: Limits(
        cooldown_s=cooldown_s,
        repairs_per_function_day=daily,
        repairs_per_account_hour=hourly,
        steps_per_incident=steps,
    ),
    st.sampled_from([0, 3600, 6 * 3600, 86_400]),
    st.integers(0, 4),
    st.integers(0, 6),
    st.integers(1, 4),
)
_MODES = st.sampled_from([Mode.AUTO, Mode.AUTO, *Mode])
_ENV = st.sampled_from(
    [
        EnvironmentRules(allow=allow, never_unattended=never)
        for allow in (("*",), ("A*",), ("A*", "B*"), ())
        for never in ((), ("A*",), ("LD_PRELOAD",))
    ]
)
POLICIES = st.builds(
    lambda mode, other, caps, limits, schedule, env: Policy(
        modes=dict.fromkeys(RepairKind, other) | dict.fromkeys(list(RepairKind)[:3], mode),
        caps=caps,
        limits=limits,
        schedule=schedule,
        env=env,
    ),
    _MODES,
    _MODES,
    CAPS,
    _LIMITS,
    _SCHEDULES,
    _ENV,
)


def stricter(policy: Policy, other: Policy) -> Policy:
    """Give a policy that allows no more than either of the two."""
    caps = {
        name: min(getattr(policy.caps, name), getattr(other.caps, name))
        for name in Caps.model_fields
    }
    limits, more = policy.limits, other.limits
    allow = tuple(pattern for pattern in policy.env.allow if pattern in other.env.allow)
    return policy.model_copy(
        update={
            "modes": {k: policy.mode_of(k).tightened_to(other.mode_of(k)) for k in RepairKind},
            "caps": Caps.model_validate(caps),
            "limits": Limits(
                cooldown_s=max(limits.cooldown_s, more.cooldown_s),
                repairs_per_function_day=min(
                    limits.repairs_per_function_day, more.repairs_per_function_day
                ),
                repairs_per_account_hour=min(
                    limits.repairs_per_account_hour, more.repairs_per_account_hour
                ),
                steps_per_incident=min(limits.steps_per_incident, more.steps_per_incident),
            ),
            "schedule": policy.schedule.model_copy(
                update={
                    "allowed_hours": policy.schedule.allowed_hours or other.schedule.allowed_hours,
                    "freeze": (*policy.schedule.freeze, *other.schedule.freeze),
                }
            ),
            "env": EnvironmentRules(
                allow=allow,
                never_unattended=(*policy.env.never_unattended, *other.env.never_unattended),
            ),
        }
    )


def _measured(least: float, most: float) -> st.SearchStrategy[float | None]:
    """Give what was measured: nothing known, nothing there, or a figure that there can be."""
    return st.none() | st.just(0.0) | st.floats(least, most)


TRAFFIC = st.none() | st.builds(
    Traffic,
    since=st.just(START - timedelta(days=30)),
    until=st.just(START),
    invocations_month=_measured(1, 1e9),
    mean_ms=_measured(0.1, 900_000),
    peak_per_s=_measured(1e-6, 1000),
    peak_concurrency=_measured(1e-3, 1000),
    cut_off_share=_measured(1e-6, 1),
)
AROUND = st.builds(
    lambda limit, unreserved, points, also, published, traffic: Surroundings(
        TARGET,
        (Caller(kind="other", source="c", timeout_limit_s=limit),),
        aliases=(Alias(name="live", version=points, also=also),),
        versions=tuple(
            PublishedVersion(version=v, code_sha256=v, timeout_s=3, memory_mb=128)
            for v in published
        ),
        account=None
        if unreserved is None
        else AccountConcurrency(limit=1000, unreserved=unreserved),
        traffic=traffic,
    ),
    st.none() | st.floats(0, 2000),
    st.none() | st.integers(0, 1000),
    st.sampled_from(VERSIONS),
    st.just({}) | st.just({"41": 0.5}),
    st.sets(st.sampled_from(VERSIONS)),
    TRAFFIC,
)

_SETTINGS: dict[RepairKind, tuple[Setting, Setting]] = {
    RepairKind.SET_TIMEOUT: (TimeoutSetting(timeout_s=3), TimeoutSetting(timeout_s=6)),
    RepairKind.SET_MEMORY: (MemorySetting(memory_mb=128), MemorySetting(memory_mb=320)),
    RepairKind.SET_EPHEMERAL_STORAGE: (
        EphemeralStorageSetting(ephemeral_storage_mb=512),
        EphemeralStorageSetting(ephemeral_storage_mb=1024),
    ),
    RepairKind.SET_RESERVED_CONCURRENCY: (
        ReservedConcurrencySetting(reserved_concurrency=5),
        ReservedConcurrencySetting(reserved_concurrency=10),
    ),
}
_AGES = [timedelta(hours=hours) for hours in (0, 0.5, 1, 2, 6, 23, 24, 47, 6 * 24, 7 * 24, 8 * 24)]
_STATUSES: tuple[Literal["kept", "rolled_back", "handed_over"], ...] = (
    "kept",
    "rolled_back",
    "handed_over",
)
_EARLIER = st.tuples(
    st.sampled_from(sorted(_SETTINGS)),
    st.sampled_from(_AGES),
    st.sampled_from([timedelta(0), timedelta(minutes=20)]),
    st.none() | st.sampled_from(_STATUSES),
)
"""A repair of another incident: its kind, how long ago, how long it took, and its end."""
_TRIP = Trip(since=NOON, last_at=NOON, by="inc-9", why="a storm", functions=("f-1", "f-2"))


def _history(
    earlier: list[tuple[RepairKind, timedelta, timedelta, str | None]],
    hourly: int,
    minutes: int,
    trip: Trip | None,
    pause: Pause | None,
) -> History:
    """Give it with so many repairs elsewhere in the account, each so long before the one after."""
    bookings, outcomes = [], {}
    for number, (kind, ago, took, status) in enumerate(
        sorted(earlier, key=lambda one: one[1], reverse=True)
    ):
        before, after = _SETTINGS[kind]
        bookings.append(
            Booking(
                incident_id=f"inc-{number + 2}",
                kind=kind,
                before=before,
                after=after,
                booked_at=NOON - ago,
                written_at=min(NOON, NOON - ago + took),
            )
        )
        if status is not None:
            outcomes[f"inc-{number + 2}"] = ChangeRecord.model_validate(
                {"status": status, "reason": "as recorded", "change": None}
            )
    writes = [
        Write(
            incident_id=f"inc-{20 + number}",
            function_name=f"f-{number}",
            at=NOON - number * timedelta(minutes=minutes),
        )
        for number in range(hourly)
    ]
    account = AccountLedger(writes=tuple(writes), trip=trip)
    ledger = Ledger(of_function=tuple(bookings), of_account=account)
    return History(incident_id="inc-1", ledger=ledger, pause=pause, outcomes=outcomes)


HISTORIES = st.builds(
    _history,
    st.lists(_EARLIER, max_size=3),
    st.integers(0, 8),
    st.sampled_from([0, 5, 12, 30]),
    st.sampled_from([None, None, _TRIP]),
    st.sampled_from([None, None, Pause(by="somebody")]),
)
"""What other incidents did; this one has not begun its repair."""
CIRCUMSTANCES = st.sampled_from(
    [
        Circumstances(),
        Circumstances(),
        Circumstances(deployments=("stack shop is UPDATE_IN_PROGRESS",)),
        Circumstances(unread_deployments="denied"),
        Circumstances(key=EnvironmentKey(arn="key", state="Disabled", is_enrolled=True)),
        Circumstances(is_edge=True),
        Circumstances(unread_role="denied"),
    ]
)


def size(setting: Setting) -> int | None:
    """Give the figure of a setting that has one."""
    match setting:
        case TimeoutSetting():
            return setting.timeout_s
        case MemorySetting():
            return setting.memory_mb
        case EphemeralStorageSetting():
            return setting.ephemeral_storage_mb
        case ReservedConcurrencySetting():
            return setting.reserved_concurrency
        case _:
            return None


def ruled(  # noqa: PLR0917 - a ruling rests on all of these
    planned: Change | Refusal,
    diagnosis: Diagnosis,
    policy: Policy,
    configuration: FunctionConfiguration,
    around: Surroundings,
    history: History | None = None,
    step: int = 1,
    circumstances: Circumstances | None = None,
) -> Decision:
    """Let every guardrail look at a plan, at noon; what is not given does not stand in the way."""
    return decide(
        planned,
        diagnosis,
        policy,
        configuration,
        step=step,
        history=history or History(incident_id="inc-1"),
        seen=summed_up(traffic=around.traffic, concurrency=around.account),
        circumstances=circumstances or Circumstances(),
        now=NOON,
    )


def freedom(decision: Decision) -> int:
    """Rank what may be done, from nothing to writing unattended."""
    return ACTIONS.index(decision.action)


def is_move(change: Change) -> bool:
    """Whether it moves an alias, which has no size."""
    return isinstance(change.after, AliasSetting)
