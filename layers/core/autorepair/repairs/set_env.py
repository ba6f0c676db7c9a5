"""Gives missing environment variables the values that the operator declared for them."""

from __future__ import annotations

import re

from autorepair.domain.change import (
    Absent,
    Change,
    DeclaredSource,
    EnvironmentSetting,
    RepairKind,
)
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.decision import Refusal, RefusalCode
from autorepair.domain.diagnosis import Diagnosis, EnvironmentNeed, RootCause
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
    """Plan to set the missing variables from their declared sources; all others stay.

    All of them or none: a function that still lacks one keeps failing.
    """
    if configuration.is_env_unreadable:
        return refused(
            RefusalCode.UNREADABLE_ENVIRONMENT,
            "the environment cannot be read, and a write replaces it whole: grant the use of its "
            "key first",
        )
    if not isinstance(diagnosis.need, EnvironmentNeed) or not diagnosis.need.names:
        return refused(
            RefusalCode.NOT_REPAIRABLE, "the diagnosis names no variable: find out which is missing"
        )
    names = diagnosis.need.names
    refusal = _refusal(names, configuration, policy, surroundings)
    if refusal is not None:
        return refusal
    return planned(
        configuration,
        surroundings,
        EnvironmentSetting(variables={name: Absent() for name in names}),
        EnvironmentSetting(variables={name: DeclaredSource() for name in names}),
    )


def _refusal(
    names: tuple[str, ...],
    configuration: FunctionConfiguration,
    policy: Policy,
    surroundings: Surroundings,
) -> Refusal | None:
    declared = {v.name for v in surroundings.declared if v.kind != "absent"}
    reserved = [n for n in names if n in RESERVED_NAMES or not _VALID_NAME.fullmatch(n)]
    if reserved:
        return refused(
            RefusalCode.RESERVED_NAME,
            f"Lambda does not let {_listed(reserved)} be set: the code has to do without",
        )
    if missing := [n for n in names if n not in declared]:
        return refused(
            RefusalCode.UNDECLARED,
            f"no value is declared for {_listed(missing)}: declare it under the known "
            "configuration, or set it by hand",
        )
    if unwelcome := [n for n in names if not policy.env.may_touch(n)]:
        return refused(
            RefusalCode.NAME_NOT_ALLOWED,
            f"the policy does not let {_listed(unwelcome)} be touched: extend env.allow or set it "
            "by hand",
        )
    if present := [n for n in names if n in configuration.env_names]:
        return refused(
            RefusalCode.NO_EFFECT,
            f"{_listed(present)} is set by now: see first whether that was enough",
        )
    return None


def _listed(names: list[str]) -> str:
    return ", ".join(sorted(names))


SET_ENV = Repair(RepairKind.SET_ENV, (RootCause.MISSING_ENV_VAR,), plan_environment)
