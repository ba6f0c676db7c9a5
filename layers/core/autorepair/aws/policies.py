"""The policy in force, from SSM Parameter Store."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, ClassVar

from autorepair.aws.errors import AWS_FAILURES, translated
from autorepair.domain.errors import PolicyUnreadableError
from autorepair.domain.policy import Policy, parse_policy

if TYPE_CHECKING:
    from types_boto3_ssm import SSMClient


class SsmPolicies:
    """Keeps the policy for some seconds, so that a burst of alarms does not throttle SSM."""

    permissions: ClassVar[Mapping[str, frozenset[str]]] = {
        "current": frozenset({"ssm:GetParameter"}),
    }

    def __init__(
        self,
        client: SSMClient,
        *,
        parameter: str,
        keep_s: float = 30.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ssm = client
        self._parameter = parameter
        self._keep_s = keep_s
        self._monotonic = monotonic
        self._kept: tuple[float, Policy] | None = None

    def current(self, *, is_fresh: bool = False) -> Policy:
        """Read the policy, at most seconds old; ``is_fresh`` reads it past the cache.

        Raises:
            PolicyUnreadableError: It cannot be read or does not validate.
        """
        now = self._monotonic()
        if not is_fresh and self._kept is not None and now - self._kept[0] < self._keep_s:
            return self._kept[1]
        self._kept = None  # what cannot be read any more is not in force any more
        policy = parse_policy(self._text())
        self._kept = (now, policy)
        return policy

    def _text(self) -> str:
        try:
            answer = self._ssm.get_parameter(Name=self._parameter, WithDecryption=True)
        except AWS_FAILURES as error:
            failure = translated(error, action="ssm:GetParameter", on=self._parameter)
            raise PolicyUnreadableError(f"the policy cannot be read: {failure}") from error
        return answer["Parameter"]["Value"]
