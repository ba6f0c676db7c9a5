"""The alarms that the service makes for an enrolled function, and when they go off."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from autorepair.domain.value import Value

MANAGED_TAG, MANAGED_VALUE = "managed-by", "lambda-auto-repair"
"""The tag of every alarm that is the service's own; it touches no other."""
DURATION_SHARE = 0.8
"""A duration alarm goes off at this share of the timeout at the latest: before time-outs begin."""
_MS_PER_S = 1000
_PERIOD_S = 60
_TIME_OUT_IN_TEXT = '"Task timed out after"'
_TIME_OUT_IN_JSON = '{ $.type = "platform.report" && $.record.status = "timeout" }'


class Thresholds(Value):
    """What the deployment says the alarms of enrolled functions are made with."""

    model_config = ConfigDict(extra="ignore")

    duration_ms: float = Field(gt=0)
    errors: int = Field(ge=1)
    """In a minute; so are time-outs."""
    timeouts: int = Field(ge=1)

    def duration_for(self, timeout_s: int) -> float:
        """Give the milliseconds at which a function with this timeout is too slow."""
        return min(self.duration_ms, DURATION_SHARE * _MS_PER_S * timeout_s)


class Enrollable(Value):
    """What has to be known of a function to enrol it."""

    name: str
    arn: str
    timeout_s: int
    log_group: str
    is_json: bool
    """Whether it logs in JSON."""
    tags: dict[str, str] = Field(default_factory=dict)

    @property
    def has_log_of_its_own(self) -> bool:
        """Whether Lambda's own name for its log group says that nobody else writes there."""
        return self.log_group == f"/aws/lambda/{self.name}"


class OwnAlarm(Value):
    """One alarm as it is to be."""

    name: str
    description: str
    namespace: str
    metric: str
    dimensions: dict[str, str] = Field(default_factory=dict)
    statistic: Literal["Sum", "p99"] = "Sum"
    threshold: float
    period_s: int = _PERIOD_S
    periods: int = 1
    breaching: int = 1
    """How many of the periods have to be at the threshold."""


class OwnFilter(Value):
    """What makes a metric of the time-outs in a log: Lambda itself counts them as errors only."""

    name: str
    log_group: str
    pattern: str
    namespace: str
    metric: str


def alarm_name(environment: str, function_name: str, kind: str) -> str:
    """Name the alarm of a kind: errors, timeouts or duration."""
    return f"lambda-auto-repair-{environment}-{function_name}-{kind}"


def namespace_of(environment: str) -> str:
    """Name the namespace of the metrics that are made of logs."""
    return f"LambdaAutoRepair/{environment}"


def metric_of(function_name: str) -> str:
    """Name the metric of a function's time-outs.

    Such a metric has no dimensions, so its own name keeps functions apart.
    """
    return f"{function_name}-timeouts"


def alarms_for(
    environment: str, function: Enrollable, thresholds: Thresholds
) -> tuple[OwnAlarm, ...]:
    """Give the alarms of a function: on errors, on time-outs, on slowness before they begin."""
    watched = {"FunctionName": function.name}
    duration_ms = thresholds.duration_for(function.timeout_s)
    return (
        OwnAlarm(
            name=alarm_name(environment, function.name, "errors"),
            description=f"{function.name} fails: {thresholds.errors} or more errors in a minute.",
            namespace="AWS/Lambda",
            metric="Errors",
            dimensions=watched,
            threshold=thresholds.errors,
        ),
        OwnAlarm(
            name=alarm_name(environment, function.name, "timeouts"),
            description=f"{function.name} runs into its timeout: {thresholds.timeouts} or more "
            "times in a minute.",
            namespace=namespace_of(environment),
            metric=metric_of(function.name),
            threshold=thresholds.timeouts,
        ),
        OwnAlarm(
            name=alarm_name(environment, function.name, "duration"),
            description=slowness(function.name),
            namespace="AWS/Lambda",
            metric="Duration",
            dimensions=watched,
            statistic="p99",
            threshold=duration_ms,
            periods=3,
            breaching=2,
        ),
    )


def slowness(function_name: str) -> str:
    """Say what a duration alarm is about; without its figure, which follows the timeout."""
    return f"{function_name} is about to run into its timeout, or slower than it should be."


def filter_for(environment: str, function: Enrollable) -> OwnFilter:
    """Give the filter that counts a function's time-outs, in the format that it logs in."""
    return OwnFilter(
        name=alarm_name(environment, function.name, "timeouts"),
        log_group=function.log_group,
        pattern=_TIME_OUT_IN_JSON if function.is_json else _TIME_OUT_IN_TEXT,
        namespace=namespace_of(environment),
        metric=metric_of(function.name),
    )


class Fit(Value):
    """A duration alarm that was set to a timeout; milliseconds."""

    alarm: str
    before_ms: float
    after_ms: float
    is_others: bool = False
    """Whether it was left as it was: what it was set to is not what the service sets."""
