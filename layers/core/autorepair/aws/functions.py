"""Target functions: reading their configuration and changing it by compare-and-swap."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, ClassVar

from autorepair.aws.digests import Digester
from autorepair.aws.edits import ConfigurationSetting, Edits
from autorepair.aws.errors import aws_call
from autorepair.aws.latest import ATTEMPTS, BELIEVED_AFTER_S, READ, WRITE, Latest, in_effect
from autorepair.aws.publish import Publisher
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
)
from autorepair.domain.incident import Target
from autorepair.domain.standing import (
    SettingBeside,
    holds,
    stands_as_planned_on,
    stands_where_led,
)
from autorepair.ports.function import unguarded

if TYPE_CHECKING:
    from types_boto3_lambda import LambdaClient

_DESCRIBE = frozenset(
    {READ, "lambda:ListTags", "lambda:GetFunctionConcurrency", "kms:GenerateMac"}
    | SettingsBeside.permissions["alias_version"]
)


class LambdaFunctions:
    """Reads and changes `$LATEST` of target functions, and what is kept beside it.

    Never calls GetFunction: its answer holds a link to the code.
    """

    permissions: ClassVar[Mapping[str, frozenset[str]]] = {
        "read": _DESCRIBE,
        "read_version": frozenset({READ, "kms:GenerateMac"}),
        "tags": frozenset({"lambda:ListTags"}),
        "apply": _DESCRIBE
        | {WRITE}
        | SettingsBeside.permissions["write"]
        | Publisher.permissions["publish"]
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
        self._latest = Latest(client, settle_s=settle_s, sleep=sleep)
        self._publisher = Publisher(client, self._latest, self._beside)

    def read(self, target: Target) -> FunctionConfiguration:
        """Read the configuration of `$LATEST`, its tags and its reserved concurrency.

        Of a target that names an alias, also where that points.

        Raises:
            TargetNotFoundError: There is no such function.
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be read.
        """
        return self._described(self._latest.reading(target.function_arn), target)

    def read_version(self, target: Target, version: str) -> FunctionConfiguration:
        """Read the configuration of a published version: its settings, no tags nor reservation.

        Raises:
            TargetNotFoundError: There is no such version.
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be read.
        """
        reading = self._latest.reading(target.function_arn, version)
        return reading.configuration(self._digester, tags={}, reserved_concurrency=None)

    def tags(self, target: Target) -> dict[str, str]:
        """Read the function's tags: one call, where `read` takes three.

        Raises:
            TargetNotFoundError: There is no such function.
            AccessDeniedError, TransientServiceError, ConfigurationError: They cannot be read.
        """
        return self._tags(target.function_arn)

    def apply(
        self, change: Change, *, guard: Callable[[], None] = unguarded
    ) -> FunctionConfiguration:
        """Make the change by compare-and-swap and wait until it has settled.

        ``guard`` is called right before every write; what it raises is raised.

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
            return self._swapped_beside(change, before, after, guard)
        if isinstance(before, ReservedConcurrencySetting | AliasSetting):
            raise _mixed(change)
        reading, version = self._swapped(change, before, after, guard)
        described = self._described(in_effect(reading), change.target)
        # The version that this very write has put the alias on, wherever it may be by now.
        return described.model_copy(update={"alias_version": version or described.alias_version})

    def _swapped(
        self,
        change: Change,
        before: ConfigurationSetting,
        after: ConfigurationSetting,
        guard: Callable[[], None],
    ) -> tuple[Reading, str | None]:
        """Swap `$LATEST`, and have an alias follow where the change says so.

        Gives the reading, and the version that the alias was put on, if one was.
        """
        edits = Edits(change, before, after, values=self._values, digester=self._digester)
        if change.release is None:
            return self._latest.swapped(change, edits, guard=guard), None
        if change.release.is_back:
            reading = self._publisher.back(change, change.release, edits, guard)
            return reading, change.release.former
        inverse = change.inverse()
        undoing = Edits(inverse, after, before, values=self._values, digester=self._digester)

        def put_back() -> None:
            self._latest.swapped(inverse, undoing, guard=guard)

        return self._publisher.forward(change, change.release, edits, put_back, guard)

    def _swapped_beside(
        self,
        change: Change,
        before: SettingBeside,
        after: SettingBeside,
        guard: Callable[[], None],
    ) -> FunctionConfiguration:
        """Compare and swap what has no part in the configuration's own revision.

        A reading may lag behind a write. So one right after ours that shows what was there before
        is no proof of anything, nor is one that shows an undoing to be done already.
        """
        target = change.target
        obstacle: AutoRepairError | None = None
        for _ in range(ATTEMPTS):
            found = self.read(target)
            if change.planned_on is None:
                found = self._while_holding(after, target, found, for_s=BELIEVED_AFTER_S)
            if stands_where_led(found, change, before, after):
                return found
            if not stands_as_planned_on(found, change, before, after):
                raise StaleConfigurationError(
                    f"{target.function_arn} is not as it was when the change was planned: "
                    "the setting, or the configuration that goes with it, differs"
                )
            obstacle = self._beside.write(target.function_arn, before, after, guard)
            found = self.read(target)
            if obstacle is None:
                return self._after_write_beside(before, after, target, found)
            if isinstance(obstacle, StaleConfigurationError):
                # So is refused what was sent twice, since its first answer was lost.
                found = self._while_holding(before, target, found, for_s=BELIEVED_AFTER_S)
            if holds(found, after):
                return found
            if isinstance(obstacle, TransientServiceError):
                raise obstacle
        if isinstance(obstacle, StaleConfigurationError) and holds(found, before):
            # Refused, and shown where it was: nobody knows whether it was written.
            raise TransientServiceError(
                f"Lambda refuses to change {target.function_arn} and shows what was there before "
                f"still; the same call may work a moment later: {obstacle}"
            )
        raise obstacle or StaleConfigurationError(f"{target.function_arn} kept moving")

    def _after_write_beside(
        self,
        before: SettingBeside,
        after: SettingBeside,
        target: Target,
        found: FunctionConfiguration,
    ) -> FunctionConfiguration:
        """Give the reading that shows what Lambda has said to be written."""
        found = self._while_holding(before, target, found, for_s=self._latest.settle_s)
        if holds(found, after):
            return found
        if holds(found, before):
            raise TransientServiceError(
                f"Lambda has taken the change of {target.function_arn} and shows what was there "
                f"before it still after {self._latest.settle_s:g} s; the same call may work a "
                "moment later"
            )
        raise StaleConfigurationError(
            f"{target.function_arn} was changed by somebody else right after the write"
        )

    def _while_holding(
        self, setting: SettingBeside, target: Target, found: FunctionConfiguration, *, for_s: float
    ) -> FunctionConfiguration:
        """Read again while the setting is shown, for so long at most; gives the last reading."""
        pauses = self._latest.pauses(for_s)
        while holds(found, setting) and next(pauses, False):
            found = self.read(target)
        return found

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
