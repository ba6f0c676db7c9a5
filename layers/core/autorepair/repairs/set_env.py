"""Brings missing and wrong environment variables to what the operator declared for them."""

from __future__ import annotations

import re

from autorepair.domain.change import (
    Absent,
    Change,
    DeclaredSource,
    EnvironmentSetting,
    RepairKind,
    SealedValue,
)
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.decision import Refusal, RefusalCode
from autorepair.domain.diagnosis import Diagnosis, EnvironmentNeed, RootCause
from autorepair.domain.evidence import DeclaredVariable
from autorepair.domain.policy import Policy
from autorepair.repairs.planner import Repair, Surroundings, planned, refused

# Set by Lambda itself and refused by it (Lambda developer guide, defined runtime variables).
RESERVED_NAMES = frozenset(
    {
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_MAX_CONCURRENCY",
        "AWS_LAMBDA_METADATA_API",
        "AWS_LAMBDA_METADATA_TOKEN",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
    }
)
_VALID_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]+")


def plan_environment(
    configuration: FunctionConfiguration,
    diagnosis: Diagnosis,
    policy: Policy,
    surroundings: Surroundings,
) -> Change | Refusal:
    """Plan to bring the named variables to what is declared for them; all others stay.

    All of them or none: a function that still lacks one keeps failing. What a variable holds now
    is sealed before it is replaced, under the fingerprint that the change is planned on.
    """
    if configuration.is_env_unreadable:
        return refused(
            RefusalCode.UNREADABLE_ENVIRONMENT,
            "the environment cannot be read, and a write replaces it whole: grant the use of its "
            "key first",
        )
    if not isinstance(diagnosis.need, EnvironmentNeed) or not diagnosis.need.names:
        return refused(
            RefusalCode.NOT_REPAIRABLE,
            "the diagnosis names no variable: find out which is missing or wrong",
        )
    names = diagnosis.need.names
    declared = {v.name: v for v in surroundings.declared if v.name in names}
    refusal = _refusal(names, configuration, policy, declared, diagnosis.root_cause)
    if refusal is not None:
        return refusal
    digests = {one.name: one.digest for one in configuration.env_digests}
    before = {
        n: SealedValue(snapshot_id=configuration.fingerprint, digest=digests.get(n))
        if n in configuration.env_names
        else Absent()
        for n in names
    }
    after = {n: Absent() if declared[n].kind == "absent" else DeclaredSource() for n in names}
    return planned(
        configuration,
        surroundings,
        EnvironmentSetting(variables=before),
        EnvironmentSetting(variables=after),
    )


def _refusal(
    names: tuple[str, ...],
    configuration: FunctionConfiguration,
    policy: Policy,
    declared: dict[str, DeclaredVariable],
    cause: RootCause,
) -> Refusal | None:
    reserved = [n for n in names if n in RESERVED_NAMES or not _VALID_NAME.fullmatch(n)]
    if reserved:
        return refused(
            RefusalCode.RESERVED_NAME,
            f"Lambda does not let {_listed(reserved)} be set: the code has to do without",
        )
    if missing := [n for n in names if n not in declared]:
        return refused(
            RefusalCode.UNDECLARED,
            f"nothing is declared for {_listed(missing)}: declare it under the known "
            "configuration, or set it by hand",
        )
    if unwelcome := [n for n in names if not policy.env.may_touch(n)]:
        return refused(
            RefusalCode.NAME_NOT_ALLOWED,
            f"the policy does not let {_listed(unwelcome)} be touched: extend env.allow or set it "
            "by hand",
        )
    return _contradiction(names, configuration, declared, cause)


def _contradiction(
    names: tuple[str, ...],
    configuration: FunctionConfiguration,
    declared: dict[str, DeclaredVariable],
    cause: RootCause,
) -> Refusal | None:
    """Refuse where the function, as it stands now, does not lack what the diagnosis says."""
    present = [n for n in names if n in configuration.env_names]
    if cause is RootCause.MISSING_ENV_VAR and present:
        return refused(
            RefusalCode.NO_EFFECT,
            f"{_listed(present)} is set by now: see first whether that was enough",
        )
    if unset := [n for n in names if declared[n].kind == "absent" and n not in present]:
        if cause is RootCause.MISSING_ENV_VAR:
            return refused(
                RefusalCode.UNDECLARED,
                f"{_listed(unset)} is declared to be absent, yet the code asks for it: declare a "
                "value, or mend the code",
            )
        return refused(
            RefusalCode.NO_EFFECT,
            f"{_listed(unset)} is not set any more: see first whether that was enough",
        )
    if right := [n for n in present if declared[n].matches_current]:
        return refused(
            RefusalCode.NO_EFFECT,
            f"{_listed(right)} has the declared value already: look for another cause",
        )
    return None


def _listed(names: list[str]) -> str:
    return ", ".join(sorted(names))


SET_ENV = Repair(
    RepairKind.SET_ENV,
    (RootCause.MISSING_ENV_VAR, RootCause.WRONG_ENV_VAR, RootCause.READ_ONLY_FILESYSTEM),
    EnvironmentNeed,
    plan_environment,
)
