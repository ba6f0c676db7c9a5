"""Publishing what was written to `$LATEST`, and moving an alias there; and back from there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, ClassVar

from autorepair.aws.edits import Edits
from autorepair.aws.errors import AWS_FAILURES, aws_call, translated
from autorepair.aws.latest import ATTEMPTS, BELIEVED_AFTER_S, READ, Latest, in_effect
from autorepair.aws.reading import Reading
from autorepair.aws.settings_beside import SettingsBeside
from autorepair.domain.change import AliasMove, AliasSetting, Change
from autorepair.domain.errors import (
    AccessDeniedError,
    AutoRepairError,
    ChangeRefusedError,
    StaleConfigurationError,
    TargetNotFoundError,
    TransientServiceError,
    UpdateFailedError,
    UpdateInProgressError,
)
from autorepair.domain.incident import Target

if TYPE_CHECKING:
    from types_boto3_lambda import LambdaClient

_PUBLISH = "lambda:PublishVersion"
_PROVISIONED = "lambda:ListProvisionedConcurrencyConfigs"
# After these nothing more is tried, so what was written to `$LATEST` must not stay there.
_FINAL = (AccessDeniedError, ChangeRefusedError, StaleConfigurationError)

Guard = Callable[[], None]


class Publisher:
    """Makes an edit of `$LATEST` reach the traffic of an alias.

    Three writes, each by compare-and-swap and safe to run twice: `$LATEST` on its RevisionId, a
    version on the revision and the code that were just read, and the alias on its own RevisionId.
    Back it is two: the alias, then `$LATEST`. The version that was published stays.
    """

    permissions: ClassVar[Mapping[str, frozenset[str]]] = {
        "publish": frozenset({READ, _PUBLISH, _PROVISIONED}) | SettingsBeside.permissions["write"],
    }

    def __init__(self, client: LambdaClient, latest: Latest, beside: SettingsBeside) -> None:
        self._lambda = client
        self._latest = latest
        self._beside = beside

    def forward(
        self,
        change: Change,
        move: AliasMove,
        edits: Edits,
        put_back: Callable[[], None],
        guard: Guard,
    ) -> tuple[Reading, str]:
        """Write `$LATEST`, publish it, move the alias; gives the reading and the version.

        Where that cannot be brought to its end, `$LATEST` is put back, unless it is somebody
        else's by then.

        Raises:
            StaleConfigurationError: `$LATEST`, or the alias, is not as planned on (any more).
            ChangeRefusedError: What hangs on the version forbids it.
            UpdateFailedError: The version does not become active.
            AutoRepairError: As for `Functions.apply`.
        """
        try:
            here = self._beside.alias_version(change.target)
            if here != move.former:
                return self._done_already(change, move, edits, here)
            reading = in_effect(
                self._latest.swapped(
                    change, edits, check=lambda found: self._check(found, move), guard=guard
                )
            )
            version = self._published(change, edits, guard)
            self._move(change.target, move, version, guard)
        except _FINAL as error:
            raise type(error)(f"{error}; {self._put_back(put_back)}") from error
        return reading, version

    def back(self, change: Change, move: AliasMove, edits: Edits, guard: Guard) -> Reading:
        """Move the alias back and restore `$LATEST`; gives its reading.

        The alias comes first: traffic runs on its version, whatever is done to `$LATEST`. That is
        restored only as far as it is this service's; where it is not, the reading shows what there
        is instead. Where the alias is somewhere else, nothing is touched, unless the move was cut
        short, so that it is not known whether the alias was moved at all: then `$LATEST` is
        restored all the same.

        Raises:
            StaleConfigurationError: The alias is somebody else's by now, or of a move that was cut
                short `$LATEST` is.
            AutoRepairError: As for `Functions.apply`.
        """
        if change.planned_on is None:
            return self._back_from_a_cut(change, move, edits, guard)
        here = self._where(change.target)
        if here != move.former:
            if here is None or here != move.published:
                raise self._elsewhere(change.target, move, here)
            self._move_alias(change.target, move, here, move.former, guard)
        try:
            return self._latest.swapped(change, edits, guard=guard)
        except StaleConfigurationError:
            return self._latest.settled(change.target)

    def _back_from_a_cut(
        self, change: Change, move: AliasMove, edits: Edits, guard: Guard
    ) -> Reading:
        here = self._off(change.target, move.former, within_s=BELIEVED_AFTER_S)
        if here != move.former:
            reading = self._latest.settled(change.target)
            if not self._is_ours(here, move, edits, reading):
                self._put_back(lambda: self._latest.swapped(change, edits, guard=guard))
                raise self._elsewhere(change.target, move, here)
            edits.require_planned_on(reading)
            self._move_alias(change.target, move, str(here), move.former, guard)
        return self._latest.swapped(change, edits, guard=guard)

    def _where(self, target: Target) -> str | None:
        return self._beside.alias_version(target)

    def _off(self, target: Target, version: str, *, within_s: float | None = None) -> str | None:
        """Look until the alias is off the version, or the time is up: a reading may lag behind."""
        here, pauses = self._where(target), self._latest.pauses(within_s)
        while here == version and next(pauses, False):
            here = self._where(target)
        return here

    def _is_ours(self, here: str | None, move: AliasMove, edits: Edits, reading: Reading) -> bool:
        """Whether the alias is where a repair that was cut short may have put it."""
        if here is None:
            return False
        if here in move.passed:
            return True
        version = self._latest.reading(reading.arn, here)
        return edits.holds(reading, edits.before) and not version.differences(reading)

    def _done_already(
        self, change: Change, move: AliasMove, edits: Edits, here: str | None
    ) -> tuple[Reading, str]:
        """Give what an earlier run came to, where it came to its end."""
        if here is not None:
            reading = self._latest.settled(change.target)
            version = self._latest.reading(change.target.function_arn, here)
            if edits.stands_where_led(reading) and not version.differences(reading):
                return reading, here
        raise self._elsewhere(change.target, move, here)

    def _elsewhere(self, target: Target, move: AliasMove, here: str | None) -> AutoRepairError:
        now = "is gone or divides its traffic" if here is None else f"is on version {here}"
        expected = f"version {move.start}" if move.start else "the version of this repair"
        return StaleConfigurationError(
            f"the alias {move.alias} of {target.function_arn} {now} by now and not on {expected}, "
            "so it is left to whoever moved it"
        )

    def _check(self, latest: Reading, move: AliasMove) -> None:
        """Insist that nothing but the change would be released, and that nothing hangs on it."""
        version = self._latest.reading(latest.arn, move.former)
        if names := version.differences(latest):
            raise StaleConfigurationError(
                f"$LATEST of {latest.arn} is not as version {move.former} any more: "
                f"{', '.join(names)}; to publish it would release that too"
            )
        if version.has_snap_start or latest.has_snap_start:
            raise ChangeRefusedError(
                f"version {move.former} of {latest.arn} uses SnapStart: publish and move by hand"
            )
        if {move.alias, move.former} & provisioned(self._lambda, latest.arn):
            raise ChangeRefusedError(
                f"provisioned concurrency hangs on the alias {move.alias} of {latest.arn} or its "
                "version: publish and move by hand"
            )

    def _published(self, change: Change, edits: Edits, guard: Guard) -> str:
        """Publish `$LATEST` exactly as it was written; the same again gives the same version."""
        obstacle: AutoRepairError | None = None
        for _ in range(ATTEMPTS):
            reading = self._latest.settled(change.target)
            if not edits.stands_where_led(reading):
                raise StaleConfigurationError(
                    f"{reading.arn} was changed by somebody else before it was published: "
                    f"{edits.difference(reading, edits.after)}"
                )
            guard()
            published = self._publish(reading)
            if isinstance(published, Reading):
                return self._active(published, reading)
            obstacle = published
        raise obstacle or StaleConfigurationError(f"{change.target.function_arn} kept moving")

    def _publish(self, reading: Reading) -> Reading | AutoRepairError:
        """Publish; give the failure if a fresh reading may settle it, raise any other."""
        try:
            answer = self._lambda.publish_version(
                FunctionName=reading.arn,
                RevisionId=reading.revision_id,
                CodeSha256=reading.code_sha256,
            )
        except AWS_FAILURES as error:
            failure = translated(
                error,
                action=_PUBLISH,
                on=reading.arn,
                missing=TargetNotFoundError,
                may_quote=False,
            )
        else:
            return Reading({k: v for k, v in answer.items() if k != "ResponseMetadata"})
        if isinstance(failure, StaleConfigurationError | UpdateInProgressError):
            return failure
        raise failure

    def _active(self, published: Reading, latest: Reading) -> str:
        """Wait until the version takes calls.

        Raises:
            StaleConfigurationError: It is not what was to be published.
            UpdateFailedError: It failed to become active.
            UpdateInProgressError: It did not become active in time.
        """
        number = published.version
        if names := published.differences(latest):
            raise StaleConfigurationError(
                f"version {number} of {latest.arn} is not what was written: {', '.join(names)}"
            )
        pauses = self._latest.pauses()
        while published.state == "Pending" or published.update_status == "InProgress":
            if not next(pauses, False):
                raise UpdateInProgressError(
                    f"version {number} of {latest.arn} is still {published.state} after "
                    f"{self._latest.settle_s:g} s; the alias was not moved"
                )
            published = self._latest.reading(latest.arn, number)
        if published.state == "Failed":
            raise UpdateFailedError(
                f"version {number} of {latest.arn} failed to become active; the alias was not moved"
            )
        return number

    def _move(self, target: Target, move: AliasMove, version: str, guard: Guard) -> None:
        if version == move.former:
            raise StaleConfigurationError(
                f"Lambda has published nothing new of {target.function_arn}: version {version} is "
                "what was running"
            )
        self._move_alias(target, move, move.former, version, guard)

    def _move_alias(
        self, target: Target, move: AliasMove, start: str, end: str, guard: Guard
    ) -> None:
        """Move the alias on its own revision, and only from ``start``.

        A revision that is refused may be so because this very move has landed and its answer was
        lost, and a reading may lag behind that: it is looked at for some seconds.
        """
        before = AliasSetting(alias=move.alias, version=start)
        after = AliasSetting(alias=move.alias, version=end)
        obstacle: AutoRepairError | None = None
        for _ in range(ATTEMPTS):
            obstacle = self._beside.write(target.function_arn, before, after, guard)
            if obstacle is None:
                self._shown(target, move, start)
                return
            here = self._off(target, start, within_s=BELIEVED_AFTER_S)
            if here == end:
                return
            if isinstance(obstacle, TransientServiceError):
                raise obstacle
            if here != start:
                raise self._elsewhere(target, move, here)
        # Refused, and shown where it was: nobody knows, so nothing is put back below it.
        raise TransientServiceError(
            f"Lambda refuses to move the alias {move.alias} of {target.function_arn} and shows it "
            f"on version {start} still; the same call may work a moment later: {obstacle}"
        )

    def _shown(self, target: Target, move: AliasMove, start: str) -> None:
        """Wait until a reading shows the move that Lambda has accepted.

        Where somebody has moved it on since, it was made all the same, and is theirs to judge.
        """
        if self._off(target, start) == start:
            raise TransientServiceError(
                f"Lambda has moved the alias {move.alias} of {target.function_arn} and shows it "
                f"on version {start} still; the same call may work a moment later"
            )

    def _put_back(self, put_back: Callable[[], object]) -> str:
        """Restore `$LATEST`, unless it is somebody else's by now; says where that leaves it."""
        try:
            put_back()
        except StaleConfigurationError:
            return "$LATEST is left to whoever changed it"
        return "$LATEST is as it was before the change"


def provisioned(client: LambdaClient, function_arn: str) -> frozenset[str]:
    """Name the aliases and versions that have provisioned concurrency.

    Raises:
        AccessDeniedError, TransientServiceError, ConfigurationError: They cannot be listed.
        TargetNotFoundError: There is no such function.
    """
    with aws_call(_PROVISIONED, function_arn, missing=TargetNotFoundError):
        pages = client.get_paginator("list_provisioned_concurrency_configs").paginate(
            FunctionName=function_arn
        )
        found = [one for page in pages for one in page["ProvisionedConcurrencyConfigs"]]
    return frozenset(str(one["FunctionArn"]).rpartition(":")[2] for one in found)
