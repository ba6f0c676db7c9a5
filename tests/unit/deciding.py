"""Laying every guardrail over one change, with whatever a test makes of the rest."""

from __future__ import annotations

from datetime import UTC, datetime

from autorepair.domain.change import (
    Absent,
    AliasSetting,
    Change,
    DeclaredSource,
    EnvironmentSetting,
    EphemeralStorageSetting,
    RepairKind,
    ReservedConcurrencySetting,
    Setting,
    TimeoutSetting,
)
from autorepair.domain.circumstances import Circumstances
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.decision import Decision, Refusal, RefusalCode
from autorepair.domain.diagnosis import Diagnosis
from autorepair.domain.evidence import Gap, RecentDeployment
from autorepair.domain.ledger import History
from autorepair.domain.policy import Mode, Policy
from autorepair.repairs.guardrails import decide
from unit.logbook import TARGET, configured, diagnosed, summed_up

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
AUTO = Policy(modes=dict.fromkeys(RepairKind, Mode.AUTO))


def change(before: Setting, after: Setting) -> Change:
    return Change(target=TARGET, before=before, after=after, planned_on="f1")


LONGER = change(TimeoutSetting(timeout_s=10), TimeoutSetting(timeout_s=20))


CLEAN = History(incident_id="inc-1")
PLAIN = Circumstances()


def setting(*names: str) -> Change:
    return change(
        EnvironmentSetting(variables={name: Absent() for name in names}),
        EnvironmentSetting(variables={name: DeclaredSource() for name in names}),
    )


def decided(
    planned: Change | Refusal = LONGER,
    *,
    diagnosis: Diagnosis | None = None,
    policy: Policy = AUTO,
    configuration: FunctionConfiguration | None = None,
    step: int = 1,
    history: History = CLEAN,
    gaps: tuple[Gap, ...] = (),
    recent: RecentDeployment | None = None,
    circumstances: Circumstances = PLAIN,
    now: datetime = NOON,
) -> Decision:
    return decide(
        planned,
        diagnosis or diagnosed(),
        policy,
        configuration or configured(),
        step=step,
        history=history,
        seen=summed_up(gaps=gaps).model_copy(update={"recent_deployment": recent}),
        circumstances=circumstances,
        now=now,
    )


def told(decision: Decision) -> tuple[str, RefusalCode | None]:
    return decision.action, decision.refusal.code if decision.refusal else None


MORE_ROOM = change(
    EphemeralStorageSetting(ephemeral_storage_mb=512),
    EphemeralStorageSetting(ephemeral_storage_mb=2048),
)
MORE_AT_ONCE = change(
    ReservedConcurrencySetting(reserved_concurrency=5),
    ReservedConcurrencySetting(reserved_concurrency=20),
)
BACK = change(
    AliasSetting(alias="live", version="42"), AliasSetting(alias="live", version="41")
).model_copy(update={"target": TARGET.model_copy(update={"qualifier": "live"})})
