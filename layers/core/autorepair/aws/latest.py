"""`$LATEST` of a function: read until it has settled, and changed by compare-and-swap."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from autorepair.aws.edits import Edits
from autorepair.aws.errors import AWS_FAILURES, aws_call, translated
from autorepair.aws.reading import Reading
from autorepair.domain.change import Change
from autorepair.domain.errors import (
    AutoRepairError,
    StaleConfigurationError,
    TargetNotFoundError,
    TransientServiceError,
    UpdateFailedError,
    UpdateInProgressError,
)
from autorepair.domain.incident import Target
from autorepair.ports.function import unguarded

if TYPE_CHECKING:
    from types_boto3_lambda import LambdaClient

READ = "lambda:GetFunctionConfiguration"
WRITE = "lambda:UpdateFunctionConfiguration"
# One for the write, one for a revision that moved when an update settled, one for an update that
# somebody else began in between.
ATTEMPTS = 3
BELIEVED_AFTER_S = 3.0
"""For so long (seconds) a reading is looked at again that may lag behind a write."""
_FIRST_POLL_S, _LONGEST_POLL_S = 0.25, 4.0


class Latest:
    """Reads and writes `$LATEST`; ``settle_s`` is how long an update may take."""

    def __init__(
        self,
        client: LambdaClient,
        *,
        settle_s: float = 60.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._lambda = client
        self._settle_s = settle_s
        self._sleep = sleep

    def pauses(self, within_s: float | None = None) -> Iterator[bool]:
        """Sleep before each further look, ever longer, until the time (seconds) is used up.

        Each step gives True: another look may be had.
        """
        delay, waited = _FIRST_POLL_S, 0.0
        while waited < (self._settle_s if within_s is None else within_s):
            self._sleep(delay)
            waited += delay
            delay = min(delay * 2, _LONGEST_POLL_S)
            yield True

    @property
    def settle_s(self) -> float:
        """How long an update may take, in seconds."""
        return self._settle_s

    def reading(self, function_arn: str, version: str | None = None) -> Reading:
        """Read the configuration of `$LATEST`, or of a published version.

        Raises:
            TargetNotFoundError: There is no such function or version.
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be read.
        """
        with aws_call(READ, function_arn, missing=TargetNotFoundError):
            answer = (
                self._lambda.get_function_configuration(FunctionName=function_arn)
                if version is None
                else self._lambda.get_function_configuration(
                    FunctionName=function_arn, Qualifier=version
                )
            )
        return Reading({k: v for k, v in answer.items() if k != "ResponseMetadata"})

    def settled(self, target: Target, *, past: str = "") -> Reading:
        """Wait until no update is under way, and until the revision ``past`` is past.

        A reading right after a write may still show what was there before it.

        Raises:
            UpdateInProgressError: That did not come in time.
            AutoRepairError: As for `reading`.
        """
        reading, pauses = self.reading(target.function_arn), self.pauses()
        while _is_moving(reading, past):
            if not next(pauses, False):
                raise UpdateInProgressError(
                    f"an update of {target.function_arn} has not settled within "
                    f"{self._settle_s:g} s; try again when LastUpdateStatus is Successful"
                )
            reading = self.reading(target.function_arn)
        return reading

    def swapped(
        self,
        change: Change,
        edits: Edits,
        *,
        check: Callable[[Reading], None] = lambda _: None,
        guard: Callable[[], None] = unguarded,
    ) -> Reading:
        """Write the edit where `$LATEST` is as planned on; gives the settled reading after it.

        ``check`` is shown the reading that the write goes by, and ``guard`` is called right
        before it; what they raise is raised. A write that was sent twice, since its first answer
        was lost, is refused for its revision: that is looked at until readings show why.

        Raises:
            TransientServiceError: They do not; whether it was written is not known.
            AutoRepairError: As for `Functions.apply`.
        """
        obstacle: AutoRepairError | None = None
        refused = ""
        for _ in range(ATTEMPTS):
            reading = self._settled_since(change.target, refused)
            if reading.revision_id == refused and isinstance(obstacle, StaleConfigurationError):
                raise TransientServiceError(
                    f"Lambda refuses the revision of {reading.arn} that it shows; the same call "
                    "may work a moment later"
                )
            if edits.stands_where_led(reading):
                return reading
            edits.require_planned_on(reading)
            check(reading)
            obstacle = self._write(reading, edits, guard)
            if obstacle is None:
                return self._after_write(reading.revision_id, change, edits)
            if isinstance(obstacle, TransientServiceError):
                return self._unless_lost(obstacle, change, edits)
            refused = reading.revision_id
        raise obstacle or StaleConfigurationError(f"{change.target.function_arn} kept moving")

    def _settled_since(self, target: Target, refused: str) -> Reading:
        """Give the settled reading, for some seconds none of the revision that was refused."""
        reading, pauses = self.settled(target), self.pauses(BELIEVED_AFTER_S)
        while reading.revision_id == refused and next(pauses, False):
            reading = self.settled(target)
        return reading

    def _write(
        self, reading: Reading, edits: Edits, guard: Callable[[], None]
    ) -> AutoRepairError | None:
        """Write; give the failure if a fresh reading may settle it, raise any other.

        It is raised outside its handler: Lambda quotes the environment in its messages, and a
        chained exception is logged together with its cause.
        """
        request = edits.request(reading)
        guard()
        failure = None
        try:
            self._lambda.update_function_configuration(
                FunctionName=reading.arn, RevisionId=reading.revision_id, **request
            )
        except AWS_FAILURES as error:
            failure = translated(
                error,
                action=WRITE,
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
        reading = self.settled(change.target, past=revision_id)
        if not edits.holds(reading, edits.after):
            raise StaleConfigurationError(
                f"{reading.arn} was changed by somebody else right after the write: "
                f"{edits.difference(reading, edits.after)}"
            )
        return reading

    def _unless_lost(self, lost: TransientServiceError, change: Change, edits: Edits) -> Reading:
        """A missing answer says nothing about the write: look at the function."""
        reading = self.settled(change.target)
        if not edits.stands_where_led(reading):
            raise lost
        return reading


def in_effect(reading: Reading) -> Reading:
    """Give the reading of an update that went well.

    Raises:
        UpdateFailedError: Lambda reported LastUpdateStatus Failed.
    """
    if reading.update_status == "Failed":
        raise UpdateFailedError(
            f"Lambda could not put the last update of {reading.arn} into effect "
            f"({reading.update_failure}); the function runs with its former configuration"
        )
    return reading


def _is_moving(reading: Reading, past: str) -> bool:
    is_outdated = past != "" and reading.revision_id == past
    return is_outdated or reading.update_status == "InProgress"
