"""A log group that a metric filter makes a metric of."""

from __future__ import annotations

from autorepair.domain.value import Value

_LAMBDAS_OWN = "/aws/lambda/"


class FilteredLog(Value):
    """A log group and the pattern of the lines that count."""

    log_group: str
    pattern: str


def function_of_group(log_group: str) -> str | None:
    """Name the function that a log group is for, if it bears the name that Lambda gives it."""
    name = log_group.removeprefix(_LAMBDAS_OWN)
    return name if name != log_group and "/" not in name else None
