"""A function behind an alias on an account as strict as AWS: who changes it, and when all ends."""

# ruff: noqa: ANN401 - clients of any service are made by name, so their types are open

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from autorepair.aws.digests import Digester
from autorepair.aws.functions import LambdaFunctions
from autorepair.aws.reading import Reading
from autorepair.domain.change import AliasMove, Change, EnvironmentSetting, TimeoutSetting
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.incident import Target
from lab.account_support import Lab, create_function, until, zip_of

BEFORE_S, AFTER_S, FURTHER_S = 3, 6, 12
Moment = Literal["before", "after"]
_names = (f"f{number}" for number in itertools.count())


class NoValues:
    """Timeouts need no values of variables."""

    def of(self, reading: Reading, name: str, source: object) -> str | None:
        raise AssertionError((reading, name, source))

    def keep(self, reading: Reading, before: EnvironmentSetting) -> None:
        raise AssertionError((reading, before))


class KilledError(BaseException):
    """The process is gone: nothing catches this."""


@dataclass
class Stage:
    """One function behind the alias live, and who changes it."""

    lab: Lab
    client: Any
    functions: LambdaFunctions
    target: Target
    calls: list[str] = field(default_factory=list)
    fatal: int = 0
    moment: Moment = "before"
    meddle: dict[str, Callable[[], object]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.target.function_name

    @property
    def timeout_s(self) -> int:
        found = self.lab.client("lambda").get_function_configuration(FunctionName=self.name)
        return int(found["Timeout"])

    @property
    def live(self) -> str:
        found = self.lab.client("lambda").get_alias(FunctionName=self.name, Name="live")
        weights = found.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
        return "+".join((found["FunctionVersion"], *weights))

    @property
    def live_timeout_s(self) -> int:
        found = self.lab.client("lambda").get_function_configuration(
            FunctionName=self.name, Qualifier="live"
        )
        return int(found["Timeout"])

    @property
    def versions(self) -> list[str]:
        found = self.lab.client("lambda").list_versions_by_function(FunctionName=self.name)
        return [version["Version"] for version in found["Versions"]][1:]

    def read(self) -> FunctionConfiguration:
        return self.functions.read(self.target)

    def plan(self, after_s: int = AFTER_S) -> Change:
        now = self.read()
        return Change(
            target=self.target,
            before=TimeoutSetting(timeout_s=now.timeout_s),
            after=TimeoutSetting(timeout_s=after_s),
            planned_on=now.fingerprint,
            release=AliasMove(alias="live", former=str(now.alias_version)),
        )

    def apply(self, change: Change) -> Change:
        made = self.functions.apply(change)
        return change.led(leads_to=made.fingerprint, version=made.alias_version)

    def arm(self, fatal: int = 0, moment: Moment = "before") -> None:
        self.calls, self.fatal, self.moment = [], fatal, moment

    def before_call(self, model: Any, **_: object) -> None:
        self.calls.append(model.name)
        if self.fatal == len(self.calls) and self.moment == "before":
            raise KilledError
        if model.name in self.meddle:
            self.meddle.pop(model.name)()

    def after_call(self, **_: object) -> None:
        if self.fatal == len(self.calls) and self.moment == "after":
            raise KilledError

    def update(self, **settings: object) -> None:
        """What a person does to `$LATEST`."""
        theirs = self.lab.client("lambda")
        self._settle()
        theirs.update_function_configuration(FunctionName=self.name, **settings)
        self._settle()

    def move(self, version: str) -> None:
        self.lab.client("lambda").update_alias(
            FunctionName=self.name, Name="live", FunctionVersion=version
        )

    def divide(self, version: str) -> None:
        """What a deployment does: half of the traffic goes to another version."""
        self.lab.client("lambda").update_alias(
            FunctionName=self.name,
            Name="live",
            RoutingConfig={"AdditionalVersionWeights": {version: 0.5}},
        )

    def publish(self, code: str) -> str:
        theirs = self.lab.client("lambda")
        self._settle()
        theirs.update_function_code(FunctionName=self.name, ZipFile=zip_of(code))
        self._settle()
        return str(theirs.publish_version(FunctionName=self.name)["Version"])

    def _settle(self) -> None:
        theirs = self.lab.client("lambda")
        until(
            lambda: (
                theirs.get_function_configuration(FunctionName=self.name)["LastUpdateStatus"]
                == "Successful"
            )
        )


def staged(account: Lab, digester: Digester) -> Stage:
    """A function whose alias live is on version 1, with all of its traffic."""
    theirs, name = account.client("lambda"), next(_names)
    made = create_function(theirs, name, Timeout=BEFORE_S)
    theirs.publish_version(FunctionName=name)
    theirs.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    ours = account.client("lambda", app_id=name)
    stage = Stage(
        account,
        ours,
        LambdaFunctions(ours, digester, NoValues(), settle_s=8, sleep=_briefly),
        Target(
            function_name=name,
            function_arn=made["FunctionArn"],
            account_id="123456789012",
            region="us-east-1",
            qualifier="live",
        ),
    )
    ours.meta.events.register("before-call.lambda", stage.before_call)
    ours.meta.events.register("after-call.lambda", stage.after_call)
    return stage


def _briefly(seconds: float) -> None:
    """Settling takes its moment here, too, but a shorter one."""
    time.sleep(seconds / 20)


def calls_of(account: Lab, digester: Digester, act: Callable[[Stage], object]) -> list[str]:
    stage = staged(account, digester)
    stage.arm()
    act(stage)
    return stage.calls


def forward(stage: Stage) -> Change:
    return stage.apply(stage.plan())


WRITES = ("UpdateFunctionConfiguration", "PublishVersion", "UpdateAlias")


def shown(stage: Stage, operation: str, answers: list[dict[str, str]], version: str = "") -> None:
    """Have the next readings (of a version, if one is named) show something else, one by one."""

    def alter(parsed: dict[str, Any], **_: object) -> None:
        if answers and (not version or parsed.get("Version") == version):
            parsed |= answers.pop(0)

    stage.client.meta.events.register(f"after-call.lambda.{operation}", alter)
