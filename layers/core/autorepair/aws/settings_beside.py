"""What Lambda keeps beside a function's configuration: reserved concurrency, and its aliases."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from autorepair.aws.errors import AWS_FAILURES, aws_call, is_missing, translated
from autorepair.domain.change import AliasSetting, ReservedConcurrencySetting
from autorepair.domain.errors import (
    AutoRepairError,
    ChangeRefusedError,
    StaleConfigurationError,
    TransientServiceError,
    UpdateInProgressError,
)
from autorepair.domain.incident import Target
from autorepair.domain.standing import SettingBeside
from autorepair.ports.function import unguarded

if TYPE_CHECKING:
    from types_boto3_lambda import LambdaClient

_READ_ALIAS = "lambda:GetAlias"
_WRITE_ALIAS = "lambda:UpdateAlias"
_RESERVE = "lambda:PutFunctionConcurrency"
_READ_RESERVED = "lambda:GetFunctionConcurrency"


class SettingsBeside:
    """Reads and writes them; each has a call of its own, and its own way to be compared."""

    permissions: ClassVar[Mapping[str, frozenset[str]]] = {
        "alias_version": frozenset({_READ_ALIAS}),
        "write": frozenset({_READ_ALIAS, _WRITE_ALIAS, _READ_RESERVED, _RESERVE}),
    }

    def __init__(self, client: LambdaClient) -> None:
        self._lambda = client

    def alias_version(self, target: Target) -> str | None:
        """Give the version to which the target's alias sends all of its traffic.

        None where the target names no alias, there is none of that name, or it sends its traffic
        to several versions.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be read.
        """
        name = target.qualifier
        if name is None or name.isdecimal() or name == "$LATEST":
            return None
        alias = self._alias(target.function_arn, name)
        return None if alias is None or _is_divided(alias) else str(alias["FunctionVersion"])

    def write(
        self,
        function_arn: str,
        before: SettingBeside,
        after: SettingBeside,
        guard: Callable[[], None] = unguarded,
    ) -> AutoRepairError | None:
        """Write; give the failure if a fresh reading may settle it, raise any other.

        ``guard`` is called right before the write; what it raises is raised.

        An alias is moved on its own revision, and only from ``before``. PutFunctionConcurrency
        knows no revision: the caller's lease and a reading right before and after stand in. An
        operator's stop between the last reading and the call is the one thing that could be lost.

        Raises:
            StaleConfigurationError: The alias does not point where it did.
            ChangeRefusedError: Lambda refused it: too little would be left for other functions, or
                the version is gone.
            AccessDeniedError, ConfigurationError: It cannot be written.
        """
        match after:
            case ReservedConcurrencySetting():
                return self._reserve(function_arn, before, after, guard)
            case AliasSetting():
                return self._move(function_arn, before, after, guard)

    def _reserve(
        self,
        function_arn: str,
        before: SettingBeside,
        after: ReservedConcurrencySetting,
        guard: Callable[[], None],
    ) -> AutoRepairError | None:
        executions = after.reserved_concurrency
        if executions is None:
            raise ChangeRefusedError(
                f"the reservation of {function_arn} is not to be given up: that would leave it to "
                "what other functions leave over; set another figure"
            )
        if (found := self._reserved(function_arn)) != _reserved_in(before):
            return StaleConfigurationError(
                f"{function_arn} has {found} executions reserved by now and not "
                f"{_reserved_in(before)}"
            )
        guard()
        return _attempted(
            _RESERVE,
            function_arn,
            lambda: self._lambda.put_function_concurrency(
                FunctionName=function_arn, ReservedConcurrentExecutions=executions
            ),
        )

    def _reserved(self, function_arn: str) -> int | None:
        with aws_call(_READ_RESERVED, function_arn, missing=ChangeRefusedError):
            answer = self._lambda.get_function_concurrency(FunctionName=function_arn)
        return answer.get("ReservedConcurrentExecutions")

    def _move(
        self,
        function_arn: str,
        before: SettingBeside,
        after: AliasSetting,
        guard: Callable[[], None],
    ) -> AutoRepairError | None:
        alias = self._alias(function_arn, after.alias)
        expected = before.version if isinstance(before, AliasSetting) else None
        if alias is None or _is_divided(alias) or alias["FunctionVersion"] != expected:
            return StaleConfigurationError(
                f"the alias {after.alias} of {function_arn} does not send all of its traffic to "
                f"version {expected} any more"
            )
        revision = str(alias["RevisionId"])
        guard()
        return _attempted(
            _WRITE_ALIAS,
            f"{function_arn}:{after.alias}",
            lambda: self._lambda.update_alias(
                FunctionName=function_arn,
                Name=after.alias,
                FunctionVersion=after.version,
                RevisionId=revision,
            ),
        )

    def _alias(self, function_arn: str, name: str) -> Mapping[str, Any] | None:
        with aws_call(_READ_ALIAS, f"{function_arn}:{name}"):
            try:
                return dict(self._lambda.get_alias(FunctionName=function_arn, Name=name))
            except AWS_FAILURES as error:
                if is_missing(error):
                    return None
                raise


def _attempted(action: str, on: str, write: Callable[[], object]) -> AutoRepairError | None:
    try:
        write()
    except AWS_FAILURES as error:
        failure = translated(error, action=action, on=on, missing=ChangeRefusedError)
        if isinstance(
            failure, StaleConfigurationError | UpdateInProgressError | TransientServiceError
        ):
            return failure
        raise failure from error
    return None


def _reserved_in(setting: SettingBeside) -> int | None:
    match setting:
        case ReservedConcurrencySetting():
            return setting.reserved_concurrency
        case AliasSetting():
            return None


def _is_divided(alias: Mapping[str, Any]) -> bool:
    return bool((alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights"))
