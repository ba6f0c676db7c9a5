"""Target functions: reading their configuration and changing it by compare-and-swap."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, ClassVar

from autorepair.aws.digests import Digester
from autorepair.aws.edits import Edits
from autorepair.aws.errors import AWS_FAILURES, aws_call, translated
from autorepair.aws.reading import Reading
from autorepair.aws.settings_beside import SettingsBeside
from autorepair.aws.variable_values import StoredVariableValues, VariableValues
from autorepair.domain.change import AliasSetting, Change, ReservedConcurrencySetting
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.errors import (
    AutoRepairError,
    ChangeRefusedError,
    StaleConfigurationError,
    TargetNotFoundError,
    TransientServiceError,
    UpdateFailedError,
    UpdateInProgressError,
)
from autorepair.domain.incident import Target
from autorepair.domain.standing import (
    SettingBeside,
    holds,
    stands_as_planned_on,
    stands_where_led,
)

if TYPE_CHECKING:
    from types_boto3_lambda import LambdaClient

_READ = "lambda:GetFunctionConfiguration"
_WRITE = "lambda:UpdateFunctionConfiguration"
_DESCRIBE = frozenset(
    {_READ, "lambda:ListTags", "lambda:GetFunctionConcurrency", "kms:GenerateMac"}
    | SettingsBeside.permissions["alias_version"]
)
_FIRST_POLL_S, _LONGEST_POLL_S = 0.25, 4.0
# How long a reading has to go on showing a setting as undone before nothing is written.
_BELIEVED_AFTER_S = 3.0
# One for the write, one for a revision that moved when an update settled, one for an update that
# somebody else began in between.
_ATTEMPTS = 3


class LambdaFunctions:
    """Reads and changes `$LATEST` of target functions, and what is kept beside it.

    Never calls GetFunction: its answer holds a link to the code.
    """

    permissions: ClassVar[Mapping[str, frozenset[str]]] = {
        "read": _DESCRIBE,
        "tags": frozenset({"lambda:ListTags"}),
        "apply": _DESCRIBE
        | {_WRITE}
        | SettingsBeside.permissions["write"]
        | StoredVariableValues.permissions["of"]
        | StoredVariableValues.permissions["keep"],
    }

    def __init__(
        self,
        client: LambdaClient,
        digester: Digester,
        values: VariableValues,
        *,
        settle_s: float = 60.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._lambda = client
        self._digester = digester
        self._values = values
        self._beside = SettingsBeside(client)
        self._settle_s = settle_s
        self._sleep = sleep

    def read(self, target: Target) -> FunctionConfiguration:
        """Read the configuration of `$LATEST`, its tags and its reserved concurrency.

        Of a target that names an alias, also where that points.

        Raises:
            TargetNotFoundError: There is no such function.
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be read.
        """
        return self._described(self._reading(target.function_arn), target)

    def tags(self, target: Target) -> dict[str, str]:
        """Read the function's tags: one call, where `read` takes three.

        Raises:
            TargetNotFoundError: There is no such function.
            AccessDeniedError, TransientServiceError, ConfigurationError: They cannot be read.
        """
        return self._tags(target.function_arn)

    def apply(self, change: Change) -> FunctionConfiguration:
        """Make the change by compare-and-swap and wait until it has settled.

        A change whose ``planned_on`` is not known but whose ``leads_to`` is (the inverse of one
        that was cut short) is made when it leads exactly there.

        Raises:
            StaleConfigurationError: The function is neither as planned on nor as planned.
            UpdateInProgressError: Another update did not settle in time.
            UpdateFailedError: Lambda reported LastUpdateStatus Failed.
            EnvironmentUnreadableError: The environment map cannot be read.
            UndeclaredValueError: A variable's source is missing or unreadable.
            ChangeRefusedError: Lambda refused the values, or would.
            TargetNotFoundError, AccessDeniedError, TransientServiceError: As for `read`.
        """
        if change.planned_on is None and change.leads_to is None:
            raise StaleConfigurationError(
                f"the change of {change.target.function_arn} does not say which configuration it "
                "was planned on; plan it again"
            )
        before, after = change.before, change.after
        if isinstance(after, ReservedConcurrencySetting | AliasSetting):
            if not isinstance(before, ReservedConcurrencySetting | AliasSetting):
                raise _mixed(change)
            return self._swapped_beside(change, before, after)
        if isinstance(before, ReservedConcurrencySetting | AliasSetting):
            raise _mixed(change)
        edits = Edits(change, before, after, values=self._values, digester=self._digester)
        return self._described(_in_effect(self._swapped(change, edits)), change.target)

    def _swapped_beside(
        self, change: Change, before: SettingBeside, after: SettingBeside
    ) -> FunctionConfiguration:
        """Compare and swap what has no part in the configuration's own revision.

        A reading may lag behind a write. So one right after ours that shows what was there before
        is no proof of anything, nor is one that shows an undoing to be done already.
        """
        target = change.target
        obstacle: AutoRepairError | None = None
        for _ in range(_ATTEMPTS):
            found = self.read(target)
            if change.planned_on is None:
                found = self._while_holding(after, target, found, for_s=_BELIEVED_AFTER_S)
            if stands_where_led(found, change, before, after):
                return found
            if not stands_as_planned_on(found, change, before, after):
                raise StaleConfigurationError(
                    f"{target.function_arn} is not as it was when the change was planned: "
                    "the setting, or the configuration that goes with it, differs"
                )
            obstacle = self._beside.write(target.function_arn, before, after)
            found = self.read(target)
            if obstacle is None:
                return self._after_write_beside(before, after, target, found)
            if holds(found, after):
                return found
            if isinstance(obstacle, TransientServiceError):
                raise obstacle
        raise obstacle or StaleConfigurationError(f"{target.function_arn} kept moving")

    def _after_write_beside(
        self,
        before: SettingBeside,
        after: SettingBeside,
        target: Target,
        found: FunctionConfiguration,
    ) -> FunctionConfiguration:
        """Give the reading that shows what Lambda has said to be written."""
        found = self._while_holding(before, target, found, for_s=self._settle_s)
        if holds(found, after):
            return found
        if holds(found, before):
            raise TransientServiceError(
                f"Lambda has taken the change of {target.function_arn} and shows what was there "
                f"before it still after {self._settle_s:g} s; the same call may work a moment later"
            )
        raise StaleConfigurationError(
            f"{target.function_arn} was changed by somebody else right after the write"
        )

    def _while_holding(
        self, setting: SettingBeside, target: Target, found: FunctionConfiguration, *, for_s: float
    ) -> FunctionConfiguration:
        """Read again while the setting is shown, for so long at most; gives the last reading."""
        delay, waited = _FIRST_POLL_S, 0.0
        while holds(found, setting) and waited < for_s:
            self._sleep(delay)
            waited += delay
            delay = min(delay * 2, _LONGEST_POLL_S)
            found = self.read(target)
        return found

    def _swapped(self, change: Change, edits: Edits) -> Reading:
        obstacle: AutoRepairError | None = None
        for _ in range(_ATTEMPTS):
            reading = self._settled(change.target)
            if edits.stands_where_led(reading):
                return reading
            edits.require_planned_on(reading)
            obstacle = self._write(reading, edits)
            if obstacle is None:
                return self._after_write(reading.revision_id, change, edits)
            if isinstance(obstacle, TransientServiceError):
                return self._unless_lost(obstacle, change, edits)
        raise obstacle or StaleConfigurationError(f"{change.target.function_arn} kept moving")

    def _write(self, reading: Reading, edits: Edits) -> AutoRepairError | None:
        """Write; give the failure if a fresh reading may settle it, raise any other.

        It is raised outside its handler: Lambda quotes the environment in its messages, and a
        chained exception is logged together with its cause.
        """
        request = edits.request(reading)
        failure = None
        try:
            self._lambda.update_function_configuration(
                FunctionName=reading.arn, RevisionId=reading.revision_id, **request
            )
        except AWS_FAILURES as error:
            failure = translated(
                error,
                action=_WRITE,
                on=reading.arn,
                missing=TargetNotFoundError,
                may_quote="Environment" not in request,
            )
        if failure is None or isinstance(
            failure, StaleConfigurationError | UpdateInProgressError | TransientServiceError
        ):
            return failure
        raise failure

    def _after_write(self, revision_id: str, change: Change, edits: Edits) -> Reading:
        """Give the settled reading after a write on ``revision_id``.

        Another writer may have come on top; that is only fatal where it took back the very
        setting that was written.
        """
        reading = self._settled(change.target, past=revision_id)
        if not edits.holds(reading, edits.after):
            raise StaleConfigurationError(
                f"{reading.arn} was changed by somebody else right after the write: "
                f"{edits.difference(reading, edits.after)}"
            )
        return reading

    def _unless_lost(self, lost: TransientServiceError, change: Change, edits: Edits) -> Reading:
        """A missing answer says nothing about the write: look at the function."""
        reading = self._settled(change.target)
        if not edits.stands_where_led(reading):
            raise lost
        return reading

    def _settled(self, target: Target, *, past: str = "") -> Reading:
        """Wait until no update is under way, and until the revision ``past`` is past.

        A reading right after a write may still show what was there before it.
        """
        delay, waited = _FIRST_POLL_S, 0.0
        while _is_moving(reading := self._reading(target.function_arn), past):
            if waited >= self._settle_s:
                raise UpdateInProgressError(
                    f"an update of {target.function_arn} has not settled within "
                    f"{self._settle_s:g} s; try again when LastUpdateStatus is Successful"
                )
            self._sleep(delay)
            waited += delay
            delay = min(delay * 2, _LONGEST_POLL_S)
        return reading

    def _reading(self, function_arn: str) -> Reading:
        with aws_call(_READ, function_arn, missing=TargetNotFoundError):
            answer = self._lambda.get_function_configuration(FunctionName=function_arn)
        return Reading({k: v for k, v in answer.items() if k != "ResponseMetadata"})

    def _tags(self, function_arn: str) -> dict[str, str]:
        with aws_call("lambda:ListTags", function_arn, missing=TargetNotFoundError):
            return dict(self._lambda.list_tags(Resource=function_arn).get("Tags", {}))

    def _described(self, reading: Reading, target: Target) -> FunctionConfiguration:
        arn = reading.arn
        tags = self._tags(arn)
        with aws_call("lambda:GetFunctionConcurrency", arn, missing=TargetNotFoundError):
            concurrency = self._lambda.get_function_concurrency(FunctionName=arn)
        return reading.configuration(
            self._digester,
            tags=tags,
            reserved_concurrency=concurrency.get("ReservedConcurrentExecutions"),
        ).model_copy(update={"alias_version": self._beside.alias_version(target)})


def _mixed(change: Change) -> ChangeRefusedError:
    return ChangeRefusedError(
        f"the change of {change.target.function_arn} leads from one kind of setting to another, "
        "so it cannot be taken back; plan it again"
    )


def _is_moving(reading: Reading, past: str) -> bool:
    is_outdated = past != "" and reading.revision_id == past
    return is_outdated or reading.update_status == "InProgress"


def _in_effect(reading: Reading) -> Reading:
    if reading.update_status == "Failed":
        raise UpdateFailedError(
            f"Lambda could not put the last update of {reading.arn} into effect "
            f"({reading.update_failure}); the function runs with its former configuration"
        )
    return reading
