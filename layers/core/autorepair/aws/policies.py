"""The policy in force, from SSM Parameter Store."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, ClassVar

from autorepair.aws.errors import AWS_FAILURES, aws_call, translated
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
        on_unreadable: Callable[[], None] = lambda: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ssm = client
        self._parameter = parameter
        self._keep_s = keep_s
        self._on_unreadable = on_unreadable
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
        try:
            policy = parse_policy(policy_text(self._ssm, self._parameter))
        except PolicyUnreadableError:
            self._on_unreadable()
            raise
        self._kept = (now, policy)
        return policy


class SsmPolicyParameter:
    """The parameter itself, as operators see and replace it."""

    permissions: ClassVar[Mapping[str, frozenset[str]]] = {
        "read": frozenset({"ssm:GetParameter"}),
        "write": frozenset({"ssm:PutParameter"}),
    }

    def __init__(self, client: SSMClient, *, parameter: str) -> None:
        self._ssm = client
        self.parameter = parameter

    def read(self) -> str:
        """Give the text of the policy, readable or not.

        Raises:
            PolicyUnreadableError: There is none, or it may not be read.
        """
        return policy_text(self._ssm, self.parameter)

    def write(self, text: str) -> None:
        """Put a policy in the place of the one that is there; it holds from the next read on.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be written.
        """
        with aws_call("ssm:PutParameter", self.parameter):
            self._ssm.put_parameter(Name=self.parameter, Value=text, Overwrite=True, Type="String")


def policy_text(client: SSMClient, parameter: str) -> str:
    """Read the parameter.

    Raises:
        PolicyUnreadableError: It cannot be read.
    """
    try:
        answer = client.get_parameter(Name=parameter, WithDecryption=True)
    except AWS_FAILURES as error:
        failure = translated(error, action="ssm:GetParameter", on=parameter)
        raise PolicyUnreadableError(f"the policy cannot be read: {failure}") from error
    return answer["Parameter"]["Value"]
